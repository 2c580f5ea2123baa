"""Nothing to do is said of the world as it is, not as it was while somebody else was changing it."""

from bot.engine.engine import Engine
from bot.model.commands import Expose, Unexpose
from bot.model.operation import Operation
from tests.asking import ask, change, known, now, say_yes
from tests.memory import Fault
from tests.memory_store import ActingAfter
from tests.office import OMAR, Company

EXPOSE = Expose(namespace="default")


async def planned_anew(company: Company, operation: Operation) -> Engine:
    """A later look of another life."""
    engine = company.engine()
    assert not (await engine.context.journal.world()).intent("qa").exposures
    await engine.recover()
    await company.env.idle()
    fresh = await known(engine, operation.id)
    assert fresh.plan is not None
    assert (fresh.state, len(fresh.plan.steps)) == ("awaiting", 10)
    return engine


async def test_an_exposure_that_is_taken_back_while_it_is_found_is_planned_anew() -> None:
    company = Company()
    await change(company.engine())
    await company.env.sleep(10)  # until the name is free

    async def meanwhile() -> None:
        assert (await change(company.engine(), Unexpose(namespace="default"), "d7")).state == "done"

    engine = company.engine(ActingAfter(company.clock, company.contents, "planned", meanwhile))
    operation = await ask(engine, EXPOSE, delivery="d8")
    assert operation.state == "requested"
    await planned_anew(company, operation)


async def test_what_a_stuck_change_has_left_there_is_not_built_upon() -> None:
    company = Company()
    company.wire.cut = True
    engine = company.engine()
    stuck = await ask(engine)
    company.dns_server.fail("apply", Fault.REJECT, 2)  # the way back
    await say_yes(engine, stuck)
    assert (await now(engine, stuck)).state == "stuck"
    company.wire.cut = False
    operation = await ask(engine, EXPOSE, delivery="d8")
    assert operation.state == "unplannable"
    assert f"Change {stuck.id}" in operation.entries[-1].reason  # type: ignore[union-attr]
    await engine.resume(stuck.id, OMAR)
    assert (await now(engine, stuck)).state == "rolled-back"
    assert not (await engine.context.journal.world()).intent("qa").exposures


async def test_what_another_change_has_written_and_not_proven_yet_is_not_there() -> None:
    company = Company()
    company.wire.cut = True
    found: list[Operation] = []

    async def meanwhile() -> None:
        if len(company.dns_server.writes) == 1 and not found:  # the last step of the other one
            found.append(await ask(company.engine(instance="other"), EXPOSE, delivery="d8"))

    first = company.engine(ActingAfter(company.clock, company.contents, "attempted", meanwhile))
    assert (await change(first)).state == "rolled-back"
    [operation] = found
    assert operation.state == "requested"
    company.wire.cut = False
    await planned_anew(company, operation)
