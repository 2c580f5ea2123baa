"""Text for people, wherever it is shown: without what nobody sees, cut to fit, in columns."""

import re
from collections.abc import Iterable, Sequence
from unicodedata import east_asian_width

from bot.model.wording import marked, tr_n

LINE = 80  # what a fixed-width box holds on a desk; Slack would go on at the left edge
BINDING = "\u00a0"  # a blank that no line ends at
# What a line may end after: a word, or any Chinese character that opens no bracket and has no punctuation behind it.
_OPENING, _CLOSING = "（“《", "，。；：？！）”》、"
_WIDE = "\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uffe6"
_PIECES = re.compile(f" *[{_OPENING}]*(?:[{_WIDE}]|[^ {_WIDE}{_OPENING}{_CLOSING}]+)?[{_CLOSING}]*")
_WITH_UNIT = re.compile(r"(?<=[0-9]) (?=(?:ms|s|min|h|%|UTC)\b)")
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


MORE_LINES = marked("… and {count} more line"), marked("… and {count} more lines")


def clip_lines(lines: Sequence[str], limit: int, more: tuple[str, str] = MORE_LINES) -> list[str]:
    """As many lines as `limit` characters hold, and how many are missing: `more` says so for one, and for many."""
    kept: list[str] = []
    left = limit
    for line in lines:
        left -= len(line) + 1
        if left < 0:
            return [*kept, tr_n(*more, len(lines) - len(kept))]
        kept.append(line)
    return kept


def aligned(texts: Iterable[str]) -> list[str]:
    """Each filled up with blanks to the width of the widest."""
    texts = list(texts)
    widths = [width(text) for text in texts]
    return [text + " " * (max(widths) - width) for text, width in zip(texts, widths, strict=True)]


def packed(lines: Iterable[str], limit: int) -> list[list[str]]:
    """The lines in groups of at most `limit` characters; one that is longer has a group of its own."""
    groups: list[list[str]] = []
    left = 0
    for line in lines:
        left -= len(line) + 1
        if left < 0:
            groups.append([])
            left = limit - len(line) - 1
        groups[-1].append(line)
    return groups


def fold(text: str) -> list[str]:
    """The lines of a text, long ones broken between words, with what follows set in."""
    return [part for line in text.split("\n") for part in _folded(line)]


def _folded(line: str) -> list[str]:
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    parts = [""]
    for piece in _PIECES.findall(_WITH_UNIT.sub(BINDING, line)):
        if parts[-1] and width(parts[-1] + piece) > LINE:
            parts.append(indent + piece.lstrip(" "))
        else:
            parts[-1] += piece
    return [part.replace(BINDING, " ") for part in parts]


def width(text: str) -> int:
    """In a fixed-width box, Chinese takes two places."""
    return sum(1 + (east_asian_width(character) in "WF") for character in text)
