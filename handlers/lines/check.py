"""A check's report in plain words: verdict, path, findings with evidence and remedy, services one by one."""

from collections.abc import Sequence

from bot.model.diagnosis import Finding, Part, Report, Verdict
from bot.model.wording import tr
from bot.model.words import word
from handlers.lines.plan import SUMMARY_LINE
from handlers.text import clip

MARKS: dict[Verdict, str] = {"passed": "✓", "failed": "✗", "undetermined": "?"}
FIRST_SEEN = 3
FIRST_PARTS = 8
PARTS_SHOWN = 40


def report_lines(report: Report) -> list[str]:
    """A check's whole answer: verdict, path, findings with their evidence, what was asked, vantage."""
    return [*verdict_lines(report), *detail_lines(report)]


def verdict_lines(report: Report) -> list[str]:
    return [f"{MARKS[report.verdict]} {report.summary}", path_line(report)]


def answer_lines(report: Report) -> list[str]:
    """The first cause with what proves it and what to do, or the services that fail: what fits into a short message."""
    lines = [clip(line, SUMMARY_LINE) for line in _finding_lines(report.findings[:1], FIRST_SEEN)]
    failing = [part for part in report.parts if part.verdict != "passed"]
    lines += [clip(_part_line(part), SUMMARY_LINE) for part in failing[:FIRST_PARTS]]
    more = max(0, len(report.findings) - 1), max(0, len(failing) - FIRST_PARTS)
    if any(more):
        lines.append(tr("More in the thread."))
    return lines


def detail_lines(report: Report, shortened: bool = True) -> list[str]:
    """Everything beside the verdict: all findings, every service, each question and its answer, and from where."""
    return [
        *finding_lines(report),
        *(part_lines(report) if shortened else map(_part_line, report.parts)),
        *asked_lines(report),
        vantage_line(report),
    ]


def finding_lines(report: Report) -> list[str]:
    """Each finding with what was seen and what to do about it."""
    return _finding_lines(report.findings)


def _finding_lines(findings: Sequence[Finding], evidence: int | None = None) -> list[str]:
    lines = []
    for finding in findings:
        mark = "!" if finding.verdict == "passed" else MARKS[finding.verdict]
        lines.append(
            tr(
                "{mark} {code} at the {hop}: {explanation}",
                mark=mark,
                code=finding.code,
                hop=word(finding.hop),
                explanation=finding.explanation,
            )
        )
        lines += [tr("    seen: {seen}", seen=seen) for seen in finding.evidence[:evidence]]
        if finding.remedy:
            lines.append(tr("    do:   {remedy}", remedy=finding.remedy))
    return lines


def part_lines(report: Report) -> list[str]:
    """One line a service of a check of many; those that passed come last and may be left out."""
    shown = report.parts if len(report.parts) <= PARTS_SHOWN else [p for p in report.parts if p.verdict != "passed"]
    lines = [_part_line(part) for part in shown[:PARTS_SHOWN]]
    if left := len(report.parts) - len(lines):
        lines.append(tr("… and {count} more", count=left))
    return lines


def _part_line(part: Part) -> str:
    return f"{MARKS[part.verdict]} {part.name}{f'  {part.code}' if part.code else ''}"


def asked_lines(report: Report) -> list[str]:
    """What was asked, of whom, and the answers."""
    asked = [tr("What was asked:"), *(f"    {said}" for said in report.proof)] if report.proof else []
    return [*asked, *report.notes]


def path_line(report: Report) -> str:
    return " → ".join(f"{word(name)} {MARKS[verdict]}" for name, verdict in report.hops)


def vantage_line(report: Report) -> str:
    """From where it was looked, whether that is the office, how long it took, and when."""
    place = {
        True: tr(", which is in the office's network"),
        False: tr(", which is NOT in the office's network"),
        None: "",
    }
    at = tr(" on {at:%Y-%m-%d at %H:%M:%S} UTC", at=report.at) if report.at else ""
    source = f" ({report.source})" if report.source else ""
    return tr(
        "Checked from {vantage}{source}{place}, in {elapsed_ms} ms{at}.",
        vantage=report.vantage,
        source=source,
        place=place[report.in_office],
        elapsed_ms=report.elapsed_ms,
        at=at,
    )
