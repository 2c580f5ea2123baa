"""The Slack app's manifest: no scope, event or feature that nothing here uses."""

from typing import Any

import yaml

from bot.model.commands import COMMANDS
from handlers.listeners import COMMAND
from handlers.web import EVENTS_PATH

# Why each scope is there. A test plays the bot's whole day against a workspace and compares what was demanded.
SCOPES = {
    "commands": "the slash command",
    "chat:write": "cards, checks, audit lines",
    "channels:read": "is the bot in the channel, is it shared with others",
    "groups:read": "the same of private channels",
    "channels:history": "find our own card after a crash",
    "groups:history": "find our own audit lines in their private channel",
    "files:write": "plans too long for a message, in its thread",
    "users:read": "guests, deactivated people and bots are refused; told of changes",
    "usergroups:read": "roles by user group; told of changes",
}
EVENTS = {
    "app_home_opened": "the Home tab",
    "user_change": "somebody left or became a guest",
    "subteam_members_changed": "a role was given or taken away",
    "tokens_revoked": "the bot's token is worth nothing any more: it stops",
    "app_uninstalled": "likewise",
}
HINT = "expose <namespace> | check <service>.<namespace> | help"


def manifest(url: str | None = None) -> str:
    """YAML to paste at api.slack.com/apps. With `url`, the public address of /slack/events, for HTTP mode."""
    command: dict[str, Any] = {
        "command": COMMAND,
        "description": "Reach a cluster's services from the office",
        "usage_hint": HINT,
        "should_escape": False,
    }
    interactivity: dict[str, Any] = {"is_enabled": True}
    events: dict[str, Any] = {"bot_events": list(EVENTS)}
    if url is not None:
        command["url"] = interactivity["request_url"] = events["request_url"] = url
    content = {
        "_metadata": {"major_version": 2, "minor_version": 1},
        "display_information": {
            "name": "k8snet",
            "description": "Opens a Kubernetes cluster's networks to the office, safely",
            "background_color": "#1a3c5e",
        },
        "features": {
            # The messages tab is where people look without being watched: status, check and plan work there.
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "k8snet", "always_online": True},
            "slash_commands": [command],
        },
        "oauth_config": {"scopes": {"bot": list(SCOPES)}},
        "settings": {
            "interactivity": interactivity,
            "event_subscriptions": events,
            "socket_mode_enabled": url is None,
            "org_deploy_enabled": False,
            "token_rotation_enabled": False,
        },
    }
    return f"{_head(url)}{yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)}"


def _head(url: str | None) -> str:
    verbs = ", ".join(spec.verb for spec in COMMANDS)
    lines = [
        f"The Slack app, as `k8snet manifest{f' --url {url}' if url else ''}` prints it. Paste it at",
        "api.slack.com/apps, Create New App, From a manifest. After a change of scopes, reinstall the app.",
        f"One command, {COMMAND}: {verbs}.",
        "Scopes:",
        *(f"  {scope}: {why}" for scope, why in SCOPES.items()),
        "Events:",
        *(f"  {event}: {why}" for event, why in EVENTS.items()),
    ]
    return "".join(f"# {line}\n" for line in lines)


def public_url(text: str) -> str:
    """An address for Slack's requests; what lacks a path gets ours. Raises ValueError."""
    if not text.startswith("https://"):
        raise ValueError("Slack calls https:// addresses only")
    return text if text.count("/") > 2 else text + EVENTS_PATH
