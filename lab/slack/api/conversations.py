"""conversations.*: channels, their members and their history."""

from __future__ import annotations

from lab.slack import wire
from lab.slack.api.method import HISTORY, READ, Call, Method, ok
from lab.slack.content import truth
from lab.slack.errors import SlackError
from lab.slack.model import Channel, Json, Message
from lab.slack.people import BOT_USER


def readable(call: Call, scopes: dict[str, str]) -> Channel:
    channel = call.visible_channel()
    call.need(scopes[channel.kind])
    return channel


def info(call: Call) -> Json:
    return ok(channel=wire.channel(readable(call, READ)))


def members(call: Call) -> Json:
    found, metadata = call.page(readable(call, READ).members)
    return ok(members=found, response_metadata=metadata)


def listing(call: Call) -> Json:
    names = {"public_channel": "public", "private_channel": "private", "im": "im", "mpim": "mpim"}
    wanted = str(call.args.get("types") or "public_channel").split(",")
    try:
        kinds = [names[one.strip()] for one in wanted]
    except KeyError:
        raise SlackError("invalid_types") from None
    for kind in kinds:
        call.need(READ[kind])
    channels = [
        channel
        for channel in call.workspace.state.channels.values()
        if channel.kind in kinds
        and (channel.kind == "public" or BOT_USER in channel.members)
        and not (channel.is_archived and truth(call.args.get("exclude_archived")))
    ]
    found, metadata = call.page(channels)
    return ok(channels=[wire.channel(one) for one in found], response_metadata=metadata)


def opening(call: Call) -> Json:
    if call.args.get("channel"):
        channel = call.visible_channel()
        return ok(channel={"id": channel.id}, no_op=True, already_open=True)
    [users] = call.required("users")
    people = [call.workspace.user(one.strip()) for one in users.split(",")]
    call.need("im:write" if len(people) == 1 else "mpim:write")
    if any(person.deleted for person in people):
        raise SlackError("user_disabled")
    channel = call.workspace.conversation(BOT_USER, *(person.id for person in people))
    whole = truth(call.args.get("return_im"))
    return ok(channel=wire.channel(channel) if whole else {"id": channel.id})


def joined(call: Call) -> Channel:
    channel = readable(call, HISTORY)
    if BOT_USER not in channel.members:
        raise SlackError("not_in_channel")
    return channel


def within(call: Call, messages: list[Message]) -> list[Message]:
    oldest, latest = str(call.args.get("oldest") or "0"), str(call.args.get("latest") or "9999999999")
    inclusive = truth(call.args.get("inclusive"))
    return [
        one
        for one in messages
        if float(oldest) < float(one.ts) < float(latest) or (inclusive and one.ts in (oldest, latest))
    ]


def answer(call: Call, messages: list[Message]) -> Json:
    found, metadata = call.page(messages)
    with_metadata = truth(call.args.get("include_all_metadata"))
    return ok(
        messages=[wire.message(call.workspace, one, metadata=with_metadata) for one in found],
        has_more=bool(metadata["next_cursor"]),
        response_metadata=metadata,
    )


def history(call: Call) -> Json:
    """Newest first; thread replies only if they were broadcast; never an ephemeral."""
    channel = joined(call)
    shown = [one for one in call.workspace.messages(channel.id) if one.thread_ts in (None, one.ts) or one.broadcast]
    return answer(call, within(call, shown)[::-1])


def replies(call: Call) -> Json:
    channel = joined(call)
    [ts] = call.required("ts")
    try:
        parent = call.workspace.message(channel.id, ts)
    except SlackError:
        raise SlackError("thread_not_found") from None
    return answer(call, [parent, *within(call, call.workspace.replies(parent))])


METHODS = {
    "conversations.info": Method(info, tier=3),
    "conversations.members": Method(members, tier=4),
    "conversations.list": Method(listing, tier=2),
    "conversations.open": Method(opening, tier=3),
    "conversations.history": Method(history, tier=3),
    "conversations.replies": Method(replies, tier=3),
}
