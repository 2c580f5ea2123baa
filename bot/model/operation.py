"""One operation as the fold of its journal entries, and the one decision what to do next."""

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Literal

from bot.model.commands import Drill, Failover
from bot.model.journal import (
    Announced,
    Attempted,
    Cancelled,
    Cleared,
    Confirmed,
    Denied,
    Direction,
    Expired,
    Finished,
    Intended,
    Measured,
    OperationEntry,
    Planned,
    Record,
    Requested,
    Resumed,
    Stale,
    StepResult,
    Stuck,
    TurnedBack,
    Unplannable,
    Verified,
)
from bot.model.people import Person
from bot.model.plan import AfterReturn, Check, Plan, Question
from bot.model.value import Value
from bot.model.wording import marked, tr

State = Literal[
    "requested",
    "awaiting",
    "running",
    "undoing",
    "stuck",
    "done",
    "rolled-back",
    "nothing-to-do",
    "released",
    "unplannable",
    "cancelled",
    "expired",
    "stale",
]
FINAL: frozenset[State] = frozenset(
    {"done", "rolled-back", "nothing-to-do", "released", "unplannable", "cancelled", "expired", "stale"}
)


HOLDS = ("wrote", "was-so")


class Message(Value):
    """Where the chat shows an operation, and the newest record it shows."""

    channel: str
    id: str
    upto: int


class Operation(Value):
    """All that is known of one requested change. Records are in journal order, without announcements."""

    request: Requested
    records: tuple[Record, ...]
    plan: Plan | None = None
    state: State = "requested"
    confirmed_by: Person | None = None
    checks: tuple[Check, ...] = ()
    successor: str | None = None
    message: Message | None = None

    @property
    def id(self) -> str:
        return self.request.operation

    @property
    def final(self) -> bool:
        return self.state in FINAL

    @property
    def holds_locks(self) -> bool:
        """From the yes to the end, stuck or not, nobody else may write to the same targets."""
        return self.state in ("running", "undoing", "stuck")

    @property
    def entries(self) -> tuple[OperationEntry, ...]:
        return tuple(record.entry for record in self.records)  # type: ignore[misc]  # only this operation's are kept

    @property
    def last_seq(self) -> int:
        return self.records[-1].seq

    @property
    def due(self) -> tuple[Question, ...]:
        """The checks that prove what the operation is doing now: the way there, or a drill's way back."""
        if self.state == "undoing":
            return tuple(check.check for check in self.checks if isinstance(check, AfterReturn))
        return tuple(check for check in self.checks if not isinstance(check, AfterReturn))

    def results(self, direction: Direction) -> Iterator[StepResult]:
        """What became of every step that was ever tried in that direction, oldest first."""
        for entry in self.entries:
            if isinstance(entry, Attempted) and entry.direction == direction:
                yield from entry.results

    def written(self) -> tuple[int, ...]:
        """Steps that hold now because we wrote them, in the order written."""
        held: list[int] = []
        for attempt in (entry for entry in self.entries if isinstance(entry, Attempted)):
            for result in attempt.results:
                if attempt.direction == "forward" and result.ending == "wrote":
                    held.append(result.step)
                elif attempt.direction == "back" and result.ending in HOLDS and result.step in held:
                    held.remove(result.step)
        return tuple(held)

    def satisfied(self) -> frozenset[int]:
        """Steps whose wish holds, whoever wrote it."""
        return frozenset(result.step for result in self.results("forward") if result.ending in HOLDS)

    def open_intent(self) -> Intended | None:
        """The steps that were announced and of which it is not yet known whether they were taken."""
        pending: Intended | None = None
        for entry in self.entries:
            if isinstance(entry, Intended):
                pending = entry
            elif isinstance(entry, Attempted):
                pending = None
        return pending


class Intend(Value):
    """Record that these steps come next; all are of one target."""

    steps: tuple[int, ...]
    direction: Direction


class Write(Value):
    """Send them."""

    steps: tuple[int, ...]
    direction: Direction


class Observe(Value):
    """Steps were announced and we do not know what became of them: read."""

    steps: tuple[int, ...]
    direction: Direction


