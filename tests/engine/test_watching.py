"""The watch over the gateway: who is asked, and what an answer does."""

import asyncio

import pytest

from bot.model.commands import Failover
from bot.model.errors import UserError
from tests.asking import change
from tests.engine.watched import ADDRESS, GATEWAY, HOST, NEXT, dead, watched
from tests.office import ADA, DANA, OLGA, OMAR


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
    await change(office.engine, Failover(node=NEXT), "d7", OLGA, ADA)
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
