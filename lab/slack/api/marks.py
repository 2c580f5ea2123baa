"""Reactions, pins and bookmarks."""

from __future__ import annotations

import re

from lab.slack.api.method import Call, Method, ok
from lab.slack.emoji import EMOJI
from lab.slack.errors import SlackError
from lab.slack.model import Json, Message
from lab.slack.people import BOT_USER

MOST_REACTIONS = 23
TS = re.compile(r"\d{10}\.\d{6}")


def marked_message(call: Call, name: str) -> Message:
    channel = call.visible_channel()
    [ts] = call.required(name)
    if not TS.fullmatch(ts):
        raise SlackError("bad_timestamp")
    message = call.workspace.message(channel.id, ts)
    if message.visible_to is not None:
        raise SlackError("message_not_found")
    return message


def react(call: Call) -> Json:
    [name] = call.required("name")
    if name not in EMOJI:
        raise SlackError("invalid_name")
    message = marked_message(call, "timestamp")
    users = message.reactions.get(name, [])
    if BOT_USER in users:
        raise SlackError("already_reacted")
    if name not in message.reactions and len(message.reactions) >= MOST_REACTIONS:
        raise SlackError("too_many_emoji")
    message.reactions[name] = [*users, BOT_USER]
    call.workspace.touch(message)
    return ok()


def pin(call: Call) -> Json:
    message = marked_message(call, "timestamp")
    channel = call.visible_channel()
    if message.ts in channel.pins:
        raise SlackError("already_pinned")
    channel.pins.append(message.ts)
    call.workspace.touch(message)
    return ok()


def bookmark(call: Call) -> Json:
    [_, title, kind] = call.required("channel_id", "title", "type")
    channel = call.visible_channel("channel_id")
    if kind != "link":
        raise SlackError("invalid_bookmark_type")
    if not call.args.get("link"):
        raise SlackError("invalid_link")
    made: Json = {
        "id": call.workspace.new_id("Bk"),
        "channel_id": channel.id,
        "title": title,
        "link": str(call.args["link"]),
        "emoji": call.args.get("emoji", ""),
        "type": "link",
    }
    if any(one["link"] == made["link"] and one["title"] == title for one in channel.bookmarks):
        raise SlackError("already_exists")
    channel.bookmarks.append(made)
    call.workspace.changed("channels", channel.id)
    return ok(bookmark=made)


METHODS = {
    "reactions.add": Method(react, "reactions:write", 3),
    "pins.add": Method(pin, "pins:write", 2),
    "bookmarks.add": Method(bookmark, "bookmarks:write", 2),
}
