"""The diagnosis: a table, one row a cause, in the order in which causes explain one another.

Every row that matches is a finding. Causes come first, in the table's order; then what could not be told; symptoms are
shown only when nothing explains them. A hop without a finding against it has passed only if something on the wire, or
the firewall's own word where the wire cannot speak for the office, proves it: a missing signal never passes.
"""

from collections.abc import Sequence

from bot.model.causes.dns import DNS, DNS_SYMPTOMS
from bot.model.causes.doubt import DOUBTS
from bot.model.causes.firewall import DRIFT, FIREWALL
from bot.model.causes.forwarding import FORWARDING, FORWARDING_DOUBTS
from bot.model.causes.gateway import GATEWAY
from bot.model.causes.names import NAMES
from bot.model.causes.nodes import NODE_NOTES, NODES
from bot.model.causes.routes import ROUTE_DOUBTS
from bot.model.causes.row import Row
from bot.model.causes.service import SERVICE, SERVICE_SYMPTOMS
from bot.model.causes.signals import allowed, direct_works, proven, route_right, spoke, tested
from bot.model.causes.traffic import TRAFFIC_SYMPTOMS
from bot.model.describe import connection_line, dns_line, policy_line, route_line
from bot.model.diagnosis import HOPS, Evidence, Finding, HopName, Report, Verdict
from bot.model.wording import listed, tr
from bot.model.words import word

CAUSES: tuple[Row, ...] = (
    *NAMES,
    *FIREWALL,
    *GATEWAY,
    *FORWARDING,
    *NODES,
    *DNS,
    *SERVICE,
    *DOUBTS,
    *ROUTE_DOUBTS,
    *FORWARDING_DOUBTS,
    *DNS_SYMPTOMS,
    *TRAFFIC_SYMPTOMS,
    *SERVICE_SYMPTOMS,
    DRIFT,
    *NODE_NOTES,
)


def diagnose(evidence: Evidence, brief: bool = False) -> Report:
    """The report for what was gathered. Pure: the same evidence always gives the same report.

    A brief one has neither proof nor notes: it is one of a thousand.
    """
    found = [(row, row.finding(proof)) for row in CAUSES if (proof := row.applies(evidence))]
    causes = [finding for row, finding in found if finding.verdict == "failed" and not row.symptom]
    doubts = [finding for _, finding in found if finding.verdict == "undetermined"]
    symptoms = [finding for row, finding in found if row.symptom]
    notes = [finding for _, finding in found if finding.verdict == "passed"]
    findings = (*causes, *doubts, *(() if causes else symptoms), *notes)
    names_proven = bool(evidence.servers) and all(proven(evidence, server) for server in evidence.servers)
    against = [finding for _, finding in found]
    hops = tuple((hop, _hop_verdict(hop, evidence, against, names_proven)) for hop in _hops(evidence))
    verdict: Verdict = "undetermined"
    if causes or symptoms:
        verdict = "failed"
    elif all(of_hop == "passed" for _, of_hop in hops) and not doubts:
        verdict = "passed"
    return Report(
        name=evidence.full_name,
        cluster=evidence.cluster,
        namespace=evidence.namespace,
        verdict=verdict,
        summary=_summary(evidence, verdict, causes, doubts, symptoms, hops),
        hops=hops,
        findings=findings,
        proof=() if brief else tuple(_proof(evidence)),
        notes=() if brief else tuple(_notes(evidence)),
        source=evidence.source,
        in_office=evidence.in_office,
    )


def _hops(e: Evidence) -> Sequence[HopName]:
    """An address needs no DNS."""
    return HOPS if e.address is None else HOPS[1:]


def _hop_verdict(hop: HopName, e: Evidence, findings: Sequence[Finding], names_proven: bool) -> Verdict:
    of_hop = {finding.verdict for finding in findings if finding.hop == hop}
    for against in ("failed", "undetermined"):
        if against in of_hop:
            return "failed" if against == "failed" else "undetermined"
    return "passed" if _proven(hop, e, names_proven) else "undetermined"


