"""Checks 1 to 8 and 15: calls, tokens, scopes, posting and changing messages."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import httpx
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from lab.slack.clock import Clock
from lab.slack.driver import ChatError, Driver
from lab.slack.manifest import Manifest
from lab.slack.people import AUDIT, BOT_USER, DANA, GENERAL, NET_OPS, OMAR, WANDA
from lab.slack.server import Running, running
from lab.slack.workspace import Workspace

from .apps import BUTTON, BoltApp, actions, refusal, section, web_client


@pytest.mark.parametrize("style", ["json", "form", "multipart", "query", "mixed"])
async def test_check_01_arguments_are_merged_from_wherever_they_are(http: httpx.AsyncClient, style: str) -> None:
    arguments = {"channel": NET_OPS, "text": "hello + a=b & c", "team_id": "T0LAB0001"}
    ways: dict[str, dict[str, Any]] = {
        "json": {"json": arguments},
        "form": {"data": arguments},
        "multipart": {"files": {key: (None, value) for key, value in arguments.items()}},
        "query": {"params": arguments},
        "mixed": {"params": {"channel": NET_OPS}, "json": {"text": arguments["text"]}},
    }
    answer = (await http.post("/api/chat.postMessage", **ways[style])).json()
    assert answer["ok"], answer
    assert answer["message"]["text"] == "hello + a=b &amp; c"


async def test_check_01_get_and_encoded_json_arguments_work(http: httpx.AsyncClient) -> None:
    assert (await http.get("/api/users.info", params={"user": OMAR, "include_locale": "0"})).json()["ok"]
    data = {"channel": NET_OPS, "text": "t", "blocks": json.dumps([section("encoded")])}
    answer = (await http.post("/api/chat.postMessage", data=data)).json()
    assert answer["message"]["blocks"][0]["text"]["text"] == "encoded"


async def test_check_01_unknown_methods_are_named_as_such(http: httpx.AsyncClient) -> None:
    answer = await http.post("/api/chat.postMassage")
    assert answer.status_code == 200
    assert answer.json()["error"] == "unknown_method"


async def test_check_02_tokens_are_checked_by_presence_value_and_kind(lab: Running, http: httpx.AsyncClient) -> None:
    async def error(method: str, token: str | None) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {token}" if token else ""}
        response = await http.post(f"/api/{method}", headers=headers)
        return response.status_code, response.json()["error"]

    assert await error("auth.test", None) == (200, "not_authed")
    assert await error("auth.test", "xoxb-of-someone-else") == (200, "invalid_auth")
    assert await error("chat.postMessage", lab.app_token) == (200, "not_allowed_token_type")
    assert await error("apps.connections.open", lab.bot_token) == (200, "not_allowed_token_type")


async def test_check_03_scopes_come_from_the_manifest(clock: Clock) -> None:
    manifest = Manifest.from_json({"oauth_config": {"scopes": {"bot": ["commands", "chat:write", "channels:read"]}}})
    async with running(Workspace(clock=clock), manifest=manifest) as lab, web_client(lab) as client:
        data = await refusal(client.usergroups_list())
        assert data["error"] == "missing_scope"
        assert (data["needed"], data["provided"]) == ("usergroups:read", "commands,chat:write,channels:read")
        assert (await refusal(client.conversations_info(channel=AUDIT)))["needed"] == "groups:read"
        answer = await client.auth_test()
        assert answer.headers["x-oauth-scopes"] == "commands,chat:write,channels:read"
        assert (await client.conversations_info(channel=NET_OPS))["ok"]


async def test_check_04_timestamps_are_unique_and_increase(client: AsyncWebClient) -> None:
    answers = await asyncio.gather(*(client.chat_postMessage(channel=NET_OPS, text=f"{n}") for n in range(40)))
    stamps = [answer["ts"] for answer in answers]
    assert all(re.fullmatch(r"\d{10}\.\d{6}", ts) for ts in stamps)
    assert len(set(stamps)) == 40
    history = await client.conversations_history(channel=NET_OPS, limit=50)
    newest_first = [message["ts"] for message in history["messages"]]
    assert newest_first == sorted(stamps, reverse=True)


async def test_check_04_the_answer_is_the_stored_message_with_generated_ids(client: AsyncWebClient) -> None:
    button = {key: value for key, value in BUTTON.items() if key != "action_id"}
    blocks = [section("one"), {"type": "actions", "elements": [button]}]
    answer = await client.chat_postMessage(channel=NET_OPS, text="t", blocks=blocks)
    stored = (await client.conversations_history(channel=NET_OPS))["messages"][0]
    assert answer["message"] == stored
    assert all(block["block_id"] for block in stored["blocks"])
    assert stored["blocks"][1]["elements"][0]["action_id"]


async def test_check_05_membership_decides_where_the_bot_may_post(
    lab: Running, client: AsyncWebClient, slack: Driver
) -> None:
    async def error(channel: str) -> Any:
        return (await refusal(client.chat_postMessage(channel=channel, text="t")))["error"]

    assert await error(GENERAL) == "not_in_channel"
    assert (await client.chat_postMessage(channel="#net-ops", text="by name"))["channel"] == NET_OPS
    assert (await client.chat_postMessage(channel=AUDIT, text="t"))["ok"]
    await slack.post("member", None, channel="k8snet-audit", user="k8snet", join=False)
    assert await error(AUDIT) == "channel_not_found"
    await slack.post("channel", None, channel="net-ops", archived=True)
    assert await error(NET_OPS) == "is_archived"
    direct = await client.chat_postMessage(channel=OMAR, text="to you")
    assert direct["channel"].startswith("D")
    assert (await slack.last("@k8snet")).text == "to you"
    assert await error(WANDA) == "user_disabled"
    assert await error("C0NOWHERE1") == "channel_not_found"


async def test_check_05_where_only_some_may_post_the_bot_is_refused_like_everybody_else(
    client: AsyncWebClient, slack: Driver
) -> None:
    await slack.post("channel", None, channel="net-ops", posters=["ada"])
    for posting in (
        client.chat_postMessage(channel=NET_OPS, text="t"),
        client.chat_postEphemeral(channel=NET_OPS, user=OMAR, text="t"),
    ):
        assert (await refusal(posting))["error"] == "restricted_action"
    with pytest.raises(ChatError, match="restricted_action"):
        await slack.say("/k8snet whoami")
    await slack.say("news", by="ada")
    await slack.post("channel", None, channel="net-ops", posters=None)
    assert (await client.chat_postMessage(channel=NET_OPS, text="t"))["ok"]


async def test_check_05_chat_write_public_lifts_the_need_to_join(clock: Clock) -> None:
    manifest = Manifest(scopes=("chat:write", "chat:write.public"))
    async with running(Workspace(clock=clock), manifest=manifest) as lab, web_client(lab) as client:
        assert (await client.chat_postMessage(channel=GENERAL, text="t"))["ok"]


LONG = "x" * 3001
BAD_BLOCKS = [
    ([section(LONG)], "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"),
    ([section("")], "must be more than 0 characters [json-pointer:/blocks/0/text/text]"),
    ([{"type": "section"}], "must define either `text` or `fields` [json-pointer:/blocks/0]"),
    ([{"type": "alert"}], "unsupported type: alert [json-pointer:/blocks/0/type]"),
    ([section("x")] * 51, "no more than 50 items allowed [json-pointer:/blocks]"),
    (
        [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}],
        "must be less than 151 characters [json-pointer:/blocks/0/text/text]",
    ),
    (
        [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}],
        "unsupported type: mrkdwn [json-pointer:/blocks/0/text/type]",
    ),
    (
        [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x"}] * 11}],
        "no more than 10 items allowed [json-pointer:/blocks/0/fields]",
    ),
    (
        [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x" * 2001}]}],
        "must be less than 2001 characters [json-pointer:/blocks/0/fields/0/text]",
    ),
    (
        [{"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 11}],
        "no more than 10 items allowed [json-pointer:/blocks/0/elements]",
    ),
    (
        [actions(*[BUTTON | {"action_id": f"a{n}"} for n in range(26)])],
        "no more than 25 items allowed [json-pointer:/blocks/0/elements]",
    ),
    (
        [actions(BUTTON | {"text": {"type": "plain_text", "text": "x" * 76}})],
        "must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]",
    ),
    (
        [actions(BUTTON | {"value": "x" * 2001})],
        "must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]",
    ),
    ([actions(BUTTON | {"style": "green"})], "must be a valid enum value [json-pointer:/blocks/0/elements/0/style]"),
    ([section("x") | {"colour": "red"}], "invalid additional property: colour [json-pointer:/blocks/0]"),
    ([section("x") | {"block_id": "b" * 256}], "must be less than 256 characters [json-pointer:/blocks/0/block_id]"),
    (
        [section("x") | {"block_id": "b"}, section("y") | {"block_id": "b"}],
        "`block_id` b already exists for another block [json-pointer:/blocks/1/block_id]",
    ),
    (
        [actions(BUTTON, BUTTON)],
        "`action_id` go already exists for another interactive element [json-pointer:/blocks/0/elements/1/action_id]",
    ),
    (
        [{"type": "table", "rows": [[{"type": "raw_text", "text": ""}]]}],
        "must be more than 0 characters [json-pointer:/blocks/0/rows/0/0/text]",
    ),
    (
        [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]]}] * 2,
        "only_one_table_allowed [json-pointer:/blocks/1]",
    ),
    (
        [{"type": "markdown", "text": "x" * 7000}] * 2,
        "must be less than 12001 characters [json-pointer:/blocks]",
    ),
    (
        [{"type": "image", "image_url": "http://web.default.svc/a.png", "alt_text": "a"}],
        "downloading image failed [json-pointer:/blocks/0/image_url]",
    ),
]


@pytest.mark.parametrize(("blocks", "problem"), BAD_BLOCKS, ids=[problem for _, problem in BAD_BLOCKS])
async def test_check_06_blocks_are_validated_as_slack_does(
    client: AsyncWebClient, blocks: list[dict[str, Any]], problem: str
) -> None:
    data = await refusal(client.chat_postMessage(channel=NET_OPS, text="t", blocks=blocks))
    assert data["error"] == "invalid_blocks"
    assert problem in data["errors"]
    assert f"[ERROR] {problem}" in data["response_metadata"]["messages"]


async def test_check_06_confirm_objects_and_options_have_limits(client: AsyncWebClient) -> None:
    def plain(text: str) -> dict[str, str]:
        return {"type": "plain_text", "text": text}

    confirm = {"title": plain("x" * 101), "text": plain("x" * 301), "confirm": plain("x" * 31), "deny": plain("No")}
    options = [{"text": plain("x" * 76), "value": "v" * 151}] * 101
    select = {"type": "static_select", "action_id": "s", "options": options}
    blocks = [actions(BUTTON | {"confirm": confirm}, select)]
    found = (await refusal(client.chat_postMessage(channel=NET_OPS, text="t", blocks=blocks)))["errors"]
    base = "/blocks/0/elements"
    assert f"must be less than 101 characters [json-pointer:{base}/0/confirm/title/text]" in found
    assert f"must be less than 301 characters [json-pointer:{base}/0/confirm/text/text]" in found
    assert f"must be less than 31 characters [json-pointer:{base}/0/confirm/confirm/text]" in found
    assert f"no more than 100 items allowed [json-pointer:{base}/1/options]" in found
    assert f"must be less than 76 characters [json-pointer:{base}/1/options/0/text/text]" in found
    assert f"must be less than 151 characters [json-pointer:{base}/1/options/0/value]" in found


@pytest.mark.filterwarnings("ignore:The top-level `text` argument:UserWarning")
async def test_check_06_something_must_be_said(client: AsyncWebClient) -> None:
    async def error(**content: Any) -> Any:
        return (await refusal(client.chat_postMessage(channel=NET_OPS, **content)))["error"]

    assert await error() == "no_text"
    assert await error(text="", blocks=[]) == "no_text"
    assert await error(text="t", blocks="[{") == "invalid_blocks_format"
    assert await error(markdown_text="**a**", text="b") == "markdown_text_conflict"
    assert await error(text="t", attachments=[{"text": "a"}] * 101) == "too_many_attachments"
    assert await error(text="t", metadata={"event_type": "x", "event_payload": {"a": "b" * 20_000}}) == (
        "metadata_too_large"
    )


async def test_check_07_text_alone_takes_the_blocks_away_and_marks_the_edit(client: AsyncWebClient) -> None:
    posted = await client.chat_postMessage(channel=NET_OPS, text="t", blocks=[section("a")])
    updated = await client.chat_update(channel=NET_OPS, ts=posted["ts"], text="new")
    assert "blocks" not in updated["message"]
    assert updated["text"] == "new"
    assert updated["message"]["edited"]["ts"]


@pytest.mark.filterwarnings("ignore:The top-level `text` argument:UserWarning")
async def test_check_07_what_is_not_given_is_kept(client: AsyncWebClient) -> None:
    metadata = {"event_type": "plan", "event_payload": {"id": "p-1"}}
    posted = await client.chat_postMessage(channel=NET_OPS, text="t", blocks=[section("a")], metadata=metadata)
    ts = posted["ts"]
    updated = (await client.chat_update(channel=NET_OPS, ts=ts, blocks=[section("b")]))["message"]
    assert (updated["text"], updated["metadata"]) == ("t", metadata)
    assert "edited" not in updated
    kept = (await client.chat_update(channel=NET_OPS, ts=ts, attachments=[{"text": "x", "fallback": "x"}]))["message"]
    assert kept["blocks"][0]["text"]["text"] == "b"
    without = (await client.chat_update(channel=NET_OPS, ts=ts, blocks=[], metadata={}))["message"]
    assert "blocks" not in without
    assert "metadata" not in without
    assert without["text"] == "t"


async def test_check_07_only_own_lasting_messages_can_be_changed(client: AsyncWebClient, slack: Driver) -> None:
    said = await slack.say("mine")
    ephemeral = await client.chat_postEphemeral(channel=NET_OPS, user=OMAR, text="psst")
    own = await client.chat_postMessage(channel=NET_OPS, text="t")

    async def error(**arguments: Any) -> Any:
        return (await refusal(client.chat_update(**{"channel": NET_OPS, "text": "x", **arguments})))["error"]

    assert await error(ts=said["ts"]) == "cant_update_message"
    assert await error(ts=ephemeral["message_ts"]) == "message_not_found"
    assert await error(ts="1700000000.000001") == "message_not_found"
    assert await error(ts=own["ts"], text="x" * 4001) == "msg_too_long"
    assert await error(ts=own["ts"], channel=OMAR) == "channel_not_found"
    assert (await refusal(client.chat_delete(channel=NET_OPS, ts=said["ts"])))["error"] == "cant_delete_message"
    await client.chat_delete(channel=NET_OPS, ts=own["ts"])
    assert own["ts"] not in [message.ts for message in await slack.messages()]


async def test_check_08_an_ephemeral_is_for_one_person_until_the_page_is_loaded_again(
    lab: Running, client: AsyncWebClient, slack: Driver
) -> None:
    await client.chat_postEphemeral(channel=NET_OPS, user=OMAR, text="only omar")
    assert (await slack.last()).text == "only omar"
    assert (await slack.last()).ephemeral
    assert await slack.messages(by="dana") == []
    assert (await client.conversations_history(channel=NET_OPS))["messages"] == []
    loaded = str(lab.slack.workspace.state.last_ts / 1_000_000)
    reloaded = await slack.get("messages", "omar", channel="net-ops", ephemeral_after=loaded)
    assert reloaded["messages"] == []
    data = await refusal(client.chat_postEphemeral(channel=AUDIT, user=DANA, text="t"))
    assert data["error"] == "user_not_in_channel"


async def test_check_15_auth_test_and_events_speak_of_the_same_app(
    bolt: BoltApp, client: AsyncWebClient, slack: Driver
) -> None:
    bolt.keep(bolt.app.event, "app_mention")
    identity = await client.auth_test()
    await slack.say("@k8snet status")
    event = await bolt.seen.get()
    authorization = event["authorizations"][0]
    assert (authorization["team_id"], authorization["user_id"]) == (identity["team_id"], identity["user_id"])
    assert event["event"]["text"] == f"<@{identity['user_id']}> status"
    posted = await client.chat_postMessage(channel=NET_OPS, text="t")
    assert (posted["message"]["bot_id"], posted["message"]["user"]) == (identity["bot_id"], BOT_USER)
    assert posted["message"]["app_id"] == event["api_app_id"]
