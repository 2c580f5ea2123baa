"""What a check knows and what it says: evidence in, findings out."""

from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from typing import Literal

from bot.model.facts import Node, Protocol, Service, ServicePort
from bot.model.probes import (
    ConnectAnswer,
    DetourAnswer,
    DnsAnswer,
    HitsAnswer,
    PolicyAnswer,
    RouteAnswer,
    SessionsAnswer,
)
from bot.model.resources import Forwarder, Key, Resource, TargetId
from bot.model.value import Value

Verdict = Literal["passed", "failed", "undetermined"]
HopName = Literal["office DNS", "firewall", "gateway", "cluster", "service"]
HOPS: tuple[HopName, ...] = ("office DNS", "firewall", "gateway", "cluster", "service")
Fix = Literal["expose", "fail over", "clear DNS cache", "check again"]
Place = Literal["gateway", "elsewhere", "both"]


class Unread(Value):
    """A question that got no answer. `system` is the name from app.yaml ("probes" for our own host)."""

    system: str
    kind: Literal["unreachable", "rejected", "late"]
    problem: str


class Held(Value):
    """What a target should hold for the exposures, and what it does hold; `problem` when something stands there that
    is none of our resources."""

    target: TargetId
    key: Key
    wanted: Resource
    actual: Resource | None
    problem: str = ""


class DnsEvidence(Value):
    """What one office DNS server says, and what the firewall says about the ways to it and from it to kube-dns.

    `fresh` is a name below the zone that nobody has asked for before; `local` one that every server answers by itself.
    """

    server: TargetId
    address: IPv4Address
    udp: DnsAnswer | None = None
    fresh: DnsAnswer | None = None
    local: DnsAnswer | None = None
    reach: PolicyAnswer | None = None  # office -> server, UDP 53
    policy_udp: PolicyAnswer | None = None  # server -> kube-dns
    policy_tcp: PolicyAnswer | None = None
    forwarder: Held | None = None

    @property
    def forwards_to(self) -> tuple[IPv4Address | IPv6Address, ...] | None:
        """The forwarder's masters; empty when the server has none for the zone, None when it is not known or
        something else stands there."""
        if self.forwarder is None or self.forwarder.problem:
            return None
        actual = self.forwarder.actual
        return actual.masters if isinstance(actual, Forwarder) else ()


class GatewayEvidence(Value):
    """The node that the routes should point at. `lease_behind_s`: how much older its lease is than the newest one."""

    name: str
    address: IPv4Address | None
    node: Node | None
    kubelet: ConnectAnswer | None = None
    proxy_health: ConnectAnswer | None = None
    policy: PolicyAnswer | None = None  # office -> kubelet
    route: RouteAnswer | None = None
    lease_behind_s: float | None = None
    stale_leases: int = 0
    leases: int = 0
    neighbours: tuple[ConnectAnswer, ...] = ()  # kubelets of other nodes


class Sample(Value):
    """A connection to something else in the cluster, for comparison. `nodes` carry its endpoints.

    What is silent here has been asked twice.
    """

    service: str  # <name>.<namespace>, that the address or the pod belongs to
    namespace: str
    kind: Literal["service", "pod"]
    place: Place
    nodes: tuple[str, ...]
    own: bool = False  # an endpoint of the checked service itself, asked past the ClusterIP
    answer: ConnectAnswer
    policy: PolicyAnswer | None = None


class Traffic(Value):
    """One more connection, and what the firewall counted meanwhile at the policy that its look-up named."""

    answer: ConnectAnswer
    before: HitsAnswer
    after: HitsAnswer
    sessions: SessionsAnswer

    @property
    def counted(self) -> bool | None:
        """Whether connections began at the policy in that time; None when its counter cannot tell."""
        if self.before.hits is None or self.after.hits is None or self.after.hits < self.before.hits:
            return None
        return self.after.hits > self.before.hits

    @property
    def let_out(self) -> bool | None:
        """Whether the firewall let the connection out. No counter and no session: it cannot be told."""
        waiting = self.sessions.count is not None and self.sessions.count > self.sessions.answered
        return True if waiting else self.counted


