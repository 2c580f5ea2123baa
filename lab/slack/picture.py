"""The workspace as one person sees it, as JSON for the page and for the driver."""

from __future__ import annotations

from lab.slack import wire
from lab.slack.core import Slack
from lab.slack.model import SLACKBOT, TEAM, Channel, Json, Message, User, View
from lab.slack.people import BOT_USER
from lab.slack.render import Reader


def message(slack: Slack, one: Message) -> Json:
    """`plain` is what a sighted reader sees, `spoken` what a screen reader reads (the top-level text alone)."""
    reader = Reader(slack.workspace)
    channel = slack.workspace.state.channels[one.channel]
    author = slack.workspace.state.users[one.user]
    return {
        **wire.message(slack.workspace, one),
        "channel": one.channel,
        "author": author.name,
        "plain": reader.message(one),
        "spoken": reader.mrkdwn(one.text),
        "buttons": reader.buttons(one.blocks),
        "ephemeral": one.visible_to is not None,
        "error": one.error,
        "in_thread": bool(one.thread_ts and one.thread_ts != one.ts),
        "broadcast": one.broadcast,
        "pinned": one.ts in channel.pins,
        "seq": one.seq,
    }


def view(slack: Slack, one: View) -> Json:
    reader = Reader(slack.workspace)
    blocks = one.payload["blocks"]
    return {**wire.view(one), "plain": reader.blocks(blocks), "buttons": reader.buttons(blocks)}


def person(one: User) -> Json:
    return {
        "id": one.id,
        "name": one.name,
        "real_name": one.real_name,
        "role": one.role,
        "color": one.color,
        "deleted": one.deleted,
        "is_bot": one.is_bot or one.id == SLACKBOT,
        "is_guest": one.is_guest,
        "is_external": one.team_id != TEAM,
    }


def channel(slack: Slack, one: Channel, viewer: User) -> Json:
    names = [slack.workspace.state.users[other].name for other in one.members if other != viewer.id]
    return {
        "id": one.id,
        "name": ", ".join(names) if one.kind in ("im", "mpim") else one.name,
        "kind": one.kind,
        "purpose": one.purpose,
        "members": one.members,
        "is_member": viewer.id in one.members,
        "has_app": BOT_USER in one.members,
        "is_shared": one.is_ext_shared,
        "is_archived": one.is_archived,
        "bookmarks": one.bookmarks,
        "pins": one.pins,
    }


def state(slack: Slack, viewer: User) -> Json:
    """Everything around the messages: people, channels this person can open, commands."""
    workspace = slack.workspace
    return {
        "team": workspace.state.team_name,
        "seq": workspace.state.seq,
        "now": workspace.clock.now(),
        "last_ts": workspace.state.last_ts / 1_000_000,
        "me": person(viewer),
        "app": person(workspace.state.users[BOT_USER]),
        "people": [person(one) for one in workspace.state.users.values()],
        "groups": [{"id": one.id, "handle": one.handle} for one in workspace.state.groups.values()],
        "channels": [
            channel(slack, one, viewer)
            for one in workspace.state.channels.values()
            if workspace.can_see(one, viewer.id)
        ],
        "commands": [vars(one) for one in slack.manifest.commands],
        "home_tab": slack.manifest.home_tab,
        "language": slack.language,
        "has_network": slack.network is not None,
        "connections": len(slack.sockets.connections),
        "transport": "http" if slack.delivery.request_url else "socket",
    }
