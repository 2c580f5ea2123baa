"""Checks 16 to 21: what arrives at the app, how it is signed, how long it may take, what becomes of the answer."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from slack_bolt.async_app import AsyncApp
from slack_sdk.signature import SignatureVerifier

from lab.slack.clock import Clock
from lab.slack.core import Tokens
from lab.slack.driver import Driver, driving
from lab.slack.people import GENERAL, NET_OPS, OMAR
from lab.slack.server import Running, running
from lab.slack.signing import signature
from lab.slack.workspace import Workspace

from .apps import BoltApp, Delivered, Endpoint, actions, endpoint, modal, section, serving, web_client

FIELDS = [
    "token",
    "team_id",
    "team_domain",
    "channel_id",
    "channel_name",
    "user_id",
    "user_name",
    "command",
    "text",
    "api_app_id",
    "is_enterprise_install",
    "response_url",
    "trigger_id",
]


@pytest.fixture
async def inbox() -> AsyncIterator[Endpoint]:
    async with endpoint() as one:
        yield one


@pytest.fixture
async def by_http(inbox: Endpoint, clock: Clock) -> AsyncIterator[Running]:
    async with running(Workspace(clock=clock), request_url=inbox.url) as one:
        yield one


@pytest.fixture
async def chat(by_http: Running) -> AsyncIterator[Driver]:
    async with driving(by_http.page_url) as driver:
        yield driver


async def test_check_16_commands_have_slacks_fields_in_slacks_order(chat: Driver, inbox: Endpoint) -> None:
    await chat.say("/k8snet plan redis-abc-gns.default a+b&c=d é")
    first = await inbox.arrived.get()
    assert first.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert first.headers["User-Agent"].startswith("Slackbot 1.0")
    assert [name for name, _ in first.fields] == FIELDS
    values = first.payload
    assert values["text"] == "plan redis-abc-gns.default a+b&c=d é"
    assert (values["command"], values["user_id"], values["user_name"]) == ("/k8snet", OMAR, "omar")
    assert (values["channel_id"], values["channel_name"]) == (NET_OPS, "net-ops")
    assert values["is_enterprise_install"] == "false"
    await chat.say("/k8snet")
    second = (await inbox.arrived.get()).payload
    assert second["text"] == ""
    assert second["response_url"] != values["response_url"]
    assert second["trigger_id"] != values["trigger_id"]


async def test_check_16_direct_messages_have_no_name_of_their_own(chat: Driver, inbox: Endpoint) -> None:
    await chat.say("/k8snet help", channel="@k8snet")
    direct = (await inbox.arrived.get()).payload
    assert direct["channel_name"] == "directmessage"
    assert direct["channel_id"].startswith("D")
    await chat.say("/k8snet help", channel="k8snet-audit")
    assert (await inbox.arrived.get()).payload["channel_name"] == "privategroup"


async def test_check_42_the_transcript_keeps_the_secrets_of_http_deliveries(chat: Driver, inbox: Endpoint) -> None:
    await chat.say("/k8snet status")
    payload = (await inbox.arrived.get()).payload
    text = json.dumps(await chat.transcript())
    assert '"text": "status"' in text
    for secret in (payload["trigger_id"], payload["response_url"].rpartition("/")[2], payload["token"]):
        assert secret not in text


VECTORS = [
    (
        "8f742231b10e8888abcd99yyyzzz85a5",
        "1531420618",
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
        "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    ),
    (
        "k8snet-demo-signing-secret",
        "1700000000",
        b"command=%2Fk8snet&text=status",
        "v0=9c69002a1191bacd810afd1802b67597655e82f66ea5aa3ef30c35a15ec8c5b1",
    ),
]


@pytest.mark.parametrize(("secret", "timestamp", "body", "expected"), VECTORS)
def test_check_17_signatures_match_the_known_answers(secret: str, timestamp: str, body: bytes, expected: str) -> None:
    assert signature(secret, timestamp, body) == expected


def signed_at(by_http: Running, delivered: Delivered) -> str:
    """The timestamp, after proving the signature with nothing but the standard library."""
    timestamp = delivered.headers["X-Slack-Request-Timestamp"]
    base = b"v0:" + timestamp.encode() + b":" + delivered.body
    digest = hmac.new(by_http.signing_secret.encode(), base, hashlib.sha256).hexdigest()
    assert delivered.headers["X-Slack-Signature"] == f"v0={digest}"
    return timestamp


async def test_check_17_every_request_is_signed(by_http: Running, chat: Driver, inbox: Endpoint, clock: Clock) -> None:
    async with web_client(by_http) as client:
        await client.chat_postMessage(channel=NET_OPS, text="t", blocks=[actions()])
    await chat.say("/k8snet help")
    await chat.click("Apply")
    await chat.say("@k8snet hello")
    verifier = SignatureVerifier(by_http.signing_secret)
    for _ in range(3):
        delivered = await inbox.arrived.get()
        assert signed_at(by_http, delivered) == str(int(clock.now()))
        assert verifier.is_valid_request(delivered.body, delivered.headers)


async def test_check_17_requests_can_be_forged_stale_or_repeated(
    by_http: Running, chat: Driver, inbox: Endpoint, clock: Clock
) -> None:
    verifier = SignatureVerifier(by_http.signing_secret)
    await chat.fault(where="delivery", kind="bad_signature")
    await chat.say("/k8snet help")
    forged = await inbox.arrived.get()
    assert not verifier.is_valid(
        forged.body, forged.headers["X-Slack-Request-Timestamp"], forged.headers["X-Slack-Signature"]
    )
    await chat.fault(where="delivery", kind="stale")
    await chat.say("/k8snet help")
    assert int(signed_at(by_http, await inbox.arrived.get())) == int(clock.now()) - 600
    await chat.fault(where="delivery", kind="non_numeric")
    await chat.say("/k8snet help")
    assert signed_at(by_http, await inbox.arrived.get()) == "yesterday"
    await chat.fault(where="delivery", kind="replay")
    await chat.say("/k8snet help")
    first, second = await inbox.arrived.get(), await inbox.arrived.get()
    assert (first.body, first.headers) == (second.body, second.headers)


async def test_check_17_bolt_accepts_what_is_right_and_refuses_the_rest(clock: Clock) -> None:
    tokens = Tokens()
    bolt = AsyncApp(token=tokens.bot, signing_secret=tokens.signing_secret)
    path = "/slack/events"

    @bolt.command("/k8snet")
    async def help_text(ack: Any) -> None:
        await ack("this is help")

    async with (
        serving(bolt.web_app(path), path) as url,
        running(Workspace(clock=clock), tokens=tokens, request_url=url) as lab,
        driving(lab.page_url) as chat,
    ):
        assert bolt.client is not None
        bolt.client.base_url = lab.api_url
        assert (await chat.say("/k8snet help"))["ok"]
        assert (await chat.last()).text == "this is help"
        for kind, status in (("bad_signature", 401), ("stale", 401)):
            await chat.fault(where="delivery", kind=kind)
            assert (await chat.say("/k8snet help"))["error"] == "dispatch_failed"
            assert (await chat.transcript())[-1]["status"] == status


async def test_check_18_three_seconds_from_sending_then_the_person_is_told_once(
    bolt: BoltApp, slack: Driver, clock: Clock
) -> None:
    release = asyncio.Event()

    @bolt.app.command("/k8snet")
    async def slow(ack: Any, body: dict[str, Any]) -> None:
        await bolt.seen.put(body)
        await release.wait()
        await ack("too late")

    saying = asyncio.ensure_future(slack.say("/k8snet expose default"))
    await bolt.seen.get()
    await clock.until_sleeping(3)
    clock.advance(2.999)
    assert not saying.done()
    clock.advance(0.001)
    answer = await saying
    assert (answer["ok"], answer["error"]) == (False, "operation_timeout")
    seen = await slack.last()
    assert seen.text == '/k8snet failed with the error "operation_timeout"'
    assert seen.author == "slackbot"
    assert await slack.messages(by="dana") == []
    clock.advance(600)
    release.set()
    assert len(await slack.messages()) == 1
    sent = [entry["name"] for entry in await slack.transcript() if entry["kind"] == "envelope"]
    assert sent == ["slash_commands"], "commands are not delivered again"


async def test_check_18_a_failing_app_is_a_failed_dispatch(
    by_http: Running, chat: Driver, inbox: Endpoint, clock: Clock
) -> None:
    inbox.answer = lambda _: web.Response(status=500, text="oops")
    async with web_client(by_http) as client:
        await client.chat_postMessage(channel=NET_OPS, text="t", blocks=[actions()])
    assert (await chat.say("/k8snet x"))["error"] == "dispatch_failed"
    assert (await chat.click("Apply"))["error"] == "dispatch_failed"
    assert "did not respond" in await chat.last()
    clock.advance(600)
    assert inbox.arrived.qsize() == 2, "neither commands nor clicks are delivered again"


@pytest.mark.parametrize(
    ("body", "omar_sees", "dana_sees"),
    [
        (None, [], []),
        ("just text", ["just text"], []),
        ({"text": "by default"}, ["by default"], []),
        ({"text": "for one", "response_type": "ephemeral"}, ["for one"], []),
        ({"text": "for all", "response_type": "in_channel"}, ["/k8snet go", "for all"], ["/k8snet go", "for all"]),
        ({"response_type": "in_channel"}, ["/k8snet go"], ["/k8snet go"]),
        ({"text": "t", "blocks": [{"type": "section"}]}, ['/k8snet failed with the error "invalid_blocks"'], []),
    ],
)
async def test_check_19_the_answer_to_a_command_is_shown_to_whom_it_says(
    chat: Driver, inbox: Endpoint, body: Any, omar_sees: list[str], dana_sees: list[str]
) -> None:
    def answer(_: Delivered) -> web.Response:
        return web.json_response(body) if isinstance(body, dict) else web.Response(text=body)

    inbox.answer = answer
    await chat.say("/k8snet go")
    assert [message.text for message in await chat.messages()] == omar_sees
    assert [message.text for message in await chat.messages(by="dana")] == dana_sees


async def test_check_19_the_bot_need_not_be_a_member_to_answer(bolt: BoltApp, slack: Driver) -> None:
    bolt.keep(bolt.app.command, "/k8snet", text="here", response_type="in_channel")
    await slack.say("/k8snet go", channel=GENERAL)
    assert (await slack.last("general")).text == "here"


async def test_check_20_what_a_click_is_answered_is_ignored(by_http: Running, chat: Driver, inbox: Endpoint) -> None:
    inbox.answer = lambda _: web.json_response({"text": "ignored", "replace_original": True})
    async with web_client(by_http) as client:
        await client.chat_postMessage(channel=NET_OPS, text="t", blocks=[section("Plan"), actions()])
    assert (await chat.click("Apply"))["ok"]
    assert [message.text for message in await chat.messages()] == ["Plan\n[Apply]"]


@pytest.mark.parametrize("count", [0, 100, 101])
async def test_check_20_suggestions_are_options_and_at_most_a_hundred(
    by_http: Running, chat: Driver, inbox: Endpoint, count: int
) -> None:
    options = [{"text": {"type": "plain_text", "text": f"ns-{n}"}, "value": f"{n}"} for n in range(count)]
    inbox.answer = lambda _: web.json_response({"options": options})
    select = {"type": "external_select", "action_id": "ns", "min_query_length": 1}
    async with web_client(by_http) as client:
        await client.chat_postMessage(channel=NET_OPS, text="t", blocks=[actions(select)])
    answer = await chat.post("suggest", "omar", channel="net-ops", action_id="ns", value="ns-")
    asked = (await inbox.arrived.get()).payload
    assert (asked["type"], asked["value"], asked["action_id"]) == ("block_suggestion", "ns-", "ns")
    assert "response_url" not in asked
    if count > 100:
        assert answer == {"ok": False, "error": "invalid_options"}
    else:
        assert len(answer["options"]) == count


async def open_form(chat: Driver, inbox: Endpoint, by_http: Running, view: dict[str, Any]) -> None:
    await chat.say("/k8snet form")
    trigger_id = (await inbox.arrived.get()).payload["trigger_id"]
    async with web_client(by_http) as client:
        await client.views_open(trigger_id=trigger_id, view=view)


@pytest.mark.parametrize(
    ("answer", "result", "titles"),
    [
        (None, {"ok": True, "action": "close"}, []),
        ({"response_action": "clear"}, {"ok": True, "action": "clear"}, []),
        ({"response_action": "errors", "errors": {"b": "no"}}, {"ok": False, "errors": {"b": "no"}}, ["Form"]),
        (
            {"response_action": "update", "view": modal(title={"type": "plain_text", "text": "New"})},
            {"ok": True},
            ["New"],
        ),
        (
            {"response_action": "push", "view": modal(title={"type": "plain_text", "text": "Next"})},
            {"ok": True},
            ["Form", "Next"],
        ),
        (
            {"response_action": "update", "view": {"type": "modal"}},
            {"ok": False, "error": "invalid_arguments"},
            ["Form"],
        ),
    ],
)
async def test_check_20_a_submission_is_answered_with_an_action(
    by_http: Running, chat: Driver, inbox: Endpoint, answer: Any, result: dict[str, Any], titles: list[str]
) -> None:
    await open_form(chat, inbox, by_http, modal(submit={"type": "plain_text", "text": "Send"}))
    inbox.answer = lambda _: web.json_response(answer) if answer else web.Response()
    got = await chat.submit()
    assert {key: got[key] for key in result} == result
    views = (await chat.get("view", "omar"))["views"]
    assert [view["title"]["text"] for view in views] == titles


async def test_check_21_events_are_wrapped_and_tried_again(
    by_http: Running, chat: Driver, inbox: Endpoint, clock: Clock
) -> None:
    inbox.answer = lambda _: web.Response(status=500)
    await chat.say("@k8snet hello")
    first = await inbox.arrived.get()
    assert first.headers["Content-Type"] == "application/json"
    assert "X-Slack-Retry-Num" not in first.headers
    wrapper = first.payload
    assert (wrapper["type"], wrapper["event"]["type"]) == ("event_callback", "app_mention")
    assert wrapper["event_id"].startswith("Ev")
    retries = [await inbox.arrived.get()]
    for pause in (60, 300):
        await clock.until_sleeping(pause)
        clock.advance(pause)
        retries.append(await inbox.arrived.get())
    for number, retry in enumerate(retries, 1):
        assert retry.headers["X-Slack-Retry-Num"] == str(number)
        assert retry.headers["X-Slack-Retry-Reason"] == "http_error"
        assert retry.payload["event_id"] == wrapper["event_id"]
    await chat.logged(kind="http", name="events_api", at=clock.now())
    begun = [entry["at"] for entry in await chat.transcript() if entry["kind"] == "http"]
    assert [round(at - begun[0]) for at in begun] == [0, 0, 60, 360]


async def test_check_21_the_app_can_ask_for_no_retries(chat: Driver, inbox: Endpoint) -> None:
    inbox.answer = lambda _: web.Response(status=404, headers={"X-Slack-No-Retry": "1"})
    await chat.say("@k8snet hello")
    await chat.logged(kind="http", name="events_api")
    inbox.answer = lambda _: web.Response()
    await chat.say("@k8snet again")
    first, second = await inbox.arrived.get(), await inbox.arrived.get()
    assert "hello" in json.dumps(first.payload)
    assert "again" in json.dumps(second.payload), "nothing came in between"


async def test_check_21_two_redirects_are_followed_not_more(chat: Driver, inbox: Endpoint) -> None:
    left = [2]

    def answer(_: Delivered) -> web.Response:
        left[0] -= 1
        return web.Response(status=307, headers={"Location": inbox.url}) if left[0] >= 0 else web.Response()

    inbox.answer = answer
    await chat.say("@k8snet twice")
    await chat.logged(kind="http", name="events_api", outcome="ok")
    assert inbox.arrived.qsize() == 3
    left[0] = 3
    await chat.say("@k8snet thrice")
    await chat.logged(kind="http", name="events_api", outcome="dispatch_failed")
    while "X-Slack-Retry-Reason" not in (retry := await inbox.arrived.get()).headers:
        pass
    assert retry.headers["X-Slack-Retry-Reason"] == "too_many_redirects"


async def test_check_21_an_event_that_takes_too_long_is_a_time_out(clock: Clock) -> None:
    arrived: asyncio.Queue[str | None] = asyncio.Queue()
    release = asyncio.Event()

    async def never(request: web.Request) -> web.Response:
        await arrived.put(request.headers.get("X-Slack-Retry-Reason"))
        await release.wait()
        return web.Response()

    app = web.Application()
    app.add_routes([web.post("/", never)])
    async with (
        serving(app, "/") as url,
        running(Workspace(clock=clock), request_url=url) as lab,
        driving(lab.page_url) as chat,
    ):
        await chat.say("@k8snet hello")
        assert await arrived.get() is None
        await clock.until_sleeping(3)
        clock.advance(3)
        assert await arrived.get() == "http_timeout"
        release.set()
        await chat.logged(kind="http", outcome="ok")


async def test_check_45_payloads_go_to_this_machine_only(clock: Clock) -> None:
    with pytest.raises(ValueError, match="not on this machine"):
        async with running(Workspace(clock=clock), request_url="http://192.0.2.1/slack/events"):
            pass
    with pytest.raises(ValueError, match="not on this machine"):
        async with running(Workspace(clock=clock), host="0.0.0.0"):
            pass
