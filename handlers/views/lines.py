"""Plain text of every value that people are shown: the chat's cards and the terminal say the same words."""

from collections import Counter
from collections.abc import Iterator, Sequence

from bot.engine.overview import ClusterState, Overview
from bot.model.candidates import Candidate
from bot.model.commands import COMMANDS, ClearDnsCache, Drill, typed
from bot.model.diagnosis import Finding, Part, Report, Verdict
from bot.model.facts import ClusterFacts
from bot.model.journal import Cleared, Measured, Planned, Verified
from bot.model.operation import Operation
from bot.model.people import Permission, able_roles
from bot.model.picture import SHOWN_CANDIDATES
from bot.model.plan import Flow, Plan
from bot.model.resources import Address, AddressGroup, Cache, Forwarder, Policy, Resource, Route
from bot.model.steps import Step
from bot.model.wording import clauses, listed, tr, tr_n
from bot.model.words import key_line, word
from handlers.views.blocks import aligned, clip
from handlers.views.day import bar, day_lines, usable
from handlers.views.incident_lines import open_line, past_line

MARKS: dict[Verdict, str] = {"passed": "✓", "failed": "✗", "undetermined": "?"}
SUMMARY_LINE = 200
PAST_SHOWN = 3
SIGNS = {"create": "+", "change": "~", "remove": "−"}


def resource_line(resource: Resource) -> str:
    """What a resource does, on one line."""
    match resource:
        case Address():
            return tr("address {name} = {network}", name=resource.name, network=resource.network)
        case AddressGroup():
            return tr("address group {name} = {members}", name=resource.name, members=", ".join(resource.members))
        case Route():
            row = tr(" (row {row})", row=resource.row) if resource.row else ""
            return tr(
                "route {destination} via {gateway} on {device}{row}",
                destination=resource.destination,
                gateway=resource.gateway,
                device=resource.device,
                row=row,
            )
        case Policy():
            row = tr(" (row {row})", row=resource.row) if resource.row else ""
            return tr(
                "policy {name}: {sources} ({entering}) → {destinations} ({leaving}), {services}, {action}{row}",
                name=resource.name,
                sources=", ".join(resource.sources),
                entering=", ".join(resource.source_interfaces),
                destinations=", ".join(resource.destinations),
                leaving=", ".join(resource.destination_interfaces),
                services=", ".join(resource.services),
                action=word(resource.action),
                row=row,
            )
        case Cache():
            return tr("cache of every name: emptied")
        case Forwarder():
            return tr("forwarder {zone} → {masters}", zone=resource.zone, masters=", ".join(map(str, resource.masters)))


def step_line(step: Step) -> str:
    """`+ route 10.68.0.0/16 via 172.16.1.106 on Test` and for changes the way it was."""
    shown = step.after or step.before
    assert shown is not None
    was = tr("  (was: {resource})", resource=resource_line(step.before)) if step.before and step.after else ""
    sign = SIGNS["change"] if isinstance(shown, Cache) else SIGNS[step.verb]
    return f"{sign} {resource_line(shown)}{was}"


def steps_by_target(plan: Plan) -> Iterator[tuple[str, list[str]]]:
    """Step lines under the name of the device they are written to, in the order they are taken."""
    current: tuple[str, list[str]] | None = None
    for step in plan.steps:
        if current is None or current[0] != step.target:
            if current is not None:
                yield current
            current = (step.target, [])
        current[1].append(step_line(step))
    if current is not None:
        yield current


def plan_lines(plan: Plan) -> list[str]:
    """A plan, whole: what opens, every step, what was found, warnings, and how it will be proven."""
    lines = [tr("opens   {flow}", flow=flow_line(flow)) for flow in plan.opens]
    lines += [tr("closes  {flow}", flow=flow_line(flow)) for flow in plan.closes]
    for target, steps in steps_by_target(plan):
        lines += [tr("on {target}:", target=target), *(f"  {line}" for line in steps)]
    lines += [
        tr("= {key} on {target} (found, made by hand, left alone)", key=key_line(found.key), target=found.target)
        for found in plan.found
    ]
    lines += warning_lines(plan)
    if plan.checks:
        lines.append(
            tr_n(
                "Proven afterwards by {count} check on the wire.",
                "Proven afterwards by {count} checks on the wire.",
                len(plan.checks),
            )
        )
    return lines


