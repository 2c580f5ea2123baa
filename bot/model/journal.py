"""The journal: everything that was asked, agreed, done and found, in one hash-chained log.

It is the only state there is. What exists (operations, intents, ownership, locks, what was announced) is a fold of
its records, so nothing can be written "also" and nothing can be lost beside it.
"""

import json
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from bot.model.commands import Command
from bot.model.people import Person
from bot.model.picture import Picture
from bot.model.plan import Check, Plan
from bot.model.value import Value, digest

Direction = Literal["forward", "back"]
GENESIS = "0" * 64


class Event(Value):
    """Base of everything that can stand in the journal."""

    kind: str


class Asked(Event):
    """A command that changes nothing, with how it was answered; or one that was refused."""

    kind: Literal["asked"] = "asked"
    actor: Person
    command: Command
    channel: str
    answer: str
    allowed: bool


class Requested(Event):
    """Somebody asked for a change. `delivery` is the chat system's key of that one message, against duplicates."""

    kind: Literal["requested"] = "requested"
    operation: str
    actor: Person
    command: Command
    channel: str
    delivery: str


class Planned(Event):
    """The plan, whole. A second one for the same operation replaces the first and voids every yes to it."""

    kind: Literal["planned"] = "planned"
    operation: str
    plan: Plan


class Unplannable(Event):
    """No plan could be made: the answer says why. Nothing was changed."""

    kind: Literal["unplannable"] = "unplannable"
    operation: str
    reason: str


class Confirmed(Event):
    """The right person's yes to exactly this digest. `checks` is the proof as of that moment."""

    kind: Literal["confirmed"] = "confirmed"
    operation: str
    actor: Person
    digest: str
    checks: tuple[Check, ...]


class Denied(Event):
    """Somebody who may not tried to confirm or cancel."""

    kind: Literal["denied"] = "denied"
    operation: str
    actor: Person
    reason: str


class Cancelled(Event):
    kind: Literal["cancelled"] = "cancelled"
    operation: str
    actor: Person


class Expired(Event):
    """Nobody said yes in time, or the yes was not begun in time."""

    kind: Literal["expired"] = "expired"
    operation: str


class Stale(Event):
    """The world had changed between plan and yes; `successor` is the operation with the new plan."""

    kind: Literal["stale"] = "stale"
    operation: str
    actor: Person
    differences: tuple[str, ...]
    successor: str


class Intended(Event):
    """Durable before anything is sent: this run is about to take these steps, in this order, on one target."""

    kind: Literal["intended"] = "intended"
    operation: str
    steps: tuple[int, ...]
    direction: Direction
    run: str


class StepResult(Value):
    """What became of one intended step.

    wrote: the device holds the wish, and we made it so · was-so: it held it before · not-written: it still holds
    what it held · failed: it said no, and holds what it held · unclear: it holds something else, or cannot be read.
    """

    step: int
    ending: Literal["wrote", "was-so", "not-written", "failed", "unclear"]
    reason: str = ""


class Attempted(Event):
    """What became of the intended steps, as read back from the device."""

    kind: Literal["attempted"] = "attempted"
    operation: str
    direction: Direction
    results: tuple[StepResult, ...]


class CheckResult(Value):
    """What one check of the plan found on the wire."""

    what: str
    passed: bool
    evidence: str
    sample: bool = False


class Verified(Event):
    kind: Literal["verified"] = "verified"
    operation: str
    results: tuple[CheckResult, ...]

    @property
    def problem(self) -> CheckResult | None:
        """The check that says no: a required one that failed, or a sample when all samples failed."""
        required = next((one for one in self.results if not one.passed and not one.sample), None)
        samples = [one for one in self.results if one.sample]
        return required or (samples[0] if samples and not any(one.passed for one in samples) else None)

    @property
    def passed(self) -> bool:
        return self.problem is None


class Measured(Event):
    """What new connections noticed while routes moved: how long none passed on one way, at worst, and how many failed.

    Precise to the pause between two attempts on a way, a fifth of a second.
    """

    kind: Literal["measured"] = "measured"
    operation: str
    outage_ms: int
    attempts: int
    failed: int


class Cleared(Event):
    """What the firewall was made to forget after a move; `left` is None when that cannot be told."""

    kind: Literal["cleared"] = "cleared"
    operation: str
    cleared: int
    left: int | None
    problem: str = ""


