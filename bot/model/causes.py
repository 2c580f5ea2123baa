"""The diagnosis: a table, one row a cause, in the order in which causes explain one another.

Every row that matches is a finding; the first failed one is the verdict. A hop without a failed finding has passed
only if something on the wire proves it, otherwise it is undetermined.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bot.model.describe import describe, describe_connection
from bot.model.diagnosis import HOPS, DnsEvidence, Evidence, Finding, Fix, HopName, Report, Verdict
from bot.model.probes import DnsAnswer
from bot.model.suggest import suggestion


@dataclass(frozen=True)
class Row:
    """One cause. `applies` answers with the evidence that proves it, or None."""

    code: str
    hop: HopName
    applies: Callable[[Evidence], str | None]
    explanation: str
    remedy: str
    verdict: Verdict = "failed"
    fix: Fix | None = None


def diagnose(evidence: Evidence, vantage: str, elapsed_ms: int) -> Report:
    """The report for what was gathered. Pure: the same evidence always gives the same report."""
    findings = tuple(_finding(row, proof) for row in CAUSES if (proof := row.applies(evidence)) is not None)
    hops = tuple((hop, _hop_verdict(hop, evidence, findings)) for hop in HOPS)
    failed = [finding for finding in findings if finding.verdict == "failed"]
    verdict: Verdict = "failed" if failed else "passed" if all(v == "passed" for _, v in hops) else "undetermined"
    full = f"{evidence.name}.{evidence.namespace}"
    return Report(
        name=full + (f":{evidence.port}" if evidence.port else ""),
        cluster=evidence.cluster,
        namespace=evidence.namespace,
        vantage=vantage,
        elapsed_ms=elapsed_ms,
        verdict=verdict,
        summary=_summary(full, verdict, failed, evidence),
        hops=hops,
        findings=(*failed, *(finding for finding in findings if finding.verdict != "failed")),
    )


def _finding(row: Row, proof: str) -> Finding:
    return Finding(
        code=row.code,
        hop=row.hop,
        verdict=row.verdict,
        explanation=row.explanation,
        evidence=proof,
        remedy=row.remedy,
        fix=row.fix,
    )


def _summary(name: str, verdict: Verdict, failed: list[Finding], evidence: Evidence) -> str:
    if verdict == "passed":
        addresses = ", ".join(str(address) for address in evidence.expected)
        return f"{name} works: the name resolves to {addresses} and data comes back."
    if failed:
        return f"{name} is broken at the {failed[0].hop}: {failed[0].explanation}"
    return f"{name}: no fault found, but not everything could be proven."


def _hop_verdict(hop: HopName, evidence: Evidence, findings: tuple[Finding, ...]) -> Verdict:
    of_hop = {finding.verdict for finding in findings if finding.hop == hop}
    if "failed" in of_hop:
        return "failed"
    if "undetermined" in of_hop:
        return "undetermined"
    proven = {
        "office DNS": bool(evidence.servers) and all(_expected(evidence, s.udp) for s in evidence.servers),
        "firewall": evidence.carried or bool(evidence.policy and evidence.policy.allowed),
        "gateway": evidence.carried or evidence.gateway_answers is True,
        "cluster": evidence.service is not None,
        "service": evidence.carried,
    }
    return "passed" if proven[hop] else "undetermined"


def _expected(evidence: Evidence, answer: DnsAnswer) -> bool:
    return answer.outcome == "answer" and bool(set(answer.addresses) & set(evidence.expected))


def _first(evidence: Evidence, matches: Callable[[DnsEvidence], bool], say: Callable[[DnsEvidence], str]) -> str | None:
    return next((f"{server.server}: {say(server)}" for server in evidence.servers if matches(server)), None)


def _foreign(answer: DnsAnswer | None, domain: str) -> bool:
    """A negative answer that the cluster did not give."""
    if answer is None or answer.outcome not in ("nxdomain", "nodata"):
        return False
    return not f".{(answer.soa_owner or '.').rstrip('.')}.".endswith(f".{domain}.")


def _silent(answer: DnsAnswer) -> bool:
    return answer.outcome in ("timeout", "servfail")


def _direct_works(evidence: Evidence) -> bool:
    return any(answer.outcome in ("answer", "nodata", "nxdomain") for answer in evidence.direct)


def _namespace_missing(e: Evidence) -> str | None:
    if not e.namespaces or e.namespace in e.namespaces:
        return None
    return f"the API knows no namespace {e.namespace}.{suggestion(e.namespace, e.namespaces)}"


def _service_missing(e: Evidence) -> str | None:
    if e.service is not None or e.namespace not in e.namespaces:
        return None
    return f"namespace {e.namespace} has no service {e.name}.{suggestion(e.name, e.siblings)}"


def _wrong_port(e: Evidence) -> str | None:
    if e.service is None or e.port is None or any(port.port == e.port for port in e.service.ports):
        return None
    ports = ", ".join(f"{port.port}/{port.protocol}" for port in e.service.ports)
    return f"{e.name} has {ports or 'no ports'}, not {e.port}"


def _no_endpoints(e: Evidence) -> str | None:
    if e.service is None or e.service.external_name or e.service.ready_endpoints:
        return None
    return f"{len(e.service.endpoints)} endpoints, none ready"


def _not_exposed(e: Evidence) -> str | None:
    if e.exposed or any(_expected(e, server.udp) for server in e.servers):
        return None
    foreign = _first(e, lambda s: _foreign(s.udp, e.domain) or _silent(s.udp), lambda s: describe(s.udp))
    return foreign or (None if e.servers else f"namespace {e.namespace} is not exposed")


def _forwarder_missing(e: Evidence) -> str | None:
    if not e.exposed:
        return None
    return _first(
        e,
        lambda s: _foreign(s.udp, e.domain) and _foreign(s.fresh, e.domain),
        lambda s: describe(s.udp) + ", and so for a fresh name",
    )


def _stale_negative(e: Evidence) -> str | None:
    return _first(
        e,
        lambda s: _foreign(s.udp, e.domain) and s.fresh is not None and not _foreign(s.fresh, e.domain),
        lambda s: f"{describe(s.udp)}, but a fresh name gets {describe(s.fresh) if s.fresh else ''}",
    )


def _server_down(e: Evidence) -> str | None:
    def down(s: DnsEvidence) -> bool:
        return s.udp.outcome in ("refused", "unreachable", "malformed", "refused-rcode") or (
            s.udp.outcome == "timeout" and s.fresh is not None and s.fresh.outcome == "timeout" and s.policy is None
        )

    return _first(e, down, lambda s: describe(s.udp))


def _dns_policy(e: Evidence) -> str | None:
    if not e.exposed:
        return None
    return _first(
        e,
        lambda s: _silent(s.udp) and s.policy is not None and s.policy.allowed is False,
        lambda s: f"{describe(s.udp)}; the firewall says {s.policy.policy if s.policy else ''} for DNS to kube-dns",
    )


def _dns_silent(e: Evidence) -> str | None:
    if not _direct_works(e):
        return None
    return _first(
        e,
        lambda s: _silent(s.udp) and not (s.policy is not None and s.policy.allowed is False),
        lambda s: f"{describe(s.udp)}, while kube-dns answers the bot",
    )


def _kube_dns_silent(e: Evidence) -> str | None:
    if not e.direct or _direct_works(e) or not (e.policy and e.policy.allowed):
        return None
    return "; ".join(describe(answer) for answer in e.direct)


def _only_udp(e: Evidence) -> str | None:
    return _first(
        e,
        lambda s: s.udp.outcome == "answer" and s.tcp.outcome in ("timeout", "refused", "unreachable"),
        lambda s: f"UDP answers, TCP: {describe(s.tcp)}",
    )


def _resolves_elsewhere(e: Evidence) -> str | None:
    if not e.expected:
        return None
    return _first(
        e,
        lambda s: s.udp.outcome == "answer" and not _expected(e, s.udp),
        lambda s: f"{describe(s.udp)}, but the cluster says {', '.join(map(str, e.expected))}",
    )


def _no_route(e: Evidence) -> str | None:
    if not e.exposed or e.carried or e.route is None or e.route.found is not False:
        return None
    return f"no route to {e.route.destination}"


def _wrong_gateway(e: Evidence) -> str | None:
    if not e.exposed or e.route is None or e.route.gateway is None or e.gateway_wanted is None:
        return None
    if e.route.gateway == e.gateway_wanted:
        return None
    return f"{e.route.destination} goes to {e.route.gateway}, not to the gateway {e.gateway_wanted}"


def _no_policy(e: Evidence) -> str | None:
    if not e.exposed or e.policy is None or e.policy.allowed is not False:
        return None
    return f"{e.policy.source} → {e.policy.destination}:{e.policy.port}/{e.policy.protocol} meets {e.policy.policy}"


def _gateway_down(e: Evidence) -> str | None:
    if e.carried or e.gateway_answers is not False:
        return None
    ready = "Ready" if e.gateway and e.gateway.ready else "not Ready"
    return f"{e.gateway_wanted} does not answer; the cluster calls the node {ready}"


def _handshake_only(e: Evidence) -> str | None:
    bad = [c for c in e.connections if c.outcome == "handshake-only" and c.spoke]
    return "; ".join(f"{c.address}:{c.port} {describe_connection(c)}" for c in bad) or None


def _no_data(e: Evidence) -> str | None:
    bad = [c for c in e.connections if c.outcome in ("timeout", "host-unreachable", "net-unreachable", "reset")]
    return "; ".join(f"{c.address}:{c.port} {describe_connection(c)}" for c in bad) or None


def _refused(e: Evidence) -> str | None:
    bad = [c for c in e.connections if c.outcome == "refused"]
    return "; ".join(f"{c.address}:{c.port} {describe_connection(c)}" for c in bad) or None


def _unspoken(e: Evidence) -> str | None:
    quiet = [c for c in e.connections if c.outcome == "handshake-only" and not c.spoke]
    return "; ".join(f"{c.address}:{c.port} connected, silent" for c in quiet) or None


def _unread(e: Evidence) -> str | None:
    return "; ".join(e.unread) or None


def _contradiction(e: Evidence) -> str | None:
    if not e.carried:
        return None
    if e.policy is not None and e.policy.allowed is False:
        return f"the firewall says {e.policy.policy}, but data passes"
    return None


CAUSES: tuple[Row, ...] = (
    Row("K8SNET-NAME-01", "cluster", _namespace_missing, "the namespace does not exist", "Check the spelling."),
    Row("K8SNET-NAME-02", "cluster", _service_missing, "the service does not exist", "Check the spelling."),
    Row(
        "K8SNET-NAME-03",
        "service",
        _wrong_port,
        "the service does not listen on that port",
        "Use a port of the service.",
    ),
    Row(
        "K8SNET-SVC-01",
        "service",
        _no_endpoints,
        "no pod of the service is ready",
        "Look at the pods of the service; the network is not at fault.",
    ),
    Row(
        "K8SNET-EXP-01",
        "office DNS",
        _not_exposed,
        "the namespace is not exposed to the office",
        "Expose it.",
        fix="expose",
    ),
    Row(
        "K8SNET-RT-01",
        "firewall",
        _no_route,
        "the firewall has no route to the cluster's network",
        "Apply the exposure again.",
        fix="expose",
    ),
    Row(
        "K8SNET-RT-02",
        "firewall",
        _wrong_gateway,
        "the firewall's route points at another node than the gateway",
        "Find out who changed the route; apply the exposure again to restore it.",
        fix="expose",
    ),
    Row(
        "K8SNET-POL-01",
        "firewall",
        _no_policy,
        "no firewall policy lets the office through to this port",
        "Apply the exposure again, or move a policy that denies.",
        fix="expose",
    ),
    Row(
        "K8SNET-GW-01",
        "gateway",
        _gateway_down,
        "the gateway node does not answer",
        "Move the cluster's routes to another node.",
    ),
    Row(
        "K8SNET-DNS-01",
        "office DNS",
        _forwarder_missing,
        "the DNS server has no conditional forwarder for this zone",
        "Apply the exposure again.",
        fix="expose",
    ),
    Row(
        "K8SNET-DNS-02",
        "office DNS",
        _stale_negative,
        "the DNS server remembers that the name did not exist",
        "Clear the DNS server's cache, or wait up to 15 minutes.",
        fix="check again",
    ),
    Row(
        "K8SNET-DNS-03",
        "firewall",
        _dns_policy,
        "the firewall does not let the DNS server ask kube-dns",
        "Apply the exposure again.",
        fix="expose",
    ),
    Row(
        "K8SNET-DNS-04",
        "office DNS",
        _dns_silent,
        "the DNS server gets no answer from kube-dns",
        "Check the forwarder's target and the way from the DNS server to kube-dns.",
    ),
    Row(
        "K8SNET-DNS-05",
        "office DNS",
        _server_down,
        "the office DNS server does not answer",
        "Look at the DNS server.",
    ),
    Row(
        "K8SNET-DNS-06",
        "cluster",
        _kube_dns_silent,
        "kube-dns does not answer",
        "Look at the CoreDNS pods and at kube-proxy on the gateway.",
    ),
    Row(
        "K8SNET-DNS-07",
        "office DNS",
        _only_udp,
        "names resolve over UDP only; large answers will fail",
        "Allow TCP 53 to the DNS server.",
    ),
    Row(
        "K8SNET-DNS-08",
        "office DNS",
        _resolves_elsewhere,
        "the name resolves to an address that the cluster does not know",
        "Look for an old record or a zone of that name on the DNS server.",
    ),
    Row(
        "K8SNET-SVC-02",
        "service",
        _refused,
        "the connection is refused",
        "The path works; the program behind the port does not listen.",
    ),
    Row(
        "K8SNET-PATH-01",
        "gateway",
        _handshake_only,
        "connections open but carry no data",
        "Replies may bypass the gateway: see conntrack INVALID in the manual.",
    ),
    Row(
        "K8SNET-PATH-02",
        "service",
        _no_data,
        "no connection comes about",
        "See the hops before this one; if all passed, look at network policies in the cluster.",
    ),
    Row(
        "K8SNET-PATH-03",
        "service",
        _unspoken,
        "connected, but this port's protocol is unknown, so data could not be proven",
        "",
        verdict="undetermined",
    ),
    Row(
        "K8SNET-ASK-01",
        "firewall",
        _contradiction,
        "what the firewall says and what happens contradict each other",
        "Look at the firewall's policy look-up and sessions.",
        verdict="undetermined",
    ),
    Row("K8SNET-ASK-02", "cluster", _unread, "something could not be asked", "", verdict="undetermined"),
)
