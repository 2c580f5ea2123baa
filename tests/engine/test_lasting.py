"""What runs for as long as the bot lives goes on, whatever one operation, card or look stumbles over."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from bot.engine import changing
from bot.engine.announcing import Outbox
from bot.engine.ports import Stored
from bot.engine.presence import claim_name
from bot.model.commands import Expose
from bot.model.journal import Record
from bot.model.operation import Message, Operation
from tests.asking import ask, now
from tests.engine.watched import watched
from tests.memory import Fault
from tests.memory_store import MemoryStore
from tests.office import OMAR, Company, Wall


class Stumbling(Wall):
    """A card that some mistake of ours keeps from being drawn."""

    def __init__(self, over: str) -> None:
        super().__init__()
        self.over, self.tried = over, 0

    async def show(self, operation: Operation, thread: str | None = None) -> Message:
        if operation.id == self.over:
            self.tried += 1
            raise KeyError("a mistake of ours")
        return await super().show(operation, thread)

    async def audit(self, records: Sequence[Record], operations: Mapping[str, Operation]) -> None:
        await super().audit(records, operations)


class Mistaken(MemoryStore):
    """A store whose driver has a mistake of its own at first: it raises what no store should."""

    mistakes = 20

    async def read(self, stream: str, after: int = 0) -> Sequence[Stored]:
        if self.mistakes:
            self.mistakes -= 1
            raise KeyError("a mistake of ours")
        return await super().read(stream, after)


async def turns(count: int = 50) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_an_operation_that_hangs_keeps_recovery_from_no_other() -> None:
    company = Company()
    first = company.engine()
    hanging, waiting = await ask(first), await ask(first, Expose(namespace="monitoring"), delivery="d2")
    assert hanging.plan is not None
    await changing.confirm(first.context, hanging.id, hanging.plan.digest, OMAR)
    company.dns_server.fail("apply", Fault.HANG_BEFORE)
    engine = company.engine()
    await claim_name(engine.context)
    await company.env.sleep(1801)
    recovery = asyncio.ensure_future(engine.recover())
    await company.dns_server.hanging.wait()
    await turns()
    assert (await engine.context.journal.world()).operations[waiting.id].state == "expired"
    company.dns_server.release()
    await recovery
    assert (await now(engine, hanging)).state == "done"


async def test_a_card_that_cannot_be_drawn_keeps_no_other_from_the_chat(caplog: pytest.LogCaptureFixture) -> None:
    company = Company()
    engine = company.engine()
    bad = await ask(engine)
    company.wall = Stumbling(bad.id)
    engine = company.engine()
    good = await ask(engine, Expose(namespace="monitoring"), delivery="d2")
    await Outbox(engine.context).flush()
    assert company.wall.shown[good.id].state == "awaiting"
    assert [record.seq for record in company.wall.audited] == [1, 3]
    assert "a mistake of ours" in caplog.text


async def test_a_mistake_of_ours_ends_nothing_that_should_last() -> None:
    office = await watched()
    store = Mistaken(office.company.clock, office.company.contents)
    engine = office.company.engine(store)
    await engine.start()
    loops = office.company.env.running()
    await turns(300)
    assert store.mistakes == 0
    assert not office.company.env.failures
    assert office.company.env.running() >= loops
    await office.company.env.stop()
