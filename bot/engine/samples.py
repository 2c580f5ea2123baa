"""The last day's samples: gathered by whoever leads, a minute at a time, and read by everybody.

They are for looking at and decide nothing, so they are not in the journal, and a store that is away costs minutes of
a picture instead of a round of the watch.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.engine.ports import SampleStore
from bot.model.errors import BackendError
from bot.model.samples import Minute, Reading, Track, decode, encode, minute_of, oldest

log = logging.getLogger(__name__)

LATE_MINUTES = 5


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

    async def day(self, stream: str, now: datetime) -> Sequence[Minute]:
        """What is known of the day before `now`, oldest first. Raises BackendErrors."""
        known = self._known.setdefault(stream, {})
        # Whoever leads may store a minute late, and by a clock that is not quite ours.
        since = max(known, default=oldest(now)) - LATE_MINUTES
        for at, body in await self._store.samples(stream, max(since, oldest(now))):
            try:
                known[at] = decode(at, body)
            except ValueError as error:
                log.warning("minute %d of %s cannot be read: %s", at, stream, error)
        for at in [at for at in known if at < oldest(now)]:
            del known[at]
        current = self._current.get(stream)
        if current is not None and current.at >= max(known, default=0):
            return [*(known[at] for at in sorted(known) if at != current.at), current]
        return [known[at] for at in sorted(known)]

    async def _keep(self, stream: str, minute: Minute, now: datetime) -> None:
        try:
            await self._store.keep_sample(stream, minute.at, encode(minute), oldest(now))
        except BackendError as error:
            log.warning("a minute of %s is not kept: %s", stream, error)
