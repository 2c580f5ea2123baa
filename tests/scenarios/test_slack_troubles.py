"""Slack in a bad moment: answers lost in a busy channel, no files, limits, an outage, duplicates, forms left open."""

from contextlib import AsyncExitStack
from functools import partial

import pytest

from lab.slack import people
from lab.slack.driver import Driver, Seen, driving
from lab.slack.server import Running
from tests.memory import Fault
from tests.office import Company
from tests.scenarios.chat import Chat, bot_in, chat, eventually, expose_asked, home, made_long, workspace

MORE_THAN_A_PAGE = 120


async def chatter(room: Chat, channel: str = "net-ops", thread: str | None = None) -> None:
    """People go on talking, more than one page of history."""
    more = {"thread_ts": thread} if thread else {}
    for number in range(MORE_THAN_A_PAGE):
        await room.slack.say(f"about lunch, {number}", by="ada", channel=channel, **more)


async def cards(room: Chat, containing: str = "expose default") -> int:
    return sum(containing in message.text for message in await room.slack.messages())


async def test_a_card_whose_post_got_no_answer_is_found_again_below_all_that_was_said_since(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.fault(method="chat.postMessage", kind="close_after", times=1)
        await room.slack.say("/k8snet expose default", by="dana")
        await room.slack.until(contains="expose default")
        await chatter(room)
        await room.slack.until(contains="waits for a yes", timeout=20)
        assert await cards(room) == 1


async def test_a_plans_file_is_found_again_below_all_that_was_said_since(transport: str) -> None:
    async with chat(transport) as room:
        made_long(room)
        await room.slack.fault(method="files.completeUploadExternal", kind="close_after", times=1)
        await room.slack.say("/k8snet expose default", by="dana")
        card = await room.slack.until(contains="expose default")
        await chatter(room, thread=card.ts)
        await room.slack.until(contains="The whole plan is a file in the thread.", timeout=20)
        thread = await room.slack.messages(thread=card.ts)
        assert len([file for message in thread for file in message.raw.get("files", [])]) == 1


async def test_an_audit_line_whose_post_got_no_answer_is_found_again_below_all_that_was_said_since(
    transport: str,
) -> None:
    async with chat(transport) as room:
        await room.slack.fault(method="chat.postMessage", kind="close_after", times=1)
        await room.slack.say("/k8snet whoami")
        await room.slack.until("k8snet-audit", contains="sealed up to #1 by", by="ada")
        await chatter(room, "k8snet-audit")
        await room.slack.say("/k8snet help")
        await room.slack.until("k8snet-audit", contains="asked: help", by="ada", timeout=20)
        told = [message.text for message in await room.slack.messages("k8snet-audit", by="ada")]
        assert sum("asked: whoami" in text for text in told) == 1


async def test_an_event_that_did_not_arrive_is_believed_when_it_comes_again() -> None:
    async with chat("http") as room:
        await room.slack.say("/k8snet whoami", by="dana")
        await room.slack.until(contains="Roles: developer", by="dana")
        await room.slack.fault(where="delivery", kind="bad_signature")
        await room.slack.post("group", None, group="net-operators", users=["omar", "dana"])
        assert (await room.slack.logged(kind="http", name="events_api"))["status"] == 401
        await room.slack.logged(kind="http", name="events_api", status=200)
        await room.slack.say("/k8snet whoami", by="dana")
        await room.slack.until(contains="Roles: developer, operator", by="dana")


async def test_without_files_a_long_plan_waits_and_keeps_nobody_else_waiting(transport: str) -> None:
    async with chat(transport) as room:
        made_long(room)
        await room.slack.fault(method="files.getUploadURLExternal", kind="status", status=503, times=0)
        await room.slack.say("/k8snet expose default", by="dana")
        card = await room.slack.until(contains="expose default")
        await room.slack.logged(kind="api", name="files.getUploadURLExternal", status=503)
        await room.slack.say("/k8snet expose monitoring", by="dana")
        await room.slack.until(contains="expose monitoring")
        await room.slack.until("k8snet-audit", contains="asked: expose monitoring")
        assert "Confirm" not in card.buttons
        await room.slack.http.delete("/lab/faults")
        await room.slack.until(contains="expose default\nPlan: waits for a yes", timeout=20)


async def test_what_happens_while_slack_asks_to_wait_is_one_update_after_the_wait(transport: str) -> None:
    async with chat(transport) as room:
        await expose_asked(room)
        await room.slack.fault(method="chat.update", kind="ratelimited", retry_after=2, times=1)
        await room.slack.click("Confirm")
        await room.slack.until(contains="applied and proven")
        updates = await room.updates()
        [refused] = [n for n, entry in enumerate(updates) if entry["status"] == 429]
        assert updates[refused + 1]["at"] - updates[refused]["at"] >= 2
        world = await room.engine.context.journal.world()
        [operation] = world.operations.values()
        assert len(updates) - refused - 1 < len(operation.records)


async def test_an_outage_in_the_middle_of_a_change_hides_nothing_in_the_end(transport: str) -> None:
    async with chat(transport) as room:
        await expose_asked(room)
        room.company.firewall.fail("apply", Fault.HANG_BEFORE)
        await room.slack.click("Confirm")
        await room.company.firewall.hanging.wait()
        await room.slack.fault(method="*", kind="status", status=503, times=0)
        room.company.firewall.release()

        async def over() -> bool:
            world = await room.engine.context.journal.world()
            return [operation.state for operation in world.operations.values()] == ["done"]

        await eventually(over)
        await room.slack.http.delete("/lab/faults")
        done = await room.slack.until(contains="applied and proven", timeout=20)
        assert done.buttons == []
        assert await cards(room) == 1
        await room.slack.until("k8snet-audit", contains="ended: done", timeout=20)


async def test_what_slack_delivers_twice_counts_once(transport: str) -> None:
    """As a payload of its own: another envelope, another signature."""
    async with chat(transport) as room:
        await room.slack.fault(where="delivery", kind="duplicate")
        await room.slack.say("/k8snet check redis-abc-gns.default")
        await room.slack.until(regex="^✗ redis-abc-gns.default is broken")
        await room.slack.fault(where="delivery", kind="duplicate")
        await room.slack.say("/k8snet expose default", by="dana")
        await room.slack.until(contains="waits for a yes")
        await room.slack.fault(where="delivery", kind="duplicate")
        await room.slack.click("Confirm", by="omar")
        await room.slack.until(contains="applied and proven")
        assert await cards(room, "is broken at") == 1
        assert await cards(room) == 1
        assert len(room.company.firewall.writes) == 9
        assert not [message for message in await room.slack.messages(by="omar") if message.ephemeral]


async def test_a_form_outlives_the_bot_that_opened_it(transport: str) -> None:
    company = Company()
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(workspace())
        driver = await stack.enter_async_context(driving(slack.page_url))
        async with bot_in(slack, company, transport):
            await driver.say("/k8snet", by="dana")
            await driver.logged(kind="api", name="views.update")
        async with bot_in(slack, company, transport):
            await driver.submit({"namespace": "default", "reason": "sprint 12"}, by="dana")
            await driver.until(contains="expose default on qa because sprint 12\nPlan: waits for a yes")


async def test_a_form_that_slack_does_not_open_any_more_says_what_to_type(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.fault(method="views.open", kind="error", error="expired_trigger_id")
        await room.slack.say("/k8snet", by="dana")
        told = await room.slack.until(contains="The form took too long to open", by="dana")
        assert told.ephemeral
        assert "/k8snet expose" in told.text


async def test_who_closes_the_form_early_hears_nothing_of_it(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.fault(method="views.update", kind="error", error="not_found")
        await room.slack.say("/k8snet", by="dana")
        await room.slack.logged(kind="api", name="views.update")
        await room.slack.say("/k8snet whoami", by="dana")
        told = await room.slack.until(contains="You are", by="dana")
        assert [message.ts for message in await room.slack.messages(by="dana") if message.ephemeral] == [told.ts]


async def test_an_answer_that_comes_after_its_address_has_expired_disturbs_nobody() -> None:
    async with chat() as room:
        room.company.firewall.fail("read", Fault.HANG_BEFORE)
        await room.slack.say("/k8snet plan default")
        await room.company.firewall.hanging.wait()
        await room.slack.advance(31 * 60)
        room.company.firewall.release()
        await room.slack.until("k8snet-audit", contains="asked: plan default")
        await room.slack.say("/k8snet whoami")
        await room.slack.until(contains="Roles: operator")


@pytest.mark.parametrize(
    ("line", "near"),
    [
        ("expsoe default", "expose"),
        ("expose defualt", "default"),
        ("plan defualt", "default"),
        ("expose default on qaa", "qa"),
        ("expose default from hqq", "hq"),
        ("check redis-abc-gsn.default", "redis-abc-gns"),
    ],
)
async def test_whatever_is_mistyped_gets_the_nearest_word(line: str, near: str) -> None:
    async with chat() as room:
        await room.slack.say(f"/k8snet {line}")
        await room.slack.until(contains=f"Did you mean {near}", field="spoken")


async def test_an_answer_that_slack_wants_later_comes_later(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.fault(method="response_url", kind="ratelimited", retry_after=1)
        await room.slack.say("/k8snet whoami")
        await room.slack.until(contains="Roles: operator")


async def test_who_asks_where_the_bot_may_not_post_hears_so_once_and_the_yes_is_given_on_the_home_tab(
    transport: str,
) -> None:
    async with chat(transport) as room:
        await room.slack.post("channel", None, channel="net-ops", posters=["dana"])
        await room.slack.say("/k8snet expose default because sprint 12", by="dana")
        told = await room.slack.until(contains="does not let me post", by="dana")
        assert told.ephemeral
        assert "It waits for a yes on my Home tab" in told.text
        await room.slack.open_home()
        await home(room, "omar", "asked by @dana")
        await room.slack.post("click", "omar", surface="home", label="Confirm")
        await home(room, "omar", "Done: 10 steps applied and proven")
        assert [message.ts for message in await room.slack.messages(by="dana")] == [told.ts]


async def test_who_names_such_a_channel_in_the_form_hears_so_too(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.say("/k8snet", by="dana")
        await room.slack.logged(kind="api", name="views.update")
        await room.slack.post("channel", None, channel="net-ops", posters=["ada"])
        await room.slack.submit({"namespace": "default", "channel": "net-ops"}, by="dana")
        assert (await room.slack.until(contains="does not let me post", by="dana")).ephemeral


async def test_what_needs_no_yes_is_told_where_the_bot_may_not_post(transport: str) -> None:
    async with chat(transport) as room:
        await expose_asked(room)
        await room.slack.click("Confirm")
        await room.slack.until(contains="applied and proven")
        await room.slack.post("channel", None, channel="net-ops", posters=["dana"])
        await room.slack.say("/k8snet expose default", by="dana")
        told = await room.slack.until(contains="does not let me post", by="dana")
        assert "Nothing to do: it is so already" in told.text


async def test_a_plan_too_long_for_the_home_tab_has_to_be_asked_for_where_the_bot_may_post(transport: str) -> None:
    async with chat(transport) as room:
        made_long(room)
        await room.slack.post("channel", None, channel="net-ops", posters=["dana"])
        await room.slack.say("/k8snet expose default", by="dana")
        told = await room.slack.until(contains="does not let me post", by="dana")
        assert "too long to be confirmed on my Home tab" in told.text
        await room.slack.open_home()
        await home(room, "omar", "Too long to be confirmed here, and Slack did not take its card")


async def test_where_another_organisation_reads_along_a_check_is_answered_to_the_person_alone(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.say("/k8snet check redis-abc-gns.default", channel="partner-net")
        answer = await room.slack.until("partner-net", contains="redis-abc-gns.default is broken")
        assert answer.ephemeral
        assert await room.slack.messages("partner-net", by="sam") == []


async def test_where_the_bot_may_not_post_a_check_is_answered_to_the_person_alone(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.post("channel", None, channel="net-ops", posters=["dana"])
        await room.slack.say("/k8snet check redis-abc-gns.default", by="dana")
        answer = await room.slack.until(contains="redis-abc-gns.default is broken", by="dana")
        assert answer.ephemeral
        assert [message.ts for message in await room.slack.messages(by="dana")] == [answer.ts]


async def test_a_missing_scope_is_not_mistaken_for_a_missing_invitation(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.fault(method="conversations.info", kind="error", error="missing_scope")
        await room.slack.say("/k8snet expose default")
        await room.slack.until(contains="Slack: conversations.info: missing_scope. Nothing was changed.")


@pytest.mark.parametrize("trouble", [{"kind": "error", "error": "invalid_blocks"}, {"kind": "close_before"}])
async def test_an_answer_that_slack_does_not_take_leaves_no_check_under_way(
    transport: str, trouble: dict[str, str]
) -> None:
    async with chat(transport) as room:
        await room.slack.fault(method="chat.update", **trouble)
        await room.slack.say("/k8snet check redis-abc-gns.default")
        answer = await room.slack.until(contains="redis-abc-gns.default is broken")
        assert not answer.ephemeral
        assert "Checking" not in "".join(one.text for one in await room.slack.messages())


async def test_the_audit_channel_misses_nothing_that_happened_while_the_bot_was_not_in_it(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.post("member", None, channel="k8snet-audit", user="k8snet", join=False)
        await room.slack.say("/k8snet whoami")
        refused = await room.slack.logged(kind="api", name="chat.postMessage")
        assert not refused["response"]["ok"]
        await room.slack.say("/k8snet help")
        await room.slack.until(contains="What I can do for you")
        await room.slack.post("member", None, channel="k8snet-audit", user="k8snet", join=True)
        told = await room.slack.until("k8snet-audit", contains="asked: help", timeout=20)
        assert "asked: whoami" in told.text


async def test_a_changes_card_does_not_wait_for_an_archived_audit_channel(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.post("channel", None, channel="k8snet-audit", archived=True)
        await expose_asked(room)
        await room.slack.click("Confirm")
        await room.slack.until(contains="applied and proven")
        await room.slack.post("channel", None, channel="k8snet-audit", archived=False)
        await room.slack.until("k8snet-audit", contains="ended: done", timeout=20)


async def test_who_waits_for_a_device_that_hangs_hears_of_it(transport: str) -> None:
    async with chat(transport) as room:
        room.company.firewall.fail("read", Fault.HANG_BEFORE, 1)
        await room.slack.say("/k8snet plan default")
        await room.slack.until(contains="Something takes its time to answer")
        room.company.firewall.release()
        await room.slack.until(contains="would do this")


async def test_who_says_yes_while_a_device_hangs_hears_of_it(transport: str) -> None:
    async with chat(transport) as room:
        await expose_asked(room)
        room.company.firewall.fail("read", Fault.HANG_BEFORE, 1)
        await room.slack.click("Confirm")
        await room.slack.until(contains="Something takes its time to answer")
        room.company.firewall.release()
        await room.slack.until(contains="applied and proven")


async def cut_short(stack: AsyncExitStack, company: Company, transport: str) -> tuple[Running, Driver, Seen]:
    """A bot is stopped in the middle of a check."""
    slack = await stack.enter_async_context(workspace())
    driver = await stack.enter_async_context(driving(slack.page_url))
    async with bot_in(slack, company, transport):
        company.cluster.answers.clear()
        await driver.say("/k8snet check redis-abc-gns.default")
        standing = await driver.until(contains="Checking redis-abc-gns.default")
        await eventually(partial(noted, company))
    return slack, driver, standing


async def noted(company: Company) -> bool:
    return any(company.contents.notes.values())


async def nothing_noted(company: Company) -> bool:
    return not await noted(company)


async def test_a_check_that_a_restart_cuts_short_says_so_and_how_to_ask_again(transport: str) -> None:
    company = Company()
    async with AsyncExitStack() as stack:
        slack, driver, standing = await cut_short(stack, company, transport)
        async with bot_in(slack, company, transport):
            told = await driver.until(contains="I was restarted in the middle of this check")
            assert told.ts == standing.ts
            assert "/k8snet check redis-abc-gns.default" in told.text
            await eventually(partial(nothing_noted, company))
            company.cluster.answers.set()
            await driver.click("Check again")
            answer = await driver.until(contains="redis-abc-gns.default is broken")
            assert answer.ts != standing.ts
            await eventually(partial(nothing_noted, company))


async def test_what_cannot_be_said_of_a_check_that_was_cut_short_keeps_no_bot_from_its_work(transport: str) -> None:
    company = Company()
    async with AsyncExitStack() as stack:
        slack, driver, standing = await cut_short(stack, company, transport)
        company.cluster.answers.set()
        slack.slack.workspace.delete(slack.slack.workspace.message(people.NET_OPS, standing.ts))
        async with bot_in(slack, company, transport):
            refused = await driver.logged(kind="api", name="chat.update")
            assert refused["response"]["error"] == "message_not_found"
            await driver.say("/k8snet whoami")
            await driver.until(contains="Roles: operator")
            await eventually(partial(nothing_noted, company))