class TurnedBack(Event):
    """From here on the operation undoes what it wrote."""

    kind: Literal["turned-back"] = "turned-back"
    operation: str
    reason: str


class Stuck(Event):
    """A person is needed. The operation keeps its locks until somebody resumes or releases it."""

    kind: Literal["stuck"] = "stuck"
    operation: str
    reason: str


class Resumed(Event):
    """A person says: try again to undo."""

    kind: Literal["resumed"] = "resumed"
    operation: str
    actor: Person


class Finished(Event):
    """The end; nothing follows. `released` means that a person took over what was left."""

    kind: Literal["finished"] = "finished"
    operation: str
    result: Literal["done", "rolled-back", "nothing-to-do", "released"]
    reason: str = ""


class Announced(Event):
    """The chat shows the operation as it was at record `upto`."""

    kind: Literal["announced"] = "announced"
    operation: str
    channel: str
    message: str
    upto: int


class Audited(Event):
    """The audit channel has a line for every record up to `upto`."""

    kind: Literal["audited"] = "audited"
    upto: int


class Opened(Event):
    """A gateway is in trouble and people are told. `mention` holds ids of groups (S…) and people (U…, W…)."""

    kind: Literal["incident-opened"] = "incident-opened"
    incident: str
    channel: str
    mention: tuple[str, ...]
    picture: Picture


class Revised(Event):
    """What a person would decide by has changed; older buttons are void. It mentions somebody when it got worse."""

    kind: Literal["incident-revised"] = "incident-revised"
    incident: str
    mention: tuple[str, ...]
    picture: Picture


class Escalated(Event):
    """Nobody answered: the next ones are told. `level` counts from 1."""

    kind: Literal["incident-escalated"] = "incident-escalated"
    incident: str
    level: int
    mention: tuple[str, ...]


class Snoozed(Event):
    """Somebody knows: nobody else is called until then; with `planned`, not before the trouble is over."""

    kind: Literal["incident-snoozed"] = "incident-snoozed"
    incident: str
    actor: Person
    until: datetime
    planned: bool


class Withdrawn(Event):
    """The trouble is over without a move."""

    kind: Literal["incident-withdrawn"] = "incident-withdrawn"
    incident: str
    reason: str


class Shown(Event):
    """The chat shows the incident as it was at record `upto`."""

    kind: Literal["incident-shown"] = "incident-shown"
    incident: str
    channel: str
    message: str
    upto: int


IncidentEntry = Opened | Revised | Escalated | Snoozed | Withdrawn | Shown
OperationEntry = (
    Requested
    | Planned
    | Unplannable
    | Confirmed
    | Denied
    | Cancelled
    | Expired
    | Stale
    | Intended
    | Attempted
    | Verified
    | Measured
    | Cleared
    | TurnedBack
    | Stuck
    | Resumed
    | Finished
    | Announced
)
AnyEntry = OperationEntry | IncidentEntry | Asked | Audited
Entry = Annotated[AnyEntry, Field(discriminator="kind")]


class Sealed(Value):
    """What is stored: an entry and the hash of the record before it."""

    v: Literal[1] = 1
    previous: str
    entry: Entry


class Anchor(Value):
    """The hash of a record, as it was made known outside the journal: whoever rewrites the log cannot rewrite it."""

    seq: int
    hash: str


class Place(Value):
    """What a record's hash covers besides its entry."""

    seq: int
    at: datetime
    previous: str


class Record(Place):
    """An entry at its place. `hash` covers entry, place, the store's time and, through `previous`, all before."""

    entry: Entry
    hash: str


def unsealed(seq: int, at: datetime, body: str) -> Record:
    """The record that stands there, from the text of a `Sealed`. Raises ValueError for any other text.

    Its hash is that of the entry as it was written: a version that knows a field more reads a default there, which
    whoever wrote the record did not seal.
    """
    sealed = Sealed.model_validate_json(body)
    place = Place(seq=seq, at=at, previous=sealed.previous)
    written = {**place.model_dump(mode="json"), "entry": json.loads(body)["entry"]}
    return Record(seq=seq, at=at, previous=sealed.previous, entry=sealed.entry, hash=digest(written))
