"""Answers to `history` and `audit`."""

from collections.abc import Sequence

from bot.engine.auditing import AuditReport
from bot.model.operation import Operation
from bot.model.wording import tr
from handlers.lines.change import state_line, title
from handlers.views.answers import View
from handlers.views.blocks import context, escape, mention, moment, preformatted, section

SHOWN = 20


def history_view(operations: Sequence[Operation], namespace: str | None) -> View:
    """The newest changes, one paragraph each; says how many older ones there are."""
    text = history_lines(operations[:SHOWN], namespace)
    blocks = [section(tr("*Changes, newest first*")), *(section(paragraph(one)) for one in operations[:SHOWN])]
    if not operations:
        blocks = [section(escape(text[0]))]
    if len(operations) > SHOWN:
        text.append(tr("… and {count} older; the audit channel has them all", count=len(operations) - SHOWN))
        blocks.append(context(text[-1]))
    return escape("\n".join(text)), blocks


def paragraph(operation: Operation) -> str:
    """One change in mrkdwn: what, how it stands, when, by whom."""
    yes = tr(" · yes by {person}", person=mention(operation.confirmed_by)) if operation.confirmed_by else ""
    return f"*{escape(title(operation))}* · {escape(state_line(operation))}\n" + tr(
        "{moment} · asked by {person}{yes} · change {change}",
        moment=moment(operation.records[0].at),
        person=mention(operation.request.actor),
        yes=yes,
        change=operation.id,
    )


def history_lines(operations: Sequence[Operation], namespace: str | None) -> list[str]:
    if not operations:
        if namespace:
            return [tr("Nobody has asked for a change of {namespace} yet.", namespace=namespace)]
        return [tr("Nobody has asked for a change yet.")]
    return [line for operation in operations for line in _told(operation)]


def _told(operation: Operation) -> list[str]:
    """When and what, then by whom and how it stands."""
    yes = tr(", yes by {person}", person=operation.confirmed_by) if operation.confirmed_by else ""
    return [
        f"{operation.records[0].at:%Y-%m-%d %H:%M} UTC  {title(operation)}",
        tr(
            "    {state} · asked by {person}{yes} · change {change}",
            state=state_line(operation),
            person=operation.request.actor,
            yes=yes,
            change=operation.id,
        ),
    ]


def audit_view(report: AuditReport) -> View:
    text = audit_lines(report)
    icon = ":rotating_light:" if report.problem else ":white_check_mark:"
    return escape("\n".join(text)), [section(f"{icon} *{escape(text[0])}*"), *preformatted(text[1:])]


def audit_lines(report: AuditReport) -> list[str]:
    """The verdict, then what it rests on."""
    if report.problem:
        lines = [
            tr("The journal was tampered with or damaged: {problem}.", problem=report.problem),
            tr("Stop the bot and look at its store."),
        ]
    else:
        lines = [
            tr("The journal is whole: {records} records, each sealed by the one after it.", records=report.records)
        ]
    lines.append(tr("head    record {record}\n        {hash}", record=report.whole, hash=report.head))
    if report.anchor:
        lines.append(
            tr(
                "anchor  record {record}, in the audit channel\n        {hash}",
                record=report.anchor.seq,
                hash=report.anchor.hash,
            )
        )
    else:
        lines.append(tr("anchor  none: {why}", why=report.unanchored or tr("the audit channel has no line yet")))
    return lines
