"""A target that keeps its resources in memory, faithful to the port, and misbehaves when a test says so."""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Literal

from bot.engine.targets import MayGo, Outcome
from bot.model.errors import Rejected, Unreachable
from bot.model.resources import AddressGroup, Key, Kind, Policy, Resource, Route, TargetId, same_content
from bot.model.steps import Step

Verb = Literal["read", "apply", "free_rows"]
_SETS = ("members", "source_interfaces", "destination_interfaces", "sources", "destinations", "services")


class Fault(StrEnum):
    """What becomes of one call."""

    UNREACHABLE = "nothing is sent; raises Unreachable"
    REJECT = "the device says no; apply answers refused, the others raise Rejected"
    LOSE_REQUEST = "apply has no effect and answers unknown"
    LOSE_ANSWER = "apply takes effect and answers unknown"
    LATE = "apply answers unknown and takes effect at `land`"
    HANG_BEFORE = "waits for `release`, then goes on as ever"
    HANG_AFTER = "apply takes effect, then waits for `release` before it answers"


class MemoryTarget:
    """`faults` maps a call, such as ("apply", 2) for the second apply, to what becomes of it.

    `resources` is the world: tests put, change and remove things there as a person at the device would.
    `writes` lists every effect in order: what was there and what is there now.
    """

    def __init__(
        self,
        name: TargetId = "memory",
        *,
        keeps_marks: bool = True,
        rows: Mapping[Kind, tuple[int, int]] | None = None,
        faults: Mapping[tuple[Verb, int], Fault] | None = None,
    ) -> None:
        self.name = name
        self.keeps_marks = keeps_marks
        self.resources: dict[Key, Resource] = {}
        self.writes: list[tuple[Resource | None, Resource | None]] = []
        self.faults = dict(faults or {})
        self.calls: Counter[Verb] = Counter()
        self.hanging = asyncio.Event()
        self._released = asyncio.Event()
        self._late: list[Step] = []
        self._rows = rows or {"route": (1000, 1999), "policy": (1000, 1999)}
        self._one_writer = asyncio.Lock()

    # --- the port

    async def read(self, keys: Collection[Key]) -> Mapping[Key, Resource]:
        await self._arrive("read")
        return {key: self.resources[key] for key in keys if key in self.resources}

    def normalise(self, resource: Resource) -> Resource:
        match resource:
            case AddressGroup() | Policy():
                sets = {name: tuple(sorted(set(names))) for name in _SETS if (names := getattr(resource, name, None))}
                return resource.model_copy(update=sets)
            case Route() if resource.destination.prefixlen == 0:
                raise Rejected(self.name, "a default route is never made")
            case _:
                return resource

    async def apply(self, step: Step, may_go: MayGo | None = None) -> Outcome:
        fault = await self._arrive("apply")
        async with self._one_writer:
            if fault is Fault.REJECT:
                return Outcome(kind="refused", detail="the device said no")
            decided = self._decide(step)
            if decided is not None:
                return decided
            if may_go is not None and not may_go():
                return Outcome(kind="refused", detail="not sent: its time was over")
            if fault is Fault.LOSE_REQUEST:
                return Outcome(kind="unknown", detail="no answer came")
            if fault is Fault.LATE:
                self._late.append(step)
                return Outcome(kind="unknown", detail="no answer came")
            self._effect(step)
        if fault is Fault.HANG_AFTER:
            await self._hang()
        return Outcome(kind="unknown", detail="no answer came") if fault is Fault.LOSE_ANSWER else _APPLIED

    async def free_rows(self, kind: Kind, count: int) -> Sequence[int]:
        await self._arrive("free_rows")
        first, last = self._rows[kind]
        free = [row for row in range(first, last + 1) if row not in self._taken(kind)][:count]
        if len(free) < count:
            raise Rejected(self.name, f"only {len(free)} of the row numbers {first} to {last} are free")
        return free

    async def close(self) -> None:
        self.release()

    # --- for tests

    def fail(self, verb: Verb, fault: Fault, nth: int = 1) -> None:
        """The nth call of this verb from now on meets the fault."""
        self.faults[verb, self.calls[verb] + nth] = fault

    def release(self) -> None:
        """Let hanging calls go on, and those that would hang from now on."""
        self._released.set()

    def land(self) -> None:
        """Let late effects happen now, over whatever is there."""
        while self._late:
            self._effect(self._late.pop(0))

    # --- inside

    async def _arrive(self, verb: Verb) -> Fault | None:
        self.calls[verb] += 1
        fault = self.faults.get((verb, self.calls[verb]))
        if fault is Fault.UNREACHABLE:
            raise Unreachable(self.name, "no connection; nothing was sent")
        if fault is Fault.REJECT and verb != "apply":
            raise Rejected(self.name, "the device said no")
        if fault is Fault.HANG_BEFORE:
            await self._hang()
        return fault

    async def _hang(self) -> None:
        self.hanging.set()
        await self._released.wait()

    def _decide(self, step: Step) -> Outcome | None:
        now = self.resources.get(step.key)
        if self._is(now, step.after):
            return Outcome(kind="already")
        if step.before is None and now is not None and step.after is not None and same_content(now, step.after):
            return Outcome(kind="already", detail="an identical one is there")
        if not self._is(now, step.before):
            return Outcome(kind="refused", detail=f"{step.key} is not as it was when the plan was made")
        if self.keeps_marks and not _ours_to_write(step):
            return Outcome(kind="refused", detail=f"{step.key} does not carry our mark")
        if now is None and isinstance(step.after, Route | Policy) and step.after.row in self._taken(step.after.kind):
            return Outcome(kind="refused", detail=f"row {step.after.row} is taken")
        return None

    def _is(self, now: Resource | None, wanted: Resource | None) -> bool:
        if now is None or wanted is None:
            return now is wanted
        return same_content(now, wanted) and (not self.keeps_marks or now.mark == wanted.mark)

    def _effect(self, step: Step) -> None:
        before = self.resources.pop(step.key, None)
        after = step.after
        if after is not None:
            if isinstance(before, Route | Policy):
                after = after.model_copy(update={"row": before.row})  # a row keeps its number for life
            if not self.keeps_marks:
                after = after.model_copy(update={"mark": None})
            self.resources[step.key] = after
        self.writes.append((before, after))

    def _taken(self, kind: Kind) -> set[int | None]:
        return {
            there.row for there in self.resources.values() if isinstance(there, Route | Policy) and there.kind == kind
        }


_APPLIED = Outcome(kind="applied")


def _ours_to_write(step: Step) -> bool:
    """What is written carries our mark before or after; a foreign one may be marked but not otherwise changed."""
    if step.before is None:
        return step.after is not None and step.after.mark is not None
    if step.before.mark is not None:
        return True
    return step.after is not None and step.after.mark is not None and same_content(step.before, step.after)


SETTLE_S = 25.0


class SlowToSettle(MemoryTarget):
    """A device on which a write may land after its sender died."""

    settle_s = SETTLE_S