class Verify(Value):
    """All steps hold: prove it on the wire."""


class TurnBack(Value):
    reason: str


class Stop(Value):
    """Nothing more can be done without a person."""

    reason: str


class Finish(Value):
    result: Literal["done", "rolled-back"]
    reason: str = ""


class Rest(Value):
    """Nothing to do (any more): the operation has ended, waits for a yes, or waits for a person."""


RETURN = marked("proven there; the way back")
NOT_BACK = marked("the routes are back as they were, but it is not proven that data passes there again")
FORWARD_TRIES = 3
BACK_TRIES = 5

Action = Intend | Write | Observe | Verify | TurnBack | Stop | Finish | Rest


def next_action(operation: Operation, run: str) -> Action:
    """What a run of the bot must do next with an operation. Calling it after a crash *is* the recovery.

    | state    | journal                                          | action                              |
    |----------|--------------------------------------------------|-------------------------------------|
    | running  | steps intended by this run                       | write                               |
    | running  | steps intended by an earlier run                 | observe                             |
    | running  | a step failed or is unclear                      | turn back                           |
    | running  | steps left, an earlier run had begun             | turn back (its approval covered one |
    |          |                                                  | uninterrupted change); a failover   |
    |          |                                                  | goes on: back may lead to a dead    |
    |          |                                                  | node                                |
    | running  | the same step not written three times            | turn back                           |
    | running  | steps left                                       | intend the next ones of one target  |
    | running  | none left, not verified                          | verify                              |
    | running  | verified, passed / not passed                    | finish done / turn back             |
    | running  | the same, of a drill: passed                     | turn back: that is the plan         |
    | undoing  | steps intended by this run / an earlier one      | write / observe                     |
    | undoing  | a step failed, or not written five times         | stop: a person is needed            |
    | undoing  | it is not known what a step left behind          | stop; once a person resumes: observe|
    | undoing  | written steps left                               | intend the newest ones of one target|
    | undoing  | none left                                        | finish rolled back                  |
    | undoing  | none left, of a drill that was proven there      | verify, then finish done if it      |
    |          |                                                  | passed, rolled back if not          |
    | other    |                                                  | rest                                |
    """
    if operation.plan is None or operation.state not in ("running", "undoing"):
        return Rest()
    pending = operation.open_intent()
    if pending is not None:
        return (Write if pending.run == run else Observe)(steps=pending.steps, direction=pending.direction)
    if operation.state == "running":
        return _forward(operation, operation.plan, run)
    return _back(operation, operation.plan)


def _forward(operation: Operation, plan: Plan, run: str) -> Action:
    last = operation.entries[-1]
    if problem := _problem(last):
        return TurnBack(reason=problem)
    left = [index for index in range(len(plan.steps)) if index not in operation.satisfied()]
    if left:
        interrupted = any(isinstance(entry, Intended) and entry.run != run for entry in operation.entries)
        if interrupted and not isinstance(plan.command, Failover):
            return TurnBack(reason=tr("the bot stopped in the middle of this change"))
        if _tries(operation, left[0], "forward") >= FORWARD_TRIES:
            return TurnBack(
                reason=tr("step {number} did not take effect in {tries} tries", number=left[0] + 1, tries=FORWARD_TRIES)
            )
        return Intend(steps=_of_one_target(plan, left), direction="forward")
    if isinstance(last, Cleared):
        return Finish(result="done")  # a run before had proven it
    if not isinstance(last, Verified):
        return Verify()
    if (failed := last.problem) is not None:
        return TurnBack(reason=tr("not proven: {what}: {evidence}", what=failed.what, evidence=failed.evidence))
    if isinstance(plan.command, Drill):
        return TurnBack(reason=tr(RETURN))
    return Finish(result="done")


