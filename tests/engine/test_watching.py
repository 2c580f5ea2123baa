"""The watch over the gateway: who is asked, when, how often, and what an answer does."""

import asyncio
from ipaddress import IPv4Address, IPv4Network

import pytest

from bot.engine.announcing import Outbox
from bot.model.commands import Failover, Unexpose
from bot.model.errors import UserError
from tests.engine.watched import ADDRESS, GATEWAY, NEXT, ROUTES, RULES, Watched, watched, watched_facts
from tests.memory import Fault
from tests.office import ADA, DANA, OLGA, OMAR

HOST = ADDRESS[GATEWAY]


async def dead(office: Watched, rounds: int = 5) -> None:
    office.company.wire.dead.add(HOST)
    await office.rounds(rounds)


async def test_a_dead_gateway_is_asked_about_once_with_everything_a_yes_needs() -> None:
    office = await watched()
    await dead(office, 20)
    incident = await office.asked()
    picture = incident.picture
    assert (incident.version, picture.severity, picture.gateway) == (1, "down", GATEWAY)
    assert picture.eligible[0] == NEXT
    assert [str(step.key) for step in picture.steps] == ["route 10.68.0.0/16", "route 172.20.0.0/16"]
    assert any("the machine itself: 5 of the last 8 failed" in line for line in picture.evidence)
    assert picture.self_check == "5 of 5 other nodes and DNS servers answer the bot"
    assert incident.opened.mention == ("S0ONCALL01",)
    assert office.gateways() == {HOST}
    world = await office.engine.context.journal.world()
    assert len(world.incidents) == 1


async def test_a_hard_failure_is_asked_about_in_the_fifth_round() -> None:
    office = await watched()
    await dead(office, 4)
    assert await office.incident() is None
    await office.rounds(1)
    assert (await office.asked()).picture.severity == "down"


async def test_one_click_moves_and_proves_and_further_clicks_do_nothing() -> None:
    office = await watched()
    await dead(office)
    incident = await office.asked()
    await office.click(incident, OLGA)
    (move,) = await office.moves()
    assert (move.state, move.confirmed_by) == ("done", OLGA)
    assert office.gateways() == {ADDRESS[NEXT]}
    assert (await office.asked()).state == "resolved"
    for by in (OLGA, ADA):
        with pytest.raises(UserError, match=r"This is over: change .* moved the routes"):
            await office.click(incident, by)
    assert len(await office.moves()) == 1


async def test_clicks_at_the_same_time_count_once() -> None:
    office = await watched()
    await dead(office)
    incident = await office.asked()
    clicks = [office.click(incident, by, node) for by, node in ((OLGA, NEXT), (ADA, "k8s-qa-node-04"), (OLGA, NEXT))]
    said = await asyncio.gather(*clicks, return_exceptions=True)
    assert sum(isinstance(one, UserError) for one in said) == 2
    assert len(await office.moves()) == 1
    assert len(office.gateways()) == 1


async def test_after_the_move_the_new_gateway_is_watched_and_nothing_moves_back() -> None:
    office = await watched()
    await dead(office)
    await office.click(await office.asked(), OLGA)
    office.company.wire.dead.clear()
    await office.rounds(30)
    assert office.gateways() == {ADDRESS[NEXT]}
    office.company.wire.dead.add(ADDRESS[NEXT])
    await office.rounds(5)
    incident = await office.asked()
    assert (incident.picture.gateway, incident.state) == (NEXT, "open")
    assert "change" in incident.picture.recently


async def test_what_heals_itself_is_withdrawn_and_its_buttons_are_dead() -> None:
    office = await watched()
    await dead(office)
    incident = await office.asked()
    office.company.wire.dead.clear()
    await office.rounds(5)
    assert (await office.asked()).state == "withdrawn"
    with pytest.raises(UserError, match="This is over already; nothing was done now"):
        await office.click(incident, OLGA)
    assert office.gateways() == {HOST}


