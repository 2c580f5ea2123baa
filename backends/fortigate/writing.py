"""Writes, one at a time, each compared before and read back after."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import NamedTuple

from pydantic import ValidationError

from backends.fortigate import problems
from backends.fortigate.anchor import Anchor, Placement, no_anchor
from backends.fortigate.client import Client, Clock, Refused
from backends.fortigate.decisions import Answered, Seen, after_writing, before_writing, reached, refused
from backends.fortigate.mapping import TABLES, Found, comment_with, row_body
from backends.fortigate.reading import Reader
from backends.fortigate.urls import MonitorUrl, RowUrl, TableUrl
from backends.fortigate.wire import ObjectUsage
from bot.engine.side_by_side import both
from bot.engine.targets import MayGo, Outcome
from bot.model.errors import BackendError, OutcomeUnknown, Rejected, Unreachable
from bot.model.resources import Key, Kind, Policy, Position, Resource, Route
from bot.model.steps import Step
from bot.model.wording import tr
from bot.model.words import key_line

_READ_BACK_PAUSES_S = (0.25, 0.5, 1.0)  # under load a fresh row may be invisible for a moment
_GOOD = ("applied", "already")
# Kinds of rows that never name each other. Whatever else comes next is begun only when what it may name was seen.
_NAMED: Sequence[Kind] = ("address", "address-group", "policy")
_INDEPENDENT = {(kind, "route") for kind in _NAMED} | {("route", kind) for kind in _NAMED}

_AHEAD_S = 1.0  # how old a look may be that was made ahead; the writes of one batch take longer than that to be made

Write = Callable[[Callable[[], bool]], Awaitable[None]]
"""A prepared call; its argument is asked for leave as the last thing before it is sent."""


class _Look(NamedTuple):
    """What stands there, which row numbers are taken, and the number of the policy that new ones go before."""

    seen: Mapping[Key, Seen]
    taken: Collection[tuple[Kind, int]]
    anchor: int | None


class _Ahead(NamedTuple):
    """A look at what these steps will be compared with, and when it began."""

    steps: tuple[Step, ...]
    look: _Look
    began: float


class Writer:
    """The one writer of a device: its lock makes compare, write and read-back of a batch one piece."""

    def __init__(
        self,
        client: Client,
        reader: Reader,
        anchor: Anchor,
        clock: Clock,
        normalise: Callable[[Resource], Resource],
    ) -> None:
        self._client = client
        self._reader = reader
        self._anchor = anchor
        self._clock = clock
        self._normalise = normalise
        self._lock = asyncio.Lock()
        self._ahead: _Ahead | None = None
        self._idle_since = clock.monotonic()

    async def apply(self, steps: Sequence[Step], may_go: MayGo | None) -> Sequence[Outcome]:
        """One outcome a step; see `FortiGate.apply_all`."""
        if len({step.key for step in steps}) != len(steps):
            raise ValueError(tr("two steps for one resource cannot go together: the second needs a fresh look"))
        try:
            steps = [self._wish(step) for step in steps]
        except Rejected as rejected:
            return [refused(rejected.problem)] * len(steps)
        async with self._lock:
            try:
                return await self._apply(steps, may_go or (lambda: True))
            finally:
                self._idle_since = self._clock.monotonic()

    async def look_ahead(self, steps: Sequence[Step]) -> None:
        """See `LooksAhead`."""
        began = self._clock.monotonic()
        try:
            wishes = tuple(self._wish(step) for step in steps)
            self._ahead = _Ahead(wishes, await self._look(wishes), began)
        except BackendError:
            return  # `apply` will look, and say so

    def _taken_ahead(self, steps: Sequence[Step]) -> _Look | None:
        """The look that was made ahead for these steps, unless it is old, or older than the end of another batch."""
        ahead, self._ahead = self._ahead, None
        if ahead is None or ahead.steps != tuple(steps) or ahead.began < self._idle_since:
            return None
        return ahead.look if self._clock.monotonic() - ahead.began < _AHEAD_S else None

    def _wish(self, step: Step) -> Step:
        return step if step.after is None else step.model_copy(update={"after": self._normalise(step.after)})

    async def _apply(self, steps: Sequence[Step], may_go: Callable[[], bool]) -> Sequence[Outcome]:
        seen, taken, anchor = self._taken_ahead(steps) or await self._look(steps)
        done: dict[Key, Outcome] = {}
        writes: dict[Key, Write] = {}
        for step in steps:
            outcome = before_writing(step, seen.get(step.key), _row(step) in taken)
            if outcome is None and self._placed(step) and anchor is None:
                outcome = refused(no_anchor(str(self._anchor.before)))
            if outcome is not None:
                done[step.key] = outcome
                continue
            try:
                writes[step.key] = self._prepared(step, seen.get(step.key))
            except ValueError as problem:
                done[step.key] = refused(f"{step.key}: {problem}")
        if all(outcome.kind in _GOOD for outcome in done.values()):
            done |= await self._write_levels([step for step in steps if step.key in writes], writes, anchor, may_go)
        stopper = next((key for key, outcome in done.items() if outcome.kind not in _GOOD), None)
        skipped = Outcome(kind="skipped", detail=tr("not attempted because of {stopper}", stopper=stopper))
        return [done.get(step.key) or skipped for step in steps]

    async def _look(self, steps: Sequence[Step]) -> _Look:
        rows = {row for step in steps if step.before is None and (row := _row(step)) is not None}
        (seen, taken), placement = await both(
            self._reader.look([step.key for step in steps], rows), self._placement(steps)
        )
        return _Look(seen, taken, placement.anchor)

    def _placed(self, step: Step) -> bool:
        """Whether the step makes a policy that must not stay where the device puts it."""
        return self._anchor.before is not None and step.before is None and step.key.kind == "policy"

    async def _placement(self, steps: Sequence[Step]) -> Placement:
        names = [step.key.name for step in steps if self._placed(step)]
        return await self._anchor.look(names) if names else Placement(None, frozenset())

    async def _write_levels(
        self, steps: Sequence[Step], writes: Mapping[Key, Write], anchor: int | None, may_go: Callable[[], bool]
    ) -> dict[Key, Outcome]:
        """Neighbours of one kind are read back together, beside the writes of a kind that does not build on theirs."""
        levels = [(kind, list(level)) for kind, level in groupby(steps, key=lambda step: step.key.kind)]
        done: dict[Key, Outcome] = {}
        reading: dict[Kind, asyncio.Task[dict[Key, Outcome]]] = {}

        def in_order() -> bool:
            """No read-back that is there already tells of a write that went wrong."""
            seen = [done, *(task.result() for task in reading.values() if task.done())]
            return all(outcome.kind in _GOOD for outcomes in seen for outcome in outcomes.values())

        async with asyncio.TaskGroup() as group:
            for kind, level in levels:
                for before in [other for other in reading if (kind, other) not in _INDEPENDENT]:
                    done |= await reading.pop(before)
                if not in_order():
                    break
                if kind == "position":
                    level, passed = await self._still_as_planned(level)
                    done |= passed
                    if not in_order():
                        break
                answers, unsent = await self._send(level, writes, anchor, may_go, in_order)
                done |= unsent
                written = [step for step in level if step.key in answers]
                reading[kind] = group.create_task(self._read_back(written, answers, may_go))
                if any(self._placed(step) for step in level):  # it may take one back, and there is one writer
                    done |= await reading.pop(kind)
                if unsent or any(answered != "yes" for answered, _ in answers.values()):
                    break
        for task in reading.values():
            done |= task.result()
        return done

    async def _still_as_planned(self, level: Sequence[Step]) -> tuple[list[Step], dict[Key, Outcome]]:
        """Look at the order again right before it is changed: what the first look saw may be several writes old, and a
        move past what has come between would overrule somebody unseen."""
        try:
            seen = await self._reader.find([step.key for step in level])
        except BackendError as blind:
            return [], {step.key: refused(blind.problem) for step in level}
        outcomes = {step.key: before_writing(step, seen.get(step.key)) for step in level}
        passed = {key: outcome for key, outcome in outcomes.items() if outcome is not None}
        return [step for step in level if step.key not in passed], passed

    async def _send(
        self,
        level: Sequence[Step],
        writes: Mapping[Key, Write],
        anchor: int | None,
        may_go: Callable[[], bool],
        in_order: Callable[[], bool],
    ) -> tuple[dict[Key, tuple[Answered, str]], dict[Key, Outcome]]:
        """What the device answered to each write up to the first that it did not take, and what needs no read-back."""
        answers: dict[Key, tuple[Answered, str]] = {}
        for step in level:
            if not in_order():
                break
            try:
                await writes[step.key](may_go)
                answers[step.key] = ("yes", "" if anchor is None else await self._moved(step, anchor, may_go))
            except Unreachable as unsent:
                return answers, {step.key: refused(unsent.problem)}
            except Refused as no:
                reason = await self._reason(step, no)
                if no.final:
                    return answers, {step.key: refused(no.problem)}
                answers[step.key] = ("no", reason)
                break
            except OutcomeUnknown as lost:
                answers[step.key] = ("nothing", lost.problem)
                break
        return answers, {}

    def _prepared(self, step: Step, now: Seen) -> Write:
        """The one call that this step is.

        Raises ValueError when the mark has no room beside a person's comment, or no single move leads to a position.
        """
        if isinstance(step.before, Position) and isinstance(step.after, Position):
            return self._reordering(step.before, step.after)
        table = TABLES[step.key.kind]
        if now is None:
            assert step.after is not None  # a removal of nothing is `already`
            body = row_body(step.after, comment_with(step.after.mark, "", table.comment_limit))
            row = {} if (number := _row(step)) is None else {table.row_key: number[1]}
            return partial(self._client.create, TableUrl(table.name), {**body, **row})
        assert isinstance(now, Found)  # an obstacle is refused before
        url = RowUrl(table.name, now.row)
        if step.after is None:
            return partial(self._client.delete, url)
        comment = comment_with(step.after.mark, now.comment, table.comment_limit)
        return partial(self._client.update, url, row_body(step.after, comment))

    def _reordering(self, now: Position, wanted: Position) -> Write:
        """The move from one position to the other."""
        url = RowUrl(TABLES["policy"].name, now.row)

        async def move(may_go: Callable[[], bool]) -> None:
            if passed := now.passed(wanted):
                await self._client.move(url, "before", passed[0].row, may_go)
            else:
                await self._client.move(url, "after", wanted.behind[-1].row, may_go)

        kept = min(len(now.behind), len(wanted.behind))
        if now.row != wanted.row or now.behind[:kept] != wanted.behind[:kept] or now.behind == wanted.behind:
            raise ValueError(tr("there is no single move to this position"))
        return move

    async def _moved(self, step: Step, anchor: int, may_go: Callable[[], bool]) -> str:
        """Put a new policy in its place; answers what went wrong. Whether it stands there is read back."""
        number = _row(step)
        if not self._placed(step) or number is None:
            return ""
        try:
            await self._client.move(RowUrl(TABLES["policy"].name, number[1]), "before", anchor, may_go)
        except BackendError as error:
            return error.problem
        return ""

    async def _read_back(
        self, steps: Sequence[Step], answers: Mapping[Key, tuple[Answered, str]], may_go: Callable[[], bool]
    ) -> dict[Key, Outcome]:
        if not steps:
            return {}
        try:
            async with self._reader.in_time():
                seen = await self._settled(steps, answers)
                misplaced = await self._misplaced(steps, seen)
        except BackendError as blind:
            return {
                step.key: Outcome(kind="unknown", detail=f"{answers[step.key][1] or 'written'}; {blind.problem}")
                for step in steps
            }
        outcomes = {step.key: after_writing(step, seen.get(step.key), *answers[step.key]) for step in steps}
        for step in misplaced:
            outcomes[step.key] = await self._taken_back(step, answers[step.key][1], may_go)
        return outcomes

    async def _misplaced(self, steps: Sequence[Step], seen: Mapping[Key, Seen]) -> Sequence[Step]:
        """New policies of ours that do not stand before the anchor."""
        made = [step for step in steps if self._placed(step) and reached(step, seen.get(step.key))]
        ahead = (await self._placement(made)).ahead
        return [step for step in made if step.key.name not in ahead]

    async def _taken_back(self, step: Step, why: str, may_go: Callable[[], bool]) -> Outcome:
        """A policy in the wrong place is worse than none: remove what was just made, and say so."""
        problem = tr(
            "{key} could not be put before policy {before}", key=key_line(step.key), before=self._anchor.before
        ) + (f": {why}" if why else "")
        number = _row(step)
        assert number is not None  # a policy is only made with a number of ours
        try:
            await self._client.delete(RowUrl(TABLES["policy"].name, number[1]), may_go)
            async with self._reader.in_time():
                gone = step.key not in await self._reader.find([step.key])
        except BackendError as error:
            return Outcome(
                kind="unknown", detail=tr("{problem}; taking it back: {second}", problem=problem, second=error.problem)
            )
        return (
            refused(tr("{problem}; it was removed again", problem=problem))
            if gone
            else Outcome(kind="unknown", detail=problem)
        )

    async def _settled(self, steps: Sequence[Step], answers: Mapping[Key, tuple[Answered, str]]) -> Mapping[Key, Seen]:
        """What stands there now; read again, a few times, while something that was not refused does not show."""
        keys = [step.key for step in steps]
        seen: Mapping[Key, Seen] = await self._reader.find(keys)
        for pause in _READ_BACK_PAUSES_S:
            if all(answers[step.key][0] == "no" or reached(step, seen.get(step.key)) for step in steps):
                break
            await self._clock.sleep(pause)
            seen = await self._reader.find(keys)
        return seen

    async def _reason(self, step: Step, no: Refused) -> str:
        """The device's reason; for an object in use, also who uses it, if the device tells."""
        if no.error != problems.IN_USE:
            return no.problem
        path, _, name = TABLES[step.key.kind].name.partition("/")
        query = (("q_path", path), ("q_name", name), ("mkey", step.key.name))
        try:
            results = await self._client.look_up(MonitorUrl("system/object/usage"), query)
            uses = ObjectUsage.model_validate(results).currently_using
        except (BackendError, ValidationError):
            return no.problem
        users = ", ".join(problems.printable(f"{use.path}.{use.name} {use.mkey}") for use in uses[:10])
        return tr("{problem}; used by {users}", problem=no.problem, users=users) if users else no.problem


def _row(step: Step) -> tuple[Kind, int] | None:
    """The row number that the wish asks for."""
    if isinstance(step.after, Route | Policy) and step.after.row is not None:
        return step.after.kind, step.after.row
    return None
