"""The journal's home: SQLite for one host, Redis for several replicas."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from backends.store.settings import StoreSettings
from backends.store.sqlite import SqliteStore, utc_now
from bot.engine.ports import NoteStore, SampleStore, Store


class OpenedStore(Store, SampleStore, NoteStore, Protocol):
    """One place for the log, for samples and for notes."""


async def open_store(settings: StoreSettings, now: Callable[[], datetime] = utc_now) -> OpenedStore:
    """The store of `settings.url`, opened and fit for use.

    `now` is the clock of a SQLite store; Redis uses its own. Raises Rejected (with what to mend) or Unreachable.
    """
    if settings.sqlite_path is not None:
        return await SqliteStore.open(settings.sqlite_path, settings.timeout_s, now)
    from backends.store.redis import RedisStore

    return await RedisStore.open(settings)


__all__ = ["OpenedStore", "StoreSettings", "open_store"]
