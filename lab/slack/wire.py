"""The shapes in which Slack's API and payloads show the things of a workspace."""

from __future__ import annotations

from lab.slack.model import TEAM, Channel, File, Json, Message, User, UserGroup, View
from lab.slack.people import APP_ID, BOT_ID, BOT_USER
from lab.slack.workspace import Workspace

VIEW_DEFAULTS: Json = {
    "private_metadata": "",
    "callback_id": "",
    "external_id": "",
    "title": None,
    "close": None,
    "submit": None,
    "clear_on_close": False,
    "notify_on_close": False,
}


def message(workspace: Workspace, one: Message, *, metadata: bool = True) -> Json:
    body: Json = {"type": "message", "user": one.user, "ts": one.ts, "text": one.text}
    if one.bot_id:
        body |= {"bot_id": one.bot_id, "app_id": APP_ID, "team": TEAM, "bot_profile": bot_profile(workspace)}
    else:
        body["team"] = workspace.state.users[one.user].team_id
    optional = {
        "subtype": one.subtype,
        "blocks": one.blocks,
        "attachments": one.attachments,
        "thread_ts": one.thread_ts,
        "edited": one.edited,
        "metadata": one.metadata if metadata else None,
        "files": [file(workspace.state.files[file_id]) for file_id in one.files],
        "reactions": [{"name": name, "users": users, "count": len(users)} for name, users in one.reactions.items()],
    }
    body |= {key: value for key, value in optional.items() if value}
    replies = workspace.replies(one) if not one.visible_to else []
    if replies:
        body |= {
            "thread_ts": one.ts,
            "reply_count": len(replies),
            "reply_users": sorted({reply.user for reply in replies}),
            "latest_reply": replies[-1].ts,
        }
    return body


def bot_profile(workspace: Workspace) -> Json:
    bot = workspace.state.users[BOT_USER]
    return {
        "id": BOT_ID,
        "deleted": False,
        "name": bot.name,
        "updated": bot.updated,
        "app_id": APP_ID,
        "icons": {},
        "team_id": TEAM,
    }


def user(one: User, *, email: bool = True) -> Json:
    profile: Json = {
        "real_name": one.real_name,
        "display_name": one.name,
        "title": one.role,
        "team": one.team_id,
        "status_text": "",
        "status_emoji": "",
    }
    if email and not one.is_bot:
        profile["email"] = f"{one.name}@{'lab' if one.team_id == TEAM else 'partner'}.example"
    if one.is_bot:
        profile |= {"api_app_id": APP_ID, "bot_id": BOT_ID}
    body: Json = {
        "id": one.id,
        "team_id": one.team_id,
        "name": one.name,
        "deleted": one.deleted,
        "real_name": one.real_name,
        "profile": profile,
        "is_bot": one.is_bot,
        "is_app_user": False,
        "updated": one.updated,
    }
    seldom = ("is_stranger", "is_workflow_bot", "is_connector_bot", "is_invited_user")
    body |= {flag: True for flag in seldom if getattr(one, flag)}
    if not one.deleted:
        body |= {
            "color": one.color,
            "tz": one.tz,
            "tz_label": "Coordinated Universal Time",
            "tz_offset": 0,
            "is_admin": one.is_admin,
            "is_owner": False,
            "is_primary_owner": False,
            "is_restricted": one.is_restricted,
            "is_ultra_restricted": one.is_ultra_restricted,
            "has_2fa": True,
        }
    return body


def group(one: UserGroup, *, users: bool) -> Json:
    body: Json = {
        "id": one.id,
        "team_id": TEAM,
        "is_usergroup": True,
        "name": one.name,
        "description": "",
        "handle": one.handle,
        "is_external": False,
        "date_create": 0,
        "date_update": one.date_update,
        "date_delete": one.date_delete,
        "auto_type": None,
        "prefs": {"channels": [], "groups": []},
        "user_count": len(one.users),
    }
    return body | ({"users": one.users} if users else {})


def channel(one: Channel) -> Json:
    body: Json = {
        "id": one.id,
        "created": one.created,
        "is_archived": one.is_archived,
        "is_im": one.kind == "im",
        "is_mpim": one.kind == "mpim",
        "is_group": one.kind == "private",
        "is_channel": one.kind == "public",
        "is_private": one.is_private,
        "is_org_shared": False,
        "is_shared": one.is_ext_shared,
        "is_ext_shared": one.is_ext_shared,
        "is_pending_ext_shared": False,
        "context_team_id": TEAM,
    }
    if one.kind == "im":
        other = next((member for member in one.members if member != BOT_USER), BOT_USER)
        return body | {"user": other, "is_open": True}
    body |= {
        "name": one.name,
        "name_normalized": one.name,
        "is_general": one.name == "general",
        "is_member": BOT_USER in one.members,
        "num_members": len(one.members),
        "topic": {"value": "", "creator": "", "last_set": 0},
        "purpose": {"value": one.purpose, "creator": "", "last_set": 0},
        "conversation_host_id": TEAM,
    }
    if one.is_ext_shared:
        body["connected_team_ids"] = one.connected_team_ids
    return body


def file(one: File) -> Json:
    return {
        "id": one.id,
        "created": one.created,
        "timestamp": one.created,
        "name": one.name,
        "title": one.title or one.name,
        "mimetype": one.mimetype,
        "filetype": one.name.rpartition(".")[2] or "text",
        "user": one.user,
        "size": one.size,
        "mode": "hosted",
        "is_external": False,
        "is_public": False,
        "channels": one.channels,
    }


def view(one: View) -> Json:
    defaults = VIEW_DEFAULTS if one.payload.get("type") == "modal" else {}
    return {
        **defaults,
        **one.payload,
        "id": one.id,
        "team_id": TEAM,
        "state": {"values": one.values},
        "hash": one.hash,
        "previous_view_id": one.previous_view_id,
        "root_view_id": one.root_view_id,
        "app_id": APP_ID,
        "app_installed_team_id": TEAM,
        "bot_id": BOT_ID,
    }
