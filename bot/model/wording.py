"""The words people read, in the language the bot was configured to speak.

English is written where it is used and is its own key, as gettext has it; other languages are catalogues that are
looked up here. The catalogue in force travels with the context, so that tasks inherit it and two bots in one process
may speak two languages.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal, TypeVar

Locale = Literal["en", "zh-CN"]
Text = TypeVar("Text", bound=str)


@dataclass(frozen=True)
class Catalogue:
    """What replaces the English texts: template -> template, or, of a counted text, its only plural form."""

    locale: Locale = "en"
    texts: Mapping[str, str] = field(default_factory=dict)


ENGLISH = Catalogue()
_spoken: ContextVar[Catalogue] = ContextVar("spoken", default=ENGLISH)


def tr(text: str, /, **values: object) -> str:
    """A text in the language in force, its `{names}` replaced by `values`.

    `text` is a literal of the program, never something that came from outside. Without values it is taken as it is,
    braces included. Raises KeyError when a name has no value.
    """
    said = _spoken.get().texts.get(text, text)
    return said.format(**values) if values else said


def tr_n(one: str, many: str, count: int, /, **values: object) -> str:
    """A counted text: `one` for exactly one, `many` otherwise; `{count}` is there without being named."""
    return tr(one if count == 1 else many, count=count, **values)


def listed(items: Iterable[object]) -> str:
    """Things one after the other, as the language in force separates them."""
    return tr(", ").join(map(str, items))


def clauses(items: Iterable[object]) -> str:
    """Half-sentences one after the other."""
    return tr("; ").join(map(str, items))


def marked(text: Text) -> Text:
    """Marks a text of a table for the catalogues; it is translated by `tr` where it is shown."""
    return text


def use(catalogue: Catalogue) -> None:
    """From here on, and in every task started from here."""
    _spoken.set(catalogue)


def spoken() -> Locale:
    """The language in force."""
    return _spoken.get().locale


@contextmanager
def speaking(catalogue: Catalogue) -> Iterator[None]:
    """The language in force while inside."""
    token = _spoken.set(catalogue)
    try:
        yield
    finally:
        _spoken.reset(token)
