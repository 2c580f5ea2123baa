"""app.yaml names other devices and offices than the journal does: the bot goes on with what it knows, and says so."""

import pytest

from bot.engine import changing
from bot.engine.engine import Engine
from bot.engine.presence import claim_name
from bot.model.commands import Check, Expose, Failover, Unexpose
from bot.model.site import DnsServer
from tests.asking import ask, change, now, say_yes
from tests.memory import Fault
from tests.office import DC1, OLGA, OMAR, Company, DnsTarget


def another_server(company: Company) -> Engine:
    """dc1 is gone from app.yaml, dc2 has taken its place and its address."""
    [office] = company.site.offices
    company.site = company.site.model_copy(
        update={
            "dns_servers": (DnsServer(name="dc2", address=DC1, interface="dmz", address_object="dns-dc2"),),
            "offices": (office.model_copy(update={"dns_servers": ("dc2",)}),),
        }
    )
    engine = company.engine()
    replacement = DnsTarget("dc2")
    replacement.remembered = company.wire.remembered
    company.wire.dns_server = replacement
    targets = {"fw": company.firewall, "dc2": replacement}
    object.__setattr__(engine.context, "targets", targets)  # the frozen context of this one life
    return engine


def another_office(company: Company) -> Engine:
    [office] = company.site.offices
    moved = office.model_copy(update={"name": "branch"})
    company.site = company.site.model_copy(update={"offices": (moved,)})
    return company.engine()


async def test_a_change_to_a_server_that_is_gone_waits_for_a_person_and_keeps_no_other_waiting() -> None:
    company = Company()
    first = company.engine()
    operation = await ask(first)
    waiting = await ask(first, Expose(namespace="monitoring"), delivery="d2")
    company.dns_server.fail("apply", Fault.HANG_BEFORE)
    await say_yes(first, operation)
    await company.dns_server.hanging.wait()
    engine = another_server(company)
    await claim_name(engine.context)
    await company.env.sleep(1801)
    await engine.recover()
    await company.env.idle()
    world = await engine.context.journal.world()
    assert world.operations[waiting.id].state == "expired"
    stuck = world.operations[operation.id]
    assert stuck.state == "stuck"
    assert "dc1: is not in app.yaml" in stuck.entries[-1].reason  # type: ignore[union-attr]
    company.dns_server.release()
    await first.context.env.idle()  # type: ignore[attr-defined]  # the virtual one


async def test_a_change_that_had_not_come_to_such_a_server_is_taken_back() -> None:
    company = Company()
    first = company.engine()
    operation = await ask(first)
    assert operation.plan is not None
    await changing.confirm(first.context, operation.id, operation.plan.digest, OMAR)
    engine = another_server(company)
    await engine.recover()
    assert (await now(engine, operation)).state == "rolled-back"
    assert company.resources() == {"fw": {}, "dc1": {}}


async def test_what_stands_on_a_server_that_is_gone_is_left_there_and_that_is_said() -> None:
    company = Company()
    await change(company.engine())
    engine = another_server(company)
    plan = (await ask(engine, Expose(namespace="monitoring"), delivery="d2")).plan
    assert plan is not None
    assert any("dc1 is not in app.yaml" in warning for warning in plan.warnings)
    assert {step.target for step in plan.steps} == {"fw", "dc2"}
    assert (await engine.check(Check(name="redis-abc-gns.default"))).verdict == "failed"


@pytest.mark.parametrize(
    ("command", "by"), [(Expose(namespace="monitoring"), OMAR), (Failover(), OLGA), (Unexpose(namespace="other"), OMAR)]
)
async def test_an_exposure_to_an_office_that_is_gone_is_named_before_anything_else_is_planned(command, by) -> None:
    company = Company()
    await change(company.engine())
    engine = another_office(company)
    operation = await ask(engine, command, by=by, delivery="d2")
    assert operation.state == "unplannable"
    if command.verb != "unexpose":
        assert "default is exposed to office hq, which is not in app.yaml" in operation.entries[-1].reason
    await engine.overview()
    await engine.check(Check())


async def test_an_exposure_to_an_office_that_is_gone_can_still_be_taken_back() -> None:
    company = Company()
    await change(company.engine())
    engine = another_office(company)
    await claim_name(engine.context)
    gone = await change(engine, Unexpose(namespace="default"), "d2")
    assert gone.state == "done"
    assert company.resources() == {"fw": {}, "dc1": {}}
