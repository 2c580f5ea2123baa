"""Payloads as Slack sends them to an app: commands, interactions, events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.slack import wire
from lab.slack.model import TEAM, Channel, Json, Message, User, View
from lab.slack.people import APP_ID, BOT_USER

if TYPE_CHECKING:
    from lab.slack.core import Slack

VERIFICATION_TOKEN = "deprecated-verification-token"


def command(slack: Slack, user: User, channel: Channel, name: str, text: str) -> Json:
    """In the order of the fields that recordings show."""
    names = {"im": "directmessage", "private": "privategroup"}
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": TEAM,
        "team_domain": slack.workspace.state.domain,
        "channel_id": channel.id,
        "channel_name": names.get(channel.kind, channel.name),
        "user_id": user.id,
        "user_name": user.name,
        "command": name,
        "text": text,
        "api_app_id": APP_ID,
        "is_enterprise_install": "false",
        "response_url": slack.hooks.issue("commands", channel.id, user.id),
        "trigger_id": slack.triggers.issue(user.id),
    }


def interaction(slack: Slack, kind: str, user: User) -> Json:
    """What all interactions have in common. `user.team_id` is the person's own team, which may be another one."""
    person = {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team_id}
    return {
        "type": kind,
        "user": person,
        "api_app_id": APP_ID,
        "token": VERIFICATION_TOKEN,
        "trigger_id": slack.triggers.issue(user.id),
        "team": {"id": TEAM, "domain": slack.workspace.state.domain},
        "enterprise": None,
        "is_enterprise_install": False,
    }


def message_source(slack: Slack, message: Message, user: User) -> Json:
    """Where a click on a message happened. An ephemeral one is only named, never shown to the app."""
    channel = slack.workspace.state.channels[message.channel]
    ephemeral = message.visible_to is not None
    container: Json = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": message.channel,
        "is_ephemeral": ephemeral,
    }
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    name = "directmessage" if channel.kind == "im" else channel.name
    source: Json = {
        "container": container,
        "channel": {"id": channel.id, "name": name},
        "response_url": slack.hooks.issue("actions", message.channel, user.id, message.ts),
    }
    return source if ephemeral else {**source, "message": wire.message(slack.workspace, message)}


def view_source(view: View) -> Json:
    return {"container": {"type": "view", "view_id": view.id}, "view": wire.view(view)}


def action(element: Json, block_id: str, ts: str, chosen: Any, key: str) -> Json:
    """The one entry of `actions`: the element's own fields without what only its drawing needs."""
    kept = {"type", "action_id", "value", "style", "text", "confirm", "placeholder", "url"}
    one: Json = {name: value for name, value in element.items() if name in kept}
    one |= {"block_id": block_id, "action_ts": ts}
    if element["type"] not in ("button", "icon_button"):
        one[key] = chosen
    return one


def event(slack: Slack, body: Json) -> Json:
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": TEAM,
        "api_app_id": APP_ID,
        "event": body,
        "type": "event_callback",
        "event_id": slack.workspace.new_id("Ev"),
        "event_time": int(slack.clock.now()),
        "event_context": f"4-{slack.workspace.digest('context')[:16]}",
        "is_ext_shared_channel": is_shared(slack, body),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": TEAM,
                "user_id": BOT_USER,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
    }


def is_shared(slack: Slack, body: Json) -> bool:
    channel = slack.workspace.state.channels.get(str(body.get("channel")))
    return channel is not None and channel.is_ext_shared


def spoken(slack: Slack, kind: str, message: Message, channel: Channel) -> Json:
    """`app_mention` and `message`: something a person said."""
    user = slack.workspace.state.users[message.user]
    body: Json = {
        "client_msg_id": slack.workspace.digest("client-msg")[:32],
        "type": kind,
        "text": message.text,
        "user": message.user,
        "ts": message.ts,
        "team": user.team_id,
        "channel": message.channel,
        "event_ts": message.ts,
        "blocks": message.blocks or [],
    }
    if message.thread_ts:
        body["thread_ts"] = message.thread_ts
    if user.team_id != TEAM:
        body |= {"user_team": user.team_id, "source_team": user.team_id}
    if kind == "message":
        types = {"im": "im", "mpim": "mpim", "private": "group", "public": "channel"}
        body["channel_type"] = types[channel.kind]
    return body
