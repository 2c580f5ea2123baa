"""One running workspace: the state and everything around it that the endpoints share."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import Any, Protocol

from lab.slack import payloads
from lab.slack.clock import Clock
from lab.slack.delivery import Delivery
from lab.slack.faults import Faults
from lab.slack.hooks import Hooks
from lab.slack.limits import Limits
from lab.slack.manifest import Manifest
from lab.slack.model import Json, State
from lab.slack.sockets import Sockets
from lab.slack.transcript import Transcript
from lab.slack.triggers import Triggers
from lab.slack.workspace import Change, Workspace

MESSAGE_EVENTS = {
    "channel": "message.channels",
    "group": "message.groups",
    "im": "message.im",
    "mpim": "message.mpim",
}
EVENT_SCOPES = {"user_change": {"users:read"}, "subteam_members_changed": {"usergroups:read"}}


class Network(Protocol):
    """The picture beside the chat; whoever composes the demo provides it."""

    def describe(self) -> Json:
        """`{"title", "nodes", "links", "tables": [{"title","columns","rows"}], "switches": [{"id","label","on"}]}`."""

    async def switch(self, switch: str, on: bool) -> None:
        """Break or mend something. KeyError when there is no such switch."""


@dataclass(frozen=True)
class Tokens:
    """The app's credentials; never part of a repr."""

    bot: str = field(default_factory=lambda: f"xoxb-lab-{secrets.token_hex(12)}", repr=False)
    app: str = field(default_factory=lambda: f"xapp-1-lab-{secrets.token_hex(16)}", repr=False)
    signing_secret: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)


class Slack:
    """Composes the parts. `base_url` is known only when the server listens, so it is set then.

    `language` is the one that the page speaks to whoever has not chosen another: en or zh-CN.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        tokens: Tokens | None = None,
        manifest: Manifest | None = None,
        request_url: str | None = None,
        rate_limits: bool = False,
        network: Network | None = None,
        language: str = "en",
    ) -> None:
        self.workspace = workspace
        self.tokens = tokens or Tokens()
        self.manifest = manifest or Manifest()
        self.network = network
        self.language = language
        self.installed = True
        self.limits = Limits(self.clock, rate_limits)
        self.faults = Faults()
        self.transcript = Transcript(self.clock)
        self.sockets = Sockets(workspace, self.clock, self.faults, self.transcript)
        self.delivery = Delivery(
            self.clock, self.sockets, self.faults, self.transcript, self.tokens.signing_secret, request_url
        )
        self.triggers = Triggers(workspace)
        self.hooks = Hooks(workspace)
        self.listeners: set[asyncio.Queue[Change]] = set()
        self.demanded: set[str] = set()  # scopes without which something the app did would have failed
        workspace.observers.append(self.broadcast)

    @property
    def clock(self) -> Clock:
        return self.workspace.clock

    @property
    def base_url(self) -> str:
        return self.hooks.base_url

    @base_url.setter
    def base_url(self, url: str) -> None:
        self.hooks.base_url = url

    def broadcast(self, change: Change) -> None:
        for queue in self.listeners:
            queue.put_nowait(change)

    def emit(self, body: Json) -> asyncio.Task[None] | None:
        """Send an event if the app has subscribed to it."""
        name = body["type"]
        if name == "message":
            name = MESSAGE_EVENTS[body["channel_type"]]
        if name not in self.manifest.events:
            return None
        self.demanded |= EVENT_SCOPES.get(name, set())
        body.setdefault("event_ts", self.workspace.next_ts())
        return self.delivery.event(payloads.event(self, body))

    def load(self, data: Any) -> None:
        """Replace the state. Raises pydantic.ValidationError and leaves everything as it was."""
        self.workspace.state = State.model_validate(data)
        self.workspace.changed("loaded")

    async def close(self) -> None:
        await self.delivery.close()
        await self.sockets.close_all()