def _proven(hop: HopName, e: Evidence, names_proven: bool) -> bool:
    match hop:
        case "office DNS":
            return names_proven
        case "firewall":
            return _firewall_clears(e) or (
                e.carried and e.in_office is True and (names_proven or e.address is not None)
            )
        case "gateway":
            return e.carried or any(one.answered for one in tested(e))
        case "cluster":
            known = e.readable and e.service is not None
            return known and (e.address is not None or names_proven or direct_works(e))
        case "service":
            return e.carried and bool(e.expected) and not e.unprobed and _every_port(e)


def _every_port(e: Evidence) -> bool:
    return {port.port for port in e.ports} <= {reply.port for reply in e.connections}


def _firewall_clears(e: Evidence) -> bool:
    """The firewall's own word for the office's packets and, where names are asked for, for the DNS servers'."""
    if not e.policies or not all(allowed(e, policy) for policy in e.policies):
        return False
    if not e.expected or not all(route_right(e, address) for address in e.expected[:1]):
        return False
    return e.address is not None or all(
        allowed(e, server.policy_udp) and allowed(e, server.policy_tcp) for server in e.servers
    )


def _summary(
    e: Evidence,
    verdict: Verdict,
    causes: Sequence[Finding],
    doubts: Sequence[Finding],
    symptoms: Sequence[Finding],
    hops: Sequence[tuple[HopName, Verdict]],
) -> str:
    name = e.full_name
    if verdict == "passed":
        if e.address:
            return tr("{name} works: data comes back.", name=name)
        addresses = listed(e.expected)
        return tr("{name} works: the name resolves to {addresses} and data comes back.", name=name, addresses=addresses)
    if causes:
        return tr(
            "{name} is broken at the {hop}: {explanation}",
            name=name,
            hop=word(causes[0].hop),
            explanation=causes[0].explanation,
        )
    if symptoms and doubts:
        return tr(
            "{name} does not work ({explanation}); why cannot be told, because {doubt}",
            name=name,
            explanation=symptoms[0].explanation,
            doubt=doubts[0].explanation,
        )
    if symptoms:
        return tr("{name} does not work: {explanation}", name=name, explanation=symptoms[0].explanation)
    if doubts and e.carried:
        return tr(
            "{name}: data comes back, but not everything could be proven: {explanation}",
            name=name,
            explanation=doubts[0].explanation,
        )
    if doubts:
        return tr("{name}: cannot tell, because {explanation}", name=name, explanation=doubts[0].explanation)
    unproven = listed(word(hop) for hop, of_hop in hops if of_hop != "passed")
    return tr("{name}: no fault found, but not everything could be proven ({unproven}).", name=name, unproven=unproven)


def _proof(e: Evidence) -> list[str]:
    """What was asked, of whom, and the answers: names, firewall, gateway, connections."""
    said: list[str] = []
    for server in e.servers:
        said += [f"{server.server}: {dns_line(answer)}" for answer in (server.udp, server.fresh) if answer]
    said += [f"kube-dns: {dns_line(answer)}" for answer in e.direct if spoke(answer)]
    said += [route_line(e.firewall, route) for route in e.routes if route.destination in e.expected]
    said += [policy_line(e.firewall, policy) for policy in e.policies]
    for server in e.servers:
        said += [policy_line(e.firewall, p) for p in (server.policy_udp, server.policy_tcp) if p]
    if e.gateway.kubelet is not None:
        said.append(
            tr("gateway {name}: {connection}", name=e.gateway.name, connection=connection_line(e.gateway.kubelet))
        )
    return [*dict.fromkeys([*said, *map(connection_line, e.connections)])]


def _notes(e: Evidence) -> list[str]:
    """Which address the program at the end sees, and how much was looked at."""
    notes = []
    if e.carried and e.service is not None and e.gateway.address is not None:
        if e.connections[0].address == e.service.cluster_ip:
            notes.append(
                tr(
                    "The pod sees an address of the gateway {name} (such as {address}), not the "
                    "client's: kube-proxy masquerades clients from outside.",
                    name=e.gateway.name,
                    address=e.gateway.address,
                )
            )
        elif e.source is not None:
            notes.append(
                tr("The pod sees the client's own address ({source}), unless the CNI masquerades.", source=e.source)
            )
    asked = {c.address for c in e.connections}
    if asked and len(asked) < len(e.expected):
        notes.append(tr("{asked} of {count} addresses were connected to.", asked=len(asked), count=len(e.expected)))
    return notes
