"""Everything the journal tells, folded: operations, intents, ownership, locks."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from bot.model import incident as incidents
from bot.model.commands import Drill, Failover
from bot.model.errors import BrokenJournal
from bot.model.incident import Incident
from bot.model.intent import ClusterIntent
from bot.model.journal import (
    GENESIS,
    Announced,
    Asked,
    Attempted,
    Audited,
    Denied,
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
from bot.model.operation import HOLDS, Operation, advance
from bot.model.plan import Plan
from bot.model.resources import Key, Mark, TargetId
from bot.model.steps import Step
from bot.model.wording import tr

Place = tuple[TargetId, Key]


class World:
    """Grows by one record at a time; the same records always give the same world.

    Raises BrokenJournal from `add` when a record does not follow the one before it.
    """

    def __init__(self) -> None:
        self.seq = 0
        self.head = GENESIS
        self.audited = 0
        self.records: list[Record] = []
        self.deliveries: dict[str, str] = {}
        self._operations: dict[str, Operation] = {}
        self._intents: dict[str, ClusterIntent] = {}
        self._owned: dict[Place, Mark] = {}
        self._incidents: dict[str, Incident] = {}

    @property
    def operations(self) -> Mapping[str, Operation]:
        """By id, oldest first."""
        return self._operations

    def intent(self, cluster: str) -> ClusterIntent:
        return self._intents.get(cluster, ClusterIntent())

    def owned(self, cluster: str) -> Mapping[Place, Mark]:
        """What we made for a cluster and did not take away, whether or not its operation has ended."""
        return {place: mark for place, mark in self._owned.items() if mark.cluster == cluster}

    def mark(self, place: Place) -> Mark | None:
        return self._owned.get(place)

    def holder(self, targets: tuple[TargetId, ...]) -> Operation | None:
        """The operation that holds the lock of one of these targets."""
        for operation in self._operations.values():
            if operation.holds_locks and operation.plan and set(operation.plan.targets) & set(targets):
                return operation
        return None

    def exposing(self, cluster: str) -> Operation | None:
        """The change, if any, that is about to change what is exposed of a cluster, or to take that back."""
        for operation in self._operations.values():
            plan = operation.plan
            if operation.holds_locks and plan is not None and plan.cluster == cluster and plan.exposes:
                return operation
        return None

    def rerouting(self, cluster: str) -> bool:
        """Whether a change is at work that gives the cluster's routes another next hop, or takes them all away."""
        return any(
            operation.state in ("running", "undoing")
            and operation.plan is not None
            and operation.plan.cluster == cluster
            and operation.plan.reroutes
            for operation in self._operations.values()
        )

    def changed_since(self, cluster: str, seq: int) -> bool:
        """Whether a change of the cluster is at work, or has done something after that record."""
        return any(
            operation.confirmed_by is not None
            and operation.plan is not None
            and operation.plan.cluster == cluster
            and (operation.state in ("running", "undoing") or operation.last_seq > seq)
            for operation in self._operations.values()
        )

    def moves(self, cluster: str) -> list[Operation]:
        """Failovers and drills that somebody said yes to, oldest first."""
        return [
            operation
            for operation in self._operations.values()
            if operation.confirmed_by is not None
            and operation.plan is not None
            and operation.plan.cluster == cluster
            and isinstance(operation.plan.command, Failover | Drill)
        ]

    def unfinished(self) -> Iterator[Operation]:
        return (operation for operation in self._operations.values() if not operation.final)

    def unsucceeded(self) -> Iterator[Operation]:
        """Stale operations whose successor nobody has asked for yet."""
        for operation in self._operations.values():
            if operation.successor is not None and operation.successor not in self._operations:
                yield operation

    def unannounced(self) -> Iterator[Operation]:
        """Operations whose message in the chat does not show their newest record."""
        for operation in self._operations.values():
            if operation.message is None or operation.message.upto < operation.last_seq:
                yield operation

    @property
    def incidents(self) -> Mapping[str, Incident]:
        """By id, oldest first."""
        return self._incidents

    def incident(self, cluster: str) -> Incident | None:
        """The one incident of a cluster that is not over."""
        lasting = (one for one in self._incidents.values() if one.lasting and one.picture.cluster == cluster)
        return next(lasting, None)

    def unshown(self) -> Iterator[Incident]:
        """Incidents whose message in the chat does not show their newest record."""
        for incident in self._incidents.values():
            if incident.message is None or incident.message.upto < incident.last_seq:
                yield incident

    def thread(self, operation: Operation) -> str | None:
        """The message under which an operation belongs: that of the incident it answers."""
        incident = self._incidents.get(incidents.incident_of(operation) or "")
        return incident.message.id if incident is not None and incident.message is not None else None

    def add(self, record: Record) -> None:
        if record.seq != self.seq + 1 or record.previous != self.head:
            raise self._broken(record)
        try:
            self._fold(record)
        except (LookupError, AssertionError):  # of what is not there, or not of that kind
            raise self._broken(record) from None
        self.seq, self.head = record.seq, record.hash
        self.records.append(record)

    def _broken(self, record: Record) -> BrokenJournal:
        return BrokenJournal(
            tr(
                "The journal cannot be trusted: record {seq} does not follow record {previous} "
                "as written. Nothing is done on it. Restore the journal from a backup, or find "
                "out who changed it.",
                seq=record.seq,
                previous=self.seq,
            )
        )

    def _fold(self, record: Record) -> None:
        """Raises LookupError or AssertionError, and changes nothing, for what is about nothing that is known."""
        entry = record.entry
        match entry:
            case Audited(upto=upto):
                self.audited = max(self.audited, upto)
            case Asked():
                pass
            case Opened():
                self._incidents[entry.incident] = incidents.opened(record)
            case Revised() | Escalated() | Snoozed() | Withdrawn() | Shown():
                self._incidents[entry.incident] = incidents.follow(self._incidents[entry.incident], record)
            case Requested():
                if entry.operation not in self._operations:
                    self._operations[entry.operation] = Operation(request=entry, records=(record,))
                    self.deliveries[entry.delivery] = entry.operation
                    self._answer(entry.operation, record)
            case _:
                before = self._operations[entry.operation]
                after = advance(before, record)
                about = not before.final and not isinstance(entry, Announced | Denied)  # whether it is about the change
                if about:
                    self._follow(after.plan, record)
                self._operations[entry.operation] = after
                if about:
                    self._answer(entry.operation, record)

    def _answer(self, operation_id: str, record: Record) -> None:
        operation = self._operations[operation_id]
        incident = self._incidents.get(incidents.incident_of(operation) or "")
        if incident is not None and incident.lasting and incident.operation in (None, operation_id):
            self._incidents[incident.id] = incidents.answered(incident, operation, record)

    def _follow(self, plan: Plan | None, record: Record) -> None:
        if plan is None:
            return
        match record.entry:
            case Attempted(direction=direction, results=results):
                steps = [
                    plan.steps[result.step]
                    for result in results
                    if result.ending == "wrote" or (direction == "back" and result.ending in HOLDS)
                ]
                for step in steps:
                    self._own(step if direction == "forward" else step.inverse())
            case Finished(result="done" | "nothing-to-do"):
                self._intents[plan.cluster] = self.intent(plan.cluster).changed(plan.intent_before, plan.intent_after)

    def _own(self, step: Step) -> None:
        place = (step.target, step.key)
        if step.after is not None and step.after.mark is not None:
            self._owned[place] = step.after.mark
        else:
            self._owned.pop(place, None)


def last_moved(world: World, cluster: str) -> datetime | None:
    """When the newest move of the cluster's routes ended, or last did something."""
    return max((operation.records[-1].at for operation in world.moves(cluster)), default=None)
