"""One line a journal record for the audit channel: who, what, which change, how it went."""

from collections.abc import Mapping

from bot.model.commands import typed
from bot.model.journal import (
    AnyEntry,
    Asked,
    Attempted,
    Cancelled,
    Cleared,
    Confirmed,
    Denied,
    Direction,
    Escalated,
    Finished,
    Measured,
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
from bot.model.wording import clauses, tr, tr_n
from bot.model.words import word
from handlers.lines.change import clearing_problem
from handlers.lines.plan import step_line
from handlers.views.blocks import escape


def audit_line(record: Record, operations: Mapping[str, Operation]) -> str:
    """`#17 2026-03-02 09:14:02 UTC · T0…/U0… said yes to … · change k3f…`; mentions nobody, so nobody is notified.

    What became of steps follows on lines of their own.
    """
    identifier = getattr(record.entry, "operation", "")
    operation = operations.get(identifier)
    change = tr(" · change {change}", change=identifier) if identifier else ""
    head, *more = _what(record.entry, operation).split("\n")
    return escape("\n".join([f"#{record.seq} {record.at:%Y-%m-%d %H:%M:%S} UTC · {head}{change}", *more]))


def _what(entry: AnyEntry, operation: Operation | None) -> str:
    match entry:
        case Asked(actor=actor, command=command, answer=answer, allowed=allowed):
            if allowed:
                return tr(
                    "{actor} asked: {command} · answered: {answer}", actor=actor, command=typed(command), answer=answer
                )
            return tr(
                "{actor} asked: {command} · refused: {answer}", actor=actor, command=typed(command), answer=answer
            )
        case Requested(actor=actor, command=command):
            return tr("{actor} asked: {command}", actor=actor, command=typed(command))
        case Unplannable(reason=reason):
            return tr("no plan: {reason}", reason=reason)
        case Confirmed(actor=actor, digest=digest):
            return tr("{actor} said yes to {digest}", actor=actor, digest=digest[:12])
        case Denied(actor=actor, reason=reason):
            return tr("{actor} was refused: {reason}", actor=actor, reason=reason)
        case Cancelled(actor=actor):
            return tr("{actor} cancelled", actor=actor)
        case Stale(actor=actor, differences=differences, successor=successor):
            return tr(
                "{actor} said yes too late ({differences}); new card: {successor}",
                actor=actor,
                differences=clauses(differences),
                successor=successor,
            )
        case Attempted(direction=direction, results=results):
            return "\n".join(
                [tr("wrote to a device"), *(f"    {_result(operation, direction, one)}" for one in results)]
            )
        case Verified(results=results):
            return tr_n(
                "{passed} of {count} check passed",
                "{passed} of {count} checks passed",
                len(results),
                passed=sum(result.passed for result in results),
            )
        case Measured(outage_ms=outage, attempts=attempts, failed=failed):
            return tr(
                "new connections: {outage} ms without any on one way, at worst; {failed} of {count} failed",
                outage=outage,
                failed=failed,
                count=attempts,
            )
        case Cleared(cleared=cleared):
            said = tr_n(
                "{count} stale session of ours forgotten by the firewall",
                "{count} stale sessions of ours forgotten by the firewall",
                cleared,
            )
            return said + _kept(entry)
        case TurnedBack(reason=reason) | Stuck(reason=reason):
            return tr("{event}: {reason}", event=word(entry.kind), reason=reason)
        case Resumed(actor=actor):
            return tr("{actor} lets it try again", actor=actor)
        case Opened(picture=picture, incident=incident):
            return tr(
                "incident {incident}: {gateway} of {cluster}: {severity}",
                incident=incident,
                gateway=picture.gateway,
                cluster=picture.cluster,
                severity=word(picture.severity),
            )
        case Revised(picture=picture, incident=incident):
            return tr(
                "incident {incident}, now: {gateway} of {cluster}: {severity}",
                incident=incident,
                gateway=picture.gateway,
                cluster=picture.cluster,
                severity=word(picture.severity),
            )
        case Escalated(incident=incident, level=level):
            return tr("incident {incident}: nobody answered, call {level}", incident=incident, level=level)
        case Snoozed(incident=incident, actor=actor, planned=planned):
            if planned:
                return tr("incident {incident}: {actor} says that it is planned", incident=incident, actor=actor)
            return tr("incident {incident}: {actor} snoozed it", incident=incident, actor=actor)
        case Withdrawn(incident=incident, reason=reason):
            return tr("incident {incident} is over: {reason}", incident=incident, reason=reason)
        case Finished(result=result, reason=reason):
            if reason:
                return tr("ended: {result} ({reason})", result=word(result), reason=reason)
            return tr("ended: {result}", result=word(result))
        case _:
            return word(entry.kind)


def _kept(entry: Cleared) -> str:
    return f"; {clearing_problem(entry)}" if clearing_problem(entry) else ""


def _result(operation: Operation | None, direction: Direction, result: StepResult) -> str:
    made = tr("written") if direction == "forward" else tr("undone")
    words = {"wrote": made, "was-so": tr("was so already"), "not-written": tr("not written")}
    ending, step = words.get(result.ending, word(result.ending)), _step(operation, result.step)
    if result.reason:
        return tr("{ending}: {step} ({reason})", ending=ending, step=step, reason=result.reason)
    return tr("{ending}: {step}", ending=ending, step=step)


def _step(operation: Operation | None, index: int) -> str:
    if operation is None or operation.plan is None:
        return tr("step {number}", number=index + 1)
    step = operation.plan.steps[index]
    return f"{step.target} {step_line(step)}"
