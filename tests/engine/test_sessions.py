"""What a move does to open connections: how many it cuts is told before, and what leads nowhere is cleared after."""

from ipaddress import IPv4Network

from bot.model.commands import Drill, Failover
from bot.model.journal import Cleared
from tests.asking import change
from tests.engine.watched import ADDRESS, NEXT, dead, watched
from tests.office import ADA, BOT, OLGA

SERVICES, PODS = IPv4Network("10.68.0.0/16"), IPv4Network("172.20.0.0/16")


def cleared(operation) -> list[Cleared]:
    return [entry for entry in operation.entries if isinstance(entry, Cleared)]


async def test_the_ask_says_how_many_connections_will_be_reset() -> None:
    office = await watched()
    office.firewall.sessions = {SERVICES: 42, PODS: 7}
    await dead(office)
    assert (
        "About 42 open connections to service addresses will be reset; 7 to pod addresses survive, "
        "unless the cluster's network masquerades them."
    ) in (await office.asked()).picture.warnings


async def test_the_bots_own_probes_are_not_counted_as_peoples_connections() -> None:
    office = await watched()
    office.firewall.sessions = {SERVICES: 1}
    await dead(office)
    assert office.firewall.besides == BOT


async def test_what_cannot_be_counted_is_said_with_the_reason_and_stops_nobody() -> None:
    office = await watched()
    office.firewall.away = True
    await dead(office)
    incident = await office.asked()
    assert "(how many cannot be told: fw: no connection)" in incident.picture.warnings[0]
    await office.click(incident, OLGA)
    assert (await office.asked()).state == "resolved"


async def test_after_leaving_a_dead_gateway_only_our_sessions_to_our_networks_are_cleared_as_the_plan_says() -> None:
    office = await watched(clear_stale_sessions=True)
    office.firewall.sessions = {SERVICES: 42, PODS: 7}
    await dead(office)
    incident = await office.asked()
    assert any("the firewall forgets what k8snet's policies let through" in one for one in incident.picture.warnings)
    await office.click(incident, OLGA)
    (move,) = await office.moves()
    assert move.state == "done"
    assert any("the firewall forgets" in warning for warning in move.plan.warnings)
    ((policies, networks, older_than_s),) = office.firewall.cleared
    assert (policies, networks) == ({"k8snet-qa-hq", "k8snet-qa-dns-dc1"}, {SERVICES, PODS})
    assert older_than_s >= 0
    assert [(one.cleared, one.left) for one in cleared(move)] == [(49, 0)]


async def test_a_firewall_that_does_not_answer_then_leaves_a_proven_move_done_and_that_said() -> None:
    office = await watched(clear_stale_sessions=True)
    await dead(office)
    incident = await office.asked()
    office.firewall.away = True
    await office.click(incident, OLGA)
    (move,) = await office.moves()
    assert (move.state, cleared(move)[0].problem) == ("done", "fw: no connection")


async def test_without_the_setting_nothing_is_cleared() -> None:
    office = await watched()
    await dead(office)
    await office.click(await office.asked(), OLGA)
    assert office.firewall.cleared == []


async def test_a_gateway_that_lives_keeps_its_sessions() -> None:
    office = await watched(clear_stale_sessions=True)
    assert (await change(office.engine, Drill(node=NEXT), "d1", OLGA, ADA)).state == "done"
    office.pass_time(3600)
    await change(office.engine, Failover(node=NEXT), "d2", OLGA, ADA)
    assert office.gateways() == {ADDRESS[NEXT]}
    assert office.firewall.cleared == []