async def test_a_move_by_command_ends_the_incident_of_the_old_gateway() -> None:
    office = await watched()
    await dead(office)
    identifier = await office.engine.request(Failover(node=NEXT), OLGA, "C1", "d7")
    plan = (await office.engine.context.journal.world()).operations[identifier].plan
    assert plan is not None
    await office.engine.confirm(identifier, plan.digest, ADA)
    await office.company.env.idle()
    await office.rounds(5)
    incident = await office.asked()
    assert incident.state == "withdrawn"
    assert incident.records[-1].entry.reason == f"the routes point at {NEXT} now."


async def test_a_click_on_a_gateway_that_works_again_moves_nothing() -> None:
    office = await watched()
    await dead(office)
    office.company.wire.dead.clear()
    with pytest.raises(UserError, match="carries data again at this moment"):
        await office.click(await office.asked(), OLGA)
    assert office.gateways() == {HOST}


async def test_a_click_on_a_candidate_that_died_meanwhile_moves_nothing_and_names_why() -> None:
    office = await watched()
    await dead(office)
    incident = await office.asked()
    office.company.wire.dead.add(ADDRESS[NEXT])
    with pytest.raises(UserError, match="k8s-qa-node-03 cannot carry the routes now: it does not answer"):
        await office.click(incident, OLGA)
    await office.rounds(3)
    newer = await office.asked()
    assert newer.version == 2
    assert NEXT not in newer.picture.eligible
    with pytest.raises(UserError, match="The situation has changed since this was shown"):
        await office.click(incident, OLGA, "k8s-qa-node-04")
    await office.click(newer, OLGA, "k8s-qa-node-04")
    assert office.gateways() == {ADDRESS["k8s-qa-node-04"]}


async def test_a_move_that_cannot_be_proven_goes_back_and_asks_again() -> None:
    office = await watched()
    await dead(office)
    office.company.wire.without_proxy.add(ADDRESS[NEXT])
    await office.click(await office.asked(), OLGA)
    incident = await office.asked()
    assert (incident.state, incident.version) == ("open", 2)
    assert office.gateways() == {HOST}
    await office.click(incident, OLGA, "k8s-qa-node-04")
    assert (await office.asked()).state == "resolved"


@pytest.mark.parametrize("by", [DANA, OMAR])
async def test_only_on_call_and_admins_may_answer(by) -> None:
    office = await watched()
    await dead(office)
    incident = await office.asked()
    with pytest.raises(UserError, match="To fail over you need the role oncall or admin"):
        await office.click(incident, by)
    with pytest.raises(UserError, match="To fail over you need the role oncall or admin"):
        await office.engine.snooze(incident.id, by, planned=False)
    assert not await office.moves()


# --- what is not a dead gateway


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
    identifier = await office.engine.request(Failover(node=NEXT), OLGA, "C1", "d7")
    plan = (await office.engine.context.journal.world()).operations[identifier].plan
    assert plan is not None
    office.company.firewall.fail("apply", Fault.HANG_AFTER)
    await office.engine.confirm(identifier, plan.digest, ADA)
    await office.company.firewall.hanging.wait()
    await office.rounds(20)
    assert await office.incident() is None
    office.company.firewall.release()
    await office.company.env.idle()
    await office.rounds(20)
    assert await office.incident() is None
    assert office.gateways() == {ADDRESS[NEXT]}


async def test_nobody_is_asked_while_the_last_exposure_is_taken_away() -> None:
    office = await watched()
    identifier = await office.engine.request(Unexpose(namespace="default"), DANA, "C1", "d7")
    plan = (await office.engine.context.journal.world()).operations[identifier].plan
    assert plan is not None
    office.company.firewall.fail("apply", Fault.HANG_AFTER, nth=3)
    await office.engine.confirm(identifier, plan.digest, OMAR)
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


# --- findings about the routes


