"""Did you mean …?"""

from collections.abc import Iterable
from difflib import get_close_matches

from bot.model.wording import tr


def suggestion(typed: str, known: Iterable[str]) -> str:
    """A sentence with the nearest known word, with a leading space; empty when nothing is near."""
    near = get_close_matches(typed, list(known), n=1, cutoff=0.6)
    return tr(" Did you mean {word}?", word=near[0]) if near else ""
