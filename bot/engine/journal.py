"""The journal above a store: read on, decide on what it says, append only if nothing came in between."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import TypeVar, cast
from weakref import WeakSet

from bot.engine.ports import Hold, Store, Stored
from bot.model.errors import BrokenJournal, OutcomeUnknown, Unreachable
from bot.model.journal import AnyEntry, Event, Record, Sealed, unsealed
from bot.model.wording import tr
from bot.model.world import World

STREAM = "journal"
CONTENTION_LIMIT = 200

Other = TypeVar("Other")


class TooLate(Exception):
    """The store's clock had passed the moment until which an entry was acceptable."""


class TakenOver(Exception):
    """A lease that an entry needed is another's."""


class Journal:
    """One instance's view of the log. Every state change of the product is one `commit`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._world = World()
        self._lock = asyncio.Lock()
        self._changed = asyncio.Event()
        self._news: WeakSet[asyncio.Event] = WeakSet()

    @property
    def known(self) -> World:
        """The world with all that this instance has appended or read; another one may have gone on since."""
        return self._world

    async def world(self) -> World:
        """Everything appended so far, by whatever instance. Do not keep it across an await: it grows."""
        async with self._lock:
            await self._read_on()
            return self._world

    async def commit(
        self,
        decide: Callable[[World], AnyEntry | Other],
        not_after: datetime | None = None,
        holding: Sequence[Hold] = (),
    ) -> Record | Other:
        """Append what `decide` says about the newest world, or return its answer when that is no entry.

        `decide` is asked first about the world as this instance knows it. The store takes an entry only if that is the
        newest, and else, as for an answer that is no entry, `decide` is asked again about the newer one: a decision is
        never taken on an old world. The leases `holding` are renewed with the entry. Raises TooLate, TakenOver or
        Unreachable (nothing was appended).
        """
        async with self._lock:
            newest = False  # whether the world is known to be the newest
            sent: set[str] = set()  # records whose answer got lost: they may be in the log, or still on their way
            for _ in range(CONTENTION_LIMIT):
                answer = decide(self._world)
                if isinstance(answer, Event):
                    if (stored := await self._append(cast(AnyEntry, answer), not_after, holding, sent)) is not None:
                        return self._add(stored)
                elif newest:
                    return answer
                newest = True
                if (written := await self._read_on(sent)) is not None:
                    return written
        raise Unreachable("store", tr("too many writers at once; try again"))

    async def append(self, entry: AnyEntry) -> Record:
        """Commit an entry that is right whatever the newest world says."""
        record = await self.commit(lambda _: entry)
        assert isinstance(record, Record)
        return record

    async def stored(self) -> Sequence[Stored]:
        """Every record as the store holds it now, past anything that this instance has read before."""
        return await self._store.read(STREAM)

    async def lease(self, name: str, owner: str, ttl_s: float) -> bool:
        """Take or renew the right to drive something; see `Store.lease`."""
        return await self._store.lease(name, owner, ttl_s)

    async def release(self, name: str, owner: str) -> None:
        await self._store.release(name, owner)

    async def now(self) -> datetime:
        """The store's clock: the only one that decides whether something has expired."""
        return await self._store.now()

    async def changed(self) -> None:
        """Wait until this instance has seen a new record."""
        await self._changed.wait()
        self._changed.clear()

    def news(self) -> asyncio.Event:
        """An event of the caller's own, for as long as they keep it: set whenever this instance sees a new record; the
        caller clears it.
        """
        event = asyncio.Event()
        self._news.add(event)
        return event

    async def _append(
        self, entry: AnyEntry, not_after: datetime | None, holding: Sequence[Hold], sent: set[str]
    ) -> Stored | None:
        """None when the world has to be looked at again. Raises TooLate or TakenOver when that would not help."""
        seq = self._world.seq
        body = Sealed(previous=self._world.head, entry=entry).model_dump_json()
        try:
            stored = await self._store.append(STREAM, seq, body, not_after, holding)
        except OutcomeUnknown:
            sent.add(body)
            return None
        if stored is None and (not_after or holding) and not await self._store.read(STREAM, seq):
            if not_after is not None and await self._store.now() > not_after:
                raise TooLate
            if holding:
                raise TakenOver
        return stored

    async def _read_on(self, sent: Collection[str] = ()) -> Record | None:
        """Follow the log to its end; answers the one of the records `sent` that is new in it."""
        found = None
        for stored in await self._store.read(STREAM, self._world.seq):
            record = self._add(stored)
            found = record if stored.body in sent else found
        return found

    def _add(self, stored: Stored) -> Record:
        try:
            record = unsealed(stored.seq, stored.at, stored.body)
        except ValueError:
            raise BrokenJournal(
                tr(
                    "Record {seq} of the journal cannot be read: it was damaged, or written by a newer k8snet.",
                    seq=stored.seq,
                )
            ) from None
        self._world.add(record)
        self._changed.set()
        for event in self._news:
            event.set()
        return record
