"""The last 24 hours as strips: signals of a cluster's nodes, availability of what is exposed."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from bot.engine.overview import ClusterState, ExposureState
from bot.model.samples import State, Strip
from bot.model.value import Value
from bot.model.wording import marked, tr, tr_n
from handlers.drawing.fonts import label
from handlers.drawing.scene import COLOURS, MARGIN, MUTED, WIDTH, Rect, Scene, Shape, scene, written

TITLE_HEIGHT, ROW_HEIGHT, AXIS_HEIGHT, LEGEND_HEIGHT = 32, 22, 16, 22
NAME_WIDTH, SHARE_WIDTH = 122, 42
STRIP_LEFT, STRIP_WIDTH = MARGIN + NAME_WIDTH + 4, WIDTH - 2 * MARGIN - NAME_WIDTH - SHARE_WIDTH - 8
MOST_ROWS = 10
# The worse, the taller: an outage stands out for whoever sees no colours.
HEIGHTS: dict[State, float] = {"unknown": 1.5, "good": 6, "doubtful": 11, "bad": 18}
FAMILIES = {"data": marked("path"), "machine": marked("host")}
LEGEND: tuple[tuple[State, str], ...] = (
    ("good", marked("good")),
    ("doubtful", marked("doubtful")),
    ("bad", marked("down")),
    ("unknown", marked("no data")),
)


class Row(Value):
    """A strip and what it is called, drawn and spoken."""

    name: str
    spoken: str
    strip: Strip


def signal_rows(cluster: ClusterState) -> tuple[Row, ...]:
    """One for data and one for the machine, of every node of which there is anything."""
    return tuple(
        Row(
            name=f"{day.subject} {label(FAMILIES[day.family])}",
            spoken=f"{day.subject} {tr(FAMILIES[day.family])}",
            strip=day,
        )
        for day in cluster.days
    )


def availability_rows(exposures: Sequence[ExposureState]) -> tuple[Row, ...]:
    rows = []
    for state in exposures:
        if state.day is not None and state.day.known:
            name = f"{state.exposure.namespace} / {state.cluster}, {state.exposure.office}"
            rows.append(Row(name=name, spoken=name, strip=state.day))
    return tuple(rows)


def strips_scene(title: str, spoken: str, rows: Sequence[Row]) -> Scene:
    """`title` is drawn, `spoken` is the same for the words beside the picture: not every machine can draw Chinese."""
    shown = rows[:MOST_ROWS]
    height = TITLE_HEIGHT + len(shown) * ROW_HEIGHT + AXIS_HEIGHT + LEGEND_HEIGHT + 6

    def shapes() -> Iterator[Shape]:
        more = label(", {count} more", count=len(rows) - len(shown)) if len(rows) > len(shown) else ""
        yield written(MARGIN, 18, f"{title}{more}", WIDTH - 2 * MARGIN, size=12)
        for number, row in enumerate(shown):
            yield from _row(TITLE_HEIGHT + (number + 0.5) * ROW_HEIGHT, row)
        below = TITLE_HEIGHT + len(shown) * ROW_HEIGHT + AXIS_HEIGHT / 2
        right = STRIP_LEFT + STRIP_WIDTH
        yield written(STRIP_LEFT, below, label("24 h ago"), 60, size=10, colour=MUTED)
        yield written(STRIP_LEFT + STRIP_WIDTH / 2, below, label("12 h"), 40, size=10, colour=MUTED, anchor="middle")
        yield written(right, below, label("now"), 40, size=10, colour=MUTED, anchor="right")
        yield from _legend(below + AXIS_HEIGHT / 2 + LEGEND_HEIGHT / 2)

    return scene(height, shapes(), strips_alt(spoken, rows))


def strips_alt(title: str, rows: Sequence[Row]) -> str:
    """The picture in words."""
    said = [f"{row.spoken} {percent(row.strip.share)}{_bad_hours(row.strip)}" for row in rows]
    return f"{title}: {'; '.join(said)}."


def percent(share: float | None) -> str:
    """Rounded down: a hundred is a hundred."""
    if share is None:
        return "–"
    thousandths = int(share * 1000 + 1e-9)
    return "100 %" if thousandths == 1000 else f"{thousandths / 10:.1f} %"


def _bad_hours(strip: Strip) -> str:
    quarters = strip.states.count("bad")
    return (
        tr_n(" (down in {count} quarter of an hour)", " (down in {count} quarters of an hour)", quarters)
        if quarters
        else ""
    )


def _row(y: float, row: Row) -> Iterator[Shape]:
    yield written(MARGIN, y, row.name, NAME_WIDTH, size=10.5)
    yield written(WIDTH - MARGIN, y, percent(row.strip.share), SHARE_WIDTH, size=10.5, anchor="right")
    step = STRIP_WIDTH / len(row.strip.states)
    start = 0
    for state, group in groupby(row.strip.states):
        count = len(list(group))
        yield _bar(STRIP_LEFT + start * step, y, count * step, state)
        start += count


def _bar(x: float, y: float, width: float, state: State) -> Rect:
    height = HEIGHTS[state]
    return Rect(x=round(x, 2), y=y - height / 2, width=round(width, 2), height=height, fill=COLOURS[state])


def _legend(y: float) -> Iterator[Shape]:
    x: float = MARGIN
    for state, word in LEGEND:
        yield _bar(x, y, 14, state)
        yield written(x + 19, y, label(word), 60, size=10, colour=MUTED)
        x += 84
