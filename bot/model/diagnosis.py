"""What a check knows and what it says: evidence in, findings out."""

from ipaddress import IPv4Address
from typing import Literal

from bot.model.facts import Node, Service
from bot.model.probes import ConnectAnswer, DnsAnswer, PolicyAnswer, RouteAnswer
from bot.model.resources import TargetId
from bot.model.value import Value

Verdict = Literal["passed", "failed", "undetermined"]
HopName = Literal["cluster", "office DNS", "firewall", "gateway", "service"]
HOPS: tuple[HopName, ...] = ("office DNS", "firewall", "gateway", "cluster", "service")
Fix = Literal["expose", "check again"]


class DnsEvidence(Value):
    """What one office DNS server says, and what the firewall says about its way to kube-dns."""

    server: TargetId
    address: IPv4Address
    udp: DnsAnswer
    tcp: DnsAnswer
    fresh: DnsAnswer | None  # a name nobody has asked for before, when the first answer was negative
    policy: PolicyAnswer | None


class Evidence(Value):
    """All that was gathered for one name. `None` means: could not be asked; `unread` says why."""

    cluster: str
    namespace: str
    name: str
    port: int | None
    domain: str
    exposed: bool
    namespaces: tuple[str, ...]
    siblings: tuple[str, ...]  # services of the namespace, for "did you mean"
    service: Service | None
    expected: tuple[IPv4Address, ...]
    kube_dns: IPv4Address | None
    gateway: Node | None
    gateway_wanted: IPv4Address | None
    gateway_answers: bool | None
    servers: tuple[DnsEvidence, ...]
    direct: tuple[DnsAnswer, ...]
    route: RouteAnswer | None
    policy: PolicyAnswer | None
    connections: tuple[ConnectAnswer, ...]
    unread: tuple[str, ...] = ()

    @property
    def carried(self) -> bool:
        """Data really passed to at least one port, and no port failed."""
        return bool(self.connections) and all(c.outcome == "data" for c in self.connections)


class Finding(Value):
    """The verdict of one hop. `code` is stable and documented; `fix` is an intent change that mends it."""

    code: str
    hop: HopName
    verdict: Verdict
    explanation: str
    evidence: str
    remedy: str = ""
    fix: Fix | None = None


class Report(Value):
    """The answer to a check: the hops in order, the verdict, the findings that matter first."""

    name: str
    cluster: str
    vantage: str
    elapsed_ms: int
    verdict: Verdict
    summary: str
    hops: tuple[tuple[HopName, Verdict], ...]
    findings: tuple[Finding, ...]
    namespace: str