def warning_lines(plan: Plan) -> list[str]:
    """What the person who decides should know; of a plan with nothing to do, what else has come to be wrong."""
    return [f"! {warning}" for warning in plan.warnings]


def plan_summary(plan: Plan) -> list[str]:
    """What a long plan comes to: what opens, how many things of each kind change where, warnings."""
    lines = [tr("opens   {flow}", flow=flow_line(flow)) for flow in plan.opens]
    lines += [tr("closes  {flow}", flow=flow_line(flow)) for flow in plan.closes]
    counts = Counter((step.target, SIGNS[step.verb], step.key.kind) for step in plan.steps)
    lines += [
        tr("on {target}: {sign} {count} × {kind}", target=target, sign=sign, count=count, kind=word(kind))
        for (target, sign, kind), count in counts.items()
    ]
    lines += warning_lines(plan)
    lines = [clip(line, SUMMARY_LINE) for line in lines]
    return [*lines, tr("{count} lines in all: see the file in the thread.", count=len(plan_lines(plan)))]


def flow_line(flow: Flow) -> str:
    return f"{flow.source} → {flow.destination}: {', '.join(flow.services)}"


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
        case "running" if isinstance(last, Verified):
            return tr("Applied; proven on the wire") if last.passed else tr("Applied, but not proven")
        case "running":
            if done < total:
                return tr("Applying: {done} of {total} steps", done=done, total=total)
            return tr("All {total} steps hold; proving it …", total=total)
        case "undoing" if _drilling(operation) and not operation.written():
            return tr("The routes are back; proving it …")
        case "undoing":
            return tr("Going back: {count} steps left to undo", count=len(operation.written()))
        case "stuck":
            return tr("A person is needed")
        case "done" if _drilling(operation):
            return tr("Done: moved there and back, and proven both times")
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


def report_lines(report: Report) -> list[str]:
    """A check's whole answer: verdict, path, findings with their evidence, what was asked, vantage."""
    return [*verdict_lines(report), *detail_lines(report)]


def verdict_lines(report: Report) -> list[str]:
    return [f"{MARKS[report.verdict]} {report.summary}", path_line(report)]


FIRST_SEEN = 3
FIRST_PARTS = 8


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


PARTS_SHOWN = 40


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


def overview_lines(picture: Overview) -> list[str]:
    """Clusters, the last day of their nodes, the last incidents, exposures, changes under way."""
    lines = [*cluster_lines(picture), *(line for cluster in picture.clusters for line in day_lines(cluster))]
    lines += [tr("over: {incident}", incident=past_line(incident)) for incident in picture.past[:PAST_SHOWN]]
    lines += exposure_lines(picture)
    lines += [f"… {title(operation)} ({operation.id}): {state_line(operation)}" for operation in picture.under_way]
    lines.append(tr("journal: {records} records, head {head}", records=picture.records, head=picture.head[:12]))
    return lines


def cluster_lines(picture: Overview) -> list[str]:
    """Clusters, their gateways and open incidents."""
    lines = []
    for cluster in picture.clusters:
        if cluster.incident is not None:
            lines.append(open_line(cluster.incident))
        if cluster.problem:
            lines.append(tr("✗ cluster {name}: {problem}", name=cluster.name, problem=cluster.problem))
            continue
        lines.append(
            tr(
                "cluster {name} {version}: {count} nodes",
                name=cluster.name,
                version=cluster.version,
                count=cluster.nodes,
            )
        )
        lines += _gateway_lines(cluster)
    return lines


