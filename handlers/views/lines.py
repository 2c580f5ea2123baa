"""Plain text of every value that people are shown: the chat's cards and the terminal say the same words."""

from collections import Counter
from collections.abc import Iterator

from bot.engine.overview import ClusterState, Overview
from bot.model.candidates import Candidate
from bot.model.commands import COMMANDS, typed
from bot.model.diagnosis import Report, Verdict
from bot.model.facts import ClusterFacts
from bot.model.journal import Verified
from bot.model.operation import Operation
from bot.model.people import Permission, able_roles
from bot.model.picture import SHOWN_CANDIDATES
from bot.model.plan import Flow, Plan
from bot.model.resources import Address, AddressGroup, Forwarder, Policy, Resource, Route
from bot.model.steps import Step
from bot.model.wording import tr, tr_n
from handlers.views.blocks import clip

MARKS: dict[Verdict, str] = {"passed": "✓", "failed": "✗", "undetermined": "?"}
SUMMARY_LINE = 200
SIGNS = {"create": "+", "change": "~", "remove": "−"}


def resource_line(resource: Resource) -> str:
    """What a resource does, on one line."""
    match resource:
        case Address():
            return f"address {resource.name} = {resource.network}"
        case AddressGroup():
            return f"address group {resource.name} = {', '.join(resource.members)}"
        case Route():
            row = f" (row {resource.row})" if resource.row else ""
            return f"route {resource.destination} via {resource.gateway} on {resource.device}{row}"
        case Policy():
            row = f" (row {resource.row})" if resource.row else ""
            return (
                f"policy {resource.name}: {', '.join(resource.sources)} ({', '.join(resource.source_interfaces)}) "
                f"→ {', '.join(resource.destinations)} ({', '.join(resource.destination_interfaces)}), "
                f"{', '.join(resource.services)}, {resource.action}{row}"
            )
        case Forwarder():
            return f"forwarder {resource.zone} → {', '.join(map(str, resource.masters))}"


def step_line(step: Step) -> str:
    """`+ route 10.68.0.0/16 via 172.16.1.106 on Test` and for changes the way it was."""
    shown = step.after or step.before
    assert shown is not None
    was = f"  (was: {resource_line(step.before)})" if step.before and step.after else ""
    return f"{SIGNS[step.verb]} {resource_line(shown)}{was}"


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
    lines = [f"opens   {flow_line(flow)}" for flow in plan.opens]
    lines += [f"closes  {flow_line(flow)}" for flow in plan.closes]
    for target, steps in steps_by_target(plan):
        lines += [f"on {target}:", *(f"  {line}" for line in steps)]
    lines += [f"= {found.key} on {found.target} (found, made by hand, left alone)" for found in plan.found]
    lines += [f"! {warning}" for warning in plan.warnings]
    count = len(plan.checks)
    lines.append(f"Proven afterwards by {count} check{'s' * (count != 1)} on the wire." if count else "")
    return [line for line in lines if line]


def plan_summary(plan: Plan) -> list[str]:
    """What a long plan comes to: what opens, how many things of each kind change where, warnings."""
    lines = [f"opens   {flow_line(flow)}" for flow in plan.opens]
    lines += [f"closes  {flow_line(flow)}" for flow in plan.closes]
    counts = Counter((step.target, SIGNS[step.verb], step.key.kind) for step in plan.steps)
    lines += [f"on {target}: {sign} {count} × {kind}" for (target, sign, kind), count in counts.items()]
    lines += [f"! {warning}" for warning in plan.warnings]
    lines = [clip(line, SUMMARY_LINE) for line in lines]
    return [*lines, f"{len(plan_lines(plan))} lines in all: see the file in the thread."]


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
        case "undoing":
            return tr("Going back: {count} steps left to undo", count=len(operation.written()))
        case "stuck":
            return tr("A person is needed")
        case "done":
            return tr_n("Done: {count} step applied and proven", "Done: {count} steps applied and proven", total)
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
            case _ if hasattr(entry, "differences"):
                return "\n".join(entry.differences)
            case _ if getattr(entry, "reason", ""):
                return str(entry.reason)  # type: ignore[union-attr]  # tested one line above
    return ""


def proof_lines(operation: Operation) -> list[str]:
    """What the last verification found."""
    verified = next((entry for entry in reversed(operation.entries) if isinstance(entry, Verified)), None)
    if verified is None:
        return []
    return [f"{'✓' if r.passed else '✗'} {r.what} — {r.evidence}" for r in verified.results]


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
    """A check's answer: verdict, path, findings with their evidence, what was asked, vantage."""
    return [
        f"{MARKS[report.verdict]} {report.summary}",
        path_line(report),
        *finding_lines(report),
        *part_lines(report),
        *asked_lines(report),
        vantage_line(report),
    ]


def finding_lines(report: Report) -> list[str]:
    """Each finding with what was seen and what to do about it."""
    lines = []
    for finding in report.findings:
        mark = "!" if finding.verdict == "passed" else MARKS[finding.verdict]
        lines.append(f"{mark} {finding.code} at the {finding.hop}: {finding.explanation}")
        lines += [f"    seen: {seen}" for seen in finding.evidence]
        if finding.remedy:
            lines.append(f"    do:   {finding.remedy}")
    return lines


PARTS_SHOWN = 40


