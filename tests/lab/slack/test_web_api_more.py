"""Checks 9 to 14: views, people, files, marks, rate limits, faults."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import httpx
import pytest
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.http_retry.builtin_async_handlers import AsyncConnectionErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from lab.slack.clock import Clock
from lab.slack.driver import Driver
from lab.slack.manifest import Manifest
from lab.slack.people import NET_OPS, OLGA, OMAR, OPERATORS, SAM, WANDA
from lab.slack.server import Running, running
from lab.slack.workspace import Workspace

from .apps import BoltApp, field_block, modal, refusal, section, web_client

TEXT_INPUT = {"type": "plain_text_input", "action_id": "value"}


async def trigger(bolt: BoltApp, slack: Driver, by: str = "omar") -> str:
    await slack.say("/k8snet form", by=by)
    return str((await bolt.seen.get())["trigger_id"])


@pytest.fixture
def commands(bolt: BoltApp) -> BoltApp:
    bolt.keep(bolt.app.command, "/k8snet")
    return bolt


async def test_check_09_a_trigger_opens_one_modal_within_three_seconds(
    commands: BoltApp, client: AsyncWebClient, slack: Driver, clock: Clock
) -> None:
    first = await trigger(commands, slack)
    opened = await client.views_open(trigger_id=first, view=modal())
    assert (await slack.modal())["id"] == opened["view"]["id"]
    assert await slack.modal(by="dana") is None
    assert (await refusal(client.views_open(trigger_id=first, view=modal())))["error"] == "exchanged_trigger_id"
    late = await trigger(commands, slack)
    clock.advance(3.5)
    assert (await refusal(client.views_open(trigger_id=late, view=modal())))["error"] == "expired_trigger_id"
    assert (await refusal(client.views_open(trigger_id="1.2.3", view=modal())))["error"] == "invalid_trigger_id"


async def test_check_09_a_stack_holds_three(commands: BoltApp, client: AsyncWebClient, slack: Driver) -> None:
    opened = await client.views_open(trigger_id=await trigger(commands, slack), view=modal())
    for _ in range(2):
        pushed = await client.views_push(trigger_id=await trigger(commands, slack), view=modal())
    assert pushed["view"]["root_view_id"] == opened["view"]["id"]
    assert pushed["view"]["previous_view_id"] != opened["view"]["id"]
    fourth = client.views_push(trigger_id=await trigger(commands, slack), view=modal())
    assert (await refusal(fourth))["error"] == "push_limit_reached"
    assert len((await slack.get("view", "omar"))["views"]) == 3


async def test_check_09_stale_hashes_conflict(commands: BoltApp, client: AsyncWebClient, slack: Driver) -> None:
    opened = await client.views_open(trigger_id=await trigger(commands, slack), view=modal(external_id="form-1"))
    stale = opened["view"]["hash"]
    updated = await client.views_update(external_id="form-1", hash=stale, view=modal(blocks=[section("two")]))
    assert updated["view"]["hash"] != stale
    again = client.views_update(view_id=opened["view"]["id"], hash=stale, view=modal())
    assert (await refusal(again))["error"] == "hash_conflict"
    assert (await slack.modal())["plain"] == "two"
    assert (await refusal(client.views_update(view_id="V000", view=modal())))["error"] == "not_found"


async def test_check_09_external_ids_are_unique(commands: BoltApp, client: AsyncWebClient, slack: Driver) -> None:
    one = modal(external_id="form-1")
    await client.views_open(trigger_id=await trigger(commands, slack), view=one)
    again = client.views_open(trigger_id=await trigger(commands, slack, by="dana"), view=one)
    assert (await refusal(again))["error"] == "duplicate_external_id"


@pytest.mark.parametrize(
    ("view", "error", "problem"),
    [
        (modal(blocks=[section("x" * 2900)] * 90), "view_too_large", None),
        (modal(title={"type": "plain_text", "text": "t" * 25}), "invalid_arguments", "/view/title/text"),
        (modal(blocks=[section("x")] * 101), "invalid_arguments", "/view/blocks"),
        (modal(private_metadata="x" * 3001), "invalid_arguments", "/view/private_metadata"),
        (modal(callback_id="x" * 256), "invalid_arguments", "/view/callback_id"),
        (modal(blocks=[field_block(TEXT_INPUT, "b")]), "invalid_arguments", "missing required field: submit"),
        (modal(blocks=[{"type": "markdown", "text": "x"}]), "invalid_arguments", "unsupported type: markdown"),
        ({"type": "home", "blocks": []}, "invalid_arguments", "must be of type modal"),
    ],
)
async def test_check_09_views_are_validated(
    commands: BoltApp, client: AsyncWebClient, slack: Driver, view: dict[str, Any], error: str, problem: str | None
) -> None:
    data = await refusal(client.views_open(trigger_id=await trigger(commands, slack), view=view))
    assert data["error"] == error
    if problem:
        assert any(problem in one for one in data["response_metadata"]["messages"])


async def test_check_09_home_tabs_can_be_published_unless_switched_off(client: AsyncWebClient, clock: Clock) -> None:
    home = {"type": "home", "blocks": [section("welcome")]}
    published = await client.views_publish(user_id=OMAR, view=home)
    current = await client.views_publish(user_id=OMAR, hash=published["view"]["hash"], view=home)
    assert current["view"]["id"] == published["view"]["id"]
    stale = client.views_publish(user_id=OMAR, hash=published["view"]["hash"], view=home)
    assert (await refusal(stale))["error"] == "hash_conflict"
    assert (await refusal(client.views_publish(user_id=WANDA, view=home)))["error"] == "invalid_arguments"
    async with running(Workspace(clock=clock), manifest=Manifest(home_tab=False)) as lab, web_client(lab) as other:
        assert (await refusal(other.views_publish(user_id=OMAR, view=home)))["error"] == "not_enabled"


async def test_check_10_people_have_the_flags_that_decide(client: AsyncWebClient) -> None:
    flags = {}
    cursor = ""
    while True:
        page = await client.users_list(limit=3, cursor=cursor)
        assert len(page["members"]) <= 3
        flags |= {user["name"]: user for user in page["members"]}
        cursor = page["response_metadata"]["next_cursor"]
        if not cursor:
            break
    assert {"dana", "omar", "olga", "ada", "gus", "sam", "wanda", "k8snet"} <= set(flags)
    assert flags["ada"]["is_admin"]
    assert not flags["omar"]["is_admin"]
    assert flags["gus"]["is_ultra_restricted"]
    assert flags["sam"]["is_stranger"]
    assert flags["sam"]["team_id"] != flags["omar"]["team_id"]
    assert flags["wanda"]["deleted"]
    assert flags["k8snet"]["is_bot"]
    assert (await client.users_info(user=SAM))["user"]["is_stranger"]
    assert (await refusal(client.users_info(user="U0NOBODY01")))["error"] == "user_not_found"


async def test_check_10_groups_and_the_free_plan(client: AsyncWebClient, slack: Driver) -> None:
    groups = (await client.usergroups_list(include_users=True))["usergroups"]
    assert {group["handle"]: group["users"] for group in groups}["net-operators"] == [OMAR, OLGA, WANDA]
    assert "users" not in (await client.usergroups_list())["usergroups"][0]
    assert (await client.usergroups_users_list(usergroup=OPERATORS))["users"] == [OMAR, OLGA, WANDA]
    assert (await refusal(client.usergroups_users_list(usergroup="S0NONE")))["error"] == "no_such_subteam"
    await slack.post("plan", None, free=True)
    assert (await refusal(client.usergroups_list()))["error"] == "plan_upgrade_required"
    assert (await refusal(client.usergroups_users_list(usergroup=OPERATORS)))["error"] == "plan_upgrade_required"


async def test_check_10_channels_are_described_listed_and_opened(client: AsyncWebClient) -> None:
    shared = (await client.conversations_info(channel="C0PARTNER1"))["channel"]
    assert shared["is_ext_shared"]
    assert len(shared["connected_team_ids"]) == 2
    members: list[str] = []
    cursor = ""
    while True:
        page = await client.conversations_members(channel=NET_OPS, limit=2, cursor=cursor)
        members += page["members"]
        cursor = page["response_metadata"]["next_cursor"]
        if not cursor:
            break
    assert len(members) == len(set(members)) == 6
    listed = await client.conversations_list(types="public_channel,private_channel")
    assert {channel["name"] for channel in listed["channels"]} >= {"net-ops", "k8snet-audit"}
    opened = await client.conversations_open(users=OMAR)
    assert (await client.conversations_open(users=OMAR))["channel"]["id"] == opened["channel"]["id"]
    assert (await client.conversations_info(channel=opened["channel"]["id"]))["channel"]["is_im"]
    assert (await refusal(client.conversations_open(users=WANDA)))["error"] == "user_disabled"
    assert (await refusal(client.conversations_members(channel=NET_OPS, cursor="?")))["error"] == "invalid_cursor"


async def test_check_11_a_file_goes_up_in_three_steps(client: AsyncWebClient, slack: Driver) -> None:
    parent = await client.chat_postMessage(channel=NET_OPS, text="plan")
    answer = await client.files_upload_v2(
        channel=NET_OPS, content="- a\n+ b\n", filename="plan.diff", thread_ts=parent["ts"], initial_comment="the plan"
    )
    assert answer["file"]["name"] == "plan.diff"
    reply = (await slack.messages(thread=parent["ts"]))[-1]
    assert reply.text == "the plan\n[file: plan.diff]"
    content = await slack.http.get(f"/files/{answer['file']['id']}")
    assert content.text == "- a\n+ b\n"


async def test_check_11_the_upload_says_how_much_it_took_and_refuses_another_length(
    client: AsyncWebClient, http: httpx.AsyncClient
) -> None:
    announced = await client.files_getUploadURLExternal(filename="a.txt", length=5)
    url = announced["upload_url"]
    wrong = await http.post(url, content=b"toolong")
    assert (wrong.status_code, wrong.text) == (400, "size_mismatch")
    files = [{"id": announced["file_id"], "title": "a"}]
    assert (await refusal(client.files_completeUploadExternal(files=files)))["error"] == "file_not_found"
    right = await http.post(url, content=b"12345")
    assert (right.status_code, right.text, right.headers["content-type"]) == (
        200,
        "OK - 5",
        "text/plain; charset=utf-8",
    )
    multipart = await client.files_getUploadURLExternal(filename="b.txt", length=3)
    sent = await http.post(multipart["upload_url"], files={"file": ("b.txt", b"abc")})
    assert sent.text == "OK - 3"
    assert (await client.files_completeUploadExternal(files=files))["files"][0]["title"] == "a"


async def test_check_11_the_sdk_notices_a_refused_upload(client: AsyncWebClient, slack: Driver) -> None:
    await slack.fault(method="files.completeUploadExternal", kind="error", error="fatal_error")
    data = await refusal(client.files_upload_v2(channel=NET_OPS, content="abc", filename="a.txt"))
    assert data["error"] == "fatal_error"
    with pytest.raises(SlackRequestError):
        await client.files_upload_v2(channel=NET_OPS, filename="a.txt")
    assert await slack.messages() == []


async def test_check_11_an_image_may_need_a_moment(client: AsyncWebClient, slack: Driver, clock: Clock) -> None:
    await slack.post("image_delay", None, seconds=5)
    uploaded = await client.files_upload_v2(content=b"\x89PNG", filename="path.png")
    block = {"type": "image", "slack_file": {"id": uploaded["file"]["id"]}, "alt_text": "the path"}
    data = await refusal(client.chat_postMessage(channel=NET_OPS, text="t", blocks=[block]))
    assert data["errors"] == ["invalid slack file [json-pointer:/blocks/0/slack_file]"]
    clock.advance(5)
    assert (await client.chat_postMessage(channel=NET_OPS, text="t", blocks=[block]))["ok"]


async def test_check_12_marks_can_be_set_once(client: AsyncWebClient, slack: Driver) -> None:
    posted = await client.chat_postMessage(channel=NET_OPS, text="t")
    at = {"channel": NET_OPS, "timestamp": posted["ts"]}
    await client.reactions_add(name="eyes", **at)
    assert (await refusal(client.reactions_add(name="eyes", **at)))["error"] == "already_reacted"
    assert (await refusal(client.reactions_add(name=":eyes:", **at)))["error"] == "invalid_name"
    assert (await refusal(client.reactions_add(name="eyes", channel=NET_OPS, timestamp="soon")))["error"] == (
        "bad_timestamp"
    )
    missing = client.reactions_add(name="eyes", channel=NET_OPS, timestamp="1700000000.000000")
    assert (await refusal(missing))["error"] == "message_not_found"
    await client.pins_add(**at)
    assert (await refusal(client.pins_add(**at)))["error"] == "already_pinned"
    bookmark = {"channel_id": NET_OPS, "title": "Runbook", "type": "link", "link": "https://example.org/runbook"}
    assert (await client.bookmarks_add(**bookmark))["bookmark"]["id"]
    assert (await refusal(client.bookmarks_add(**bookmark)))["error"] == "already_exists"
    await slack.post("react", "omar", channel="net-ops", ts=posted["ts"], name="eyes")
    seen = await slack.last()
    assert seen.raw["reactions"] == [{"name": "eyes", "users": ["U0BOT00001", OMAR], "count": 2}]
    assert seen.raw["pinned"]


@pytest.fixture
async def limited(clock: Clock) -> Any:
    async with running(Workspace(clock=clock), rate_limits=True) as lab:
        yield lab


async def test_check_13_a_tier_is_a_minute_of_calls_that_refills(limited: Running, clock: Clock) -> None:
    async with web_client(limited) as client:
        for _ in range(20):
            await client.usergroups_list()
        with pytest.raises(SlackApiError) as caught:
            await client.usergroups_list()
        assert caught.value.response.status_code == 429
        assert caught.value.response["error"] == "ratelimited"
        assert int(caught.value.response.headers["Retry-After"]) == 3
        assert (await client.users_info(user=OMAR))["ok"], "another method has its own bucket"
        clock.advance(3)
        await client.usergroups_list()
        assert (await refusal(client.usergroups_list()))["error"] == "ratelimited"


async def test_check_13_posts_are_limited_by_channel(limited: Running, clock: Clock) -> None:
    async with web_client(limited) as client:
        for n in range(10):
            await client.chat_postMessage(channel=NET_OPS, text=str(n))
        assert (await refusal(client.chat_postMessage(channel=NET_OPS, text="too many")))["error"] == "ratelimited"
        assert (await client.chat_postMessage(channel=OMAR, text="another channel"))["ok"]
        clock.advance(1)
        assert (await client.chat_postMessage(channel=NET_OPS, text="later"))["ok"]
        limited.slack.limits.enabled = False
        for n in range(30):
            await client.chat_postMessage(channel=NET_OPS, text=str(n))


async def test_check_14_a_connection_closed_after_the_work_makes_the_sdk_post_twice(
    lab: Running, slack: Driver
) -> None:
    await slack.fault(method="chat.postMessage", kind="close_after")
    async with web_client(lab, retry_handlers=[AsyncConnectionErrorRetryHandler()]) as hasty:
        await hasty.chat_postMessage(channel=NET_OPS, text="twice")
    assert [message.text for message in await slack.messages()] == ["twice", "twice"]


async def test_check_14_a_connection_closed_before_the_work_leaves_nothing(
    client: AsyncWebClient, slack: Driver
) -> None:
    await slack.fault(method="chat.postMessage", kind="close_before")
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel=NET_OPS, text="never")
    assert await slack.messages() == []


async def test_check_14_statuses_pages_and_storms(client: AsyncWebClient, slack: Driver) -> None:
    await slack.fault(method="auth.test", kind="status", status=503)
    await slack.fault(method="auth.test", kind="html")
    await slack.fault(method="auth.test", kind="ratelimited", retry_after=30, times=2)
    with pytest.raises(SlackApiError) as caught:
        await client.auth_test()
    assert caught.value.response.status_code == 503
    with pytest.raises(SlackApiError):
        await client.auth_test()
    for _ in range(2):
        with pytest.raises(SlackApiError) as caught:
            await client.auth_test()
        assert caught.value.response.headers["Retry-After"] == "30"
    assert (await client.auth_test())["ok"]


async def test_check_14_slow_answers_come_when_the_clock_says_so(
    client: AsyncWebClient, slack: Driver, clock: Clock
) -> None:
    await slack.fault(method="chat.postMessage", kind="slow", seconds=20)
    posting = asyncio.ensure_future(client.chat_postMessage(channel=NET_OPS, text="slowly"))
    await clock.until_sleeping(20)
    assert await slack.messages() == []
    clock.advance(20)
    assert (await posting)["ok"]


async def test_check_14_faults_can_be_taken_back(client: AsyncWebClient, slack: Driver) -> None:
    await slack.fault(kind="status", status=500, times=0)
    with pytest.raises(SlackApiError):
        await client.auth_test()
    await slack.http.delete("/lab/faults")
    assert (await client.auth_test())["ok"]


async def test_threads_permalinks_and_metadata_can_be_read(client: AsyncWebClient) -> None:
    metadata = {"event_type": "plan", "event_payload": {"id": "p-1"}}
    parent = await client.chat_postMessage(channel=NET_OPS, text="plan", metadata=metadata)
    ts = parent["ts"]
    quiet = await client.chat_postMessage(channel=NET_OPS, text="detail", thread_ts=ts)
    loud = await client.chat_postMessage(channel=NET_OPS, text="outcome", thread_ts=ts, reply_broadcast=True)
    history = await client.conversations_history(channel=NET_OPS)
    assert [message["text"] for message in history["messages"]] == ["outcome", "plan"]
    assert "metadata" not in history["messages"][1]
    assert history["messages"][1]["reply_count"] == 2
    with_metadata = await client.conversations_history(channel=NET_OPS, include_all_metadata=True)
    assert with_metadata["messages"][1]["metadata"] == metadata
    replies = await client.conversations_replies(channel=NET_OPS, ts=ts)
    assert [message["ts"] for message in replies["messages"]] == [ts, quiet["ts"], loud["ts"]]
    since = await client.conversations_history(channel=NET_OPS, oldest=ts)
    assert [message["text"] for message in since["messages"]] == ["outcome"]
    link = await client.chat_getPermalink(channel=NET_OPS, message_ts=quiet["ts"])
    assert link["permalink"].endswith(f"/p{quiet['ts'].replace('.', '')}?thread_ts={ts}&cid={NET_OPS}")
    nowhere = client.chat_postMessage(channel=NET_OPS, text="t", thread_ts="1700000000.000000")
    assert (await refusal(nowhere))["error"] == "thread_not_found"
