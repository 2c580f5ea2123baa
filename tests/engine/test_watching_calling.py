"""Whom the watch calls, which of several bots does it, and what it does without a person."""

from bot.engine.announcing import Outbox
from tests.engine.watched import ADDRESS, HOST, NEXT, RULES, dead, watched
from tests.office import OLGA


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
