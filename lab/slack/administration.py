"""What happens to people, groups and channels, with the events it causes."""

from __future__ import annotations

from typing import Any

from lab.slack import wire
from lab.slack.content import truth
from lab.slack.core import Slack
from lab.slack.errors import SlackError
from lab.slack.model import TEAM, Json
from lab.slack.people import BOT_USER

FLAGS = {"deleted", "is_admin", "is_restricted", "is_ultra_restricted", "real_name", "name"}


def change_user(slack: Slack, reference: str, **fields: object) -> Json:
    """Deactivate, rename, make a guest. Emits user_change."""
    user = slack.workspace.user(reference)
    unknown = set(fields) - FLAGS
    if unknown:
        raise SlackError("invalid_arguments", unknown=sorted(unknown), known=sorted(FLAGS))
    for name, value in fields.items():
        setattr(user, name, value)
    user.updated = int(slack.clock.now())
    slack.workspace.changed("people")
    slack.emit({"type": "user_change", "user": wire.user(user), "cache_ts": user.updated})
    return {"ok": True, "user": wire.user(user)}


def change_group(slack: Slack, reference: str, users: list[str]) -> Json:
    """Set a user group's members. Emits subteam_members_changed."""
    group = slack.workspace.group(reference)
    before, after = group.users, [slack.workspace.user(one).id for one in users]
    earlier, group.date_update = group.date_update, int(slack.clock.now())
    group.users = after
    slack.workspace.changed("people")
    added = [one for one in after if one not in before]
    removed = [one for one in before if one not in after]
    slack.emit(
        {
            "type": "subteam_members_changed",
            "subteam_id": group.id,
            "team_id": TEAM,
            "date_previous_update": earlier,
            "date_update": group.date_update,
            "added_users": added,
            "added_users_count": len(added),
            "removed_users": removed,
            "removed_users_count": len(removed),
        }
    )
    return {"ok": True, "users": after}


def change_member(slack: Slack, channel: str, reference: str, *, join: bool) -> Json:
    """Let someone, also the app, join or leave a channel. Emits member_joined_channel or member_left_channel."""
    place = slack.workspace.channel(channel)
    user = slack.workspace.user(reference)
    if join == (user.id in place.members):
        return {"ok": True, "no_op": True}
    place.members = [*place.members, user.id] if join else [one for one in place.members if one != user.id]
    slack.workspace.changed("channels", place.id)
    slack.emit(
        {
            "type": "member_joined_channel" if join else "member_left_channel",
            "user": user.id,
            "channel": place.id,
            "channel_type": "G" if place.is_private else "C",
            "team": user.team_id,
        }
    )
    return {"ok": True}


def uninstall(slack: Slack) -> Json:
    """Remove the app from the workspace: its tokens mean nothing any more. Emits tokens_revoked and app_uninstalled."""
    slack.installed = False
    slack.emit({"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [BOT_USER]}})
    slack.emit({"type": "app_uninstalled"})
    return {"ok": True}


def change_channel(slack: Slack, channel: str, **fields: Any) -> Json:
    """Archive it or not (`archived`); let only some post, by name, or None for everybody again (`posters`)."""
    place = slack.workspace.channel(channel)
    if unknown := set(fields) - {"archived", "posters"}:
        raise SlackError("invalid_arguments", unknown=sorted(unknown))
    if "archived" in fields:
        place.is_archived = truth(fields["archived"])
    if "posters" in fields:
        names = fields["posters"]
        place.posters = names if names is None else [slack.workspace.user(one).id for one in names]
    slack.workspace.changed("channels", place.id)
    return {"ok": True}
