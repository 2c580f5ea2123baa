"""Time as a port, so that a test decides when it passes.

`now()` is monotonic seconds; `wall()` is the calendar. `advance()` makes sleepers whose time has come wake in order,
on both clocks: the real one merely also moves by itself.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    def now(self) -> float: ...

    def wall(self) -> datetime: ...

    async def sleep(self, seconds: float) -> None: ...

    async def advance(self, seconds: float) -> None: ...


class RealClock:
    """The machine's clock, plus whatever has been skipped by `advance`."""

    def __init__(self) -> None:
        self._skipped = 0.0
        self._skip = asyncio.Event()

    def now(self) -> float:
        return time.monotonic() + self._skipped

    def wall(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._skipped)

    async def sleep(self, seconds: float) -> None:
        due = self.now() + seconds
        while (left := due - self.now()) > 0:
            skip = self._skip
            try:
                await asyncio.wait_for(skip.wait(), left)
            except TimeoutError:
                return

    async def advance(self, seconds: float) -> None:
        self._skipped += seconds
        woken, self._skip = self._skip, asyncio.Event()
        woken.set()
        await asyncio.sleep(0)


class VirtualClock:
    """Stands still until `advance`."""

    # How often the loop may turn between two timers, so that woken tasks can start new ones.
    TURNS = 25

    def __init__(self, start: datetime = datetime(2024, 1, 1, tzinfo=UTC)) -> None:
        self._start, self._now = start, 0.0
        self._timers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._added = asyncio.Event()

    def now(self) -> float:
        return self._now

    def wall(self) -> datetime:
        return self._start + timedelta(seconds=self._now)

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        timer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._timers, (self._now + seconds, next(self._order), timer))
        self._added.set()
        await timer

    def _live(self) -> list[float]:
        return [due for due, _, timer in self._timers if not timer.done()]

    async def until_asleep(self, count: int = 1) -> float:
        """Wait until that many sleep; the moment at which the first of them is due."""
        while len(live := self._live()) < count:
            self._added.clear()
            await self._added.wait()
        return min(live)

    async def advance(self, seconds: float) -> None:
        target = self._now + seconds
        await self._settle()
        while self._timers and self._timers[0][0] <= target:
            due, _, timer = heapq.heappop(self._timers)
            if timer.done():
                continue
            self._now = max(self._now, due)
            timer.set_result(None)
            await self._settle()
        self._now = target

    async def skip(self) -> None:
        """Let everything happen that happens now; if somebody is still asleep then, go to the first one's moment."""
        await self._settle()
        if live := self._live():
            await self.advance(max(min(live) - self._now, 0))

    async def _settle(self) -> None:
        for _ in range(self.TURNS):
            await asyncio.sleep(0)


async def within(clock: Clock, seconds: float, work: Awaitable[T]) -> T:
    """The result of the work, or TimeoutError when the clock was faster; the work is cancelled then."""
    task = asyncio.ensure_future(work)
    timer = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({task, timer}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise TimeoutError
    finally:
        for each in (task, timer):
            if not each.done():
                each.cancel()
        await asyncio.gather(task, timer, return_exceptions=True)
