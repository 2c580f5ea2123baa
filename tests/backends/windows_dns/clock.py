"""A clock whose deadlines pass when a test says so."""

import asyncio
import time
from collections.abc import Awaitable, Callable

DEADLINE_S = 300
"""`timeout_s` of every target in the tests: no test depends on how fast this machine is."""


class ManualClock:
    """Sleeps shorter than a deadline pass at once, through `skip`; a deadline passes with `expire`."""

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, skip: Callable[[float], Awaitable[None]] | None = None
    ) -> None:
        self.monotonic = monotonic
        self.slept: list[float] = []
        self._skip = skip
        self._expired = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        if seconds > DEADLINE_S / 2:
            await self._expired.wait()
            return
        self.slept.append(seconds)
        if self._skip is not None:
            await self._skip(seconds)

    def expire(self) -> None:
        """Let the deadline of the call under way pass, and of no later one."""
        self._expired.set()
        self._expired = asyncio.Event()
