"""What single signals mean: the vocabulary in which the rows of the diagnosis are written. Pure."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import NamedTuple

from bot.model.describe import connection_line
from bot.model.diagnosis import DnsEvidence, Evidence, Held, Place
from bot.model.probes import ConnectAnswer, ConnectOutcome, DetourAnswer, DnsAnswer, PolicyAnswer, RouteAnswer

IMPLICIT_DENY = "implicit deny"

# An answer of whatever kind has come the whole way and back; silence has not.
ANSWERED: frozenset[ConnectOutcome] = frozenset({"data", "refused", "reset"})
SILENT: frozenset[ConnectOutcome] = frozenset({"timeout", "host-unreachable", "net-unreachable"})


def acknowledged(answer: ConnectAnswer) -> bool:
    """The program says nothing, but the far kernel has every byte: the path carries data both ways."""
    return answer.outcome == "handshake-only" and answer.peer_says == "no answer"


def unanswered(answer: ConnectAnswer) -> bool:
    """Nothing came back: no connection, or no answer to what was said; where nothing was said silence is no wonder."""
    half = answer.outcome == "handshake-only" and bool(answer.spoke) and not acknowledged(answer)
    return answer.outcome in SILENT or half


def better(one: ConnectAnswer | None, other: ConnectAnswer | None) -> ConnectAnswer | None:
    """Of two answers to the same question the one that came further."""
    answers = [answer for answer in (one, other) if answer is not None]
    return min(answers, key=lambda answer: (answer.outcome in SILENT, unanswered(answer)), default=None)


def cut_off(e: Evidence) -> bool:
    """Nobody answers at all: neither the cluster's API nor the firewall's, no DNS server, no node, no connection.

    These stand in different networks, so what they have in common is our own host.
    """
    away = {one.system for one in e.unread if one.kind != "rejected"}
    if e.readable or e.firewall not in away or not (e.servers or e.gateway.kubelet):
        return False
    names = [answer for server in e.servers for answer in (server.udp, server.fresh, server.local)]
    replies = [*e.connections, *(sample.answer for sample in e.samples), *e.gateway.neighbours, e.gateway.kubelet]
    spoken = any(spoke(answer) for answer in (*names, *e.direct))
    return not spoken and all(reply is None or reply.outcome in SILENT for reply in replies)


# --- names -----------------------------------------------------------------------------------------------------


def negative(answer: DnsAnswer | None) -> bool:
    return answer is not None and answer.outcome in ("nxdomain", "nodata")


def from_cluster(answer: DnsAnswer | None, domain: str) -> bool:
    """A negative answer that the cluster gave: the SOA in it is the cluster's."""
    return (
        answer is not None and negative(answer) and f".{(answer.soa_owner or '.').rstrip('.')}.".endswith(f".{domain}.")
    )


def foreign(answer: DnsAnswer | None, domain: str) -> bool:
    """A negative answer that the cluster did not give."""
    return negative(answer) and not from_cluster(answer, domain)


def silent(answer: DnsAnswer | None) -> bool:
    """No answer came, or the server could not get one."""
    return answer is not None and answer.outcome in ("timeout", "servfail", "unreachable", "refused")


def spoke(answer: DnsAnswer | None) -> bool:
    """A DNS server answered, whatever it said."""
    return answer is not None and answer.outcome in ("answer", "nodata", "nxdomain", "servfail", "refused-rcode")


def right(e: Evidence, answer: DnsAnswer | None) -> bool:
    """The answer has addresses that the cluster knows for this name; a few may be older than a pod's last restart."""
    return answer is not None and answer.outcome == "answer" and bool(set(answer.addresses) & set(e.expected))


def proven(e: Evidence, server: DnsEvidence) -> bool:
    """The server gives the right answer, and also asks the cluster now: a cache alone proves nothing."""
    return right(e, server.udp) and from_cluster(server.fresh, e.domain)


def direct_works(e: Evidence) -> bool:
    """kube-dns itself gives our own host the right answer over some transport."""
    return any(right(e, answer) or (not e.expected and negative(answer)) for answer in e.direct)


# --- the firewall ----------------------------------------------------------------------------------------------


def route_for(e: Evidence, address: IPv4Address) -> RouteAnswer | None:
    """The look-up of that address, or of another one in the same network of the cluster."""
    exact = next((route for route in e.routes if route.destination == address), None)
    if exact is not None:
        return exact
    for network in (*e.service_networks, *e.pod_networks):
        if address in network:
            return next((route for route in e.routes if route.destination in network), None)
    return None


def leads_to_nodes(e: Evidence, route: RouteAnswer | None) -> bool | None:
    """Whether the route leaves by the interface towards the nodes; None when that is not known."""
    if route is None or route.found is None:
        return None
    return route.found and route.interface in ("", e.interface)


def route_right(e: Evidence, address: IPv4Address) -> bool:
    """The firewall sends packets for this address to the gateway node."""
    route = route_for(e, address)
    if not leads_to_nodes(e, route):
        return False
    assert route is not None  # or it would not lead anywhere
    return route.gateway is None or e.gateway.address is None or route.gateway == e.gateway.address


def led_away(e: Evidence, detour: DetourAnswer) -> bool:
    """A policy route sends the packet elsewhere than to the gateway."""
    direct = (None, e.gateway.address) if detour.packet.destination == e.gateway.address else (e.gateway.address,)
    ours = detour.interface in ("", e.interface) and detour.gateway in direct
    return detour.taken is True and not ours


