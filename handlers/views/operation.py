"""The one living message of a change: plan, progress, result."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from bot.engine.changing import DIGEST_PREFIX
from bot.model.commands import Drill, Failover, typed
from bot.model.journal import Cancelled, Confirmed, Stale
from bot.model.operation import Operation
from bot.model.plan import Plan
from bot.model.wording import listed, tr, tr_n
from handlers.lines.change import proof_lines, reason_line, state_line, step_marks, title
from handlers.lines.plan import plan_lines, plan_summary, step_line
from handlers.text import clip_lines, visible
from handlers.views.answers import View, sentence_view
from handlers.views.blocks import (
    Block,
    actions,
    button,
    context,
    escape,
    mention,
    moment,
    plain_text,
    preformatted,
    section,
    sendable,
)

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
FITS = 3000  # characters of a list that a message shows whole


def fits(plan: Plan) -> bool:
    """Whether a card shows the plan whole. If not, nobody may say yes before the thread has it whole."""
    return sum(len(line) + 1 for line in plan_lines(plan)) <= FITS


def plan_file(plan: Plan) -> tuple[str, str]:
    """Name and content of the file that holds a long plan whole; another plan has another name."""
    head = [
        tr(
            "{command}  (change {change}, plan {plan})",
            command=typed(plan.command),
            change=plan.operation,
            plan=plan.digest,
        ),
        "",
    ]
    return f"plan-{plan.operation}-{plan.digest[:12]}.txt", "\n".join(map(visible, [*head, *plan_lines(plan), ""]))


def operation_view(operation: Operation, attached: str | None = None) -> tuple[str, list[Block]]:
    """Fallback text that says everything a decision needs, and the blocks.

    `attached`, for a plan that does not fit: "" once the thread has it whole, otherwise why not, None for not yet.
    Until then there is no button that says yes.
    """
    return sendable(_text(operation), list(_blocks(operation, attached)))


def unseen_view(operation: Operation) -> View:
    """For the person who asked, where the chat takes no card: how the change stands, where it goes on, what to mend."""
    lines = [
        tr("Slack does not let me post in this channel, so nobody sees this here: {change}", change=title(operation)),
        *_unseen_lines(operation),
        tr("For all to see it, ask in another channel, or let a workspace admin allow me to post in this one."),
    ]
    return sentence_view("\n".join(lines))


def _unseen_lines(operation: Operation) -> list[str]:
    if operation.plan is None or operation.state != "awaiting":
        return [state_line(operation), *clip_lines(reason_line(operation).splitlines(), FITS // 2)]
    if fits(operation.plan):
        return [tr("It waits for a yes on my Home tab.")]
    return [tr("Its plan is too long to be confirmed on my Home tab.")]


def _text(operation: Operation) -> str:
    parts = [f"{title(operation)}: {state_line(operation)}", reason_line(operation)]
    if operation.plan is not None and operation.state == "awaiting":
        parts += _plan_lines(operation.plan)
    else:
        parts += proof_lines(operation)
    return escape("\n".join(clip_lines([part for part in parts if part], FITS)))


def _blocks(operation: Operation, attached: str | None) -> Iterator[Block]:
    icon = ICONS.get(operation.state, OTHER_ICON)
    yield section(f"{icon} *{escape(title(operation))}*\n{escape(state_line(operation))}")
    reason = reason_line(operation)
    if reason:
        yield from preformatted(clip_lines(reason.splitlines(), FITS))
    if operation.plan is not None and operation.plan.steps:
        yield from _plan_blocks(operation, operation.plan)
    yield context(" · ".join(_people(operation)))
    yield from _buttons(operation, attached)


def _plan_blocks(operation: Operation, plan: Plan) -> Iterator[Block]:
    if operation.state == "awaiting":
        yield from preformatted(_plan_lines(plan))
        return
    if operation.state in ("cancelled", "expired", "stale"):
        return
    yield from preformatted(_progress_lines(operation, plan))
    proof = sorted(proof_lines(operation), key=lambda line: line.startswith("✓"))
    if proof:
        yield from preformatted(clip_lines(proof, FITS))


def _plan_lines(plan: Plan) -> list[str]:
    """The plan whole, or what it comes to."""
    return plan_lines(plan) if fits(plan) else clip_lines(plan_summary(plan), FITS)


def _progress_lines(operation: Operation, plan: Plan) -> Sequence[str]:
    """Every step with its mark; of a long plan, those that are under way or did not go well come first."""
    marks = step_marks(operation)
    steps = [f"{mark} {step.target}: {step_line(step)}" for mark, step in zip(marks, plan.steps, strict=True)]
    if sum(map(len, steps)) > FITS:
        steps.sort(key=lambda line: line[0] in "✓·↶")
    return clip_lines(steps, FITS)


def _people(operation: Operation) -> Iterator[str]:
    """Who and when, in the order it happened."""
    yield tr(
        "asked by {person} {moment}", person=mention(operation.request.actor), moment=moment(operation.records[0].at)
    )
    for record in operation.records:
        match record.entry:
            case Confirmed(actor=actor):
                yield tr("confirmed by {person} {moment}", person=mention(actor), moment=moment(record.at))
            case Cancelled(actor=actor):
                yield tr("cancelled by {person}", person=mention(actor))
            case Stale(actor=actor):
                yield tr("{person} said yes too late", person=mention(actor))
    if operation.state == "awaiting" and operation.plan is not None:
        yield tr(
            "needs a yes of {who} until {moment}", who=_who(operation.plan), moment=moment(operation.plan.expires_at)
        )
    elif operation.final:
        yield tr("ended {moment}{took}", moment=moment(operation.records[-1].at), took=_took(operation))
    yield tr("change {id}", id=operation.id)


def _took(operation: Operation) -> str:
    """How long it took from the yes to the end."""
    begun: datetime | None = next((one.at for one in operation.records if isinstance(one.entry, Confirmed)), None)
    return (
        tr(", {seconds:.0f} s after the yes", seconds=(operation.records[-1].at - begun).total_seconds())
        if begun
        else ""
    )


def _who(plan: Plan) -> str:
    moves = isinstance(plan.command, Failover | Drill)
    return tr("on-call or an admin") if moves else tr("an operator or admin")


def _buttons(operation: Operation, attached: str | None) -> Iterator[Block]:
    plan = operation.plan
    if plan is None:
        return
    if operation.state == "awaiting":
        yield from _decision(plan, operation.id, attached)
    elif operation.state == "stuck":
        value = _value(plan, operation.id)
        yield actions(
            button(tr("Try again to undo"), "resume", value, "primary"),
            button(
                tr("I take over"),
                "release",
                value,
                "danger",
                (tr("Take over?"), tr("k8snet gives up its locks and leaves the devices as they are.")),
            ),
        )


def _decision(plan: Plan, operation: str, attached: str | None) -> Iterator[Block]:
    """Confirm and Cancel; no Confirm while a long plan cannot be seen whole."""
    seen = fits(plan) or attached == ""
    if not fits(plan):
        note = (
            tr("The whole plan is a file in the thread.")
            if seen
            else tr(
                "It cannot be confirmed yet: {why}", why=attached or tr("the whole plan is on its way into the thread.")
            )
        )
        yield {"type": "context", "elements": [plain_text(note)]}
    buttons = decision_buttons(plan, operation)
    yield actions(*(buttons if seen else buttons[1:]))


def decision_buttons(plan: Plan, operation: str) -> list[Block]:
    """Confirm and Cancel."""
    value = _value(plan, operation)
    question = tr_n(
        "{count} step on {targets} will be applied now.",
        "{count} steps on {targets} will be applied now.",
        len(plan.steps),
        targets=listed(plan.targets),
    )
    confirm = button(tr("Confirm"), "confirm", value, "primary", (tr("Apply this plan?"), question))
    return [confirm, button(tr("Cancel"), "cancel", value)]


def _value(plan: Plan, operation: str) -> str:
    """What a button carries: everything else is looked up again."""
    return f"{operation}.{plan.digest[:DIGEST_PREFIX]}"
