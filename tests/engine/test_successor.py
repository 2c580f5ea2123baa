"""A yes to a plan that no longer fits makes a new card for the same wish: once, and also when the bot dies over it."""

import pytest

from bot.model.commands import Expose
from bot.model.errors import Unreachable
from tests.asking import ask, change, known, now, say_yes
from tests.memory_store import MemoryStore
from tests.office import ADA, OMAR, Company


def gone_after(company: Company, kind: str) -> MemoryStore:
    """A store that is away right after it has written a record of that kind, without an answer."""

    async def go() -> None:
        await store.close()
        raise Unreachable("store", "no connection")

    store = company.acting_after(kind, go)
    return store


@pytest.mark.parametrize("kind", ["stale", "requested"])
async def test_the_new_card_comes_also_when_the_bot_dies_before_it(kind: str) -> None:
    company = Company()
    engine = company.engine()
    operation = await ask(engine)
    await change(engine, Expose(namespace="monitoring"), "d2")
    with pytest.raises(Unreachable):
        await say_yes(company.engine(gone_after(company, kind)), operation)
    engine = company.engine()
    for _ in range(2):
        await engine.recover()
        await company.env.idle()
    stale = await known(engine, operation.id)
    assert stale.state == "stale"
    assert stale.successor is not None
    fresh = await known(engine, stale.successor)
    assert (fresh.state, fresh.request.actor, fresh.request.command) == ("awaiting", *_wish(stale))
    await company.env.sleep(9)  # the dead one bears our name so long
    await say_yes(engine, fresh)
    assert (await now(engine, fresh)).state == "done"


def _wish(operation) -> tuple[object, object]:
    return operation.request.actor, operation.request.command


async def test_two_who_say_yes_too_late_get_one_new_card() -> None:
    company = Company()
    engine = company.engine()
    operation = await ask(engine)
    await change(engine, Expose(namespace="monitoring"), "d2")
    await say_yes(engine, operation, OMAR)
    with pytest.raises(Exception, match="there is a newer card"):
        await say_yes(engine, operation, ADA)
    assert len((await engine.context.journal.world()).operations) == 3