def part_lines(report: Report) -> list[str]:
    """One line a service of a check of many; those that passed come last and may be left out."""
    shown = report.parts if len(report.parts) <= PARTS_SHOWN else [p for p in report.parts if p.verdict != "passed"]
    lines = [
        f"{MARKS[part.verdict]} {part.name}{f'  {part.code}' if part.code else ''}" for part in shown[:PARTS_SHOWN]
    ]
    if left := len(report.parts) - len(lines):
        lines.append(f"… and {left} more")
    return lines


def asked_lines(report: Report) -> list[str]:
    """What was asked, of whom, and the answers."""
    asked = ["What was asked:", *(f"    {said}" for said in report.proof)] if report.proof else []
    return [*asked, *report.notes]


def path_line(report: Report) -> str:
    return " → ".join(f"{name} {MARKS[verdict]}" for name, verdict in report.hops)


def vantage_line(report: Report) -> str:
    """From where it was looked, whether that is the office, how long it took, and when."""
    place = {True: ", which is in the office's network", False: ", which is NOT in the office's network", None: ""}
    at = f" on {report.at:%Y-%m-%d at %H:%M:%S} UTC" if report.at else ""
    source = f" ({report.source})" if report.source else ""
    return f"Checked from {report.vantage}{source}{place[report.in_office]}, in {report.elapsed_ms} ms{at}."


def overview_lines(picture: Overview) -> list[str]:
    """Clusters, exposures, changes under way."""
    lines = [*cluster_lines(picture), *exposure_lines(picture)]
    lines += [f"… {title(operation)} ({operation.id}): {state_line(operation)}" for operation in picture.under_way]
    lines.append(f"journal: {picture.records} records, head {picture.head[:12]}")
    return lines


def cluster_lines(picture: Overview) -> list[str]:
    """Clusters, their gateways and open incidents."""
    lines = []
    for cluster in picture.clusters:
        if cluster.incident is not None:
            lines.append(f"✗ incident {cluster.incident.id}: {cluster.gateway} is {cluster.incident.picture.severity}")
        if cluster.problem:
            lines.append(f"✗ cluster {cluster.name}: {cluster.problem}")
            continue
        lines.append(f"cluster {cluster.name} {cluster.version}: {cluster.nodes} nodes")
        lines += _gateway_lines(cluster)
    return lines


def _gateway_lines(cluster: ClusterState) -> Iterator[str]:
    """The node that carries the routes, and who could carry them instead."""
    ready = "Ready" if cluster.gateway_ready else "NOT Ready"
    said = {True: "answers", False: "DOES NOT ANSWER", None: "not known whether it answers"}[
        cluster.health.host_answers
    ]
    proxy = {True: ", kube-proxy healthy", False: ", kube-proxy NOT healthy", None: ""}[cluster.health.proxy_healthy]
    watched = "watched" if cluster.watched else "not watched (see watch: in app.yaml)"
    yield f"  gateway {cluster.gateway}: {ready}, {said}{proxy}; {watched}"
    for one in cluster.candidates[:SHOWN_CANDIDATES]:
        yield f"  {candidate_line(one)}"


def candidate_line(one: Candidate) -> str:
    """A node that could carry the routes, or what speaks against it."""
    address = f" {one.address}" if one.address else ""
    if one.eligible:
        return f"✓ {one.node}{address}: {', '.join(one.notes) or 'nothing speaks against it'}"
    return f"✗ {one.node}{address}: {'; '.join(one.against)}"


def exposure_lines(picture: Overview) -> list[str]:
    """One line an exposure."""
    lines = []
    for state in picture.exposures:
        since = f" since {state.since:%Y-%m-%d %H:%M} UTC by {state.by}" if state.since else ""
        lines.append(f"{state.exposure.namespace} on {state.cluster} → office {state.exposure.office}{since}")
    return lines or ["Nothing is exposed."]


def facts_lines(facts: ClusterFacts) -> list[str]:
    """What was read from a cluster, and where each value comes from."""
    lines = [
        f"cluster {facts.cluster} {facts.version}, domain {facts.domain} ({facts.domain_source})",
        f"services {', '.join(map(str, facts.service_networks))} ({facts.service_networks_source})",
        f"pods     {', '.join(map(str, facts.pod_networks))} ({facts.pod_networks_source})",
        f"kube-dns {facts.kube_dns or 'not found'}",
    ]
    for node in facts.nodes:
        health = "Ready" if node.ready else "NOT Ready"
        lines.append(f"node {node.name} {node.internal_ip or '-'} {health}{'' if node.schedulable else ', cordoned'}")
    for namespace in facts.namespaces:
        names = ", ".join(service.name for service in facts.services_in(namespace))
        lines.append(f"namespace {namespace}: {names or 'no services'}")
    return [*lines, *(f"! could not read {problem}" for problem in facts.unreadable)]


def help_lines(allowed: frozenset[Permission]) -> list[str]:
    """One line for each command that needs no more than these permissions."""
    return [
        f"/k8snet {spec.usage} – {spec.summary}"
        for spec in COMMANDS
        if spec.permission is None or spec.permission in allowed
    ]


def elsewhere_lines(allowed: frozenset[Permission]) -> list[str]:
    """Who may give the other commands."""
    return [
        f"{spec.verb} – for the role {' or '.join(able_roles(spec.permission))}"
        for spec in COMMANDS
        if spec.permission is not None and spec.permission not in allowed
    ]
