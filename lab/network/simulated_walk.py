"""The walk of one packet: segments, the firewall, the nodes, until it arrives or is lost."""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address

from lab.cluster.model import SLICES, Cluster
from lab.fortigate.packets import TCP, Packet, Reason
from lab.network.simulated_conntrack import Conntrack, State
from lab.network.simulated_node import NodeRouter, Stop
from lab.network.simulated_packets import Fate, Firewall, Hop, Journey, Signal, describe, from_source
from lab.network.simulated_proxy import ServiceRules
from lab.topology import Segment, Topology

FIREWALL = "firewall"
TIME_TO_LIVE = 64


@dataclass(slots=True)
class Timing:
    """How long the network takes to report what it takes long to find out, in seconds."""

    neighbour: float = 3.0
    """Until a router gives up resolving a neighbour's address and answers "host unreachable" (Linux: about 3)."""


@dataclass(frozen=True, slots=True)
class _At:
    """Where a packet stands: a station, and how it came in (a node's ``local``: it was made there)."""

    station: str
    packet: Packet
    ingress: str


@dataclass(frozen=True, slots=True)
class _End:
    fate: Fate
    station: str
    packet: Packet
    delay: float = 0.0


class Walker:
    """Moves packets over a topology with a firewall in its middle."""

    def __init__(
        self,
        topology: Topology,
        cluster: Cluster,
        firewall: Firewall,
        has_pod: Callable[[IPv4Address], bool],
        timing: Timing,
    ) -> None:
        self.topology = topology
        self.routers = {
            node.name: NodeRouter(node, topology, rules)
            for rules in [ServiceRules(cluster, topology)]
            for node in topology.nodes
        }
        self.dead_neighbours_answer = True
        """Whether the firewall reports a next hop that does not answer, as Linux does; False: silence."""
        self.same_interface_forwarding = False
        """Whether the firewall sends a packet back to where it came from, so that it may run in a circle."""
        self._cluster = cluster
        self._firewall = firewall
        self._has_pod = has_pod
        self._timing = timing
        self._sessions = Conntrack(loose=False)

    def walk(self, packet: Packet, signal: Signal, station: str, flow: int) -> Journey:
        """Send a packet from a station: a host's name, a node's, or a pod's address as text."""
        hops: list[Hop] = []
        step = self._depart(packet, station, hops)
        for _ in range(TIME_TO_LIVE):
            if isinstance(step, _End):
                break
            step = self._step(step, signal, hops)
        else:
            last = step if isinstance(step, _At) else _At(station, packet, "")
            hops.append(Hop(last.station, last.packet, "time to live exceeded: the packet runs in a circle"))
            step = _End(Fate.HOST_UNREACHABLE, last.station, last.packet)
        return Journey(flow, signal, tuple(hops), step.fate, step.station, step.packet, step.delay)

    def alive(self, node: str) -> bool:
        return node not in self._cluster.down

    def _depart(self, packet: Packet, station: str, hops: list[Hop]) -> _At | _End:
        if station in self.routers:
            return _At(station, packet, "local")
        if station == FIREWALL:
            return self._leave_firewall(packet, hops)
        pod = self._pod_station(station)
        if pod is not None:
            return _At(pod, packet, "cni0")
        return self._leave_host(packet, station, hops)

    def _pod_station(self, station: str) -> str | None:
        """The node that carries a pod, for the name of a pod's station."""
        try:
            node = self.topology.node_of(IPv4Address(station))
        except ValueError:
            return None
        return node.name if node else None

    def _leave_host(self, packet: Packet, station: str, hops: list[Hop]) -> _At | _End:
        host = self.topology.host(station)
        segment = self.topology.segment_of(host.address)
        if segment is None:
            raise ValueError(f"{station} has an address on no segment of the topology")
        if packet.destination in segment.network:
            hops.append(Hop(station, packet, f"neighbour on {segment.interface}"))
            return self._on_segment(packet.destination, segment, packet, station)
        hops.append(Hop(station, packet, f"default route to {segment.gateway}"))
        return self._on_segment(segment.gateway, segment, packet, station)

    def _leave_firewall(self, packet: Packet, hops: list[Hop]) -> _At | _End:
        """An answer of the firewall itself."""
        segment = self.topology.segment_of(packet.destination)
        if segment is None:
            return _End(Fate.NET_UNREACHABLE, FIREWALL, packet)
        hops.append(Hop(FIREWALL, packet, f"answers on {segment.interface}"))
        return self._on_segment(packet.destination, segment, packet, FIREWALL)

    def _step(self, at: _At, signal: Signal, hops: list[Hop]) -> _At | _End:
        if at.station == FIREWALL:
            return self._through_firewall(at, signal, hops)
        return self._through_node(at, signal, hops)

    # The firewall ----------------------------------------------------------------------------------------------

    def _through_firewall(self, at: _At, signal: Signal, hops: list[Hop]) -> _At | _End:
        packet = at.packet
        tracked = self._sessions.track(packet, signal)
        opens = packet.protocol != TCP or signal is Signal.SYN
        judged = tracked.packet if tracked.reply else packet  # replies are judged after the policy's NAT is undone
        verdict = self._firewall.forward(judged, at.ingress, opens=opens)
        policy = f" by policy {verdict.policy_id}" if verdict.policy_id is not None else ""
        hops.append(Hop(FIREWALL, packet, f"{verdict.action}{policy}: {verdict.reason}"))
        if verdict.action == "no-route" and verdict.reason is Reason.NO_ROUTE:
            return _End(Fate.NET_UNREACHABLE, FIREWALL, packet)
        if not verdict.accepted:
            return _End(Fate.DROPPED, FIREWALL, packet)
        if tracked.state is State.INVALID:
            # It saw only half of the connection: the handshake bypassed it in the other direction.
            hops.append(Hop(FIREWALL, packet, "deny: the connection's other half went another way"))
            return _End(Fate.DROPPED, FIREWALL, packet)
        began = self._sessions.ingress(packet)
        if began not in ("", at.ingress) and not self.same_interface_forwarding:
            hops.append(Hop(FIREWALL, packet, f"deny: the flow began on {began}, this came by {at.ingress}"))
            return _End(Fate.DROPPED, FIREWALL, packet)
        if not verdict.egress:
            return _End(Fate.ARRIVED, FIREWALL, packet)
        translated = tracked.packet
        if not self._sessions.knows(packet):
            if verdict.translated_source is not None:
                translated = from_source(packet, verdict.translated_source)
            self._sessions.remember(packet, translated, signal, at.ingress)
        next_hop = verdict.next_hop
        segment = self.topology.segment_of(next_hop) if next_hop is not None else None
        if segment is None or next_hop is None:
            hops.append(Hop(FIREWALL, translated, f"leaves by {verdict.egress} towards the Internet"))
            return _End(Fate.DROPPED, FIREWALL, translated)
        return self._on_segment(next_hop, segment, translated, FIREWALL)

    # Segments --------------------------------------------------------------------------------------------------

    def _on_segment(self, neighbour: IPv4Address, segment: Segment, packet: Packet, sender: str) -> _At | _End:
        """Hand a packet to a neighbour, if there is one."""
        if neighbour == segment.gateway:
            return _At(FIREWALL, packet, segment.interface)
        machine = self.topology.at(neighbour)
        if machine is None or not self.alive(machine.name):
            if sender == FIREWALL and not self.dead_neighbours_answer:
                return _End(Fate.DROPPED, sender, packet)
            return _End(Fate.HOST_UNREACHABLE, sender, packet, self._timing.neighbour)
        if machine.name not in self.routers:
            fate = Fate.ARRIVED if packet.destination == machine.address else Fate.DROPPED
            return _End(fate, machine.name, packet)
        if self.routers[machine.name].settings.paused:
            return _End(Fate.DROPPED, machine.name, packet)
        return _At(machine.name, packet, "eth0")

    # Nodes -----------------------------------------------------------------------------------------------------

    def _through_node(self, at: _At, signal: Signal, hops: list[Hop]) -> _At | _End:
        router = self.routers[at.station]
        if not self.alive(at.station) or router.settings.paused:
            return _End(Fate.DROPPED, at.station, at.packet)
        onward = router.route(at.packet, signal, at.ingress)
        hops.append(Hop(at.station, at.packet, onward.action))
        if isinstance(onward, Stop):
            return _End(onward.fate, at.station, onward.packet)
        if onward.where == "local":
            return _End(Fate.ARRIVED, at.station, onward.packet)
        if onward.where == "pod":
            return self._to_pod(at.station, onward.packet, hops)
        segment = self.topology.segment_of(router.node.address)
        if segment is None or onward.next_hop is None:
            raise ValueError(f"{at.station} has no way to send {describe(onward.packet)}")
        return self._on_segment(onward.next_hop, segment, onward.packet, at.station)

    def _to_pod(self, node: str, packet: Packet, hops: list[Hop]) -> _End:
        if not self._has_pod(packet.destination):
            hops.append(Hop(node, packet, f"nobody has the address {packet.destination}"))
            return _End(Fate.HOST_UNREACHABLE, node, packet, self._timing.neighbour)
        hops.append(Hop(str(packet.destination), packet, "received"))
        return _End(Fate.ARRIVED, str(packet.destination), packet)


class Pods:
    """The addresses of all pods that some EndpointSlice names, ready or not."""

    def __init__(self, cluster: Cluster) -> None:
        self._store = cluster.store
        self._version = -1
        self._addresses: set[IPv4Address] = set()

    def __contains__(self, address: IPv4Address) -> bool:
        if self._version != self._store.latest(SLICES):
            self._version = self._store.latest(SLICES)
            self._addresses = {
                IPv4Address(text)
                for document in self._store.objects(SLICES)
                if document.get("addressType", "IPv4") == "IPv4"
                for endpoint in document.get("endpoints") or []
                for text in endpoint["addresses"]
            }
        return address in self._addresses