async def test_a_node_that_came_back_with_another_address_is_told_with_the_way_to_follow_it() -> None:
    office = await watched()
    office.company.cluster.now = watched_facts(node_02={"internal_ip": IPv4Address("172.16.1.116")})
    await office.rounds(1)
    incident = await office.asked()
    assert incident.picture.severity == "notice"
    assert incident.picture.findings == (
        f"{GATEWAY} has another address now: 172.16.1.116. The routes 10.68.0.0/16, 172.20.0.0/16 still lead to "
        f"{HOST}. `failover to {GATEWAY}` makes them follow.",
    )
    identifier = await office.engine.request(Failover(node=GATEWAY), OLGA, "C1", "d7")
    plan = (await office.engine.context.journal.world()).operations[identifier].plan
    assert plan is not None
    await office.engine.confirm(identifier, plan.digest, ADA)
    await office.company.env.idle()
    assert office.gateways() == {IPv4Address("172.16.1.116")}
    await office.rounds(6)
    assert (await office.asked()).state == "withdrawn"


async def test_routes_that_somebody_pointed_elsewhere_are_told() -> None:
    office = await watched()
    for key in ROUTES:
        route = office.company.firewall.resources[key]
        office.company.firewall.resources[key] = route.model_copy(update={"gateway": ADDRESS["k8s-qa-node-05"]})
    await office.rounds(1)
    (finding,) = (await office.asked()).picture.findings
    assert finding == (
        f"The routes 10.68.0.0/16, 172.20.0.0/16 lead to k8s-qa-node-05 (172.16.1.109), not to the gateway {GATEWAY}."
    )


async def test_a_second_route_left_behind_is_told_and_no_move_is_promised_over_it() -> None:
    office = await watched()
    office.firewall.doubled.add(ROUTES[0])
    await office.rounds(1)
    picture = (await office.asked()).picture
    assert picture.severity == "notice"
    assert "share the connections between them (ECMP). fw: 2 rows of router/static" in picture.findings[0]
    assert (picture.steps, "2 rows of router/static" in picture.problem) == ((), True)
    office.firewall.doubled.clear()
    await office.rounds(6)
    assert (await office.asked()).state == "withdrawn"


async def test_a_route_that_is_preferred_to_ours_is_told() -> None:
    office = await watched()
    office.firewall.preferred[IPv4Network("10.68.0.0/17")] = ADDRESS["k8s-qa-node-06"]
    await office.rounds(1)
    (finding,) = (await office.asked()).picture.findings
    assert finding == (
        f"The firewall sends 10.68.0.1 to 172.16.1.110, although our route says {HOST}: another route is preferred."
    )


async def test_what_comes_and_goes_is_one_incident_that_says_so_and_lasts_until_it_is_quiet() -> None:
    office = await watched()
    for _ in range(3):
        office.company.wire.not_forwarding.add(HOST)
        await office.rounds(6)
        office.company.wire.not_forwarding.clear()
        await office.rounds(6)
    incident = await office.asked()
    assert incident.state == "open"
    assert "It comes and goes: moving may help for good, waiting will not." in incident.picture.findings
    await office.rounds(200)
    assert (await office.asked()).state == "open"
    await office.rounds(150)
    assert (await office.asked()).state == "withdrawn"


async def test_a_gateway_that_vanished_from_the_cluster_is_told_and_can_be_left() -> None:
    office = await watched()
    facts = watched_facts()
    rest = tuple(node for node in facts.nodes if node.name != GATEWAY)
    office.company.cluster.now = facts.model_copy(update={"nodes": rest})
    await office.rounds(1)
    incident = await office.asked()
    assert incident.picture.findings == (f"The gateway node {GATEWAY} is no longer in the cluster.",)
    await office.click(incident, OLGA)
    assert office.gateways() == {ADDRESS[NEXT]}


async def test_nothing_exposed_means_nothing_to_watch() -> None:
    office = Watched()
    office.company.wire.dead.add(HOST)
    await office.rounds(20)
    assert await office.incident() is None


# --- calling


