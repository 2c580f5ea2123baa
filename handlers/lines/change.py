"""A change in plain words: what it is now, why, what was proven, what people noticed."""

from bot.model.commands import ClearDnsCache, Drill, typed
from bot.model.journal import Cleared, Measured, Planned, Verified
from bot.model.operation import Operation
from bot.model.wording import tr, tr_n
from handlers.lines.plan import warning_lines


def title(operation: Operation) -> str:
    """`expose default on qa`, as asked."""
    return typed(operation.request.command)


def progress(operation: Operation) -> tuple[int, int]:
    """Steps that hold, and steps in all."""
    return len(operation.satisfied()), len(operation.plan.steps) if operation.plan else 0


def state_line(operation: Operation) -> str:
    """What the operation is now, in one sentence."""
    done, total = progress(operation)
    last = operation.entries[-1]
    match operation.state:
        case "requested":
            return tr("Looking at firewall, DNS and cluster …")
        case "awaiting":
            return tr("Plan: waits for a yes")
        case "running" if isinstance(last, Verified) and not last.results:
            return tr("Applied and read back")
        case "running" if isinstance(last, Verified):
            return tr("Applied; proven on the wire") if last.passed else tr("Applied, but not proven")
        case "running":
            if done < total:
                return tr_n("Applying: {done} of {count} step", "Applying: {done} of {count} steps", total, done=done)
            return tr_n("The one step holds; proving it …", "All {count} steps hold; proving it …", total)
        case "undoing" if _drilling(operation) and not operation.written():
            return tr("The routes are back; proving it …")
        case "undoing":
            left = len(operation.written())
            return tr_n("Going back: {count} step left to undo", "Going back: {count} steps left to undo", left)
        case "stuck":
            return tr("A person is needed")
        case "done" if _drilling(operation):
            return tr("Done: moved there and back, and proven both times")
        case "done" if not operation.checks:
            return tr_n("Done: {count} step applied and read back", "Done: {count} steps applied and read back", total)
        case "done":
            return tr_n("Done: {count} step applied and proven", "Done: {count} steps applied and proven", total)
        case "rolled-back" if isinstance(operation.request.command, ClearDnsCache):
            return tr("Not done; what a cache has forgotten comes back by itself")
        case "rolled-back":
            return tr("Not done: everything that was written was taken back")
        case "nothing-to-do":
            return tr("Nothing to do: it is so already")
        case "released":
            return tr("Taken over by a person; k8snet does not touch it any more")
        case "unplannable":
            return tr("No plan is possible")
        case "cancelled":
            return tr("Cancelled; nothing was changed")
        case "expired":
            return tr("Expired: nobody said yes in time; nothing was changed")
        case "stale":
            return tr("Out of date: the network changed before the yes; nothing was done")


def reason_line(operation: Operation) -> str:
    """Why an operation ended or waits as it does; empty when the state says it all."""
    for entry in reversed(operation.entries):
        match entry:
            case _ if operation.state == "done":
                return ""
            case Planned() if operation.state == "nothing-to-do":
                return "\n".join(warning_lines(entry.plan))
            case _ if hasattr(entry, "differences"):
                return "\n".join(entry.differences)
            case _ if getattr(entry, "reason", ""):
                return str(entry.reason)  # type: ignore[union-attr]  # tested one line above
    return ""


def _drilling(operation: Operation) -> bool:
    return isinstance(operation.request.command, Drill)


def proof_lines(operation: Operation) -> list[str]:
    """What new connections noticed of a move, and what the last verification found; of a drill, each of both ways."""
    verified = [entry for entry in operation.entries if isinstance(entry, Verified)]
    verified = verified if _drilling(operation) else verified[-1:]
    proof = [f"{'✓' if r.passed else '✗'} {r.what} — {r.evidence}" for one in verified for r in one.results]
    return [*outage_lines(operation), *clearing_lines(operation), *proof]


def clearing_lines(operation: Operation) -> list[str]:
    """What became of sessions that led to a gateway that is gone."""
    lines = []
    for entry in operation.entries:
        if isinstance(entry, Cleared):
            said = tr_n(
                "stale sessions: {count} of ours was cleared",
                "stale sessions: {count} of ours were cleared",
                entry.cleared,
            )
            problem = clearing_problem(entry)
            lines.append(f"{said}; {problem}" if problem else said)
    return lines


def clearing_problem(entry: Cleared) -> str:
    """What is left, and why; empty when nothing is."""
    if entry.left == 0 and not entry.problem:
        return ""
    left = tr("how many are left cannot be told") if entry.left is None else tr("{count} are left", count=entry.left)
    return f"{left} ({entry.problem})" if entry.problem else left


def outage_lines(operation: Operation) -> list[str]:
    """What was measured while the routes moved, one line a move."""
    measured = [entry for entry in operation.entries if isinstance(entry, Measured)]
    ways = (tr("on the way there"), tr("on the way back")) if _drilling(operation) else ("",)
    lines = []
    for way, one in zip(ways, measured, strict=False):
        said = tr_n(
            "outage: none; {count} new connection was tried",
            "outage: none; all {count} new connections passed",
            one.attempts,
        )
        if one.failed:
            said = tr(
                "outage: {seconds} s for new connections, at worst; {failed} of {count} failed",
                seconds=f"{one.outage_ms / 1000:.1f}",
                failed=one.failed,
                count=one.attempts,
            )
        lines.append(f"{said} ({way})" if way else said)
    return lines


def step_marks(operation: Operation) -> list[str]:
    """A mark for each step: ✓ holds, ↶ undone, ✗ failed, ? not known, … under way, · not begun."""
    assert operation.plan is not None
    marks = ["·"] * len(operation.plan.steps)
    for direction, holds in (("forward", "✓"), ("back", "↶")):
        signs = {"wrote": holds, "was-so": holds, "not-written": None, "failed": "✗", "unclear": "?"}
        for result in operation.results("forward" if direction == "forward" else "back"):
            marks[result.step] = signs[result.ending] or marks[result.step]
    pending = operation.open_intent()
    if pending is not None:
        for step in pending.steps:
            marks[step] = "…"
    return marks
