"""Checks 22 to 26: commands and clicks as people make them, and the answers they allow."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from lab.slack.clock import Clock
from lab.slack.driver import ChatError, Driver, driving
from lab.slack.manifest import Command, Manifest
from lab.slack.people import GENERAL, NET_OPS, OLGA, OMAR, PARTNER, SAM
from lab.slack.server import Running, running
from lab.slack.workspace import Workspace

from .apps import BUTTON, BoltApp, actions, bolt_app, modal, section


def plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


CONFIRM = {"title": plain("Apply plan?"), "text": plain("3 changes"), "confirm": plain("Apply"), "deny": plain("No")}


OPTIONS = [{"text": plain(name), "value": name.lower()} for name in ("Red", "Green", "Blue")]


@pytest.fixture
def commands(bolt: BoltApp) -> BoltApp:
    bolt.keep(bolt.app.command, "/k8snet")
    bolt.keep(bolt.app.action, "go")
    return bolt


async def test_check_22_commands_work_in_channels_and_direct_messages_but_not_in_threads(
    commands: BoltApp, slack: Driver
) -> None:
    parent = await slack.say("a thread")
    refused = await slack.say("/k8snet status", thread_ts=parent["ts"])
    assert refused["line"] == "`/k8snet` is not supported in threads. Sorry!"
    assert (await slack.messages(thread=parent["ts"]))[-1].ephemeral
    assert (await slack.say("/k8snet status", channel="@k8snet"))["ok"]
    assert (await slack.say("/k8snet status", channel=GENERAL))["ok"]
    assert commands.seen.qsize() == 2


async def test_check_22_unknown_commands_and_strangers_get_no_further(commands: BoltApp, slack: Driver) -> None:
    assert (await slack.say("/k8s status"))["line"] == "`/k8s` is not a valid command."
    assert (await slack.say("/k8snet status", by="sam", channel=PARTNER))["error"] == "refused"
    with pytest.raises(ChatError, match="account_inactive"):
        await slack.say("/k8snet status", by="wanda")
    with pytest.raises(ChatError, match="channel_not_found"):
        await slack.say("/k8snet status", by="gus", channel=GENERAL)
    assert commands.seen.empty()


TYPED = "plan @olga #net-ops #k8snet-audit @net-oncall https://a.example/x?y=1&z=2 a<b"
ESCAPED = (
    "plan <@U0OLGA0001> <#C0NETOPS01|net-ops> <#C0AUDIT001|> <!subteam^S0ONCALL01|@net-oncall> "
    "<https://a.example/x?y=1&amp;z=2> a&lt;b"
)


@pytest.mark.parametrize(("should_escape", "expected"), [(False, TYPED), (True, ESCAPED)])
async def test_check_23_escaping_is_the_manifests_choice(clock: Clock, should_escape: bool, expected: str) -> None:
    manifest = Manifest(commands=(Command("/k8snet", should_escape=should_escape),))
    async with (
        running(Workspace(clock=clock), manifest=manifest) as lab,
        bolt_app(lab) as bolt,
        driving(lab.page_url) as slack,
    ):
        bolt.keep(bolt.app.command, "/k8snet")
        await slack.say(f"/k8snet {TYPED}")
        assert (await bolt.seen.get())["text"] == expected


@pytest.mark.parametrize(
    ("way", "typed", "arrives"),
    [
        ("smart_quotes", "expose \"a b\" 'c'", "expose “a b” ‘c’"),
        ("em_dash", "expose --until friday", "expose —until friday"),
        ("ellipsis", "wait...", "wait…"),
        ("nbsp", "check redis", "check\u00a0redis"),
        ("zero_width", "check a.b", "check a\u200b.b"),
        ("linkify", "check web.acme.dev redis.default", "check <http://web.acme.dev|web.acme.dev> redis.default"),
    ],
)
async def test_check_23_phones_and_composers_damage_text(
    commands: BoltApp, slack: Driver, way: str, typed: str, arrives: str
) -> None:
    await slack.say(f"/k8snet {typed}", mangle=[way])
    assert (await commands.seen.get())["text"] == arrives


async def test_check_24_a_dialog_stands_before_the_click(
    commands: BoltApp, slack: Driver, client: AsyncWebClient
) -> None:
    button = BUTTON | {"confirm": CONFIRM, "style": "danger"}
    await client.chat_postMessage(channel=NET_OPS, text="t", blocks=[actions(button)])
    declined = await slack.click("Apply", confirm=False)
    assert (declined["sent"], declined["dialog"]["title"]) == (False, "Apply plan?")
    assert commands.seen.empty()
    assert (await slack.click("Apply"))["sent"]
    assert (await commands.seen.get())["actions"][0]["style"] == "danger"


async def test_check_24_two_clicks_are_two_payloads(commands: BoltApp, slack: Driver, client: AsyncWebClient) -> None:
    await client.chat_postMessage(channel=NET_OPS, text="t", blocks=[actions()])
    await asyncio.gather(slack.click("Apply"), slack.click("Apply"), slack.click("Apply", by="olga"))
    got = [await commands.seen.get() for _ in range(3)]
    assert len({one["trigger_id"] for one in got}) == 3
    assert len({one["actions"][0]["action_ts"] for one in got}) == 3
    assert sorted(one["user"]["id"] for one in got) == [OLGA, OMAR, OMAR]


async def test_check_24_an_unanswered_click_is_marked_for_the_one_who_clicked(
    lab: Running, slack: Driver, client: AsyncWebClient
) -> None:
    await client.chat_postMessage(channel=NET_OPS, text="t", blocks=[actions()])
    assert (await slack.click("Apply"))["error"] == "dispatch_failed"
    assert (await slack.last()).raw["error"] == "dispatch_failed"
    assert len(await slack.messages(by="dana")) == 1


async def clicked(bolt: BoltApp, slack: Driver, **where: Any) -> dict[str, Any]:
    await slack.click("Apply", **where)
    body: dict[str, Any] = await bolt.seen.get()
    return body


async def test_check_25_a_click_in_a_channel(commands: BoltApp, slack: Driver, client: AsyncWebClient) -> None:
    posted = await client.chat_postMessage(channel=NET_OPS, text="plan", blocks=[actions()])
    body = await clicked(commands, slack)
    assert body["container"] == {
        "type": "message",
        "message_ts": posted["ts"],
        "channel_id": NET_OPS,
        "is_ephemeral": False,
    }
    assert body["message"] == posted["message"]
    assert body["user"] == {"id": OMAR, "username": "omar", "name": "omar", "team_id": "T0LAB0001"}
    assert body["actions"] == [
        {
            "type": "button",
            "action_id": "go",
            "block_id": "plan",
            "value": "p-1",
            "text": {"type": "plain_text", "text": "Apply"},
            "action_ts": body["actions"][0]["action_ts"],
        }
    ]
    assert body["state"] == {"values": {}}
    assert body["response_url"].startswith("http://127.0.0.1:")


async def test_check_25_clicks_in_threads_and_on_ephemerals(
    commands: BoltApp, slack: Driver, client: AsyncWebClient
) -> None:
    parent = await client.chat_postMessage(channel=NET_OPS, text="plan")
    await client.chat_postMessage(channel=NET_OPS, text="t", blocks=[actions()], thread_ts=parent["ts"])
    in_thread = await clicked(commands, slack)
    assert in_thread["container"]["thread_ts"] == parent["ts"] == in_thread["message"]["thread_ts"]
    await client.chat_postEphemeral(channel=NET_OPS, user=OMAR, text="t", blocks=[actions()])
    ephemeral = await clicked(commands, slack)
    assert ephemeral["container"]["is_ephemeral"]
    assert "message" not in ephemeral
    assert ephemeral["response_url"]


async def test_check_25_clicks_in_modals_and_home_have_a_view_and_no_response_url(
    commands: BoltApp, slack: Driver, client: AsyncWebClient
) -> None:
    await slack.say("/k8snet form")
    view = modal(blocks=[actions(block_id="in-modal")])
    await client.views_open(trigger_id=(await commands.seen.get())["trigger_id"], view=view)
    await client.views_publish(user_id=OMAR, view={"type": "home", "blocks": [actions(block_id="in-home")]})
    for surface in ("modal", "home"):
        await slack.post("click", "omar", surface=surface, label="Apply")
        body = await commands.seen.get()
        assert body["container"] == {"type": "view", "view_id": body["view"]["id"]}
        assert body["view"]["type"] == surface
        assert body["actions"][0]["block_id"] == f"in-{surface}"
        assert not {"response_url", "channel", "message"} & set(body)


async def test_check_25_a_partners_click_carries_the_partners_team(
    commands: BoltApp, slack: Driver, client: AsyncWebClient
) -> None:
    await client.chat_postMessage(channel=PARTNER, text="t", blocks=[actions()])
    body = await clicked(commands, slack, by="sam", channel="partner-net")
    assert body["user"]["id"] == SAM
    assert body["user"]["team_id"] != body["team"]["id"]


def hook(body: dict[str, Any]) -> AsyncWebhookClient:
    return AsyncWebhookClient(body["response_url"], retry_handlers=[])


async def test_check_26_a_clicks_response_url_replaces_and_deletes_its_message(
    commands: BoltApp, slack: Driver, client: AsyncWebClient
) -> None:
    posted = await client.chat_postMessage(channel=NET_OPS, text="t", blocks=[section("Plan"), actions()])
    url = hook(await clicked(commands, slack))
    answer = await url.send(text="Applying", replace_original=True)
    assert (answer.status_code, answer.body) == (200, "ok")
    assert [message.text for message in await slack.messages()] == ["Applying"]
    assert (await slack.last()).ts == posted["ts"]
    await url.send(text="a note", replace_original=False, response_type="ephemeral")
    assert (await slack.last()).ephemeral
    in_thread = {"text": "for all", "response_type": "in_channel", "replace_original": False, "thread_ts": posted["ts"]}
    await url.send_dict(in_thread)
    assert [message.text for message in await slack.messages(thread=posted["ts"])] == ["Applying", "for all"]
    await url.send(delete_original=True)
    assert [message.text for message in await slack.messages()] == ["a note", "for all"]


async def test_check_26_an_ephemeral_can_be_replaced_through_its_button(
    commands: BoltApp, slack: Driver, client: AsyncWebClient
) -> None:
    await client.chat_postEphemeral(channel=NET_OPS, user=OMAR, text="t", blocks=[actions()])
    await hook(await clicked(commands, slack)).send(text="Thanks", replace_original=True)
    [only] = await slack.messages()
    assert (only.text, only.ephemeral) == ("Thanks", True)


async def test_check_26_a_commands_response_url_works_where_the_bot_may_not_post(
    commands: BoltApp, slack: Driver
) -> None:
    await slack.post("channel", None, channel="net-ops", posters=["omar"])
    await slack.say("/k8snet status")
    answer = await hook(await commands.seen.get()).send(text="for you", response_type="ephemeral")
    assert (answer.status_code, answer.body) == (200, "ok")
    assert [(message.text, message.ephemeral) for message in await slack.messages()] == [("for you", True)]


async def test_check_26_a_commands_response_url_has_nothing_to_replace(commands: BoltApp, slack: Driver) -> None:
    await slack.say("/k8snet status", channel=GENERAL)
    url = hook(await commands.seen.get())
    await url.send(text="one", response_type="ephemeral")
    await url.send(text="two", replace_original=True)
    await url.send(delete_original=True)
    seen = await slack.messages("general")
    assert [(message.text, message.ephemeral) for message in seen] == [("one", True), ("two", True)]
    await url.send(text="three", response_type="in_channel")
    assert (await slack.last("general", by="dana")).text == "three", "the bot is not a member there"


async def test_check_26_five_uses_and_half_an_hour(commands: BoltApp, slack: Driver, clock: Clock) -> None:
    await slack.say("/k8snet status")
    used = hook(await commands.seen.get())
    assert [(await used.send(text=f"{n}")).status_code for n in range(5)] == [200] * 5
    over = await used.send(text="6")
    assert over.status_code == 404
    assert "used_url" in over.body
    await slack.say("/k8snet status")
    late = hook(await commands.seen.get())
    clock.advance(1799)
    assert (await late.send(text="in time")).status_code == 200
    clock.advance(2)
    assert "expired_url" in (await late.send(text="too late")).body
    assert [message.text for message in await slack.messages()] == [*"01234", "in time"]


async def test_check_26_what_is_sent_is_validated(commands: BoltApp, slack: Driver) -> None:
    await slack.say("/k8snet status")
    url = hook(await commands.seen.get())
    assert "invalid_blocks" in (await url.send(text="t", blocks=[{"type": "section"}])).body
    assert "no_text" in (await url.send(text="")).body
    assert (await url.send(text="fine")).status_code == 200


async def test_check_25_a_choice_is_sent_with_the_state_of_the_message(
    bolt: BoltApp, slack: Driver, client: AsyncWebClient
) -> None:
    bolt.keep(bolt.app.action, "colour")
    select = {"type": "static_select", "action_id": "colour", "options": OPTIONS}
    more = {"type": "overflow", "action_id": "more", "options": OPTIONS[:2]}
    await client.chat_postMessage(channel=NET_OPS, text="t", blocks=[actions(select, more)])
    await slack.click(action_id="colour", value="Green")
    body = await bolt.seen.get()
    assert body["actions"][0]["selected_option"] == OPTIONS[1]
    assert "value" not in body["actions"][0]
    assert body["state"]["values"]["plan"]["colour"] == {"type": "static_select", "selected_option": OPTIONS[1]}
    with pytest.raises(ChatError, match=r"Red.*Green.*Blue"):
        await slack.click(action_id="colour", value="Mauve")
