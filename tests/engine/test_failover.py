"""Moving the routes on purpose: the ordinary flow, its own proof, and back when it cannot be proven."""

from ipaddress import IPv4Address

import pytest

from bot.engine.engine import Engine
from bot.model.commands import Expose, Failover
from bot.model.errors import UserError
from bot.model.plan import Forwards, ReachesOne
from bot.model.resources import Key, Route
from tests.asking import ask, change, say_yes
from tests.memory import Fault
from tests.office import ADA, DANA, OLGA, OMAR, Company

NODE_02, NODE_03 = IPv4Address("172.16.1.106"), IPv4Address("172.16.1.107")
ROUTES = [Key(kind="route", name=name) for name in ("10.68.0.0/16", "172.20.0.0/16")]
MOVE = Failover(node="node-03", reason="the fan rattles")


async def exposed() -> tuple[Company, Engine]:
    company = Company()
    engine = company.engine()
    assert (await change(engine, Expose(namespace="default"), "d0")).state == "done"
    return company, engine


def gateways(company: Company) -> set[IPv4Address]:
    routes = [company.firewall.resources[key] for key in ROUTES]
    return {route.gateway for route in routes if isinstance(route, Route)}


async def test_both_routes_move_in_one_operation_and_data_proves_it() -> None:
    company, engine = await exposed()
    before = len(company.firewall.writes)
    moved = await change(engine, MOVE, "d1", OLGA, ADA)
    assert moved.state == "done"
    assert gateways(company) == {NODE_03}
    assert len(company.firewall.writes) == before + 2
    assert moved.plan is not None
    assert {type(check) for check in moved.plan.checks} == {ReachesOne, Forwards}
    assert "Open connections to service addresses are reset once" in moved.plan.warnings[0]
    assert (await engine.context.journal.world()).intent("qa").gateway == "k8s-qa-node-03"


async def test_what_is_exposed_later_goes_through_the_new_gateway_too() -> None:
    company, engine = await exposed()
    await change(engine, MOVE, "d1", OLGA, ADA)
    assert (await change(engine, Expose(namespace="monitoring"), "d2")).state == "done"
    assert gateways(company) == {NODE_03}


async def test_what_cannot_be_proven_is_moved_back() -> None:
    company, engine = await exposed()
    company.wire.not_forwarding.add(NODE_03)
    moved = await change(engine, MOVE, "d1", OLGA, ADA)
    assert moved.state == "rolled-back"
    assert gateways(company) == {NODE_02}
    assert "not proven: data reaches a service address through k8s-qa-node-03" in moved.entries[-1].reason
    assert (await engine.context.journal.world()).intent("qa").gateway is None


async def test_a_node_whose_proxy_is_gone_is_found_out_by_the_service_address() -> None:
    company, engine = await exposed()
    company.wire.without_proxy.add(NODE_03)
    moved = await change(engine, MOVE, "d1", OLGA, ADA)
    assert moved.state == "rolled-back"
    assert gateways(company) == {NODE_02}


async def test_a_firewall_that_refuses_the_second_route_keeps_the_first_one_as_it_was() -> None:
    company, engine = await exposed()
    company.firewall.fail("apply", Fault.REJECT, 2)
    moved = await change(engine, MOVE, "d1", OLGA, ADA)
    assert moved.state == "rolled-back"
    assert gateways(company) == {NODE_02}


async def test_without_a_node_the_best_candidate_is_taken() -> None:
    company, engine = await exposed()
    await change(engine, Failover(), "d1", OLGA, ADA)
    assert gateways(company) == {NODE_03}


async def test_moving_to_where_it_is_changes_nothing() -> None:
    company, engine = await exposed()
    assert (await ask(engine, Failover(node="k8s-qa-node-02"), OLGA)).state == "nothing-to-do"
    assert gateways(company) == {NODE_02}


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (Failover(node="node-99"), "has no node node-99"),
        (Failover(node="node-03"), "k8s-qa-node-03 cannot carry the routes now: it does not answer"),
        (Failover(), "No node of cluster qa can carry the routes now:\n• k8s-qa-node-03: it does not answer"),
    ],
)
async def test_a_move_that_cannot_be_says_why_on_its_own_card(command: Failover, says: str) -> None:
    company, engine = await exposed()
    company.wire.dead.add(NODE_03)
    operation = await ask(engine, command, OLGA)
    assert operation.state == "unplannable"
    assert says in operation.entries[-1].reason


async def test_nothing_exposed_means_nothing_to_move() -> None:
    engine = Company().engine()
    operation = await ask(engine, MOVE, OLGA)
    assert "there is no route to move" in operation.entries[-1].reason


@pytest.mark.parametrize("by", [DANA, OMAR])
async def test_only_on_call_and_admins_ask_for_a_move(by) -> None:
    _, engine = await exposed()
    with pytest.raises(UserError, match="To fail over you need the role oncall or admin on cluster qa"):
        await engine.request(MOVE, by, "C1", "d1")


async def test_only_on_call_and_admins_confirm_it_and_never_their_own() -> None:
    company, engine = await exposed()
    operation = await ask(engine, MOVE, OLGA)
    for by, says in ((OMAR, "you need the role oncall or admin"), (OLGA, "Somebody else must confirm")):
        with pytest.raises(UserError, match=says):
            await say_yes(engine, operation, by)
    assert gateways(company) == {NODE_02}
