"""Taking an operation to its end: one journal entry, one deed, one journal entry."""

from collections.abc import Sequence
from functools import partial

from bot.engine.context import Context
from bot.engine.forgetting import forget
from bot.engine.journal import TakenOver
from bot.engine.metering import Meter
from bot.engine.ports import Hold
from bot.engine.presence import holds_name, name_hold, renewed, surely_ours
from bot.engine.sessions import clear_stale
from bot.engine.targets import AppliesTogether, MayGo, Outcome, SettlesLate, Target
from bot.engine.verifying import verify
from bot.model.errors import BackendError, Rejected
from bot.model.journal import AnyEntry, Attempted, Direction, Finished, Intended, StepResult, Stuck, TurnedBack
from bot.model.operation import (
    Finish,
    Intend,
    Observe,
    Operation,
    Rest,
    Stop,
    TurnBack,
    Verify,
    Write,
    next_action,
)
from bot.model.resources import Resource, same_content
from bot.model.steps import Step
from bot.model.wording import tr
from bot.model.words import key_line
from bot.model.world import World

# Longer than any one call to a device may live; the same instance takes its own lease again at once.
LEASE_S = 120.0
# Nothing is sent in the last part of a lease: whoever takes over must not meet a write that is still on its way.
LONGEST_CALL_S = 60.0
_SKIPPED = Outcome(kind="skipped")
OBSERVE_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)


async def drive(context: Context, operation_id: str) -> None:
    """Take an operation as far as it goes: to its end, or until a person is needed. Also the recovery.

    Every call is a new run: what an earlier one left half done is read back before anything else. Returns at once
    when another instance drives it. Raises Unreachable when the journal cannot be written; nothing is sent to a
    device then, and the next call goes on from what the journal says.
    """
    run = context.env.new_id()
    ours_since = context.env.monotonic()
    operation: Operation | None = (await context.journal.world()).operations[operation_id]
    assert operation is not None
    # An intent takes the right to drive with its record; whatever else comes first needs it before.
    if not isinstance(next_action(operation, run), Intend) and not await _leased(context, operation_id):
        return
    async with Meter(context) as meter:
        while operation is not None:
            may_go = partial(_may_go, context, ours_since + LEASE_S - LONGEST_CALL_S)
            entries = await _perform(context, operation, run, may_go, meter)
            if not entries:
                await context.journal.release(_lease(operation_id), context.instance)
                return
            ours_since = context.env.monotonic()
            operation = await _written_down(context, operation, entries)


async def give_up(context: Context, operation_id: str, reason: str) -> None:
    """Leave an operation that cannot be driven on to a person, unless somebody else drives it. Raises Unreachable."""
    operation = (await context.journal.world()).operations[operation_id]
    if operation.state in ("running", "undoing"):
        await _written_down(context, operation, [Stuck(operation=operation_id, reason=reason)])
        await context.journal.release(_lease(operation_id), context.instance)


async def _written_down(context: Context, operation: Operation, entries: Sequence[AnyEntry]) -> Operation | None:
    """The operation with these entries, None when this process may not go on: every entry renews in one step what
    `_leased` asks for, or is not written.
    """
    holding = (name_hold(context), Hold(name=_lease(operation.id), owner=context.instance, ttl_s=LEASE_S))
    for entry in entries:
        asked_at = context.env.monotonic()
        try:
            written = await context.journal.commit(partial(_unless_overtaken, entry, operation), holding=holding)
        except TakenOver:
            return None
        if written is None:
            ours = await _leased(context, operation.id)
            return (await context.journal.world()).operations[operation.id] if ours else None
        renewed(context, asked_at)
        operation = context.journal.known.operations[operation.id]
    return operation


def _unless_overtaken(entry: AnyEntry, seen: Operation, world: World) -> AnyEntry | None:
    """Nobody but its driver writes to a running operation: a newer record means that another one took over."""
    return entry if world.operations[seen.id].last_seq == seen.last_seq else None


def _lease(operation_id: str) -> str:
    return f"drive/{operation_id}"


async def _leased(context: Context, operation_id: str) -> bool:
    """Whether this process may go on: it still bears its name, and the name drives the operation."""
    return await holds_name(context) and await context.journal.lease(_lease(operation_id), context.instance, LEASE_S)


def _may_go(context: Context, not_after: float) -> bool:
    """Whether neither the operation nor our name can be another's yet: a process may have slept over both."""
    return context.env.monotonic() < not_after and surely_ours(context)


async def _perform(context: Context, operation: Operation, run: str, may_go: MayGo, meter: Meter) -> Sequence[AnyEntry]:
    """Do what comes next; what is to be written down about it, nothing at the end."""
    action = next_action(operation, run)
    match action:
        case Write(steps=steps, direction=direction):
            if operation.plan is not None and operation.plan.reroutes:
                meter.begin(operation)
            results = await _write(context, operation, steps, direction, may_go)
            return [Attempted(operation=operation.id, direction=direction, results=results)]
        case Verify():
            verified = await verify(context, operation, partial(_leased, context, operation.id))
            measured = await meter.end(operation)
            return [measured, verified] if measured is not None else [verified]
        case Finish(result="done"):
            ended = Finished(operation=operation.id, result="done")
            return [*await clear_stale(context, operation), ended]
        case Rest():
            return []
        case _:
            return [await _record(context, operation, action, run)]


