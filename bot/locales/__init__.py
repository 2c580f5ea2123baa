"""The catalogues: k8snet.pot holds every English text, <locale>.po its translation.

`make texts` collects what the program says into k8snet.pot and brings the others in line; tests fail on a text that
is missing, fuzzy, or whose `{names}` differ.
"""

from functools import cache
from pathlib import Path

from bot.model.wording import ENGLISH, Catalogue, Locale

FOLDER = Path(__file__).parent


@cache
def catalogue(locale: Locale) -> Catalogue:
    """The texts of a language, read once; of English, none is needed."""
    if locale == "en":
        return ENGLISH
    from babel.messages.pofile import read_po

    with (FOLDER / f"{locale}.po").open("rb") as file:
        messages = read_po(file, locale=locale.replace("-", "_"))
    texts: dict[str, str] = {}
    for message in messages:
        ids = message.id if isinstance(message.id, tuple | list) else (message.id,)
        said = message.string if isinstance(message.string, str) else (message.string or ("",))[-1]
        texts |= {text: said for text in ids if text and said and not message.fuzzy}
    return Catalogue(locale=locale, texts=texts)
