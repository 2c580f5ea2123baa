"""What a handler of an API method gets, and what is declared about the method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from lab.slack.core import Slack
from lab.slack.errors import SlackError
from lab.slack.model import Channel, Json
from lab.slack.people import BOT_USER
from lab.slack.workspace import Workspace

T = TypeVar("T")
READ = {"public": "channels:read", "private": "groups:read", "im": "im:read", "mpim": "mpim:read"}
HISTORY = {"public": "channels:history", "private": "groups:history", "im": "im:history", "mpim": "mpim:history"}


@dataclass(frozen=True)
class Call:
    """One call with its merged arguments."""

    slack: Slack
    args: Json

    @property
    def workspace(self) -> Workspace:
        return self.slack.workspace

    def need(self, scope: str) -> None:
        """Raises SlackError missing_scope."""
        granted = self.slack.manifest.scopes
        self.slack.demanded.add(scope)
        if scope not in granted:
            raise SlackError("missing_scope", needed=scope, provided=",".join(granted))

    def required(self, *names: str) -> list[str]:
        """These arguments as text. Raises SlackError invalid_arguments naming all that are missing."""
        missing = [name for name in names if self.args.get(name) in (None, "")]
        if missing:
            raise SlackError.listing("invalid_arguments", [f"missing required field: {name}" for name in missing])
        return [str(self.args[name]) for name in names]

    def integer(self, name: str, default: int) -> int:
        value = self.args.get(name)
        try:
            return default if value in (None, "") else int(str(value))
        except ValueError:
            raise SlackError.listing("invalid_arguments", [f"must be an integer [json-pointer:/{name}]"]) from None

    def visible_channel(self, name: str = "channel") -> Channel:
        """The channel the bot may know of; private ones it is not in do not exist for it."""
        [reference] = self.required(name)
        channel = self.workspace.find_channel(reference)
        if channel is None or (channel.is_private and BOT_USER not in channel.members):
            raise SlackError("channel_not_found")
        return channel

    def page(self, items: Sequence[T], default: int = 100) -> tuple[list[T], Json]:
        """One page of a list and its `response_metadata`; an empty cursor is the end."""
        cursor = str(self.args.get("cursor") or "")
        try:
            start = int(cursor.removeprefix("offset:")) if cursor else 0
        except ValueError:
            raise SlackError("invalid_cursor") from None
        end = start + max(1, min(self.integer("limit", default), 1000))
        following = f"offset:{end}" if end < len(items) else ""
        return list(items[start:end]), {"next_cursor": following}


@dataclass(frozen=True)
class Method:
    """`scope` None: no scope needed, or the handler asks by kind of channel. `tier` None: a special, wide limit."""

    handler: Callable[[Call], Json]
    scope: str | None = None
    tier: int | None = None
    token: Literal["bot", "app"] = "bot"


def ok(**fields: Any) -> Json:
    return {"ok": True, **fields}