def _goes_elsewhere(e: Evidence, policy: PolicyAnswer) -> bool:
    return any(
        led_away(e, one)
        and (one.packet.source, one.packet.destination) == (policy.source, policy.destination)
        and (one.packet.protocol, one.packet.port) == (policy.protocol, policy.port)
        for one in e.detours
    )


def _beside_a_detour(e: Evidence, address: IPv4Address) -> bool:
    """Whether a policy route leads packets for the same network away: nobody has asked for this very address."""
    away = [one.packet.destination for one in e.detours if led_away(e, one)]
    return any(address in network for network in _networks_of(e, away))


def _networks_of(e: Evidence, addresses: Iterable[IPv4Address]) -> list[IPv4Network]:
    networks = (*e.service_networks, *e.pod_networks)
    return [network for network in networks if any(address in network for address in addresses)]


def allowed(e: Evidence, policy: PolicyAnswer | None) -> bool:
    """The firewall lets such packets through to the gateway."""
    if policy is None or _goes_elsewhere(e, policy):
        return False
    return policy.allowed is True and route_right(e, policy.destination)


def denied(e: Evidence, policy: PolicyAnswer | None) -> bool:
    """The firewall's policies keep such packets back. Without a right route its word would be about another way."""
    return (
        policy is not None
        and policy.allowed is False
        and not _goes_elsewhere(e, policy)
        and leads_to_nodes(e, route_for(e, policy.destination)) is not False
    )


def forbidden(policy: PolicyAnswer) -> bool:
    """A policy that somebody wrote denies, not merely the absence of one that accepts."""
    return policy.allowed is False and policy.policy != IMPLICIT_DENY


def belied(e: Evidence) -> bool:
    """Data passes from the office itself: a look-up that says no is a contradiction then, and no cause."""
    return e.carried and e.in_office is True


def held(e: Evidence, kind: str) -> Iterator[Held]:
    """What the firewall holds of one kind."""
    return (one for one in e.held if one.key.kind == kind and one.target == e.firewall)


# --- connections, also those for comparison --------------------------------------------------------------------


class Tested(NamedTuple):
    """A connection whose way through the firewall is clear, so that it tells something about what is behind."""

    kind: str
    service: str  # <name>.<namespace>
    namespace: str
    place: Place
    nodes: tuple[str, ...]
    own: bool
    answer: ConnectAnswer

    @property
    def answered(self) -> bool:
        return self.answer.outcome in ANSWERED or acknowledged(self.answer)

    @property
    def lost(self) -> bool:
        return self.answer.outcome in SILENT

    @property
    def half(self) -> bool:
        """Connected, and what was said got no answer."""
        return not self.lost and unanswered(self.answer)


def tested(e: Evidence) -> tuple[Tested, ...]:
    """Samples and the service's own connections, as far as the firewall's word makes them conclusive."""
    found = [
        Tested(sample.kind, sample.service, sample.namespace, sample.place, sample.nodes, sample.own, sample.answer)
        for sample in e.samples
        if allowed(e, sample.policy) and not _beside_a_detour(e, sample.answer.address)
    ]
    accepted = {(policy.destination, policy.port) for policy in e.policies if allowed(e, policy)}
    for reply in e.connections:
        if (reply.address, reply.port) in accepted:
            nodes = nodes_behind(e, reply.address)
            kind = "service" if e.service and reply.address == e.service.cluster_ip else "pod"
            place = place_of(nodes, e.gateway.name)
            found.append(Tested(kind, f"{e.name}.{e.namespace}", e.namespace, place, nodes, True, reply))
    return tuple(found)


def nodes_behind(e: Evidence, address: IPv4Address) -> tuple[str, ...]:
    """The nodes on which a connection to this address of the service ends."""
    if e.service is None:
        return ()
    endpoints = e.service.ready_endpoints
    if address != e.service.cluster_ip:
        endpoints = tuple(endpoint for endpoint in e.service.endpoints if endpoint.address == address)
    return tuple(sorted({endpoint.node for endpoint in endpoints if endpoint.node}))


def place_of(nodes: Iterable[str], gateway: str) -> Place:
    """Where endpoints stand, as seen from the gateway."""
    found = set(nodes)
    if found == {gateway}:
        return "gateway"
    return "both" if gateway in found else "elsewhere"


def namespace_closed(e: Evidence) -> bool:
    """Pods of the checked namespace are silent on several nodes, or beside answering ones of other namespaces; those
    answer, but for one service that may be broken by itself, and not on the gateway alone."""
    pods = [one for one in tested(e) if one.kind == "pod"]
    kin = [one for one in pods if one.namespace == e.namespace]
    foreign = [one for one in pods if one.namespace != e.namespace]
    answering = [one for one in foreign if one.answered]
    if not kin or not all(one.lost for one in kin) or len({one.service for one in foreign if one.lost}) > 1:
        return False
    if not answering or {one.place for one in kin} - {one.place for one in answering} == {"elsewhere"}:
        return False
    places = {node for one in kin for node in one.nodes}
    return len(places) > 1 or bool(places & {node for one in answering for node in one.nodes})


def leases_stale(e: Evidence) -> bool:
    """Most nodes' leases are overdue: what they have in common is the control plane."""
    return e.gateway.leases >= 3 and e.gateway.stale_leases * 2 > e.gateway.leases


def lines(*answers: ConnectAnswer) -> list[str]:
    return [connection_line(answer) for answer in dict.fromkeys(answers)]
