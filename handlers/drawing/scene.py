"""What a picture consists of, as values: shapes on a card, and the same in words. Nothing here draws."""

from collections.abc import Iterator
from typing import Literal

from bot.model.samples import State
from bot.model.value import Value
from handlers.drawing.fonts import wide
from handlers.text import clip, visible

WIDTH = 360  # units: the width of a phone, so that what is readable here is readable there
MARGIN = 12
ALT_LIMIT = 2000  # Slack's, of an image block
_GLYPH = 0.53  # mean width of a character, in parts of the font's size

# A light card with a border stands on any background. Hues that all kinds of colour-blind people tell apart (Okabe and
# Ito), darkened where they carry white; what counts is told by the shape as well.
CARD, BORDER, PANEL = "#ffffff", "#c9ced6", "#f3f5f7"
INK, MUTED, WHITE = "#1b1f24", "#59636e", "#ffffff"
COLOURS: dict[State, str] = {"good": "#00795a", "doubtful": "#b06a00", "bad": "#c23b00", "unknown": "#6b7480"}


class Rect(Value):
    """With `radius` its corners are round; a circle is a square with half its side."""

    kind: Literal["rect"] = "rect"
    x: float
    y: float
    width: float
    height: float
    fill: str | None = None
    line: str | None = None
    radius: float = 0
    thick: float = 1


class Polygon(Value):
    kind: Literal["polygon"] = "polygon"
    points: tuple[tuple[float, float], ...]
    fill: str


class Line(Value):
    kind: Literal["line"] = "line"
    points: tuple[tuple[float, float], ...]
    colour: str
    thick: float = 1.5
    dashed: bool = False


class Text(Value):
    """One line, its middle at `y`. What would be wider than `width` is written smaller."""

    kind: Literal["text"] = "text"
    x: float
    y: float
    text: str
    size: float
    width: float
    colour: str = INK
    anchor: Literal["left", "middle", "right"] = "left"


Shape = Rect | Polygon | Line | Text


class Scene(Value):
    """A whole picture. `alt` says in words what it shows."""

    width: int
    height: int
    shapes: tuple[Shape, ...]
    alt: str


def scene(height: float, shapes: Iterator[Shape], alt: str) -> Scene:
    """The shapes on a card of that height."""
    card = Rect(x=0.5, y=0.5, width=WIDTH - 1, height=height - 1, fill=CARD, line=BORDER, radius=8)
    return Scene(width=WIDTH, height=round(height), shapes=(card, *shapes), alt=clip(visible(alt), ALT_LIMIT))


def written(
    x: float,
    y: float,
    text: str,
    width: float,
    size: float = 11,
    colour: str = INK,
    anchor: Literal["left", "middle", "right"] = "left",
) -> Text:
    """Text from anywhere, made to fit: names that differ at their end keep it."""
    text = drawable(text)
    needed = sum(1 if wide(one) else _GLYPH for one in text) * size
    if needed > width:
        text = shortened(text, max(int(len(text) * width / needed), 3))
    return Text(x=x, y=y, text=text, size=size, width=width, colour=colour, anchor=anchor)


def drawable(text: str) -> str:
    """What no font has a glyph for, or what turns the reading direction, is a dot."""
    return (
        "".join(one if (" " <= one <= "\u017f" and one != "\x7f") or wide(one) else "·" for one in visible(text)) or "·"
    )


def shortened(text: str, most: int) -> str:
    """At most so many characters, without those in the middle."""
    if len(text) <= most:
        return text
    tail = most // 2
    return f"{text[: most - tail - 1]}…{text[len(text) - tail :]}"


def mark(x: float, y: float, state: State, size: float = 14) -> Iterator[Shape]:
    """A sign centred there: a disc with a tick, a square with a cross, a triangle with a stroke, a ring with a "?"."""
    half, colour = size / 2, COLOURS[state]
    match state:
        case "good":
            yield Rect(x=x - half, y=y - half, width=size, height=size, fill=colour, radius=half)
            points = ((-0.24, 0.02), (-0.06, 0.2), (0.26, -0.18))
            yield Line(points=tuple((x + dx * size, y + dy * size) for dx, dy in points), colour=WHITE, thick=1.8)
        case "bad":
            yield Rect(x=x - half, y=y - half, width=size, height=size, fill=colour, radius=2)
            reach = size * 0.22
            yield Line(points=((x - reach, y - reach), (x + reach, y + reach)), colour=WHITE, thick=1.8)
            yield Line(points=((x - reach, y + reach), (x + reach, y - reach)), colour=WHITE, thick=1.8)
        case "doubtful":
            yield Polygon(points=((x, y - half), (x + half, y + half), (x - half, y + half)), fill=colour)
            yield Line(points=((x, y - size * 0.16), (x, y + size * 0.16)), colour=WHITE, thick=1.6)
            yield Line(points=((x, y + size * 0.3), (x, y + size * 0.36)), colour=WHITE, thick=1.6)
        case "unknown":
            yield Rect(x=x - half, y=y - half, width=size, height=size, line=colour, radius=half, thick=1.2)
            yield Text(x=x, y=y, text="?", size=size * 0.72, width=size, colour=colour, anchor="middle")
