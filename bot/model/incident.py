"""One incident as the fold of its records: what on-call was told, what they answered, what became of it."""

from datetime import datetime
from typing import Literal

from bot.model.commands import Failover
from bot.model.journal import (
    Escalated,
    Finished,
    Opened,
    Record,
    Requested,
    Revised,
    Shown,
    Snoozed,
    Withdrawn,
)
from bot.model.operation import FINAL, Message, Operation
from bot.model.picture import Picture
from bot.model.value import Value

IncidentState = Literal["open", "answered", "withdrawn", "resolved"]


class Incident(Value):
    """`version` counts what a person may have seen: a button of an older one does nothing.

    `records` holds the incident's own and those of the operations that answered it, in journal order. `told_at` is when
    the chat first had its message.
    """

    opened: Opened
    records: tuple[Record, ...]
    picture: Picture
    told_at: datetime | None = None
    version: int = 1
    state: IncidentState = "open"
    operation: str | None = None
    silenced_until: datetime | None = None
    planned: bool = False
    level: int = 0
    asked_at: datetime
    message: Message | None = None

    @property
    def id(self) -> str:
        return self.opened.incident

    @property
    def lasting(self) -> bool:
        return self.state in ("open", "answered")

    @property
    def last_seq(self) -> int:
        return self.records[-1].seq

    def silenced(self, now: datetime) -> bool:
        return self.planned or (self.silenced_until is not None and now < self.silenced_until)


def opened(record: Record) -> Incident:
    """The incident of an Opened record."""
    assert isinstance(record.entry, Opened)
    return Incident(opened=record.entry, records=(record,), picture=record.entry.picture, asked_at=record.at)


def follow(incident: Incident, record: Record) -> Incident:
    """The incident after one more of its own records."""
    entry = record.entry
    if isinstance(entry, Shown):
        message = Message(channel=entry.channel, id=entry.message, upto=entry.upto)
        told_at = incident.told_at or (record.at if entry.message else None)
        return incident.model_copy(update={"message": message, "told_at": told_at})
    changes: dict[str, object] = {"records": (*incident.records, record)}
    match entry:
        case Revised(picture=picture, mention=mention):
            changes |= {"picture": picture, "version": incident.version + 1}
            if mention:  # it got worse: whoever snoozed the smaller trouble is asked again
                changes |= {"asked_at": record.at, "silenced_until": None}
        case Escalated(level=level):
            changes |= {"level": level, "asked_at": record.at}
        case Snoozed(until=until, planned=planned):
            changes |= {"silenced_until": until, "planned": planned}
        case Withdrawn():
            changes["state"] = "withdrawn"
        case _:
            raise AssertionError(f"{entry.kind} is not an incident's entry")
    return incident.model_copy(update=changes)


def answered(incident: Incident, operation: Operation, record: Record) -> Incident:
    """The incident after a record of an operation that answers it. A move that failed opens it again, anew."""
    changes: dict[str, object] = {"records": (*incident.records, record)}
    if isinstance(record.entry, Requested):
        changes |= {"state": "answered", "operation": operation.id}
    elif isinstance(record.entry, Finished) and operation.state == "done":
        changes["state"] = "resolved"
    elif operation.state in FINAL:
        changes |= {"state": "open", "operation": None, "version": incident.version + 1}
    return incident.model_copy(update=changes)


def incident_of(operation: Operation) -> str | None:
    """The id of the incident that an operation answers."""
    command = operation.request.command
    return command.incident.partition(".")[0] if isinstance(command, Failover) and command.incident else None
