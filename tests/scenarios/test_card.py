"""The one living message of a change: who, when and why; a plan too long for it; outages and limits of Slack."""

import asyncio
from itertools import pairwise

from lab.slack import people
from tests.memory import Fault
from tests.scenarios.chat import chat, expose_asked, made_long


async def test_a_card_always_says_who_asked_who_said_yes_why_and_when(transport: str) -> None:
    async with chat(transport) as room:
        await expose_asked(room)
        card = await room.slack.until(contains="waits for a yes")
        assert "asked by @dana" in card.text
        assert "needs a yes of an operator or admin until" in card.text
        await room.slack.click("Confirm")
        done = await room.slack.until(contains="applied and proven")
        assert "because sprint 12" in done.text
        assert "asked by @dana" in done.text
        assert "confirmed by @omar" in done.text
        assert "s after the yes" in done.text
        assert done.buttons == []


async def test_the_text_for_screen_readers_carries_the_whole_decision(transport: str) -> None:
    async with chat(transport) as room:
        await expose_asked(room)
        spoken = await room.slack.until(contains="+ forwarder default.svc.cluster.local → 10.68.0.2", field="spoken")
        assert "! The policies open the cluster's whole service and pod networks" in spoken.spoken


async def test_progress_is_one_message_that_is_never_changed_more_than_once_a_second(transport: str) -> None:
    async with chat(transport) as room:
        await expose_asked(room)
        await room.slack.click("Confirm")
        await room.slack.until(contains="applied and proven")
        changes = await room.updates()
        texts = [entry["request"]["text"] for entry in changes]
        assert len(texts) == len(set(texts))
        running = [entry["at"] for entry in changes if "Done" not in entry["request"]["text"]]
        assert all(later - earlier > 0.95 for earlier, later in pairwise(running))


async def test_a_plan_too_long_for_a_message_is_a_file_in_the_thread_before_it_can_be_confirmed(
    transport: str,
) -> None:
    async with chat(transport) as room:
        made_long(room)
        await expose_asked(room)
        card = await room.slack.until(contains="The whole plan is a file in the thread.")
        assert card.buttons == ["Confirm", "Cancel"]
        assert "on fw: + 85 × address" in card.text
        thread = await room.slack.messages(thread=card.ts)
        [file] = [file for message in thread for file in message.raw.get("files", [])]
        text = (await room.slack.http.get(f"/files/{file['id']}")).text
        assert all(f"office-branch-{number:02} = " in text for number in range(80))
        await room.slack.click("Confirm")
        done = await room.slack.until(contains="Done: ", timeout=30)
        assert "more lines" in done.text


async def test_a_long_plan_that_cannot_be_attached_cannot_be_confirmed(transport: str) -> None:
    async with chat(transport) as room:
        made_long(room)
        await room.slack.fault(method="files.getUploadURLExternal", kind="error", error="missing_scope", times=0)
        await expose_asked(room)
        card = await room.slack.until(contains="It cannot be confirmed yet")
        assert "missing_scope" in card.text
        assert card.buttons == ["Cancel"]


async def test_a_bot_that_dies_before_the_file_is_up_attaches_it_once(transport: str) -> None:
    async with chat(transport) as room:
        made_long(room)
        await room.slack.fault(method="files.completeUploadExternal", kind="close_after", times=1)
        await expose_asked(room)
        card = await room.slack.until(contains="The whole plan is a file in the thread.", timeout=20)
        thread = await room.slack.messages(thread=card.ts)
        assert len([file for message in thread for file in message.raw.get("files", [])]) == 1


async def test_retry_after_is_obeyed_and_nothing_is_lost(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.fault(method="chat.postMessage", kind="ratelimited", retry_after=2, times=1)
        await expose_asked(room)
        posts = [
            entry
            for entry in await room.slack.transcript()
            if entry["name"] == "chat.postMessage" and entry["request"]["channel"] == people.NET_OPS
        ]
        assert [entry["status"] for entry in posts] == [429, 200]
        assert posts[1]["at"] - posts[0]["at"] >= 2


async def test_under_slacks_real_limits_many_changes_at_once_are_all_shown(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.post("limits", None, enabled=True)
        asked = [room.slack.say(f"/k8snet expose {name}", by="dana") for name in ("default", "monitoring")]
        await asyncio.gather(*asked)
        await room.slack.until(contains="expose default\nPlan: waits for a yes", timeout=40)
        await room.slack.until(contains="expose monitoring\nPlan: waits for a yes", timeout=40)


async def test_what_went_wrong_is_on_the_card_with_the_step(transport: str) -> None:
    async with chat(transport) as room:
        await expose_asked(room)
        room.company.firewall.fail("apply", Fault.REJECT, 3)
        await room.slack.click("Confirm")
        card = await room.slack.until(contains="everything that was written was taken back")
        assert "✗ fw:" in card.text
        assert "the device said no" in card.text
