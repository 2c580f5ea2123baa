"""The last 24 hours in words: shares and strips of characters, for the terminal and for whoever sees no pictures."""

from collections.abc import Iterator

from bot.engine.overview import ClusterState, ExposureState
from bot.model.samples import State, Strip, ticks
from bot.model.wording import tr
from handlers.drawing.path import state_word
from handlers.drawing.strips import FAMILIES, percent
from handlers.text import aligned

# As in the pictures: the worse, the taller.
BARS: dict[State, str] = {"unknown": "·", "good": "▁", "doubtful": "▄", "bad": "█"}
NEARLY_A_DAY = 23 * 60  # a restart now and then does not change what one calls it


def bar(strip: Strip) -> str:
    """One character an hour, the newest last."""
    return "".join(BARS[state] for state in ticks(strip.states))


def day_lines(cluster: ClusterState) -> Iterator[str]:
    """The signals of a cluster's nodes."""
    if not cluster.days:
        return
    yield "  " + tr("last 24 hours, one character an hour (▁ good ▄ doubtful █ down · no data):")
    names = aligned(f"{day.subject}, {tr(FAMILIES[day.family])}" for day in cluster.days)
    for name, day in zip(names, cluster.days, strict=True):
        yield f"    {name}  {bar(day)}  {percent(day.share)}"


def usable(state: ExposureState) -> str:
    """Whether an exposure can be used now, and how much of the last day it could."""
    if state.day is None or not state.day.known:
        return tr("not looked at yet")
    now = tr("names {names}, data {data}", names=state_word(state.names), data=state_word(state.data))
    share = percent(state.day.share)
    if state.day.minutes >= NEARLY_A_DAY:
        return tr("{now}; {share} of the last 24 hours", now=now, share=share)
    known = duration(state.day.minutes * 60)
    return tr("{now}; {share} of {known} that were looked at", now=now, share=share, known=known)


def duration(seconds: float) -> str:
    """In the unit that one would say it in."""
    if seconds < 60 or (seconds < 120 and seconds % 60):
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
