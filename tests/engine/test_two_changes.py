"""Two changes of one cluster at the same time, on different devices: neither forgets what the other one did."""

from ipaddress import IPv4Network

import pytest

from bot.engine import changing
from bot.model.commands import ClearDnsCache, Drill, Expose, Failover
from bot.model.errors import UserError
from bot.model.intent import Exposure
from tests.asking import ask, change, now, say_yes
from tests.memory import Fault
from tests.office import ADA, OLGA, OMAR, Company, DnsTarget

MOVE = Failover(node="node-03")
BOTH = tuple(Exposure(namespace=name, office="hq") for name in ("default", "monitoring"))


async def test_what_is_exposed_while_the_routes_move_is_not_forgotten() -> None:
    company = Company()
    engine = company.engine()
    await change(engine)
    move = await ask(engine, MOVE, OLGA, "d2")
    second = await ask(engine, Expose(namespace="monitoring"), delivery="d3")
    assert move.plan is not None
    assert second.plan is not None
    assert second.plan.targets == ("dc1",)
    await changing.confirm(engine.context, move.id, move.plan.digest, ADA)  # and its bot is slow
    await say_yes(engine, second)
    assert (await now(engine, second)).state == "done"
    await engine.recover()
    assert (await now(engine, move)).state == "done"
    intent = (await engine.context.journal.world()).intent("qa")
    assert (intent.exposures, intent.gateway) == (BOTH, "k8s-qa-node-03")


async def test_two_that_change_what_is_exposed_take_turns_on_whatever_devices() -> None:
    """Which objects may go depends on what else is exposed."""
    company = Company()
    [hq], [dc1] = company.site.offices, company.site.dns_servers
    dc2 = dc1.model_copy(update={"name": "dc2", "address_object": "dns-dc2"})
    networks = {"office-b": IPv4Network("172.17.0.0/24")}
    branch = hq.model_copy(update={"name": "branch", "networks": networks, "dns_servers": ("dc2",)})
    company.site = company.site.model_copy(update={"offices": (hq, branch), "dns_servers": (dc1, dc2)})
    engine = company.engine()
    engine.context.targets["dc2"] = DnsTarget("dc2")  # type: ignore[index]  # of this one life
    for office in ("hq", "branch"):
        await change(engine, Expose(namespace="default", office=office), office)
    plans = [
        await ask(engine, Expose(namespace="monitoring", office=one), delivery=f"2{one}") for one in ("hq", "branch")
    ]
    assert [one.plan.targets for one in plans if one.plan] == [("dc1",), ("dc2",)]
    company.dns_server.fail("apply", Fault.HANG_AFTER)
    await say_yes(engine, plans[0])
    await company.dns_server.hanging.wait()
    with pytest.raises(UserError, match=r"Change .* is being applied to dc1"):
        await say_yes(engine, plans[1])
    company.dns_server.release()
    assert (await now(engine, plans[0])).state == "done"


@pytest.mark.parametrize("command", [ClearDnsCache(namespace="default"), Drill(node="node-03")])
async def test_what_leaves_the_intent_as_it_is_does_not_set_it_back(command) -> None:
    company = Company()
    engine = company.engine()
    await change(engine)
    asking, confirming = (OLGA, ADA) if isinstance(command, Drill) else (OMAR, ADA)
    rehearsed = await ask(engine, command, asking, "d2")
    assert rehearsed.plan is not None
    await changing.confirm(engine.context, rehearsed.id, rehearsed.plan.digest, confirming)  # and its bot is slow
    later: Failover | Expose = Expose(namespace="monitoring") if isinstance(command, Drill) else MOVE
    yes = ADA if isinstance(later, Failover) else OMAR
    assert (await change(engine, later, "d3", OLGA if isinstance(later, Failover) else ADA, yes)).state == "done"
    settled = (await engine.context.journal.world()).intent("qa")
    await engine.recover()
    assert (await now(engine, rehearsed)).state == "done"
    assert (await engine.context.journal.world()).intent("qa") == settled


async def test_two_wishes_that_are_so_already_are_both_remembered() -> None:
    company = Company()
    engine = company.engine()
    await change(engine)
    await change(engine, Expose(namespace="monitoring"), "d2")
    held = company.resources()
    other = Company()
    for name, target in (("fw", other.firewall), ("dc1", other.dns_server)):
        target.resources = {key: one.model_copy(update={"mark": None}) for key, one in held[name].items()}
    engine = other.engine()
    first = await ask(engine, Expose(namespace="default"), delivery="d1")
    again = await ask(engine, Expose(namespace="monitoring"), delivery="d2")
    assert (first.state, again.state) == ("nothing-to-do", "nothing-to-do")
    assert (await engine.context.journal.world()).intent("qa").exposures == BOTH