async def _record(
    context: Context, operation: Operation, action: Intend | Observe | TurnBack | Stop | Finish, run: str
) -> AnyEntry:
    match action:
        case Intend(steps=steps, direction=direction):
            return Intended(operation=operation.id, steps=steps, direction=direction, run=run)
        case Observe(steps=steps, direction=direction):
            await _settled(context, operation)
            observed = [await _observe(context, operation, index, direction) for index in steps]
            return Attempted(operation=operation.id, direction=direction, results=tuple(observed))
        case TurnBack(reason=reason):
            return TurnedBack(operation=operation.id, reason=reason)
        case Stop(reason=reason):
            return Stuck(operation=operation.id, reason=reason)
        case Finish(result=result, reason=reason):
            return Finished(operation=operation.id, result=result, reason=reason)


async def _write(
    context: Context, operation: Operation, indexes: Sequence[int], direction: Direction, may_go: MayGo
) -> tuple[StepResult, ...]:
    """Take the steps together; whatever is not known afterwards is read."""
    steps = [_step(operation, index, direction) for index in indexes]
    try:
        target = context.target(steps[0].target)
    except Rejected as error:
        return tuple(StepResult(step=index, ending="failed", reason=str(error)) for index in indexes)
    if steps[0].key.kind == "cache":
        outcomes: Sequence[Outcome] = [await forget(target, s, may_go) for s in steps]
    else:
        outcomes = await _apply(target, steps, may_go)
    results = []
    for index, outcome in zip(indexes, outcomes, strict=True):
        match outcome.kind:
            case "applied":
                results.append(StepResult(step=index, ending="wrote"))
            case "already":
                results.append(StepResult(step=index, ending="was-so"))
            case "refused":
                reason = f"{target.name}: {outcome.detail}"
                results.append(StepResult(step=index, ending="failed", reason=reason))
            case "skipped":
                results.append(StepResult(step=index, ending="not-written"))
            case "unknown":
                results.append(await _observe(context, operation, index, direction))
    return tuple(results)


async def _apply(target: Target, steps: Sequence[Step], may_go: MayGo) -> Sequence[Outcome]:
    """The outcomes of steps taken in order, up to the first that does not succeed."""
    if isinstance(target, AppliesTogether):
        try:
            return await target.apply_all(steps, may_go)
        except BackendError as error:
            return [_outcome(error), *[_SKIPPED] * (len(steps) - 1)]
    outcomes: list[Outcome] = []
    for step in steps:
        try:
            outcomes.append(await target.apply(step, may_go))
        except BackendError as error:
            outcomes.append(_outcome(error))
        if outcomes[-1].kind not in ("applied", "already"):
            break
    return [*outcomes, *[_SKIPPED] * (len(steps) - len(outcomes))]


def _outcome(error: BackendError) -> Outcome:
    """Rejected wrote nothing; after anything else the device itself must tell."""
    return Outcome(kind="refused" if isinstance(error, Rejected) else "unknown", detail=error.problem)


async def _settled(context: Context, operation: Operation) -> None:
    """Wait until nothing that a dead run sent can take effect any more: an earlier look might see too little."""
    intents = [record for record in operation.records if isinstance(record.entry, Intended)]
    pending = operation.open_intent()
    if pending is None or operation.plan is None:
        return
    target = context.targets.get(operation.plan.steps[pending.steps[0]].target)
    if isinstance(target, SettlesLate):
        since = (await context.journal.now() - intents[-1].at).total_seconds()
        # Its last write was sent before this run began, and no later than any may be after its intent.
        latest = LEASE_S - LONGEST_CALL_S - since
        await context.env.sleep(max(0.0, target.settle_s + min(0.0, latest)))
        await _leased(context, operation.id)


async def _observe(context: Context, operation: Operation, index: int, direction: Direction) -> StepResult:
    """Read until it is known what became of a step; a device that stays silent leaves the step to a person."""
    step = _step(operation, index, direction)
    if step.key.kind == "cache":  # nothing tells whether it was emptied; to do it again is harmless
        return StepResult(step=index, ending="not-written" if direction == "forward" else "was-so")
    problem = ""
    for pause in (*OBSERVE_PAUSES_S, None):
        try:
            there = (await context.target(step.target).read([step.key])).get(step.key)
        except BackendError as error:
            problem = str(error)
            if pause is not None:
                await context.env.sleep(pause)
                await _leased(context, operation.id)
            continue
        if _equal(there, step.after):
            return StepResult(step=index, ending="wrote")
        if _equal(there, step.before):
            return StepResult(step=index, ending="not-written")
        problem = tr(
            "{key} on {target} is neither as before nor as planned: somebody else changed it",
            key=key_line(step.key),
            target=step.target,
        )
        return StepResult(step=index, ending="unclear", reason=problem)
    unread = tr("{problem}. Whether {key} was written is not known", problem=problem, key=key_line(step.key))
    return StepResult(step=index, ending="unclear", reason=unread)


def _step(operation: Operation, index: int, direction: Direction) -> Step:
    assert operation.plan is not None
    step = operation.plan.steps[index]
    return step if direction == "forward" else step.inverse()


def _equal(there: Resource | None, wanted: Resource | None) -> bool:
    if there is None or wanted is None:
        return there is wanted
    return same_content(there, wanted)
