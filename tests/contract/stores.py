"""Places that hold records, each with a clock that can be told to go on: in memory, SQLite, a real Redis."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from pydantic import SecretStr

from backends.store import StoreSettings, open_store
from bot.engine.ports import Store
from tests.memory_store import Contents, MemoryStore
from tests.redis_server import RedisServer

_prefixes = count()


@dataclass
class Clock:
    moment: datetime = datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    async def elapse(self, _store: Store, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


async def elapse_on_server(store: Store, seconds: float) -> None:
    """Redis has no clock to move: wait for its own to get there. Only for spans of milliseconds."""
    end = await store.now() + timedelta(seconds=seconds)
    while await store.now() <= end:
        pass


@dataclass
class Subject:
    """One place that holds records; `open` gives a further handle on it, `elapse` lets its clock go on."""

    open: Callable[[], Awaitable[Store]]
    elapse: Callable[[Store, float], Awaitable[None]]
    opened: list[Store] = field(default_factory=list)

    async def store(self) -> Store:
        self.opened.append(await self.open())
        return self.opened[-1]

    async def close(self) -> None:
        for store in self.opened:
            await store.close()


def in_memory() -> Subject:
    clock, contents = Clock(), Contents()

    async def opened() -> Store:
        return MemoryStore(clock, contents)

    return Subject(opened, clock.elapse)


def in_file(directory: Path) -> Subject:
    clock, url = Clock(), SecretStr(f"sqlite:///{directory}/store{next(_prefixes)}.db")
    return Subject(lambda: open_store(StoreSettings(url=url, timeout_s=60), clock), clock.elapse)


def in_redis(server: RedisServer) -> Subject:
    here = StoreSettings(url=SecretStr(server.url()), prefix=f"test-{next(_prefixes)}", timeout_s=60)
    return Subject(lambda: open_store(here), elapse_on_server)
