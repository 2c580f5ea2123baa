"""The one living message of a change: plan, progress, result."""

from collections.abc import Iterator

from bot.engine.changing import DIGEST_PREFIX
from bot.model.commands import Failover
from bot.model.operation import Operation
from bot.model.plan import Plan
from handlers.views import lines
from handlers.views.blocks import Block, actions, button, context, escape, mention, preformatted, section

ICONS = {
    "requested": ":hourglass_flowing_sand:",
    "awaiting": ":clipboard:",
    "running": ":gear:",
    "undoing": ":rewind:",
    "stuck": ":rotating_light:",
    "done": ":white_check_mark:",
    "nothing-to-do": ":white_check_mark:",
}
OTHER_ICON = ":no_entry_sign:"


def operation_view(operation: Operation) -> tuple[str, list[Block]]:
    """Fallback text that says everything a decision needs, and the blocks."""
    return _text(operation), list(_blocks(operation))


def _text(operation: Operation) -> str:
    parts = [f"{lines.title(operation)}: {lines.state_line(operation)}", lines.reason_line(operation)]
    if operation.plan is not None and operation.state == "awaiting":
        parts += lines.plan_lines(operation.plan)
    else:
        parts += lines.proof_lines(operation)
    return escape("\n".join(part for part in parts if part))[:3900]


def _blocks(operation: Operation) -> Iterator[Block]:
    icon = ICONS.get(operation.state, OTHER_ICON)
    yield section(f"{icon} *{escape(lines.title(operation))}*\n{escape(lines.state_line(operation))}")
    reason = lines.reason_line(operation)
    if reason:
        yield from preformatted(reason.splitlines())
    if operation.plan is not None and operation.plan.steps:
        yield from _plan_blocks(operation, operation.plan)
    yield context(" · ".join(_people(operation)))
    yield from _buttons(operation)


def _plan_blocks(operation: Operation, plan: Plan) -> Iterator[Block]:
    if operation.state == "awaiting":
        yield from preformatted(lines.plan_lines(plan))
        return
    if operation.state in ("cancelled", "expired", "stale"):
        return
    marks = lines.step_marks(operation)
    steps = [f"{mark} {step.target}: {lines.step_line(step)}" for mark, step in zip(marks, plan.steps, strict=True)]
    yield from preformatted(steps)
    proof = lines.proof_lines(operation)
    if proof:
        yield from preformatted(proof)


def _people(operation: Operation) -> Iterator[str]:
    yield f"asked by {mention(operation.request.actor)}"
    if operation.confirmed_by is not None:
        yield f"confirmed by {mention(operation.confirmed_by)}"
    elif operation.state == "awaiting" and operation.plan is not None:
        expiry = int(operation.plan.expires_at.timestamp())
        clock = f"{operation.plan.expires_at:%H:%M} UTC"
        yield f"needs a yes of {_who(operation.plan)} until <!date^{expiry}^{{time}}|{clock}>"
    yield f"change {operation.id}"


def _who(plan: Plan) -> str:
    return "on-call or an admin" if isinstance(plan.command, Failover) else "an operator or admin"


def _buttons(operation: Operation) -> Iterator[Block]:
    plan = operation.plan
    if plan is None:
        return
    value = f"{operation.id}.{plan.digest[:DIGEST_PREFIX]}"
    if operation.state == "awaiting":
        count = f"{len(plan.steps)} step{'s' * (len(plan.steps) != 1)}"
        question = f"{count} on {', '.join(plan.targets)} will be applied now."
        yield actions(
            button("Confirm", "confirm", value, "primary", ("Apply this plan?", question)),
            button("Cancel", "cancel", value),
        )
    elif operation.state == "stuck":
        yield actions(
            button("Try again to undo", "resume", value, "primary"),
            button(
                "I take over",
                "release",
                value,
                "danger",
                ("Take over?", "k8snet gives up its locks and leaves the devices as they are."),
            ),
        )
