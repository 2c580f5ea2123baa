"""One line a journal record for the audit channel: who, what, which change, how it went."""

from bot.model.commands import typed
from bot.model.journal import (
    AnyEntry,
    Asked,
    Cancelled,
    Confirmed,
    Denied,
    Failed,
    Finished,
    Record,
    Requested,
    Resumed,
    Stale,
    Stuck,
    TurnedBack,
    Unplannable,
    Verified,
    Wrote,
)
from handlers.views.blocks import escape


def audit_line(record: Record) -> str:
    """`#17 09:14:02 U0OMAR0001 confirmed · change k3f…`; mentions nobody, so that nobody is notified."""
    operation = getattr(record.entry, "operation", "")
    change = f" · change {operation}" if operation else ""
    return escape(f"#{record.seq} {record.at:%Y-%m-%d %H:%M:%S} UTC · {_what(record.entry)}{change}")


def _what(entry: AnyEntry) -> str:
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
        case Wrote(step=step, direction=direction, ours=ours):
            already = "" if ours else " (was so already)"
            return f"step {step + 1} {'holds' if direction == 'forward' else 'undone'}{already}"
        case Failed(step=step, reason=reason):
            return f"step {step + 1} failed: {reason}"
        case Verified(results=results):
            return f"{sum(result.passed for result in results)} of {len(results)} checks passed"
        case TurnedBack(reason=reason) | Stuck(reason=reason):
            return f"{entry.kind}: {reason}"
        case Resumed(actor=actor):
            return f"{actor} lets it try again"
        case Finished(result=result, reason=reason):
            return f"ended: {result}{f' ({reason})' if reason else ''}"
        case _:
            return entry.kind