class Evidence(Value):
    """All that was gathered about one name or address. `None` and emptiness mean: not known; `unread` says why."""

    cluster: str
    namespace: str
    name: str
    host: str | None = None  # a pod of a StatefulSet, or None
    address: IPv4Address | None = None  # when an address was asked for instead of a name
    port: int | None = None
    domain: str
    interface: str  # of the firewall, towards the nodes
    readable: bool = True  # whether the cluster's API told what follows
    unreadable: tuple[str, ...] = ()
    exposed: bool
    cluster_exposed: bool
    namespaces: tuple[str, ...] = ()
    siblings: tuple[str, ...] = ()  # services of the namespace, for "did you mean"
    service: Service | None = None
    expected: tuple[IPv4Address, ...] = ()
    ports: tuple[ServicePort, ...] = ()  # those of `expected`, restricted to the asked one
    known_ports: tuple[ServicePort, ...] = ()
    kube_dns: IPv4Address | None = None
    kube_dns_applied: IPv4Address | None = None  # that forwarders were last pointed at
    kube_dns_ready: int | None = None
    kube_dns_transports: tuple[Protocol, ...] | None = None  # on which its service listens at port 53, says the API
    service_networks: tuple[IPv4Network, ...] = ()
    pod_networks: tuple[IPv4Network, ...] = ()
    nodes: int = 0  # that the API told of
    nodes_not_ready: tuple[str, ...] = ()
    gateway: GatewayEvidence
    firewall: TargetId
    servers: tuple[DnsEvidence, ...] = ()
    direct: tuple[DnsAnswer, ...] = ()
    routes: tuple[RouteAnswer, ...] = ()
    policies: tuple[PolicyAnswer, ...] = ()  # office -> every port of `expected`
    connections: tuple[ConnectAnswer, ...] = ()
    unprobed: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()
    detours: tuple[DetourAnswer, ...] = ()  # packets that policy routes take, or of which that is not known
    traffic: Traffic | None = None  # asked for in doubt only
    movable: tuple[str, ...] = ()  # denying policies that exposing again would move ours before; asked for in doubt
    held: tuple[Held, ...] = ()
    unread: tuple[Unread, ...] = ()
    source: IPv4Address | None = None  # the address that our probes start from
    in_office: bool | None = None  # whether that is an address of an office network

    @property
    def carried(self) -> bool:
        """Data really passed to every port of every address that was asked."""
        return bool(self.connections) and all(c.outcome == "data" for c in self.connections)

    @property
    def full_name(self) -> str:
        """As the person would type it."""
        if self.address is not None:
            name = str(self.address)
        else:
            name = ".".join(part for part in (self.host, self.name, self.namespace) if part)
        return f"{name}:{self.port}" if self.port else name


class Finding(Value):
    """The verdict of one hop. `code` is stable and documented; `fix` is an intent change that mends it."""

    code: str
    hop: HopName
    verdict: Verdict
    explanation: str
    evidence: tuple[str, ...]
    remedy: str = ""
    fix: Fix | None = None


class Part(Value):
    """One service of a check of many."""

    name: str
    verdict: Verdict
    code: str  # of the finding that matters most; "" when it passed
    sentence: str


class Report(Value):
    """The answer to a check: the hops in order, the verdict, the findings that matter first.

    `proof` is what was asked, of whom, with what answer, for the hops that passed. `parts` are the services of a check
    of a namespace or of all exposures; hops and findings are then those of the worst one.
    """

    name: str
    cluster: str
    namespace: str
    verdict: Verdict
    summary: str
    hops: tuple[tuple[HopName, Verdict], ...]
    findings: tuple[Finding, ...]
    proof: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    vantage: str = ""
    source: IPv4Address | None = None  # the address that probes started from, where it is known
    in_office: bool | None = None
    at: datetime | None = None
    elapsed_ms: int = 0
