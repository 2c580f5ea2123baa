"""One line a journal record for the audit channel: who, what, which change, how it went."""

from collections.abc import Mapping

from bot.model.commands import typed
from bot.model.journal import (
    AnyEntry,
    Asked,
    Attempted,
    Cancelled,
    Confirmed,
    Denied,
    Direction,
    Escalated,
    Finished,
    Opened,
    Record,
    Requested,
    Resumed,
    Revised,
    Snoozed,
    Stale,
    StepResult,
    Stuck,
    TurnedBack,
    Unplannable,
    Verified,
    Withdrawn,
)
from bot.model.operation import Operation
from handlers.views.blocks import escape
from handlers.views.lines import step_line


def audit_line(record: Record, operations: Mapping[str, Operation]) -> str:
    """`#17 2026-03-02 09:14:02 UTC · T0…/U0… said yes to … · change k3f…`; mentions nobody, so nobody is notified.

    What became of steps follows on lines of their own.
    """
    identifier = getattr(record.entry, "operation", "")
    operation = operations.get(identifier)
    change = f" · change {identifier}" if identifier else ""
    head, *more = _what(record.entry, operation).split("\n")
    return escape("\n".join([f"#{record.seq} {record.at:%Y-%m-%d %H:%M:%S} UTC · {head}{change}", *more]))


def _what(entry: AnyEntry, operation: Operation | None) -> str:
    match entry:
        case Asked(actor=actor, command=command, answer=answer, allowed=allowed):
            return f"{actor} asked: {typed(command)} · {'answered' if allowed else 'refused'}: {answer}"
        case Requested(actor=actor, command=command):
            return f"{actor} asked: {typed(command)}"
        case Unplannable(reason=reason):
            return f"no plan: {reason}"
        case Confirmed(actor=actor, digest=digest):
            return f"{actor} said yes to {digest[:12]}"
        case Denied(actor=actor, reason=reason):
            return f"{actor} was refused: {reason}"
        case Cancelled(actor=actor):
            return f"{actor} cancelled"
        case Stale(actor=actor, differences=differences, successor=successor):
            return f"{actor} said yes too late ({'; '.join(differences)}); new card: {successor}"
        case Attempted(direction=direction, results=results):
            return "\n".join(["wrote to a device", *(f"    {_result(operation, direction, one)}" for one in results)])
        case Verified(results=results):
            return f"{sum(result.passed for result in results)} of {len(results)} checks passed"
        case TurnedBack(reason=reason) | Stuck(reason=reason):
            return f"{entry.kind}: {reason}"
        case Resumed(actor=actor):
            return f"{actor} lets it try again"
        case Opened(picture=picture, incident=incident):
            return f"incident {incident}: {picture.gateway} of {picture.cluster}: {picture.severity}"
        case Revised(picture=picture, incident=incident):
            return f"incident {incident}, now: {picture.gateway} of {picture.cluster}: {picture.severity}"
        case Escalated(incident=incident, level=level):
            return f"incident {incident}: nobody answered, call {level}"
        case Snoozed(incident=incident, actor=actor, planned=planned):
            return f"incident {incident}: {actor} {'says that it is planned' if planned else 'snoozed it'}"
        case Withdrawn(incident=incident, reason=reason):
            return f"incident {incident} is over: {reason}"
        case Finished(result=result, reason=reason):
            return f"ended: {result}{f' ({reason})' if reason else ''}"
        case _:
            return entry.kind


def _result(operation: Operation | None, direction: Direction, result: StepResult) -> str:
    made = "made so" if direction == "forward" else "undone"
    words = {"wrote": made, "was-so": "found so", "not-written": "not written"}
    reason = f" ({result.reason})" if result.reason else ""
    return f"{words.get(result.ending, result.ending)}: {_step(operation, result.step)}{reason}"


def _step(operation: Operation | None, index: int) -> str:
    if operation is None or operation.plan is None:
        return f"step {index + 1}"
    step = operation.plan.steps[index]
    return f"{step.target} {step_line(step)}"
