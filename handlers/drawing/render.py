"""Scenes as PNG. Loads Pillow: import this only where something is really drawn, and call it off the event loop."""

import io
from functools import cache

from PIL import Image, ImageDraw, ImageFont

from handlers.drawing.fonts import chinese_font, is_chinese, wide
from handlers.drawing.scene import Line, Polygon, Rect, Scene, Shape, Text

SCALE = 3  # pixels a unit: sharp on phones
SMOOTH = 2  # drawn so many times larger, then reduced: Pillow's lines have no smooth edges of their own
DASH = 4.0


def png(scene: Scene) -> bytes:
    """The picture in PNG, transparent around the card; the same scene always gives the same pixels."""
    zoom = SCALE * SMOOTH
    image = Image.new("RGBA", (scene.width * zoom, scene.height * zoom), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    for shape in scene.shapes:
        _draw(draw, shape, zoom)
    out = io.BytesIO()
    image.reduce(SMOOTH).save(out, "PNG", optimize=True)
    return out.getvalue()


def _draw(draw: ImageDraw.ImageDraw, shape: Shape, zoom: int) -> None:
    match shape:
        case Rect():
            box = (shape.x, shape.y, shape.x + shape.width, shape.y + shape.height)
            left, top, right, bottom = (edge * zoom for edge in box)
            draw.rounded_rectangle(
                (left, top, max(right - 1, left), max(bottom - 1, top)),
                radius=shape.radius * zoom,
                fill=shape.fill,
                outline=shape.line,
                width=round(shape.thick * zoom) if shape.line else 0,
            )
        case Polygon():
            draw.polygon([(x * zoom, y * zoom) for x, y in shape.points], fill=shape.fill)
        case Line():
            for piece in _dashes(shape) if shape.dashed else [shape.points]:
                points = [(x * zoom, y * zoom) for x, y in piece]
                draw.line(points, fill=shape.colour, width=round(shape.thick * zoom), joint="curve")
        case Text():
            _write(draw, shape, zoom)


def _dashes(line: Line) -> list[tuple[tuple[float, float], ...]]:
    """A straight line in pieces."""
    (x0, y0), (x1, y1) = line.points[0], line.points[-1]
    length = max(abs(x1 - x0), abs(y1 - y0), 1e-9)
    count = max(int(length / DASH), 1)
    at = [(x0 + (x1 - x0) * i / count, y0 + (y1 - y0) * i / count) for i in range(count + 1)]
    return [(at[i], at[i + 1]) for i in range(0, count, 2)]


def _write(draw: ImageDraw.ImageDraw, text: Text, zoom: int) -> None:
    chinese = chinese_font() if is_chinese(text.text) else None
    said = text.text if chinese else "".join("·" if wide(one) else one for one in text.text)
    font = _font(text.size * zoom, chinese)
    width = font.getlength(said)
    if width > text.width * zoom:
        font = _font(text.size * zoom * text.width * zoom / width, chinese)
    anchor = {"left": "lm", "middle": "mm", "right": "rm"}[text.anchor]
    draw.text((text.x * zoom, text.y * zoom), said, fill=text.colour, font=font, anchor=anchor)


@cache
def _font(size: float, chinese: tuple[str, int] | None) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The Latin one comes with Pillow: no machine needs fonts for that."""
    if chinese is not None:
        file, face = chinese
        return ImageFont.truetype(file, size, index=face)
    return ImageFont.load_default(size)
