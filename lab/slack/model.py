"""The things in a workspace, as they are kept and dumped. Wire shapes are made from them in `wire.py`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

TEAM = "T0LAB0001"
PARTNER_TEAM = "T0PARTNER1"
SLACKBOT = "USLACKBOT"

Json = dict[str, Any]


class Thing(BaseModel):
    model_config = ConfigDict(extra="forbid")


class User(Thing):
    """A person or a bot. `role` is what the page shows beside the name; it grants nothing by itself."""

    id: str
    name: str
    real_name: str
    role: str = ""
    team_id: str = TEAM
    deleted: bool = False
    is_admin: bool = False
    is_bot: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    is_workflow_bot: bool = False
    is_connector_bot: bool = False
    is_invited_user: bool = False
    color: str = "4a154b"
    tz: str = "Etc/UTC"
    updated: int = 0

    @property
    def is_guest(self) -> bool:
        return self.is_restricted or self.is_ultra_restricted


class UserGroup(Thing):
    id: str
    handle: str
    name: str
    users: list[str]
    date_update: int = 0
    date_delete: int = 0


class Channel(Thing):
    """`posters` are the members who may post where not everybody may, such as in a channel for announcements."""

    id: str
    name: str
    kind: Literal["public", "private", "im", "mpim"]
    members: list[str]
    posters: list[str] | None = None
    purpose: str = ""
    is_archived: bool = False
    is_ext_shared: bool = False
    connected_team_ids: list[str] = Field(default_factory=list)
    created: int = 0
    bookmarks: list[Json] = Field(default_factory=list)
    pins: list[str] = Field(default_factory=list)

    @property
    def is_private(self) -> bool:
        return self.kind != "public"

    def lets_post(self, user_id: str) -> bool:
        return self.posters is None or user_id in self.posters


class Message(Thing):
    """One message. `visible_to` makes it ephemeral; `seq` rises with every change, for those who wait for one.

    `error` marks a line of the Slack client itself (an app that did not answer), which no app has written.
    """

    channel: str
    ts: str
    user: str
    text: str = ""
    blocks: list[Json] | None = None
    attachments: list[Json] | None = None
    thread_ts: str | None = None
    broadcast: bool = False
    bot_id: str | None = None
    subtype: str | None = None
    edited: Json | None = None
    metadata: Json | None = None
    files: list[str] = Field(default_factory=list)
    reactions: dict[str, list[str]] = Field(default_factory=dict)
    visible_to: str | None = None
    error: str | None = None
    seq: int = 0


class File(Thing):
    """An upload in one of its three stages: announced, content received, completed. `content` is base64."""

    id: str
    name: str
    title: str = ""
    mimetype: str = "text/plain"
    size: int
    user: str
    created: int
    content: str | None = None
    completed: bool = False
    usable_at: float = 0
    channels: list[str] = Field(default_factory=list)
    upload_secret: str


class View(Thing):
    """A modal or a Home tab as its owner has it open; `payload` is what the app sent, completed with generated ids."""

    id: str
    owner: str
    hash: str
    payload: Json
    previous_view_id: str | None = None
    root_view_id: str
    values: Json = Field(default_factory=dict)

    @property
    def external_id(self) -> str:
        return str(self.payload.get("external_id") or "")


class State(Thing):
    """Everything a workspace remembers: what `/lab/dump` answers and `/lab/load` takes."""

    seed: str = "k8snet"
    counters: dict[str, int] = Field(default_factory=dict)
    last_ts: int = 0
    seq: int = 0
    domain: str = "k8slab"
    team_name: str = "k8s lab"
    free_plan: bool = False
    image_delay: float = 0
    users: dict[str, User] = Field(default_factory=dict)
    groups: dict[str, UserGroup] = Field(default_factory=dict)
    channels: dict[str, Channel] = Field(default_factory=dict)
    messages: list[Message] = Field(default_factory=list)
    files: dict[str, File] = Field(default_factory=dict)
    modals: dict[str, list[View]] = Field(default_factory=dict)
    homes: dict[str, View] = Field(default_factory=dict)
