"""What the watch takes for a dead gateway, and what it does not."""

import pytest

from bot.model.commands import Failover, Unexpose
from tests.asking import ask, say_yes
from tests.engine.watched import ADDRESS, GATEWAY, HOST, NEXT, RULES, Watched, dead, watched, watched_facts
from tests.memory import Fault
from tests.office import ADA, OLGA


async def test_a_bot_that_is_cut_off_asks_nobody_and_withdraws_nothing() -> None:
    office = await watched()
    office.company.wire.cut = True
    await office.rounds(60)
    assert office.watch.watch.health == "isolated"
    assert await office.incident() is None


async def test_a_gateway_that_forwards_nothing_is_degraded_and_can_be_left() -> None:
    office = await watched()
    office.company.wire.not_forwarding.add(HOST)
    await office.rounds(5)
    incident = await office.asked()
    assert incident.picture.severity == "degraded"
    await office.click(incident, OLGA)
    assert office.gateways() == {ADDRESS[NEXT]}


async def test_flushed_proxy_rules_are_found_by_the_service_address_alone() -> None:
    office = await watched()
    office.company.wire.without_proxy.add(HOST)
    await office.rounds(5)
    assert await office.incident() is None
    await office.rounds(1)
    incident = await office.asked()
    assert incident.picture.severity == "degraded"
    await office.click(incident, OLGA)
    assert office.gateways() == {ADDRESS[NEXT]}


async def test_a_trouble_that_gets_worse_calls_again_below_the_same_message() -> None:
    office = await watched()
    office.company.wire.not_forwarding.add(HOST)
    await office.rounds(5)
    await dead(office)
    incident = await office.asked()
    assert (incident.version, incident.picture.severity) == (2, "down")
    assert len((await office.engine.context.journal.world()).incidents) == 1


def renewed(office: Watched, *names: str) -> None:
    """Leases of these nodes are renewed now, all others stay as they are."""
    now = office.company.env.time
    old = {node.name: node.lease_renewed for node in office.company.cluster.now.nodes}
    changes = {f"node_{name[-2:]}": {"lease_renewed": now if name in names else old[name]} for name in ADDRESS}
    office.company.cluster.now = watched_facts(**changes)


async def leases(office: Watched, seconds: int, *names: str) -> None:
    for _ in range(seconds // 10):
        renewed(office, *names)
        await office.watch.sampler.refresh()
        await office.rounds(5)


async def test_a_stopped_kubelet_alone_is_told_but_wakes_nobody() -> None:
    office = await watched()
    await leases(office, 20, *ADDRESS)
    await leases(office, 40, *(name for name in ADDRESS if name != GATEWAY))
    incident = await office.asked()
    assert (incident.picture.severity, incident.opened.mention) == ("notice", ())
    assert incident.picture.findings == (f"{GATEWAY} does not renew its lease: its kubelet is silent.",)
    await leases(office, 20, *ADDRESS)
    assert (await office.asked()).state == "withdrawn"


async def test_most_leases_stale_at_once_is_the_control_plane_and_no_reason_to_move() -> None:
    office = await watched()
    await leases(office, 20, *ADDRESS)
    await leases(office, 120)
    assert await office.incident() is None
    assert "the control plane is in trouble" in office.watch.sampler.findings(GATEWAY, 0.0)[0].text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"schedulable": False}, "is cordoned: a drain may follow"),
        ({"terminating": True}, "is being deleted"),
        ({"taints": ("ToBeDeletedByClusterAutoscaler:NoSchedule",)}, "is about to go"),
        ({"ready": False}, "is not Ready"),
    ],
)
async def test_a_gateway_about_to_go_is_noticed_before_it_goes_and_a_move_is_offered(change, says: str) -> None:
    office = await watched()
    office.company.cluster.now = watched_facts(node_02=change)
    await office.watch.sampler.refresh()
    await office.rounds(1)
    incident = await office.asked()
    assert incident.picture.severity == "notice"
    assert says in incident.picture.findings[0]
    await office.click(incident, OLGA)
    assert office.gateways() == {ADDRESS[NEXT]}
    assert (await office.asked()).state == "resolved"


async def test_a_finished_move_leaves_no_notice_behind() -> None:
    """What the firewall said before the move is no evidence about the new gateway."""
    office = await watched()
    await dead(office)
    await office.click(await office.asked(), OLGA)
    office.company.wire.dead.clear()
    for _ in range(10):  # the API and the firewall are not read again, as between two of the watch's own readings
        await office.watch.tick()
        office.pass_time(RULES.interval_s)
    await office.rounds(10)
    world = await office.engine.context.journal.world()
    assert [one.state for one in world.incidents.values()] == ["resolved"]


async def test_nobody_is_asked_about_routes_while_a_change_is_moving_them() -> None:
    office = await watched()
    operation = await ask(office.engine, Failover(node=NEXT), OLGA, "d7")
    office.company.firewall.fail("apply", Fault.HANG_AFTER)
    await say_yes(office.engine, operation, ADA)
    await office.company.firewall.hanging.wait()
    await office.rounds(8)
    assert await office.incident() is None
    office.company.firewall.release()
    await office.company.env.idle()
    await office.rounds(20)
    assert await office.incident() is None
    assert office.gateways() == {ADDRESS[NEXT]}


async def test_nobody_is_asked_while_the_last_exposure_is_taken_away() -> None:
    office = await watched()
    operation = await ask(office.engine, Unexpose(namespace="default"), delivery="d7")
    office.company.firewall.fail("apply", Fault.HANG_AFTER, nth=3)
    await say_yes(office.engine, operation)
    await office.company.firewall.hanging.wait()
    await office.rounds(20)
    assert await office.incident() is None
    office.company.firewall.release()
    await office.company.env.idle()
    assert not office.company.firewall.resources


# --- ping


async def test_a_machine_that_no_longer_answers_ping_is_evidence_of_the_second_family() -> None:
    office = await watched()
    office.company.wire.not_forwarding.add(HOST)
    office.company.wire.silent.add(HOST)
    await office.rounds(5)
    picture = (await office.asked()).picture
    assert picture.severity == "down"
    assert any("its answer to ping: 5 of the last 8 failed" in line for line in picture.evidence)


@pytest.mark.parametrize("pings", ["forbidden", "dropped"])
async def test_ping_that_is_not_allowed_or_that_nobody_answers_says_nothing(pings: str) -> None:
    office = await watched()
    office.company.wire.pings = pings
    office.company.wire.not_forwarding.add(HOST)
    await office.rounds(8)
    picture = (await office.asked()).picture
    assert picture.severity == "degraded"
    assert not any("ping" in line for line in picture.evidence)


async def test_a_machine_that_never_answered_ping_is_not_held_to_it() -> None:
    office = Watched()
    office.company.wire.silent.add(HOST)
    await office.expose()
    office.company.wire.not_forwarding.add(HOST)
    await office.rounds(8)
    assert (await office.asked()).picture.severity == "degraded"
