"""Checks 27 to 29: forms, the Home tab, mentions, and what becomes of people and groups."""

from __future__ import annotations

from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from lab.slack.clock import Clock
from lab.slack.driver import ChatError, Driver, driving
from lab.slack.manifest import Manifest
from lab.slack.people import ADA, GENERAL, NET_OPS, OLGA, OMAR, OPERATORS, PARTNER
from lab.slack.server import running
from lab.slack.workspace import Workspace

from .apps import BoltApp, bolt_app, field_block, modal, section


def plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


@pytest.fixture
def commands(bolt: BoltApp) -> BoltApp:
    bolt.keep(bolt.app.command, "/k8snet")
    return bolt


OPTIONS = [{"text": plain(name), "value": name.lower()} for name in ("Red", "Green", "Blue")]
INPUTS: list[tuple[dict[str, Any], Any, dict[str, Any]]] = [
    ({"type": "plain_text_input"}, "words", {"value": "words"}),
    ({"type": "email_text_input"}, "a@b.example", {"value": "a@b.example"}),
    ({"type": "url_text_input"}, "https://a.example", {"value": "https://a.example"}),
    ({"type": "number_input", "is_decimal_allowed": False}, 30, {"value": "30"}),
    ({"type": "static_select", "options": OPTIONS}, "Green", {"selected_option": OPTIONS[1]}),
    ({"type": "multi_static_select", "options": OPTIONS}, ["red", "Blue"], {"selected_options": OPTIONS[::2]}),
    ({"type": "external_select"}, OPTIONS[0], {"selected_option": OPTIONS[0]}),
    ({"type": "radio_buttons", "options": OPTIONS}, "Blue", {"selected_option": OPTIONS[2]}),
    ({"type": "checkboxes", "options": OPTIONS}, ["Red"], {"selected_options": OPTIONS[:1]}),
    ({"type": "users_select"}, "ada", {"selected_user": ADA}),
    ({"type": "multi_users_select"}, ["ada", "olga"], {"selected_users": [ADA, OLGA]}),
    ({"type": "channels_select"}, "net-ops", {"selected_channel": NET_OPS}),
    ({"type": "conversations_select"}, "#net-ops", {"selected_conversation": NET_OPS}),
    ({"type": "multi_conversations_select"}, ["net-ops"], {"selected_conversations": [NET_OPS]}),
    ({"type": "datepicker"}, "2026-12-24", {"selected_date": "2026-12-24"}),
    ({"type": "timepicker"}, "18:00", {"selected_time": "18:00"}),
    ({"type": "datetimepicker"}, 1790000000, {"selected_date_time": 1790000000}),
]
SEND = plain("Send")


async def show(commands: BoltApp, slack: Driver, client: AsyncWebClient, view: dict[str, Any]) -> str:
    await slack.say("/k8snet form")
    opened = await client.views_open(trigger_id=(await commands.seen.get())["trigger_id"], view=view)
    return str(opened["view"]["id"])


@pytest.mark.parametrize(("element", "given", "state"), INPUTS, ids=[one[0]["type"] for one in INPUTS])
async def test_check_27_every_input_has_its_state(
    commands: BoltApp, slack: Driver, client: AsyncWebClient, element: dict[str, Any], given: Any, state: dict[str, Any]
) -> None:
    commands.keep(commands.app.view, "form")
    element = element | {"action_id": "it"}
    blocks = [field_block(element, "filled"), field_block(element, "left", optional=True)]
    await show(commands, slack, client, modal(callback_id="form", submit=SEND, blocks=blocks))
    assert (await slack.submit({"Filled": given}))["ok"]
    body = await commands.seen.get()
    values = body["view"]["state"]["values"]
    assert values["filled"]["it"] == {"type": element["type"], **state}
    [(_, untouched)] = [pair for pair in values["left"]["it"].items() if pair[0] != "type"]
    assert not untouched
    assert (body["type"], body["response_urls"]) == ("view_submission", [])


async def test_check_27_the_client_itself_wants_required_fields(
    commands: BoltApp, slack: Driver, client: AsyncWebClient
) -> None:
    element = {"type": "plain_text_input", "action_id": "it", "min_length": 3}
    await show(commands, slack, client, modal(submit=SEND, blocks=[field_block(element, "reason")]))
    assert (await slack.submit())["errors"] == {"reason": "Please complete this required field."}
    short = await slack.submit({"reason": "ab"})
    assert (short["errors"], short["sent"]) == ({"reason": "Please enter at least 3 characters."}, False)
    assert commands.seen.empty()


async def test_check_27_a_chosen_conversation_brings_a_response_url(
    commands: BoltApp, slack: Driver, client: AsyncWebClient
) -> None:
    commands.keep(commands.app.view, "form")
    element = {"type": "conversations_select", "action_id": "it", "response_url_enabled": True}
    await show(commands, slack, client, modal(callback_id="form", submit=SEND, blocks=[field_block(element, "where")]))
    await slack.submit({"where": "general"})
    [entry] = (await commands.seen.get())["response_urls"]
    assert (entry["block_id"], entry["action_id"], entry["channel_id"]) == ("where", "it", GENERAL)
    await AsyncWebhookClient(entry["response_url"]).send(text="filed", response_type="in_channel")
    assert (await slack.last("general")).text == "filed"


@pytest.mark.parametrize("everything", [False, True])
async def test_check_27_closing_is_told_to_those_who_asked(
    commands: BoltApp, slack: Driver, client: AsyncWebClient, everything: bool
) -> None:
    commands.keep(commands.app.view_closed, "form")
    view_id = await show(commands, slack, client, modal(callback_id="form", notify_on_close=True))
    await slack.close(everything=everything)
    body = await commands.seen.get()
    assert (body["type"], body["is_cleared"], body["view"]["id"]) == ("view_closed", everything, view_id)
    assert body["view"]["state"]["values"] == {}
    assert await slack.modal() is None


