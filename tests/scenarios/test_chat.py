"""Say a line, read the answer, click, read: through the real Bolt and Socket Mode."""

import asyncio

import pytest

from lab.slack.driver import driving
from tests.memory import Fault
from tests.office import Company
from tests.scenarios.chat import bot_in, chat, workspace


async def test_a_developer_asks_an_operator_confirms_everybody_sees_the_proof(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.say("/k8snet expose default because sprint 12", by="dana")
        card = await room.slack.until(contains="waits for a yes")
        assert card.buttons == ["Confirm", "Cancel"]
        assert "172.16.1.106" in card.text
        await room.slack.click("Confirm", by="omar")
        done = await room.slack.until(contains="Done: 10 steps applied and proven")
        assert done.ts == card.ts
        assert done.buttons == []
        assert len(room.company.firewall.writes) == 9


async def test_the_wrong_role_is_refused_to_the_clicker_only_and_nothing_happens(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.say("/k8snet expose default", by="dana")
        await room.slack.until(contains="waits for a yes")
        await room.slack.click("Confirm", by="dana")
        refusal = await room.slack.until(contains="you need the role operator or admin", by="dana")
        assert refusal.ephemeral
        assert not room.company.firewall.writes
        await room.slack.until("k8snet-audit", contains="was refused")


async def test_two_people_press_at_once_and_it_is_applied_once(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.say("/k8snet expose default", by="dana")
        await room.slack.until(contains="waits for a yes")
        await asyncio.gather(room.slack.click("Confirm", by="omar"), room.slack.click("Confirm", by="ada"))
        await room.slack.until(contains="applied and proven")
        assert len(room.company.firewall.writes) == 9


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("/k8snet expsoe default", "Did you mean expose?"),
        ("/k8snet check not-a-name", "is not a service name"),
        ("/k8snet expose default on nowhere", "There is no cluster nowhere"),
        ("/k8snet check “redis-abc-gns.default”", "redis-abc-gns.default is broken"),
        ("/k8snet list", "Nothing is exposed."),
        ("/k8snet whoami", "Roles: operator"),
        ("/k8snet plan default", "+ route 10.68.0.0/16 via 172.16.1.106 on Test"),
    ],
)
async def test_every_line_gets_its_answer(transport: str, line: str, says: str) -> None:
    async with chat(transport) as room:
        await room.slack.say(line)
        await room.slack.until(contains=says)


async def test_a_check_offers_the_fix_and_the_fix_is_the_ordinary_flow(transport: str) -> None:
    async with chat(transport, self_confirm=True) as room:
        await room.slack.say("/k8snet check redis-abc-gns.default")
        broken = await room.slack.until(contains="is broken at the office DNS")
        assert "Expose default" in broken.buttons
        await room.slack.click("Expose default")
        await room.slack.until(contains="waits for a yes")
        await room.slack.click("Confirm")
        await room.slack.until(contains="applied and proven")
        await room.slack.click("Check again", ts=broken.ts)
        await room.slack.until(contains="redis-abc-gns.default works")


async def test_a_channel_without_the_bot_is_told_to_invite_it(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.say("/k8snet expose default", channel="general")
        await room.slack.until("general", contains="/invite @k8snet")


async def test_an_unreachable_cluster_is_a_clear_message_and_the_bot_goes_on(transport: str) -> None:
    async with chat(transport) as room:
        room.company.firewall.fail("read", Fault.UNREACHABLE)
        await room.slack.say("/k8snet expose default", by="dana")
        await room.slack.until(contains="No plan is possible")
        await room.slack.say("/k8snet expose default", by="dana")
        await room.slack.until(contains="waits for a yes")


async def test_a_yes_to_an_outdated_plan_makes_a_new_card(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.say("/k8snet expose default", by="dana")
        first = await room.slack.until(contains="waits for a yes")
        await room.slack.say("/k8snet expose monitoring", by="dana")
        second = await room.slack.until(contains="expose monitoring\nPlan: waits for a yes")
        await room.slack.click("Confirm", by="omar", ts=second.ts)
        await room.slack.until(contains="expose monitoring\nDone")
        await room.slack.click("Confirm", by="omar", ts=first.ts)
        await room.slack.until(contains="A new card shows the fresh plan", by="omar")
        await room.slack.until(contains="+ forwarder default.svc.cluster.local", after=second.seq)


async def test_slack_being_away_loses_nothing_and_shows_nothing_twice(transport: str) -> None:
    company = Company(self_confirm=True)
    async with workspace() as slack, driving(slack.page_url) as driver:
        async with bot_in(slack, company, transport):
            await driver.say("/k8snet expose default")
            await driver.until(contains="waits for a yes")
        async with bot_in(slack, company, transport):
            await driver.click("Confirm")
            await driver.until(contains="applied and proven")
        cards = [m for m in await driver.messages() if "expose default" in m.text]
        assert len(cards) == 1


async def test_an_answer_of_slack_that_gets_lost_does_not_post_twice(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.fault(method="chat.postMessage", kind="close_after", times=1)
        await room.slack.say("/k8snet expose default", by="dana")
        await room.slack.until(contains="waits for a yes", timeout=20)
        cards = [m for m in await room.slack.messages() if "expose default" in m.text]
        assert len(cards) == 1