async def test_an_unanswered_incident_calls_more_people_three_times_at_most() -> None:
    office = await watched()
    await dead(office)
    for level in (1, 2, 3):
        office.pass_time(RULES.escalate_after_s)
        await office.rounds(1)
        assert (await office.asked()).level == level
    office.pass_time(10 * RULES.escalate_after_s)
    await office.rounds(1)
    incident = await office.asked()
    assert incident.level == 3
    escalated = [record.entry for record in incident.records if record.entry.kind == "incident-escalated"]
    assert escalated[0].mention == ("S0ONCALL01", "S0NETOPER1")


async def test_a_snooze_silences_for_a_while_and_it_is_planned_for_good() -> None:
    office = await watched()
    await dead(office)
    incident = await office.asked()
    await office.engine.snooze(incident.id, OLGA, planned=False)
    office.pass_time(RULES.snooze_s - 60)
    await office.rounds(1)
    assert (await office.asked()).level == 0
    office.pass_time(120)
    await office.rounds(1)
    assert (await office.asked()).level == 1
    await office.engine.snooze(incident.id, OLGA, planned=True)
    office.pass_time(86400)
    await office.rounds(1)
    assert (await office.asked()).level == 1


async def test_the_message_is_one_and_says_the_end() -> None:
    office = await watched()
    await dead(office)
    outbox = Outbox(office.engine.context)
    await outbox.flush()
    await office.click(await office.asked(), OLGA)
    await outbox.flush()
    wall = office.company.wall
    assert wall.alarms == 1
    (shown,) = wall.incidents.values()
    assert shown.state == "resolved"
    kinds = [record.entry.kind for record in wall.audited]
    assert kinds.count("incident-opened") == 1


# --- replicas


async def test_of_two_bots_one_watches_and_the_other_takes_over_when_it_is_gone() -> None:
    office = await watched()
    other = office.company.engine(instance="other").watch("qa")
    assert other is not None
    assert await office.watch.leads()
    assert not await other.leads()
    office.pass_time(60)
    assert await other.leads()
    assert not await office.watch.leads()


async def test_a_new_leader_goes_on_with_the_incident_that_is_open() -> None:
    office = await watched()
    await dead(office)
    office.engine = office.company.engine(instance="other")
    await office.rounds(8)
    assert len((await office.engine.context.journal.world()).incidents) == 1


async def test_a_fresh_bot_does_not_withdraw_before_it_has_looked_often_enough() -> None:
    office = await watched()
    await dead(office)
    office.engine = office.company.engine(instance="other")
    await office.rounds(1)
    assert (await office.asked()).state == "open"


# --- without a person


AUTO = RULES.model_copy(update={"auto": True})


async def test_auto_moves_a_dead_gateway_by_itself_and_says_so() -> None:
    office = await watched(AUTO)
    await dead(office)
    await office.company.env.idle()
    (move,) = await office.moves()
    assert (move.state, move.confirmed_by) == ("done", move.request.actor)
    assert office.gateways() == {ADDRESS[NEXT]}
    assert (await office.asked()).state == "resolved"


async def test_auto_does_not_move_a_degraded_gateway() -> None:
    office = await watched(AUTO)
    office.company.wire.not_forwarding.add(HOST)
    await office.rounds(20)
    assert not await office.moves()


async def test_auto_holds_down_after_a_move_and_then_leaves_it_to_people() -> None:
    office = await watched(AUTO)
    await dead(office)
    await office.company.env.idle()
    office.company.wire.dead = {ADDRESS[NEXT]}
    await office.rounds(30)
    assert len(await office.moves()) == 1
    assert (await office.asked()).state == "open"
    office.pass_time(AUTO.hold_down_s)
    await office.rounds(8)
    await office.company.env.idle()
    assert len(await office.moves()) == 2
    office.company.wire.dead = set(ADDRESS.values()) - {ADDRESS["k8s-qa-node-06"]}
    office.pass_time(AUTO.hold_down_s)
    await office.rounds(60)
    assert len(await office.moves()) == 2
