"""The last day's samples: gathered by whoever leads, a minute at a time, and read by everybody.

They are for looking at and decide nothing, so they are not in the journal, and a store that is away costs minutes of
a picture instead of a round of the watch.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.engine.ports import SampleStore
from bot.model.errors import BackendError
from bot.model.samples import Day, Minute, Reading, Track, decode, encode, minute_of, oldest

log = logging.getLogger(__name__)

LATE_MINUTES = 5
FEW = 30


def signals_of(cluster: str) -> str:
    """The stream of the watch."""
    return f"signals/{cluster}"


def availability_of(cluster: str) -> str:
    """The stream of the exposures."""
    return f"availability/{cluster}"


class Samples:
    """One instance's hand on the samples. A minute is stored when the next one begins, or at once if so wished."""

    def __init__(self, store: SampleStore) -> None:
        self._store = store
        self._current: dict[str, Minute] = {}
        self._known: dict[str, dict[int, Minute]] = {}
        self._days: dict[str, Day] = {}

    async def note(self, stream: str, readings: Mapping[Track, Reading], now: datetime, at_once: bool = False) -> None:
        """Add one look's answers. Never raises: what the store does not take is missing from the picture.

        `at_once` is for looks that come about once a minute: others need not wait for the next one to see it.
        """
        current = self._current.get(stream)
        minute = minute_of(now)
        if current is None or current.at != minute:
            self._current[stream] = Minute(minute)
            if current is not None:
                await self._keep(stream, current, now)
        self._current[stream] = self._current[stream].noting(readings)
        if at_once:
            await self._keep(stream, self._current[stream], now)

    async def day(self, stream: str, now: datetime) -> Day:
        """What is known of the day before `now`. Raises BackendErrors."""
        known = self._known.setdefault(stream, {})
        newest = minute_of(now) + LATE_MINUTES  # what is later was noted before a clock was set back
        for at in [at for at in known if not oldest(now) <= at <= newest]:
            del known[at]
        # Whoever leads may store a minute late, and by a clock that is not quite ours.
        since = max(known, default=oldest(now)) - LATE_MINUTES
        rows = await self._store.samples(stream, max(since, oldest(now)))
        rows = [(at, body) for at, body in rows if at <= newest]
        # After a start it is a whole day, and others wait for an acknowledgement meanwhile.
        read = _decoded(stream, rows) if len(rows) < FEW else await asyncio.to_thread(_decoded, stream, rows)
        known.update(read)
        minutes = {at: known[at] for at in sorted(known)}
        current = self._current.get(stream)
        if current is not None and current.at >= max(known, default=0):
            minutes[current.at] = current
        before = self._days.get(stream)
        day = Day(tuple(minutes.values()), now)
        if before is None or minute_of(before.until) != minute_of(now) or before.minutes != day.minutes:
            self._days[stream] = day
        return self._days[stream]

    async def _keep(self, stream: str, minute: Minute, now: datetime) -> None:
        try:
            await self._store.keep_sample(stream, minute.at, encode(minute), oldest(now))
        except BackendError as error:
            log.warning("a minute of %s is not kept: %s", stream, error)


def _decoded(stream: str, rows: Sequence[tuple[int, str]]) -> dict[int, Minute]:
    """With their states, which are asked of every minute."""
    read: dict[int, Minute] = {}
    for at, body in rows:
        try:
            read[at] = decode(at, body)
        except ValueError as error:
            log.warning("minute %d of %s cannot be read: %s", at, stream, error)
        else:
            _ = read[at].states
    return read
