"""Pictures: the shapes that stand for every state, in a golden file each; and that the pixels are really there."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bot.engine.overview import Overview
from bot.locales import catalogue
from bot.model.samples import Strip
from bot.model.wording import speaking
from handlers.drawing.fonts import chinese_font
from handlers.drawing.overview import scenes, sheet
from handlers.drawing.path import Hop, path_scene
from handlers.drawing.path import Path as Way
from handlers.drawing.render import SCALE, png
from handlers.drawing.scene import ALT_LIMIT, CARD, COLOURS, Scene, Text, drawable, scene, shortened, written
from handlers.drawing.strips import ROW_HEIGHT, STRIP_LEFT, STRIP_WIDTH, TITLE_HEIGHT, Row, percent, strips_scene
from tests.engine.watched import ADDRESS, GATEWAY, watched

FOLDER = Path(__file__).parent.parent / "golden"
HOSTILE = "\u202egnp.exe <!channel> *b* \u200b\x00 名前 " + "x" * 300
states = st.sampled_from(["good", "doubtful", "bad", "unknown"])
hops = st.builds(Hop, name=st.text(max_size=80), state=states)
ways = st.builds(
    Way,
    cluster=st.text(max_size=40),
    office=hops,
    firewall=hops,
    gateway=hops,
    nodes=st.lists(hops, max_size=12).map(tuple),
    services=st.lists(hops, max_size=12).map(tuple),
    problem=st.booleans(),
)


def assert_golden(name: str, drawn: Scene) -> None:
    """The same shapes, one a line. K8SNET_GOLDEN=write writes them, K8SNET_PICTURES=<folder> keeps the pictures."""
    lines = [shape.model_dump_json(exclude_none=True) for shape in drawn.shapes]
    said = "\n".join([json.dumps({"alt": drawn.alt}, ensure_ascii=False), *lines]) + "\n"
    file = FOLDER / f"picture-{name}.jsonl"
    if os.environ.get("K8SNET_GOLDEN") == "write":
        file.write_text(said, encoding="utf-8")
    if folder := os.environ.get("K8SNET_PICTURES"):
        (Path(folder) / f"{name}.png").write_bytes(png(drawn))
    assert said == file.read_text(encoding="utf-8"), f"look at {name}.png, then write its golden file anew"


async def story(name: str) -> Overview:
    office = await watched()
    availability = office.engine.availability("qa")
    assert availability is not None

    async def quarters(count: int) -> None:
        """So many quarters of an hour, the first half minute of each looked at."""
        for _ in range(count):
            await availability.tick()
            await office.rounds(15)
            office.pass_time(15 * 60 - 30)

    await quarters(8)
    match name:
        case "down":
            office.company.wire.dead.add(ADDRESS[GATEWAY])
            await quarters(4)
        case "api-away":
            office.company.cluster.away = True
    await availability.tick()
    return await office.engine.overview()


@pytest.mark.parametrize("name", ["well", "down", "api-away"])
async def test_the_pictures_of_an_overview(name: str) -> None:
    drawn = scenes(await story(name))
    assert list(drawn) == ["path/qa", "signals/qa", "availability"]
    for part, one in drawn.items():
        assert_golden(f"{part.partition('/')[0]}-{name}", one)


async def test_one_sheet_holds_them_all() -> None:
    drawn = scenes(await story("well"))
    whole = sheet(drawn)
    assert whole.height > sum(one.height for one in drawn.values())
    assert sum(len(one.shapes) for one in drawn.values()) == len(whole.shapes)


def decoded(drawn: Scene) -> Image.Image:
    with Image.open(io.BytesIO(png(drawn))) as image:
        return image.convert("RGBA")


def pixel(image: Image.Image, x: float, y: float) -> str:
    red, green, blue, opaque = image.getpixel((round(x * SCALE), round(y * SCALE)))
    return f"#{red:02x}{green:02x}{blue:02x}" if opaque else "clear"


def test_a_strip_has_its_colours_in_their_places_on_a_card_that_stands_on_any_background() -> None:
    strip = Strip(
        subject="n", family="data", states=("good",) * 32 + ("doubtful",) * 32 + ("bad",) * 32, minutes=96, share=2 / 3
    )
    drawn = strips_scene("title", "title", [Row(name="n", spoken="n", strip=strip)])
    image = decoded(drawn)
    assert image.size == (drawn.width * 3, drawn.height * 3)
    places = (STRIP_LEFT + 10, STRIP_LEFT + STRIP_WIDTH / 2, STRIP_LEFT + STRIP_WIDTH - 10)
    middle = TITLE_HEIGHT + ROW_HEIGHT / 2
    assert [pixel(image, x, middle) for x in places] == [COLOURS[s] for s in ("good", "doubtful", "bad")]
    # By height as well: the worse, the taller.
    assert [pixel(image, x, middle - 7.5) for x in places] == [CARD, CARD, COLOURS["bad"]]
    assert [pixel(image, x, middle - 4) for x in places] == [CARD, COLOURS["doubtful"], COLOURS["bad"]]
    assert pixel(image, 0, 0) == "clear"


def test_every_state_has_a_shape_of_its_own() -> None:
    outlines = set()
    for state in COLOURS:
        way = Way(cluster="c", office=Hop(name="o", state=state), firewall=Hop(name="f", state=state),
                  gateway=Hop(name="g", state=state), nodes=(), services=(), problem=False)  # fmt: skip
        grey = decoded(path_scene(way)).crop((25 * 3 - 36, 30 * 3, 25 * 3 + 3, 50 * 3)).convert("L")
        outlines.add(grey.point(lambda value: 255 if value > 200 else 0).tobytes())
    assert len(outlines) == len(COLOURS)


@given(ways)
def test_whatever_things_are_called_a_picture_stays_a_picture(way: Way) -> None:
    drawn = path_scene(way)
    assert 0 < len(drawn.alt) <= ALT_LIMIT
    for shape in drawn.shapes:
        if isinstance(shape, Text):
            assert shape.text.replace("…", "·") == drawable(shape.text)
            assert len(shape.text) * shape.size * 0.5 <= max(shape.width, 40)


def test_hostile_text_is_drawn_within_its_place() -> None:
    text = written(100, 50, HOSTILE, 120)
    blank, drawn = (decoded(scene(100, iter(shapes), "x")) for shapes in ((), (text,)))
    changed = Image.composite(drawn, Image.new("RGBA", drawn.size), _difference(blank, drawn)).getbbox()
    assert changed is not None
    assert changed[0] >= 98 * SCALE
    assert changed[2] <= 222 * SCALE


def _difference(one: Image.Image, other: Image.Image) -> Image.Image:
    from PIL import ImageChops

    return ImageChops.difference(one.convert("RGB"), other.convert("RGB")).convert("L").point(lambda v: 255 * (v > 8))


def test_the_same_scene_gives_the_same_picture() -> None:
    drawn = scene(50, iter((written(10, 10, "abc", 100),)), "x")
    assert png(drawn) == png(drawn)


@pytest.mark.parametrize(
    ("share", "said"), [(None, "–"), (1.0, "100 %"), (0.9999, "99.9 %"), (0.5, "50.0 %"), (0.0, "0.0 %")]
)
def test_a_hundred_percent_is_all_of_it(share: float | None, said: str) -> None:
    assert percent(share) == said


@given(st.text(max_size=60), st.integers(3, 40))
def test_a_shortened_name_keeps_both_ends(text: str, most: int) -> None:
    short = shortened(text, most)
    assert len(short) <= most
    assert text.startswith(short.split("…")[0]) or "…" in text
    assert len(text) > most or short == text


def test_nobody_loads_the_drawing_library_who_does_not_draw() -> None:
    code = "import sys, bot.__main__, bot.app, handlers.edge, handlers.lines.overview; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_pictures_speak_chinese_where_a_font_does() -> None:
    overview = await story("down")
    with speaking(catalogue("zh-CN")):
        drawn = scenes(overview)
    words = {shape.text for one in drawn.values() for shape in one.shapes if isinstance(shape, Text)}
    assert ("网关节点" in words) == (chinese_font() is not None)
    assert ("gateway" in words) == (chinese_font() is None)
    assert all("网关" in one.alt or "24" in one.alt for one in drawn.values())
    if folder := os.environ.get("K8SNET_PICTURES"):
        (Path(folder) / "chinese.png").write_bytes(png(sheet(drawn)))


def test_chinese_is_drawn_within_its_place_with_or_without_a_font() -> None:
    text = written(10, 50, "集群 qa 最近二十四小时的信号" * 5, 120)
    image = decoded(scene(100, iter((text,)), "x"))
    assert pixel(image, 140, 50) == CARD
    assert image.crop((10 * SCALE, 40 * SCALE, 130 * SCALE, 60 * SCALE)).convert("L").getextrema()[0] < 128
