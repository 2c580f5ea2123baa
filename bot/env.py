"""The real Env: the clock of this machine, real randomness, asyncio tasks."""

import asyncio
import gc
import logging
import secrets
import string
import time
from collections.abc import Coroutine
from datetime import UTC, datetime

log = logging.getLogger(__name__)

ALPHABET = string.ascii_lowercase + string.digits
ID_LENGTH = 10


def collect_garbage_late() -> None:
    """Look for garbage a hundred times less often, and never among what is there already. A command's start and a check
    of a thousand services make objects by the hundred thousand, and nearly all of them stay: to look at them again and
    again took a fifth of the time."""
    gc.freeze()
    gc.set_threshold(50_000)


class RealEnv:
    """Implements the engine's Env."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def new_id(self) -> str:
        return "".join(secrets.choice(ALPHABET) for _ in range(ID_LENGTH))

    def spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Cancel what runs in the background and wait until it has ended."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("%s failed", task.get_name(), exc_info=task.exception())
