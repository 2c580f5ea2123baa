"""Many reports as one: a namespace, or everything that is exposed. Pure."""

from collections.abc import Sequence

from bot.model.diagnosis import HOPS, Finding, HopName, Part, Report, Verdict
from bot.model.wording import listed, marked, tr

_WORST: tuple[Verdict, ...] = ("failed", "undetermined", "passed")
_NAMED = 8  # services that a finding lists by name


def together(name: str, cluster: str, reports: Sequence[Report]) -> Report:
    """One report over several services; of no services at all it is undetermined."""
    verdict = _worst([report.verdict for report in reports])
    namespaces = {report.namespace for report in reports}
    first = next((report for report in reports if report.source), None)
    return Report(
        source=first.source if first else None,
        in_office=first.in_office if first else None,
        name=name,
        cluster=cluster,
        namespace=next(iter(namespaces)) if len(namespaces) == 1 else "",
        verdict=verdict,
        summary=_summary(name, reports),
        hops=tuple((hop, _hop(hop, reports)) for hop in HOPS),
        findings=tuple(_findings(reports)),
        parts=tuple(_part(report) for report in sorted(reports, key=lambda r: (_WORST.index(r.verdict), r.name))),
    )


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    return next((verdict for verdict in _WORST if verdict in verdicts), "undetermined")


def _hop(hop: HopName, reports: Sequence[Report]) -> Verdict:
    """What all services share is proven by each that works, also where another could not be proven."""
    verdicts = [verdict for report in reports for name, verdict in report.hops if name == hop]
    shared = hop != "service" and "failed" not in verdicts
    return "passed" if shared and "passed" in verdicts else _worst(verdicts)


def _summary(name: str, reports: Sequence[Report]) -> str:
    if not reports:
        return tr("{name}: there is nothing to check.", name=name)
    counts = {verdict: sum(report.verdict == verdict for report in reports) for verdict in _WORST}
    words = {
        "failed": marked("{count} broken"),
        "undetermined": marked("{count} could not be proven"),
        "passed": marked("{count} work"),
    }
    said = listed(tr(words[verdict], count=count) for verdict, count in counts.items() if count)
    if counts["passed"] == len(reports):
        said = tr("all {count} work", count=len(reports)) if len(reports) > 1 else tr("the one service works")
    return tr("{name}: {said}.", name=name, said=said)


def _findings(reports: Sequence[Report]) -> list[Finding]:
    """Every first finding once, with the services that have it; the most frequent of the worst first."""
    having: dict[str, list[Report]] = {}
    for report in reports:
        if report.findings and report.verdict != "passed":
            having.setdefault(report.findings[0].code, []).append(report)
    first = {code: found[0].findings[0] for code, found in having.items()}
    order = sorted(having, key=lambda code: (_WORST.index(first[code].verdict), -len(having[code]), code))
    return [first[code].model_copy(update={"evidence": _with_names(first[code], having[code])}) for code in order]


def _with_names(finding: Finding, reports: Sequence[Report]) -> tuple[str, ...]:
    names = listed(report.name for report in reports[:_NAMED])
    more = tr(" and {count} more", count=len(reports) - _NAMED) if len(reports) > _NAMED else ""
    return (f"{names}{more}", *finding.evidence)


def _part(report: Report) -> Part:
    code = report.findings[0].code if report.findings and report.verdict != "passed" else ""
    return Part(name=report.name, verdict=report.verdict, code=code, sentence=report.summary)
