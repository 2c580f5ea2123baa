"""Text for people, wherever it is shown: without what nobody sees, cut to fit, in columns."""

import re
from collections.abc import Iterable, Sequence
from unicodedata import east_asian_width

from bot.model.wording import tr

# Control characters but newline, and what has no width or turns the reading direction (Unicode 15, UAX #9).
_UNSEEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


def visible(text: str) -> str:
    """Text without characters that nobody sees: they can hide, or reverse, what a person says yes to."""
    return _UNSEEN.sub("", text)


def clip(text: str, limit: int) -> str:
    """At most `limit` characters, with an ellipsis where something is missing."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def clip_lines(lines: Sequence[str], limit: int) -> list[str]:
    """As many lines as `limit` characters hold, and how many are missing."""
    kept: list[str] = []
    left = limit
    for line in lines:
        left -= len(line) + 1
        if left < 0:
            return [*kept, tr("… and {count} more lines", count=len(lines) - len(kept))]
        kept.append(line)
    return kept


def aligned(texts: Iterable[str]) -> list[str]:
    """Each filled up with blanks to the width of the widest; in a fixed-width box, Chinese takes two places."""
    texts = list(texts)
    widths = [sum(1 + (east_asian_width(character) in "WF") for character in text) for text in texts]
    return [text + " " * (max(widths) - width) for text, width in zip(texts, widths, strict=True)]
