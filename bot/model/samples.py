"""What was seen minute by minute over the last day: signals of nodes, availability of exposures. Pure.

A sample is one look's answer to one question: good, bad, or (None) nothing that means anything. Samples are kept as
one `Minute` for all questions of a stream, and shown as a `Strip` of buckets.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal

from bot.model.candidates import NodeHealth
from bot.model.value import Value
from bot.model.watch import Round

DAY = timedelta(hours=24)
BUCKETS = 96  # of a quarter of an hour
TICKS = 24  # of a strip in words
# A minute with so many of its looks bad is a bad one (as 5 of 8 make a failure), with so many a doubtful one. A single
# lost packet in a minute of thirty looks is neither.
BAD_SHARE, DOUBTFUL_SHARE = 5 / 8, 1 / 8

State = Literal["good", "doubtful", "bad", "unknown"]
Family = Literal["data", "machine", "exposure", "names", "reached"]
FAMILIES_OF_NODES: tuple[Family, ...] = ("data", "machine")
Reading = bool | None
_ORDER: tuple[State, ...] = ("unknown", "good", "doubtful", "bad")
_FAMILIES: dict[Family, tuple[str, ...]] = {
    "data": ("service", "pod", "canary"),
    "machine": ("host", "ping", "proxy", "lease", "ready"),
    "exposure": ("service", "names"),
    # The last look of a minute alone, for what is so now.
    "names": ("names-now",),
    "reached": ("service-now",),
}
_FAMILIES_OF: dict[str, list[Family]] = {}
for _family, _signals in _FAMILIES.items():
    for _signal in _signals:
        _FAMILIES_OF.setdefault(_signal, []).append(_family)


@dataclass(frozen=True, slots=True)
class Track:
    """One question that is asked again and again: `signal` about `subject` (a node, or `namespace@office`)."""

    subject: str
    signal: str


_NOW = frozenset({"names-now", "service-now"})


def _now(track: Track) -> Track:
    """The track that holds only the last look."""
    return Track(track.subject, f"{track.signal}-now")


@dataclass(frozen=True, slots=True)
class Tally:
    """How often a question was answered how within a minute."""

    good: int = 0
    bad: int = 0

    def plus(self, reading: Reading) -> "Tally":
        return Tally(self.good + (reading is True), self.bad + (reading is False))

    @property
    def state(self) -> State:
        known = self.good + self.bad
        if not known:
            return "unknown"
        share = self.bad / known
        return "bad" if share >= BAD_SHARE else "doubtful" if share >= DOUBTFUL_SHARE else "good"


@dataclass(frozen=True)
class Minute:
    """All tallies of one stream in the minute `at`, counted from 1970."""

    at: int
    tallies: Mapping[Track, Tally] = field(default_factory=dict)

    @cached_property
    def states(self) -> Mapping[tuple[str, Family], State]:
        """Of every subject and family that is known, the worst of its signals. Asked often, and of a day's minutes."""
        told: dict[tuple[str, Family], State] = {}
        for track, tally in self.tallies.items():
            if (state := tally.state) != "unknown":
                for family in _FAMILIES_OF.get(track.signal, ()):
                    place = (track.subject, family)
                    told[place] = worst((told.get(place, "unknown"), state))
        return told

    def state(self, subject: str, family: Family) -> State:
        return self.states.get((subject, family), "unknown")

    def noting(self, readings: Mapping[Track, Reading]) -> "Minute":
        new = {track: self.tallies.get(track, Tally()).plus(reading) for track, reading in readings.items()}
        now = {_now(track): Tally().plus(reading) for track, reading in readings.items() if _now(track).signal in _NOW}
        return Minute(self.at, {**self.tallies, **new, **now})


class Strip(Value):
    """The day before a moment, oldest bucket first.

    `minutes` is how many of it are known, `share` the part of those that were not bad.
    """

    subject: str
    family: Family
    states: tuple[State, ...]
    minutes: int
    share: float | None

    @property
    def known(self) -> bool:
        return any(state != "unknown" for state in self.states)