def _gateway_lines(cluster: ClusterState) -> Iterator[str]:
    """The node that carries the routes, and who could carry them instead."""
    ready = tr("Ready") if cluster.gateway_ready else tr("NOT Ready")
    said = {True: tr("answers"), False: tr("DOES NOT ANSWER"), None: tr("not known whether it answers")}[
        cluster.health.host_answers
    ]
    proxy = {True: tr(", kube-proxy healthy"), False: tr(", kube-proxy NOT healthy"), None: ""}[
        cluster.health.proxy_healthy
    ]
    watched = tr("watched") if cluster.watched else tr("not watched (see watch: in app.yaml)")
    yield tr(
        "  gateway {gateway}: {ready}, {said}{proxy}; {watched}",
        gateway=cluster.gateway,
        ready=ready,
        said=said,
        proxy=proxy,
        watched=watched,
    )
    for one in cluster.candidates[:SHOWN_CANDIDATES]:
        yield f"  {candidate_line(one)}"


def candidate_line(one: Candidate) -> str:
    """A node that could carry the routes, or what speaks against it."""
    address = f" {one.address}" if one.address else ""
    if one.eligible:
        return f"✓ {one.node}{address}: {listed(one.notes) or tr('nothing speaks against it')}"
    return f"✗ {one.node}{address}: {clauses(one.against)}"


def exposure_lines(picture: Overview) -> list[str]:
    """Each exposure, and whether it can be used."""
    lines = []
    for state in picture.exposures:
        since = tr(" since {since:%Y-%m-%d %H:%M} UTC by {by}", since=state.since, by=state.by) if state.since else ""
        lines.append(
            tr(
                "{namespace} on {cluster} → office {office}{since}",
                namespace=state.exposure.namespace,
                cluster=state.cluster,
                office=state.exposure.office,
                since=since,
            )
        )
        lines.append(f"  {usable(state)}{f'  {bar(state.day)}' if state.day and state.day.known else ''}")
    return lines or [tr("Nothing is exposed.")]


def facts_lines(facts: ClusterFacts) -> list[str]:
    """What was read from a cluster, and where each value comes from."""
    lines = [
        tr(
            "cluster {cluster} {version}, domain {domain} ({source})",
            cluster=facts.cluster,
            version=facts.version,
            domain=facts.domain,
            source=facts.domain_source,
        ),
        tr(
            "services {networks} ({source})",
            networks=", ".join(map(str, facts.service_networks)),
            source=facts.service_networks_source,
        ),
        tr(
            "pods     {networks} ({source})",
            networks=", ".join(map(str, facts.pod_networks)),
            source=facts.pod_networks_source,
        ),
        tr("kube-dns {address}", address=facts.kube_dns or tr("not found")),
    ]
    for node in facts.nodes:
        health = tr("Ready") if node.ready else tr("NOT Ready")
        lines.append(
            tr(
                "node {name} {address} {health}{cordoned}",
                name=node.name,
                address=node.internal_ip or "-",
                health=health,
                cordoned="" if node.schedulable else tr(", cordoned"),
            )
        )
    for namespace in facts.namespaces:
        names = ", ".join(service.name for service in facts.services_in(namespace))
        lines.append(tr("namespace {namespace}: {services}", namespace=namespace, services=names or tr("no services")))
    return [*lines, *(tr("! could not read {problem}", problem=problem) for problem in facts.unreadable)]


def help_lines(allowed: frozenset[Permission]) -> list[str]:
    """How to type each command that needs no more than these permissions; below, what it does and what it takes."""
    lines = []
    for spec in COMMANDS:
        if spec.permission is None or spec.permission in allowed:
            lines += [f"/k8snet {tr(spec.usage)}", f"    {tr(spec.summary)}"]
            forms = zip(aligned(tr(form) for form, _ in spec.forms), spec.forms, strict=True)
            lines += [f"      {form}  {tr(meaning)}" for form, (_, meaning) in forms]
    return lines


def elsewhere_lines(allowed: frozenset[Permission]) -> list[str]:
    """Who may give the other commands."""
    return [
        tr("{verb} – for the role {roles}", verb=spec.verb, roles=tr(" or ").join(able_roles(spec.permission)))
        for spec in COMMANDS
        if spec.permission is not None and spec.permission not in allowed
    ]
