"""Answers to `history` and `audit`."""

from collections.abc import Sequence

from bot.engine.auditing import AuditReport
from bot.model.operation import Operation
from handlers.views import lines
from handlers.views.answers import View
from handlers.views.blocks import context, escape, mention, moment, preformatted, section

SHOWN = 20


def history_view(operations: Sequence[Operation], namespace: str | None) -> View:
    """The newest changes, one paragraph each; says how many older ones there are."""
    text = history_lines(operations[:SHOWN], namespace)
    blocks = [section("*Changes, newest first*"), *(section(paragraph(one)) for one in operations[:SHOWN])]
    if not operations:
        blocks = [section(escape(text[0]))]
    if len(operations) > SHOWN:
        text.append(f"… and {len(operations) - SHOWN} older; the audit channel has them all")
        blocks.append(context(text[-1]))
    return escape("\n".join(text)), blocks


def paragraph(operation: Operation) -> str:
    """One change in mrkdwn: what, how it stands, when, by whom."""
    yes = f" · yes by {mention(operation.confirmed_by)}" if operation.confirmed_by else ""
    return (
        f"*{escape(lines.title(operation))}* · {escape(lines.state_line(operation))}\n"
        f"{moment(operation.records[0].at)} · asked by {mention(operation.request.actor)}{yes} · change {operation.id}"
    )


def history_lines(operations: Sequence[Operation], namespace: str | None) -> list[str]:
    if not operations:
        return [f"Nobody has asked for a change{f' of {namespace}' if namespace else ''} yet."]
    return [line for operation in operations for line in _told(operation)]


def _told(operation: Operation) -> list[str]:
    """When and what, then by whom and how it stands."""
    yes = f", yes by {operation.confirmed_by}" if operation.confirmed_by else ""
    return [
        f"{operation.records[0].at:%Y-%m-%d %H:%M} UTC  {lines.title(operation)}",
        f"    {lines.state_line(operation)} · asked by {operation.request.actor}{yes} · change {operation.id}",
    ]


def audit_view(report: AuditReport) -> View:
    text = audit_lines(report)
    icon = ":rotating_light:" if report.problem else ":white_check_mark:"
    return escape("\n".join(text)), [section(f"{icon} *{escape(text[0])}*"), *preformatted(text[1:])]


def audit_lines(report: AuditReport) -> list[str]:
    """The verdict, then what it rests on."""
    if report.problem:
        lines = [f"The journal was tampered with or damaged: {report.problem}.", "Stop the bot and look at its store."]
    else:
        lines = [f"The journal is whole: {report.records} records, each sealed by the one after it."]
    lines.append(f"head    record {report.whole}, {report.head}")
    if report.anchor:
        lines.append(f"anchor  record {report.anchor.seq}, {report.anchor.hash}, in the audit channel")
    else:
        lines.append(f"anchor  none: {report.unanchored or 'the audit channel has no line yet'}")
    return lines
