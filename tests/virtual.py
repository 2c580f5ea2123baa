"""A virtual Env: time moves only when somebody sleeps, identifiers count up, nothing is random."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class VirtualEnv:
    """Implements the engine's Env. `prefix` keeps the ids of two lives apart."""

    def __init__(self, start: datetime = START, prefix: str = "id") -> None:
        self.time = start
        self._prefix = prefix
        self._ids = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.failures: list[BaseException] = []

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return (self.time - START).total_seconds()

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    def new_id(self) -> str:
        self._ids += 1
        return f"{self._prefix}{self._ids:08d}"

    def spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def idle(self) -> None:
        """Wait until everything that was spawned has ended."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def running(self) -> set[str]:
        """The names of what was spawned and has not ended."""
        return {task.get_name() for task in self._tasks}

    async def stop(self) -> None:
        """Cancel what was spawned and wait until it has ended."""
        for task in list(self._tasks):
            task.cancel()
        await self.idle()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failures.append(error)
