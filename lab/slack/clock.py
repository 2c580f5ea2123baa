"""Time that can be moved forward by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Clock:
    """Seconds since the epoch. A frozen clock moves only by `advance`; a running one flows and can jump too."""

    def __init__(self, start: float | None = None, *, frozen: bool = False) -> None:
        self.frozen = frozen
        self._base = time.time() if start is None else start
        self._origin = time.monotonic()
        self._sleepers: dict[asyncio.Future[None], float] = {}
        self._watchers: dict[asyncio.Future[None], float] = {}

    def now(self) -> float:
        return self._base if self.frozen else self._base + time.monotonic() - self._origin

    def advance(self, seconds: float) -> None:
        """Jump forward and wake everyone whose time has come, earliest first."""
        if seconds < 0:
            raise ValueError("a clock only moves forward")
        self._base += seconds
        self._wake()
        self._tell_watchers()

    async def sleep(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._sleepers[future] = self.now() + seconds
        self._tell_watchers()
        timer = None if self.frozen else loop.call_later(max(seconds, 0), self._wake)
        if seconds <= 0:
            future.set_result(None)
        try:
            await future
        finally:
            del self._sleepers[future]
            if timer is not None:
                timer.cancel()

    async def within(self, seconds: float, awaitable: Awaitable[T]) -> T:
        """The result of `awaitable`, or TimeoutError once `seconds` of this clock have passed; then it is cancelled."""
        work = asyncio.ensure_future(awaitable)
        alarm = asyncio.ensure_future(self.sleep(seconds))
        try:
            await asyncio.wait({work, alarm}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise TimeoutError(f"no result within {seconds:g} s")
            return work.result()
        finally:
            for task in (work, alarm):
                task.cancel()
            await asyncio.gather(work, alarm, return_exceptions=True)

    async def until_sleeping(self, seconds: float) -> None:
        """Return once someone has exactly this long to sleep. For frozen clocks: then it is time to `advance`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watchers[future] = seconds
        self._tell_watchers()
        try:
            await future
        finally:
            del self._watchers[future]

    def _tell_watchers(self) -> None:
        now = self.now()
        for watcher, seconds in self._watchers.items():
            awaited = any(abs(deadline - now - seconds) < 0.000_01 for deadline in self._sleepers.values())
            if awaited and not watcher.done():
                watcher.set_result(None)

    def _wake(self) -> None:
        due = self.now() + 0.001  # timers of the event loop may fire a moment early
        for future, deadline in sorted(self._sleepers.items(), key=lambda pair: pair[1]):
            if deadline <= due and not future.done():
                future.set_result(None)
