"""What new connections notice of a move: knocked at again and again, from the first write until the proof."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Self

from bot.engine.context import Context
from bot.engine.verifying import knock
from bot.model.doors import Door
from bot.model.journal import Measured
from bot.model.operation import Operation
from bot.model.plan import ReachesOne

EVERY_S, WITHIN_S = 0.2, 1.0
MOST = 300  # attempts a way: a minute; what takes longer is no outage of a move any more


@dataclass
class _Way:
    """One way and every attempt on it: when it began, and whether data came back."""

    doors: tuple[Door, ...]
    attempts: list[tuple[float, bool]] = field(default_factory=list)

    def outage_s(self) -> float:
        """The longest time from a connection that failed to the first one after it that worked."""
        longest, since = 0.0, None
        for began, good in sorted(self.attempts):
            if not good:
                since = began if since is None else since
                longest = max(longest, began + EVERY_S - since)
            elif since is not None:
                longest, since = max(longest, began - since), None
        return longest


class Meter:
    """Measures from `begin` to `end`; whoever enters it leaves nothing running."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ways: list[_Way] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    def begin(self, operation: Operation) -> None:
        """Start to knock on every way that the operation's proof will ask; harmless when it has begun."""
        if not self._ways:
            self._ways = [_Way(check.doors) for check in operation.due if isinstance(check, ReachesOne)]
            for way in self._ways:
                self._spawn(self._knock_on(way))

    async def end(self, operation: Operation) -> Measured | None:
        """What was noticed; None when nothing was measured. Connections still under way are not counted."""
        await self._stop()
        ways, self._ways = self._ways, []
        attempts = [good for way in ways for _, good in way.attempts]
        if not attempts:
            return None
        outage_s = max(way.outage_s() for way in ways)
        return Measured(
            operation=operation.id,
            outage_ms=round(outage_s * 1000),
            attempts=len(attempts),
            failed=attempts.count(False),
        )

    async def _knock_on(self, way: _Way) -> None:
        for _ in range(MOST):
            self._spawn(self._attempt(way))
            await self._context.env.sleep(EVERY_S)

    async def _attempt(self, way: _Way) -> None:
        began = self._context.env.monotonic()
        good, _ = await knock(self._context, way.doors, WITHIN_S)
        way.attempts.append((began, good))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stop(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