@dataclass(frozen=True)
class Day:
    """The minutes of a stream before `until`, oldest first. Remembers the strips that were asked for."""

    minutes: tuple[Minute, ...]
    until: datetime
    _strips: dict[tuple[str, Family], Strip] = field(default_factory=dict, compare=False)

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """Everything that was asked about, in alphabetical order."""
        return tuple(sorted({track.subject for minute in self.minutes for track in minute.tallies}))

    def strip(self, subject: str, family: Family) -> Strip:
        place = (subject, family)
        if place not in self._strips:
            self._strips[place] = strip(self.minutes, subject, family, self.until)
        return self._strips[place]

    def latest(self, subject: str, family: Family) -> State:
        """What the newest minute that knows says, of the last five."""
        for minute in reversed(self.minutes):
            if minute.at < minute_of(self.until) - 5:
                break
            if (state := minute.state(subject, family)) != "unknown":
                return state
        return "unknown"


def minute_of(moment: datetime) -> int:
    return int(moment.timestamp()) // 60


def oldest(moment: datetime) -> int:
    """The first minute that still belongs to the day before this moment."""
    return minute_of(moment - DAY)


def encode(minute: Minute) -> str:
    """Compact JSON: subject -> signal -> [good, bad]."""
    told: dict[str, dict[str, list[int]]] = {}
    for track, tally in minute.tallies.items():
        told.setdefault(track.subject, {})[track.signal] = [tally.good, tally.bad]
    return json.dumps(told, separators=(",", ":"), sort_keys=True)


def decode(at: int, body: str) -> Minute:
    """Raises ValueError for what `encode` never wrote."""
    try:
        told = json.loads(body)
        return Minute(
            at,
            {
                Track(subject, signal): Tally(int(good), int(bad))
                for subject, signals in told.items()
                for signal, (good, bad) in signals.items()
            },
        )
    except (TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"not a sample: {error}") from None


def strip(minutes: Iterable[Minute], subject: str, family: Family, until: datetime, buckets: int = BUCKETS) -> Strip:
    """The day before the end of the bucket in which `until` lies. A minute is as bad as the worst of its signals."""
    width = int(DAY.total_seconds()) // 60 // buckets
    first = (minute_of(until) // width - buckets + 1) * width
    seen: list[set[State]] = [set() for _ in range(buckets)]
    known = fine = 0
    for minute in minutes:
        state = minute.state(subject, family)
        bucket = (minute.at - first) // width
        if state == "unknown" or not 0 <= bucket < buckets:
            continue
        seen[bucket].add(state)
        known, fine = known + 1, fine + (state != "bad")
    return Strip(
        subject=subject,
        family=family,
        states=tuple(worst(states) for states in seen),
        minutes=known,
        share=fine / known if known else None,
    )


def worst(states: Iterable[State]) -> State:
    """The worst of what is known; unknown only when nothing is."""
    return max(states, key=_ORDER.index, default="unknown")


def ticks(states: Sequence[State], count: int = TICKS) -> tuple[State, ...]:
    """The same strip in fewer buckets."""
    size = len(states) // count
    return tuple(worst(states[start * size : (start + 1) * size]) for start in range(count))


def watched(gateway: str, seen: Round, health: Mapping[str, NodeHealth]) -> dict[Track, Reading]:
    """The samples of one round of the watch. Whoever cannot see has seen nothing."""
    readings: dict[Track, Reading] = {Track(gateway, signal): reading.good for signal, reading in seen.signals.items()}
    for node, known in health.items():
        readings |= {
            Track(node, "host"): known.host_answers,
            Track(node, "proxy"): known.proxy_healthy,
            Track(node, "lease"): known.lease_fresh,
            Track(node, "canary"): known.canary,
        }
    return readings if seen.clear else dict.fromkeys(readings)


def exposure_subject(namespace: str, office: str) -> str:
    return f"{namespace}@{office}"
