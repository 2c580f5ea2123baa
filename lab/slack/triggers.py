"""Trigger ids: permission to open one modal for one person, within three seconds."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.slack.errors import SlackError
from lab.slack.workspace import Workspace

TRIGGER_SECONDS = 3.0
TEAM_NUMBER = "1422947871474"


@dataclass
class Trigger:
    user: str
    issued: float
    used: bool = False


@dataclass
class Triggers:
    workspace: Workspace
    known: dict[str, Trigger] = field(default_factory=dict)

    def issue(self, user: str) -> str:
        now = self.workspace.clock.now()
        trigger_id = f"{int(now * 1000)}.{TEAM_NUMBER}.{self.workspace.digest('trigger')[:32]}"
        self.known[trigger_id] = Trigger(user, now)
        return trigger_id

    def use(self, trigger_id: str) -> str:
        """The person it was issued for. Raises SlackError invalid_, exchanged_ or expired_trigger_id."""
        trigger = self.known.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if self.workspace.clock.now() - trigger.issued > TRIGGER_SECONDS:
            raise SlackError("expired_trigger_id")
        trigger.used = True
        return trigger.user
