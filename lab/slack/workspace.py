"""The workspace: what was said, by whom, and who may see it. No I/O; time comes from the clock, ids from the seed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from lab.slack.clock import Clock
from lab.slack.errors import SlackError
from lab.slack.model import TEAM, Channel, Json, Message, State, User, UserGroup, View
from lab.slack.people import BOT_ID, BOT_USER, company

TRUNCATE_TEXT = 40_000
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Change:
    """Something a page may want to draw again. `users` limits who can notice it; empty means everyone."""

    seq: int
    kind: str
    channel: str | None = None
    ts: str | None = None
    users: tuple[str, ...] = ()


class Workspace:
    """State and the few operations on it that keep it consistent; `observers` are told about every change."""

    def __init__(self, state: State | None = None, clock: Clock | None = None, seed: str = "k8snet") -> None:
        self.clock = clock or Clock()
        self.state = state or company(seed, int(self.clock.now()))
        self.observers: list[Callable[[Change], None]] = []

    @classmethod
    def from_json(cls, data: Json, clock: Clock | None = None) -> Workspace:
        """Raises pydantic.ValidationError when `data` is no dump of a workspace."""
        return cls(State.model_validate(data), clock)

    def to_json(self) -> Json:
        return self.state.model_dump(mode="json")

    # ids and time ------------------------------------------------------------------------------------------------

    def digest(self, kind: str) -> str:
        """A new hexadecimal secret or id; the same seed gives the same sequence."""
        number = self.state.counters.get(kind, 0) + 1
        self.state.counters[kind] = number
        return hashlib.sha256(f"{self.state.seed}:{kind}:{number}".encode()).hexdigest()

    def new_id(self, prefix: str) -> str:
        number = int(self.digest(prefix), 16)
        letters = []
        for _ in range(8):
            number, index = divmod(number, 36)
            letters.append(ALPHABET[index])
        return f"{prefix}0{''.join(letters)}"

    def next_ts(self) -> str:
        """Unique and strictly increasing in the whole workspace."""
        self.state.last_ts = max(int(self.clock.now() * 1_000_000), self.state.last_ts + 1)
        return f"{self.state.last_ts // 1_000_000}.{self.state.last_ts % 1_000_000:06d}"

    def changed(self, kind: str, channel: str | None = None, ts: str | None = None, *users: str) -> int:
        self.state.seq += 1
        change = Change(self.state.seq, kind, channel, ts, users)
        for observer in self.observers:
            observer(change)
        return change.seq

    # people and places -------------------------------------------------------------------------------------------

    def user(self, reference: str) -> User:
        """By id, or by name with or without `@`. Raises SlackError user_not_found."""
        found = self.state.users.get(reference) or next(
            (user for user in self.state.users.values() if user.name == reference.removeprefix("@")), None
        )
        if found is None:
            raise SlackError("user_not_found")
        return found

    def group(self, reference: str) -> UserGroup:
        found = self.state.groups.get(reference) or next(
            (group for group in self.state.groups.values() if group.handle == reference.removeprefix("@")), None
        )
        if found is None:
            raise SlackError("no_such_subteam")
        return found

    def find_channel(self, reference: str) -> Channel | None:
        name = reference.removeprefix("#")
        return self.state.channels.get(reference) or next(
            (one for one in self.state.channels.values() if one.name == name and one.kind != "im"), None
        )

    def channel(self, reference: str, viewer: str | None = None) -> Channel:
        """By id or name; `@k8snet` is the viewer's direct message with that user. SlackError channel_not_found."""
        if viewer and reference.startswith("@"):
            return self.conversation(viewer, self.user(reference).id)
        found = self.find_channel(reference)
        if found is None or (viewer and not self.can_see(found, viewer)):
            raise SlackError("channel_not_found")
        return found

    def can_see(self, channel: Channel, user_id: str) -> bool:
        user = self.state.users[user_id]
        if user_id in channel.members:
            return True
        return channel.kind == "public" and user.team_id == TEAM and not user.is_guest

    def conversation(self, *members: str) -> Channel:
        """The direct message between these people, made if there is none."""
        wanted = sorted(set(members))
        kind: Literal["im", "mpim"] = "im" if len(wanted) <= 2 else "mpim"
        for channel in self.state.channels.values():
            if channel.kind == kind and sorted(channel.members) == wanted:
                return channel
        names = "--".join(self.state.users[member].name for member in wanted)
        channel = Channel(
            id=self.new_id("D" if kind == "im" else "G"),
            name=names if kind == "im" else f"mpdm-{names}-1",
            kind=kind,
            members=wanted,
            created=int(self.clock.now()),
        )
        self.state.channels[channel.id] = channel
        self.changed("channels", channel.id, None, *wanted)
        return channel

    # messages ----------------------------------------------------------------------------------------------------

    def post(self, channel: Channel, user: str, **fields: Any) -> Message:
        """Add a message; `fields` are those of `Message`. Text is cut where Slack cuts it."""
        fields["text"] = (fields.get("text") or "")[:TRUNCATE_TEXT]
        message = Message(channel=channel.id, ts=self.next_ts(), user=user, **fields)
        for block in message.blocks or []:
            self.complete_ids(block)
        self.state.messages.append(message)
        self.touch(message)
        return message

    def post_as_app(self, channel: Channel, **fields: Any) -> Message:
        return self.post(channel, BOT_USER, bot_id=BOT_ID, **fields)

    def touch(self, message: Message, kind: str = "message") -> None:
        users = (message.visible_to,) if message.visible_to else ()
        message.seq = self.changed(kind, message.channel, message.ts, *users)

    def delete(self, message: Message) -> None:
        self.state.messages.remove(message)
        self.touch(message, "deleted")

    def message(self, channel_id: str, ts: str) -> Message:
        """Raises SlackError message_not_found."""
        for message in reversed(self.state.messages):
            if message.ts == ts and message.channel == channel_id:
                return message
        raise SlackError("message_not_found")

    def messages(self, channel_id: str, viewer: str | None = None) -> list[Message]:
        """Oldest first. Ephemerals only for the one they were made for; without a viewer, none."""
        return [
            message
            for message in self.state.messages
            if message.channel == channel_id and message.visible_to in (None, viewer)
        ]

    def replies(self, message: Message) -> list[Message]:
        return [
            other
            for other in self.state.messages
            if other.channel == message.channel
            and other.thread_ts == message.ts
            and other.ts != message.ts
            and other.visible_to is None
        ]

    def complete_ids(self, node: Any, *, inside: bool = False) -> None:
        """Give blocks and interactive elements the ids that the app left out."""
        if isinstance(node, list):
            for item in node:
                self.complete_ids(item, inside=inside)
            return
        if not isinstance(node, dict):
            return
        if not inside and "type" in node:
            node.setdefault("block_id", self.digest("block")[:5])
        for key in ("elements", "accessory", "element"):
            children = node.get(key)
            for child in children if isinstance(children, list) else [children]:
                if isinstance(child, dict) and is_interactive(child):
                    child.setdefault("action_id", self.digest("action")[:5])

    # views -------------------------------------------------------------------------------------------------------

    def new_view(self, owner: str, payload: Json, previous: View | None = None) -> View:
        payload = dict(payload)
        for block in payload.get("blocks", []):
            self.complete_ids(block)
        view_id = self.new_id("V")
        return View(
            id=view_id,
            owner=owner,
            payload=payload,
            hash=self.new_hash(),
            previous_view_id=previous.id if previous else None,
            root_view_id=previous.root_view_id if previous else view_id,
        )

    def new_hash(self) -> str:
        return f"{int(self.clock.now())}.{self.digest('view-hash')[:8]}"

    def find_view(self, view_id: str | None, external_id: str | None) -> View | None:
        for stack in self.state.modals.values():
            for view in stack:
                if (view_id and view.id == view_id) or (external_id and view.external_id == external_id):
                    return view
        return next((home for home in self.state.homes.values() if view_id and home.id == view_id), None)

    def replace_view(self, view: View, payload: Json) -> None:
        for block in payload.get("blocks", []):
            self.complete_ids(block)
        view.payload, view.hash = payload, self.new_hash()
        self.changed("view", None, None, view.owner)


INTERACTIVE = re.compile(
    r"button|overflow|checkboxes|radio_buttons|.*_select|.*picker|.*_input|feedback_buttons|icon_button"
)


def is_interactive(element: Json) -> bool:
    return INTERACTIVE.fullmatch(str(element.get("type"))) is not None


def is_app_message(message: Message) -> bool:
    return message.bot_id == BOT_ID
