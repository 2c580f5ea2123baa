"""Checks 10 to 12: people, groups, channels, files, and marks on messages."""

from __future__ import annotations

import httpx
import pytest
from slack_sdk.errors import SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient

from lab.slack.clock import Clock
from lab.slack.driver import Driver
from lab.slack.people import NET_OPS, OLGA, OMAR, OPERATORS, SAM, WANDA

from .apps import refusal


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