@pytest.mark.parametrize("leave", ["close", "submit"])
async def test_check_27_leaving_the_modal_in_front_shows_the_one_behind(
    commands: BoltApp, slack: Driver, client: AsyncWebClient, leave: str
) -> None:
    commands.keep(commands.app.view, "second")
    first = await show(commands, slack, client, modal(callback_id="first"))
    await slack.say("/k8snet more")
    second = modal(callback_id="second", submit=SEND)
    await client.views_push(trigger_id=(await commands.seen.get())["trigger_id"], view=second)
    await (slack.submit() if leave == "submit" else slack.close())
    assert [view["id"] for view in (await slack.get("view", "omar"))["views"]] == [first]


async def test_check_27_closing_is_not_told_to_the_others(
    commands: BoltApp, slack: Driver, client: AsyncWebClient
) -> None:
    await show(commands, slack, client, modal(callback_id="form"))
    await slack.close()
    sent = [entry for entry in await slack.transcript() if entry["kind"] == "envelope"]
    assert [entry["name"] for entry in sent] == ["slash_commands"]


async def test_check_28_the_home_tab_is_announced_in_both_tabs(bolt: BoltApp, slack: Driver, client: Any) -> None:
    bolt.keep(bolt.app.event, "app_home_opened")
    await slack.open_home()
    event = (await bolt.seen.get())["event"]
    assert (event["user"], event["tab"]) == (OMAR, "home")
    assert event["channel"].startswith("D")
    assert "view" not in event
    await client.views_publish(user_id=OMAR, view={"type": "home", "blocks": [section("welcome")]})
    await slack.open_home()
    assert (await bolt.seen.get())["event"]["view"]["blocks"][0]["text"]["text"] == "welcome"
    await slack.open_home(tab="messages")
    assert (await bolt.seen.get())["event"]["tab"] == "messages"
    assert (await slack.home())["plain"] == "welcome"


async def test_check_28_mentions_reach_the_app_where_it_is_a_member(bolt: BoltApp, slack: Driver) -> None:
    bolt.keep(bolt.app.event, "app_mention")
    await slack.say("@k8snet here you are not", channel=GENERAL)
    said = await slack.say("@k8snet status <please>", by="dana")
    event = (await bolt.seen.get())["event"]
    assert (event["ts"], event["text"]) == (said["ts"], "<@U0BOT00001> status &lt;please&gt;")
    assert bolt.seen.empty()
    await slack.say("@k8snet hi", by="sam", channel=PARTNER)
    shared = await bolt.seen.get()
    assert shared["is_ext_shared_channel"]
    assert shared["event"]["user_team"] == "T0PARTNER1"


async def test_check_29_people_and_groups_change(bolt: BoltApp, slack: Driver, client: AsyncWebClient) -> None:
    bolt.keep(bolt.app.event, "user_change")
    bolt.keep(bolt.app.event, "subteam_members_changed")
    await slack.post("user", None, user="olga", deleted=True)
    changed = (await bolt.seen.get())["event"]
    assert (changed["user"]["id"], changed["user"]["deleted"]) == (OLGA, True)
    with pytest.raises(ChatError, match="account_inactive"):
        await slack.say("/k8snet status", by="olga")
    await slack.post("group", None, group="net-operators", users=["omar", "ada"])
    members = (await bolt.seen.get())["event"]
    assert members["subteam_id"] == OPERATORS
    assert members["added_users"] == [ADA]
    assert OLGA in members["removed_users"]
    assert (await client.usergroups_users_list(usergroup=OPERATORS))["users"] == [OMAR, ADA]


async def test_shortcuts_of_both_kinds(bolt: BoltApp, slack: Driver, client: AsyncWebClient) -> None:
    bolt.keep(bolt.app.global_shortcut, "open")
    bolt.keep(bolt.app.message_shortcut, "explain")
    await slack.post("shortcut", "omar", callback_id="open")
    everywhere = await bolt.seen.get()
    assert (everywhere["type"], everywhere["user"]["id"]) == ("shortcut", OMAR)
    assert not {"channel", "response_url"} & set(everywhere)
    posted = await client.chat_postMessage(channel=NET_OPS, text="what is this")
    await slack.post("shortcut", "omar", callback_id="explain", channel="net-ops", ts=posted["ts"])
    here = await bolt.seen.get()
    assert (here["type"], here["message_ts"], here["message"]["text"]) == (
        "message_action",
        posted["ts"],
        "what is this",
    )
    assert here["response_url"]


async def test_messages_reach_the_app_where_the_manifest_subscribes(clock: Clock) -> None:
    manifest = Manifest(events=("message.im", "member_joined_channel", "reaction_added"))
    async with (
        running(Workspace(clock=clock), manifest=manifest) as lab,
        bolt_app(lab) as bolt,
        driving(lab.page_url) as slack,
    ):
        for name in ("message", "member_joined_channel", "reaction_added"):
            bolt.keep(bolt.app.event, name)
        said = await slack.say("hello bot", channel="@k8snet")
        message = (await bolt.seen.get())["event"]
        assert (message["channel_type"], message["text"]) == ("im", "hello bot")
        await slack.say("hello channel, @k8snet")
        await slack.post("react", "omar", channel="@k8snet", ts=said["ts"], name="eyes")
        assert (await bolt.seen.get())["event"]["item"]["ts"] == said["ts"]
        await slack.post("member", None, channel="general", user="k8snet", join=True)
        assert (await bolt.seen.get())["event"]["channel"] == GENERAL
