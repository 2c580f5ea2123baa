"""Time for the simulated cluster: the machine's, or one that a test turns by hand."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The current time, with time zone UTC."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class HandClock:
    """A clock that stands still until `advance` is called."""

    def __init__(self, start: datetime = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)) -> None:
        self._now = start
        self._sleepers: list[tuple[datetime, asyncio.Event]] = []
        self._more = asyncio.Condition()

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        sleeper = (self._now + timedelta(seconds=seconds), asyncio.Event())
        self._sleepers.append(sleeper)
        async with self._more:
            self._more.notify_all()
        try:
            await sleeper[1].wait()
        finally:
            self._sleepers.remove(sleeper)

    async def until_sleeping(self, seconds: float) -> None:
        """Wait until somebody sleeps who would wake after `seconds` from now at the latest."""
        async with self._more:
            await self._more.wait_for(
                lambda: any(
                    wake <= self._now + timedelta(seconds=seconds) and not event.is_set()
                    for wake, event in self._sleepers
                )
            )

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        for wake, event in self._sleepers:
            if wake <= self._now:
                event.set()
