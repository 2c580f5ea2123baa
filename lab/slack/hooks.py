"""Response URLs: five answers within half an hour to one command or click."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from lab.slack.content import content, require_content, truth
from lab.slack.errors import SlackError
from lab.slack.model import TEAM, Json, Message
from lab.slack.workspace import Workspace

MOST_USES = 5
LIFETIME = 1800.0


@dataclass
class Hook:
    """`source` is the app's message that was clicked; a command has none, and nothing to replace or delete."""

    kind: Literal["commands", "actions"]
    channel: str
    user: str
    source: str | None
    issued: float
    uses: int = 0


@dataclass
class Hooks:
    workspace: Workspace
    base_url: str = ""
    known: dict[str, Hook] = field(default_factory=dict)

    def issue(self, kind: Literal["commands", "actions"], channel: str, user: str, source: str | None = None) -> str:
        """A URL on the simulator's own host."""
        now = self.workspace.clock.now()
        path = f"{kind}/{TEAM}/{int(now * 1000)}/{self.workspace.digest('hook')[:24]}"
        self.known[path] = Hook(kind, channel, user, source, now)
        return f"{self.base_url}/hooks/{path}"

    def answer(self, path: str, body: Json) -> None:
        """One POST to a response URL. Raises SlackError."""
        hook = self.known.get(path)
        if hook is None:
            raise SlackError("invalid_url")
        if self.workspace.clock.now() - hook.issued > LIFETIME:
            raise SlackError("expired_url")
        if hook.uses >= MOST_USES:
            raise SlackError("used_url")
        fields = content(self.workspace, body)
        if hook.kind == "commands" or not (truth(body.get("replace_original")) or truth(body.get("delete_original"))):
            if hook.kind == "actions" or not truth(body.get("delete_original")) or fields:
                respond(self.workspace, hook.channel, hook.user, body, require_content(fields))
        else:
            self.change_source(hook, body, fields)
        hook.uses += 1

    def change_source(self, hook: Hook, body: Json, fields: Json) -> None:
        source = self.workspace.message(hook.channel, str(hook.source))
        if truth(body.get("delete_original")):
            self.workspace.delete(source)
            if fields:
                respond(self.workspace, hook.channel, hook.user, body, require_content(fields))
            return
        replace(self.workspace, source, require_content(fields))


def replace(workspace: Workspace, message: Message, fields: Json) -> None:
    """Give a message this content; text alone takes the blocks away."""
    if "text" in fields and "blocks" not in fields:
        fields = {**fields, "blocks": None}
    for name, value in fields.items():
        setattr(message, name, value if name == "text" else value or None)
    workspace.complete_ids(message.blocks)
    workspace.touch(message)


def respond(workspace: Workspace, channel_id: str, user: str, body: Any, fields: Json) -> Message:
    """Post an answer where the person is; the app need not be a member there. Ephemeral unless it says in_channel."""
    channel = workspace.state.channels[channel_id]
    shown = None if body.get("response_type") == "in_channel" else user
    return workspace.post_as_app(channel, **fields, thread_ts=body.get("thread_ts"), visible_to=shown)
