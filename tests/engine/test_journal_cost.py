"""What a change costs at the store: every durable write waits for a disk, and everybody waits for it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from bot.engine.engine import Engine
from bot.engine.ports import Stored
from bot.model.commands import Change, Expose, Unexpose
from bot.model.operation import Operation
from tests.asking import ask, known, say_yes
from tests.memory_store import MemoryStore
from tests.office import Company

EXPOSE, UNEXPOSE = Expose(namespace="default"), Unexpose(namespace="default")


class CountingStore(MemoryStore):
    """Counts what would wait for a disk or for another machine."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.calls: Counter[str] = Counter()

    async def append(self, *record: Any, **more: Any) -> Stored | None:
        self.calls["append"] += 1
        return await super().append(*record, **more)

    async def read(self, stream: str, after: int = 0) -> Sequence[Stored]:
        self.calls["read"] += 1
        return await super().read(stream, after)

    async def lease(self, name: str, owner: str, ttl_s: float) -> bool:
        self.calls["lease"] += 1
        return await super().lease(name, owner, ttl_s)

    async def release(self, name: str, owner: str) -> None:
        self.calls["release"] += 1
        await super().release(name, owner)


async def changed(engine: Engine, store: CountingStore, command: Change) -> tuple[Operation, Counter[str]]:
    """Ask, say yes, wait for the end; what that took at the store."""
    store.calls.clear()
    operation = await ask(engine, command, delivery=f"d-{command.verb}")
    await say_yes(engine, operation)
    await engine.context.env.idle()  # type: ignore[attr-defined]  # the virtual one
    calls = Counter(store.calls)
    return await known(engine, operation.id), calls


async def test_a_change_costs_its_records_and_nothing_beside_them() -> None:
    company = Company()
    store = CountingStore(lambda: company.env.time, company.contents)
    engine = company.engine(store)
    for command in (EXPOSE, UNEXPOSE):
        operation, calls = await changed(engine, store, command)
        assert operation.state == "done"
        # Asked, planned, confirmed; intended and attempted on each of two devices; verified, finished.
        assert len(operation.records) == 9
        # Read for each of two plans, for the yes, for the drive, and by this test.
        assert calls == Counter(append=9, read=5, release=1)
