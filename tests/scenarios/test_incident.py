"""The gateway dies in front of the real Slack edge: one message, one thread, one click that counts."""

import asyncio

from lab.slack import people
from tests.engine.watched import ADDRESS, GATEWAY, NEXT, ROUTES
from tests.scenarios.chat import watched_chat


async def test_on_call_is_asked_answers_and_everybody_sees_the_timeline(transport: str) -> None:
    async with watched_chat(transport) as room:
        room.company.wire.dead.add(ADDRESS[GATEWAY])
        asked = await room.slack.until(contains="The gateway of qa is down: k8s-qa-node-02")
        assert "@net-oncall" in asked.text
        assert asked.buttons == [*(f"Fail over to k8s-qa-node-0{n}" for n in (3, 4, 5)), "Snooze", "It's planned"]
        await room.slack.click(f"Fail over to {NEXT}", by="olga")
        moved = await room.slack.until(contains="The gateway of qa was down")
        assert (moved.ts, moved.buttons) == (asked.ts, [])
        assert {room.company.firewall.resources[key].gateway for key in ROUTES} == {ADDRESS[NEXT]}
        below = [reply.text for reply in await room.slack.messages(thread=asked.ts)]
        assert any("failover to k8s-qa-node-03" in text for text in below)
        assert any("clicked by @olga" in text for text in below)
        await room.slack.until("k8snet-audit", contains="k8s-qa-node-02 of qa: down")


async def test_on_call_is_asked_as_soon_as_the_bot_is_let_in(transport: str) -> None:
    async with watched_chat(transport) as room:
        await room.slack.post("member", None, channel="net-ops", user="k8snet", join=False)
        room.company.wire.dead.add(ADDRESS[GATEWAY])
        await room.slack.logged(kind="api", name="chat.postMessage", timeout=20)
        await room.slack.until("k8snet-audit", contains="k8s-qa-node-02 of qa: down", timeout=20)
        await room.slack.post("member", None, channel="net-ops", user="k8snet", join=True)
        asked = await room.slack.until(contains="The gateway of qa is down", timeout=20)
        assert "@net-oncall" in asked.text


async def test_many_clicks_move_once_and_strangers_cannot(transport: str) -> None:
    async with watched_chat(transport) as room:
        before = len(room.company.firewall.writes)
        room.company.wire.dead.add(ADDRESS[GATEWAY])
        await room.slack.until(contains="The gateway of qa is down")
        await room.slack.click(f"Fail over to {NEXT}", by="dana")
        await room.slack.until(contains="you need the role oncall or admin", by="dana")
        clicks = [room.slack.click(f"Fail over to {NEXT}", by=by) for by in ("ada", "ada", "ada")]
        await asyncio.gather(*clicks, return_exceptions=True)
        await room.slack.until(contains="The gateway of qa was down")
        assert len(room.company.firewall.writes) == before + 2


async def test_a_role_that_was_taken_away_a_moment_ago_answers_no_incident(transport: str) -> None:
    """Also when Slack never tells us: each of the buttons asks again."""
    async with watched_chat(transport) as room:
        before = len(room.company.firewall.writes)
        room.company.wire.dead.add(ADDRESS[GATEWAY])
        asked = await room.slack.until(contains="The gateway of qa is down")
        await room.slack.say("/k8snet whoami", by="olga")
        await room.slack.until(contains="Roles: operator, oncall", by="olga")
        room.workspace.slack.workspace.group(people.ON_CALL).users.remove(people.OLGA)
        for label in (f"Fail over to {NEXT}", "Snooze", "It's planned"):
            seen = (await room.slack.last(by="olga")).seq
            await room.slack.click(label, by="olga", ts=asked.ts)
            await room.slack.until(contains="you need the role oncall or admin", by="olga", after=seen)
        world = await room.engine.context.journal.world()
        assert [incident.state for incident in world.incidents.values()] == ["open"]
        assert not any(record.entry.kind == "incident-snoozed" for record in world.records)
        assert len(room.company.firewall.writes) == before


async def test_a_node_that_is_mistyped_gets_the_nearest_one() -> None:
    async with watched_chat("socket") as room:
        await room.slack.say("/k8snet failover to k8s-qa-nod-03", by="olga")
        await room.slack.until(contains="Did you mean k8s-qa-node-03", by="olga")


async def test_a_drill_is_asked_for_confirmed_and_told_with_what_people_noticed(transport: str) -> None:
    async with watched_chat(transport) as room:
        await room.slack.say(f"/k8snet drill to {NEXT} because we rehearse", by="olga")
        card = await room.slack.until(contains="Plan: waits for a yes", by="olga")
        assert f"A drill: the routes lead through {NEXT} until" in card.text
        await room.slack.click("Confirm", by="olga")
        done = await room.slack.until(contains="Done: moved there and back, and proven both times")
        assert "outage: none; all" in done.text
        assert "(on the way back)" in done.text
        assert {room.company.firewall.resources[key].gateway for key in ROUTES} == {ADDRESS[GATEWAY]}
        await room.slack.until("k8snet-audit", contains="ended: done")


async def test_what_recovers_is_withdrawn_in_the_same_message(transport: str) -> None:
    async with watched_chat(transport) as room:
        room.company.wire.dead.add(ADDRESS[GATEWAY])
        asked = await room.slack.until(contains="The gateway of qa is down")
        room.company.wire.dead.clear()
        over = await room.slack.until(contains="Over: everything has been good again for a while")
        assert (over.ts, over.buttons) == (asked.ts, [])
        # Below it may stand that it got worse, when the watch had looked in between.
        incidents = [
            one for one in await room.slack.messages() if "The gateway of qa" in one.text and not one.in_thread
        ]
        assert len(incidents) == 1