def _back(operation: Operation, plan: Plan) -> Action:
    last = operation.entries[-1]
    if problem := _problem(last):
        return Stop(reason=problem)
    unclear = _unclear(operation)
    if unclear and isinstance(last, Resumed):
        return Observe(steps=tuple(sorted(unclear)), direction="forward")
    held = operation.written()[::-1]
    if held:
        if _tries(operation, held[0], "back") >= BACK_TRIES:
            return Stop(
                reason=tr(
                    "undoing step {number} did not take effect in {tries} tries", number=held[0] + 1, tries=BACK_TRIES
                )
            )
        return Intend(steps=_of_one_target(plan, held), direction="back")
    if unclear:
        return Stop(reason=unclear[min(unclear)])
    if isinstance(plan.command, Drill) and _proven_there(operation):
        return _returned(last)
    turned = next((e.reason for e in reversed(operation.entries) if isinstance(e, TurnedBack)), "")
    return Finish(result="rolled-back", reason=turned)


def _proven_there(operation: Operation) -> bool:
    """Whether data passed before the way back began."""
    before = tuple(takewhile(lambda entry: not isinstance(entry, TurnedBack), operation.entries))
    return isinstance(before[-1], Verified) and before[-1].passed


def _returned(last: OperationEntry) -> Action:
    """The end of a drill whose routes are back."""
    if not isinstance(last, Verified):
        return Verify()
    if (failed := last.problem) is None:
        return Finish(result="done")
    return Finish(
        result="rolled-back",
        reason=tr("{problem}: {what}: {evidence}", problem=tr(NOT_BACK), what=failed.what, evidence=failed.evidence),
    )


def _of_one_target(plan: Plan, indexes: Sequence[int]) -> tuple[int, ...]:
    """The longest beginning whose steps are all of the first one's target."""
    target = plan.steps[indexes[0]].target
    return tuple(takewhile(lambda index: plan.steps[index].target == target, indexes))


def _problem(entry: OperationEntry) -> str | None:
    """Why the attempt that has just ended did not end well. A turn back or a person's word comes after it."""
    results = entry.results if isinstance(entry, Attempted) else ()
    return next((result.reason for result in results if result.ending in ("failed", "unclear")), None)


def _tries(operation: Operation, step: int, direction: Direction) -> int:
    """How often the device was read back without the wish, since a person last said "try again"."""
    tries = 0
    for entry in operation.entries:
        if isinstance(entry, Resumed):
            tries = 0
        elif isinstance(entry, Attempted) and entry.direction == direction:
            tries += any((result.step, result.ending) == (step, "not-written") for result in entry.results)
    return tries


def _unclear(operation: Operation) -> dict[int, str]:
    """Steps of which it is not known what the device holds now, with the reason."""
    reasons: dict[int, str] = {}
    for result in operation.results("forward"):
        if result.ending == "unclear":
            reasons[result.step] = result.reason
        elif result.ending != "failed":
            reasons.pop(result.step, None)
    return reasons


def advance(operation: Operation, record: Record) -> Operation:
    """The operation after one more of its records. The fold that `World` runs; knows every entry kind.

    What is over stays over: whatever is written about it afterwards changes nothing.
    """
    entry = record.entry
    if isinstance(entry, Announced):
        return operation.model_copy(
            update={"message": Message(channel=entry.channel, id=entry.message, upto=entry.upto)}
        )
    if isinstance(entry, Denied):
        return operation  # a fact about a person, not about the operation
    if operation.final:
        return operation
    changes: dict[str, object] = {"records": (*operation.records, record)}
    match entry:
        case Planned(plan=plan):
            changes |= {"plan": plan, "state": "awaiting" if plan.steps else "requested"}
        case Unplannable():
            changes["state"] = "unplannable"
        case Confirmed(actor=actor, checks=checks):
            changes |= {"confirmed_by": actor, "checks": checks, "state": "running"}
        case Cancelled():
            changes["state"] = "cancelled"
        case Expired():
            changes["state"] = "expired"
        case Stale(successor=successor):
            changes |= {"state": "stale", "successor": successor}
        case TurnedBack() | Resumed():
            changes["state"] = "undoing"
        case Stuck():
            changes["state"] = "stuck"
        case Finished(result=result):
            changes["state"] = result
        case Intended() | Attempted() | Verified() | Measured() | Cleared() | Requested():
            pass
        case _:
            raise AssertionError(f"{entry.kind} is not an operation's entry")
    return operation.model_copy(update=changes)
