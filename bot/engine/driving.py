"""Taking an operation to its end: one journal entry, one deed, one journal entry."""

from functools import partial

from bot.engine.context import Context
from bot.engine.verifying import verify
from bot.model.errors import BackendError, OutcomeUnknown, Rejected, Unreachable
from bot.model.journal import AnyEntry, Direction, Failed, Finished, Intended, NotWritten, Stuck, TurnedBack, Wrote
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
from bot.model.world import World

# Longer than any one call to a device may live; the same instance takes its own lease again at once.
LEASE_S = 120.0
OBSERVE_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)


async def drive(context: Context, operation_id: str) -> None:
    """Take an operation as far as it goes: to its end, or until a person is needed. Also the recovery.

    Every call is a new run: what an earlier one left half done is read back before anything else. Returns at once
    when another instance drives it. Raises Unreachable when the journal cannot be written; nothing is sent to a
    device then, and the next call goes on from what the journal says.
    """
    run = context.env.new_id()
    while await _leased(context, operation_id):
        operation = (await context.journal.world()).operations[operation_id]
        entry = await _perform(context, operation, run)
        if entry is None:
            await context.journal.release(_lease(operation_id), context.instance)
            return
        await context.journal.commit(partial(_unless_overtaken, entry, operation))


def _unless_overtaken(entry: AnyEntry, seen: Operation, world: World) -> AnyEntry | None:
    """Nobody but its driver writes to a running operation: a newer record means that another one took over."""
    return entry if world.operations[seen.id].last_seq == seen.last_seq else None


def _lease(operation_id: str) -> str:
    return f"drive/{operation_id}"


async def _leased(context: Context, operation_id: str) -> bool:
    return await context.journal.lease(_lease(operation_id), context.instance, LEASE_S)


async def _perform(context: Context, operation: Operation, run: str) -> AnyEntry | None:
    action = next_action(operation, run)
    match action:
        case Intend(step=index, direction=direction):
            return Intended(operation=operation.id, step=index, direction=direction, run=run)
        case Write(step=index, direction=direction):
            return await _write(context, operation, index, direction)
        case Observe(step=index, direction=direction):
            return await _observe(context, operation, index, direction)
        case Verify():
            return await verify(context, operation)
        case TurnBack(reason=reason):
            return TurnedBack(operation=operation.id, reason=reason)
        case Stop(reason=reason):
            return Stuck(operation=operation.id, reason=reason)
        case Finish(result=result, reason=reason):
            return Finished(operation=operation.id, result=result, reason=reason)
        case Rest():
            return None


async def _write(context: Context, operation: Operation, index: int, direction: Direction) -> AnyEntry:
    step = _step(operation, index, direction)
    try:
        outcome = await context.targets[step.target].apply(step)
    except (Unreachable, OutcomeUnknown):
        return await _observe(context, operation, index, direction)
    except Rejected as error:
        return _failed(operation, index, direction, str(error), touched=False)
    match outcome.kind:
        case "applied":
            return Wrote(operation=operation.id, step=index, direction=direction, ours=True)
        case "already":
            # While undoing, "already as before" is what we want, whoever did it.
            return Wrote(operation=operation.id, step=index, direction=direction, ours=direction == "back")
        case "refused":
            return _failed(operation, index, direction, f"{step.target}: {outcome.detail}", touched=False)
        case "unknown":
            return await _observe(context, operation, index, direction)


async def _observe(context: Context, operation: Operation, index: int, direction: Direction) -> AnyEntry:
    """Read until it is known what became of a step; a device that stays silent leaves the step to a person."""
    step = _step(operation, index, direction)
    problem = ""
    for pause in (*OBSERVE_PAUSES_S, None):
        try:
            there = (await context.targets[step.target].read([step.key])).get(step.key)
        except BackendError as error:
            problem = str(error)
            if pause is None:
                break
            await context.env.sleep(pause)
            await _leased(context, operation.id)
            continue
        if _equal(there, step.after):
            return Wrote(operation=operation.id, step=index, direction=direction, ours=True)
        if _equal(there, step.before):
            return NotWritten(operation=operation.id, step=index, direction=direction)
        problem = f"{step.key} on {step.target} is neither as before nor as planned: somebody else changed it"
        return _failed(operation, index, direction, problem, touched=True)
    unread = f"{problem}. Whether {step.key} was written is not known"
    return _failed(operation, index, direction, unread, touched=True)


def _step(operation: Operation, index: int, direction: Direction) -> Step:
    assert operation.plan is not None
    step = operation.plan.steps[index]
    return step if direction == "forward" else step.inverse()


def _equal(there: Resource | None, wanted: Resource | None) -> bool:
    if there is None or wanted is None:
        return there is wanted
    return same_content(there, wanted)


def _failed(operation: Operation, index: int, direction: Direction, reason: str, touched: bool) -> Failed:
    return Failed(operation=operation.id, step=index, direction=direction, reason=reason, touched=touched)
