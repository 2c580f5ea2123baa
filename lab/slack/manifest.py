"""The app's manifest, as far as a workspace acts on it: commands, scopes, events, Home tab."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.slack.model import Json

ALL_SCOPES = (
    "app_mentions:read",
    "bookmarks:write",
    "channels:history",
    "channels:read",
    "chat:write",
    "commands",
    "files:write",
    "groups:history",
    "groups:read",
    "im:history",
    "im:read",
    "im:write",
    "mpim:read",
    "mpim:write",
    "pins:write",
    "reactions:read",
    "reactions:write",
    "usergroups:read",
    "users:read",
    "users:read.email",
)
EVENTS = (
    "app_home_opened",
    "app_mention",
    "subteam_members_changed",
    "user_change",
    "tokens_revoked",
    "app_uninstalled",
)


@dataclass(frozen=True)
class Command:
    """One slash command; `should_escape` makes Slack rewrite mentions and links before delivery."""

    command: str
    description: str = ""
    usage_hint: str = ""
    should_escape: bool = False


@dataclass(frozen=True)
class Manifest:
    """The default grants every scope a bot like ours could ask for, except chat:write.public."""

    commands: tuple[Command, ...] = (Command("/k8snet", "Inspect and change network exposure", "help"),)
    scopes: tuple[str, ...] = ALL_SCOPES
    events: tuple[str, ...] = EVENTS
    home_tab: bool = True
    messages_tab: bool = True

    @classmethod
    def from_json(cls, data: Json) -> Manifest:
        """From the app manifest's own structure. Raises ValueError naming what is missing or too long."""
        features: Json = data.get("features", {})
        home: Json = features.get("app_home", {})
        try:
            scopes = data["oauth_config"]["scopes"]["bot"]
            commands = tuple(command(one) for one in features.get("slash_commands", []))
        except KeyError as missing:
            raise ValueError(f"the app manifest has no {missing}") from None
        settings: Json = data.get("settings", {})
        return cls(
            commands=commands,
            scopes=tuple(scopes),
            events=tuple(settings.get("event_subscriptions", {}).get("bot_events", [])),
            home_tab=home.get("home_tab_enabled", False),
            messages_tab=home.get("messages_tab_enabled", True),
        )

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """YAML or JSON."""
        data: Any = yaml.safe_load(path.read_text())
        if not isinstance(data, dict):
            raise ValueError(f"{path} holds no app manifest")
        return cls.from_json(data)


def command(data: Json) -> Command:
    found = Command(
        data["command"],
        data.get("description", ""),
        data.get("usage_hint", ""),
        data.get("should_escape", False),
    )
    limits = {"command": 32, "description": 2000, "usage_hint": 1000}
    for name, most in limits.items():
        if len(getattr(found, name)) > most:
            raise ValueError(f"{name} of {found.command} is longer than {most} characters")
    return found
