"""The smallest store that keeps the contract, for tests that need no disk."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.engine.ports import Hold, Stored
from bot.model.errors import Unreachable


class MemoryStore:
    """`Store`, `SampleStore` and `NoteStore` in this process. `now` is its clock; stores share `contents`."""

    def __init__(
        self, now: Callable[[], datetime] = lambda: datetime.now(UTC), contents: "Contents | None" = None
    ) -> None:
        self.contents = contents or Contents()
        self._now = now
        self._closed = False

    async def append(
        self,
        stream: str,
        expected: int,
        body: str,
        not_after: datetime | None = None,
        holding: Sequence[Hold] = (),
    ) -> Stored | None:
        at, records = await self.now(), self.contents.streams.setdefault(stream, [])
        if len(records) != expected or (not_after is not None and at > not_after):
            return None
        if not all(self._free(hold.name, hold.owner, at) for hold in holding):
            return None
        for hold in holding:
            self.contents.leases[hold.name] = (hold.owner, at + timedelta(seconds=hold.ttl_s))
        records.append(Stored(seq=expected + 1, at=at, body=body))
        return records[-1]

    async def read(self, stream: str, after: int = 0) -> Sequence[Stored]:
        self._check_open()
        return self.contents.streams.get(stream, [])[after:]

    async def lease(self, name: str, owner: str, ttl_s: float) -> bool:
        now = await self.now()
        if not self._free(name, owner, now):
            holder, until = self.contents.leases[name]
            self.contents.leases[name] = holder, min(until, now + timedelta(seconds=ttl_s))
            return False
        self.contents.leases[name] = (owner, now + timedelta(seconds=ttl_s))
        return True

    def _free(self, name: str, owner: str, now: datetime) -> bool:
        holder, until = self.contents.leases.get(name, (owner, now))
        return holder == owner or until <= now

    async def release(self, name: str, owner: str) -> None:
        self._check_open()
        if self.contents.leases.get(name, ("", None))[0] == owner:
            del self.contents.leases[name]

    async def keep_sample(self, stream: str, minute: int, body: str, oldest: int) -> None:
        self._check_open()
        kept = self.contents.samples.setdefault(stream, {})
        kept[minute] = body
        for old in [one for one in kept if one < oldest]:
            del kept[old]

    async def samples(self, stream: str, since: int) -> Sequence[tuple[int, str]]:
        self._check_open()
        return sorted(
            (minute, body) for minute, body in self.contents.samples.get(stream, {}).items() if minute >= since
        )

    async def keep_note(self, topic: str, note: str) -> None:
        self._check_open()
        self.contents.notes.setdefault(topic, {})[note] = None

    async def drop_note(self, topic: str, note: str) -> None:
        self._check_open()
        self.contents.notes.get(topic, {}).pop(note, None)

    async def notes(self, topic: str) -> Sequence[str]:
        self._check_open()
        return list(self.contents.notes.get(topic, {}))

    async def now(self) -> datetime:
        self._check_open()
        return self._now()

    async def close(self) -> None:
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise Unreachable("store", "the store in memory is closed")


class ActingAfter(MemoryStore):
    """Lets a test act, or fail, right after a record of one kind has been written and before its writer hears of it."""

    def __init__(
        self, now: Callable[[], datetime], contents: "Contents", kind: str, act: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(now, contents)
        self._mark, self._act = f'"kind":"{kind}"', act

    async def append(self, stream: str, expected: int, body: str, *rest: Any, **more: Any) -> Stored | None:
        stored = await super().append(stream, expected, body, *rest, **more)
        if stored is not None and self._mark in body:
            await self._act()
        return stored


class Contents:
    """What survives closing a store."""

    def __init__(self) -> None:
        self.streams: dict[str, list[Stored]] = {}
        self.leases: dict[str, tuple[str, datetime]] = {}
        self.samples: dict[str, dict[int, str]] = {}
        self.notes: dict[str, dict[str, None]] = {}
