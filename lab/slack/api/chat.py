"""chat.*: posting, changing and removing the app's own messages."""

from __future__ import annotations

from lab.slack import wire
from lab.slack.api.method import Call, Method, ok
from lab.slack.content import content, require_content, truth
from lab.slack.errors import SlackError
from lab.slack.hooks import replace
from lab.slack.model import Channel, Json, Message
from lab.slack.people import BOT_ID, BOT_USER
from lab.slack.workspace import is_app_message

UPDATE_TEXT = 4000


def destination(call: Call) -> Channel:
    """Where a post goes: a channel's id or name, or a person's id for the direct message with them."""
    [reference] = call.required("channel")
    if reference in call.workspace.state.users:
        return direct_message(call, reference)
    channel = call.visible_channel()
    if channel.is_archived:
        raise SlackError("is_archived")
    if BOT_USER not in channel.members and "chat:write.public" not in call.slack.manifest.scopes:
        raise SlackError("not_in_channel")
    if not channel.lets_post(BOT_USER):
        raise SlackError("restricted_action")
    return channel


def direct_message(call: Call, user_id: str) -> Channel:
    call.need("im:write")
    user = call.workspace.user(user_id)
    if user.deleted:
        raise SlackError("user_disabled")
    channel = call.workspace.conversation(BOT_USER, user.id)
    if not call.slack.manifest.messages_tab:
        raise SlackError("messages_tab_disabled")
    return channel


def thread(call: Call, channel: Channel) -> str | None:
    thread_ts = call.args.get("thread_ts")
    if not thread_ts:
        return None
    try:
        parent = call.workspace.message(channel.id, str(thread_ts))
    except SlackError:
        raise SlackError("thread_not_found") from None
    return parent.thread_ts or parent.ts


def post_message(call: Call) -> Json:
    channel = destination(call)
    fields = require_content(content(call.workspace, call.args))
    message = call.workspace.post_as_app(
        channel,
        **fields,
        thread_ts=thread(call, channel),
        broadcast=truth(call.args.get("reply_broadcast")),
    )
    return ok(channel=channel.id, ts=message.ts, message=wire.message(call.workspace, message))


def post_ephemeral(call: Call) -> Json:
    channel = destination(call)
    [reference] = call.required("user")
    if reference not in channel.members:
        raise SlackError("user_not_in_channel")
    fields = require_content(content(call.workspace, call.args))
    message = call.workspace.post_as_app(channel, **fields, thread_ts=thread(call, channel), visible_to=reference)
    return ok(message_ts=message.ts)


def own_message(call: Call, refusal: str) -> tuple[Channel, Message]:
    [channel_id, ts] = call.required("channel", "ts")
    channel = call.workspace.state.channels.get(channel_id)
    if channel is None or (channel.is_private and BOT_USER not in channel.members):
        raise SlackError("channel_not_found")
    message = call.workspace.message(channel.id, ts)
    if message.visible_to is not None:
        raise SlackError("message_not_found")
    if not is_app_message(message):
        raise SlackError(refusal)
    return channel, message


def update(call: Call) -> Json:
    """Text without blocks takes the blocks away and marks the message as edited; blocks do not mark it.

    What is not given is kept, except that link parsing starts from its defaults again.
    """
    channel, message = own_message(call, "cant_update_message")
    if len(str(call.args.get("text") or "")) > UPDATE_TEXT:
        raise SlackError("msg_too_long")
    fields = content(call.workspace, call.args)
    if not fields:
        raise SlackError("no_text")
    require_content({"text": message.text, "blocks": message.blocks, "attachments": message.attachments, **fields})
    if "text" in fields and not fields.get("blocks"):
        now = f"{int(call.slack.clock.now())}.000000"
        message.edited = {"user": BOT_ID, "ts": now}
    replace(call.workspace, message, fields)
    shown = wire.message(call.workspace, message)
    return ok(channel=channel.id, ts=message.ts, text=message.text, message=shown)


def delete(call: Call) -> Json:
    channel, message = own_message(call, "cant_delete_message")
    call.workspace.delete(message)
    return ok(channel=channel.id, ts=message.ts)


def permalink(call: Call) -> Json:
    [_, ts] = call.required("channel", "message_ts")
    channel = call.visible_channel()
    message = call.workspace.message(channel.id, ts)
    link = f"https://{call.workspace.state.domain}.slack.com/archives/{channel.id}/p{ts.replace('.', '')}"
    if message.thread_ts:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return ok(channel=channel.id, permalink=link)


METHODS = {
    "chat.postMessage": Method(post_message, "chat:write"),
    "chat.postEphemeral": Method(post_ephemeral, "chat:write", 4),
    "chat.update": Method(update, "chat:write", 3),
    "chat.delete": Method(delete, "chat:write", 3),
    "chat.getPermalink": Method(permalink),
}
