"""A Kubernetes node as a router: kube-proxy, CNI, filters and the switches that break them."""

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal

from lab.fortigate.packets import Packet
from lab.network.simulated_conntrack import Conntrack, State, Tracked
from lab.network.simulated_packets import Fate, Signal, from_source, to_destination
from lab.network.simulated_proxy import Endpoint, ProxyMode, ServiceRules
from lab.topology import Node, Topology


@dataclass(slots=True)
class NodeSettings:
    """The switches of one node; the defaults are those of a healthy ipvs node with flannel host-gw."""

    default_gateway: IPv4Address
    proxy_mode: ProxyMode = "ipvs"
    proxy_rules: bool = True
    """False: kube-proxy's rules were flushed. Its health endpoint does not notice."""
    proxy_hung: bool = False
    """True: kube-proxy no longer synchronises, and its health endpoint says 503."""
    masquerade: bool = True
    """Whether kube-proxy knows what is outside the cluster, and masquerades it."""
    tcp_be_liberal: bool = False
    """True: iptables mode installs no rule against packets that conntrack calls INVALID."""
    cni_masquerade: bool = False
    """flannel ``--ip-masq``: outside traffic to pods of other nodes leaves with the node's address."""
    cni_routes: bool = True
    """False: the routes to the other nodes' pods are gone."""
    ip_forward: bool = True
    forward_drop: bool = False
    """True: FORWARD policy DROP, and the CNI added no rule that accepts pod traffic."""
    paused: bool = False
    """True: the machine is frozen. Its neighbours still know its hardware address, so packets vanish."""
    tcp_loose: bool = True

    @property
    def drops_invalid(self) -> bool:
        return self.proxy_mode == "iptables" and self.proxy_rules and not self.tcp_be_liberal


@dataclass(frozen=True, slots=True)
class Stop:
    """The packet goes no further."""

    fate: Fate
    action: str
    packet: Packet


@dataclass(frozen=True, slots=True)
class Onward:
    """The packet leaves: to a pod behind the bridge, to the node itself, or by eth0 to a next hop."""

    where: Literal["pod", "local", "eth0"]
    packet: Packet
    action: str
    next_hop: IPv4Address | None = None


class NodeRouter:
    """What one node does with a packet. Pure but for its connection tracking."""

    def __init__(self, node: Node, topology: Topology, rules: ServiceRules) -> None:
        self.node = node
        segment = topology.segment_of(node.address)
        if segment is None:
            raise ValueError(f"node {node.name} has an address on no segment of the topology")
        self.settings = NodeSettings(default_gateway=segment.gateway)
        self.conntrack = Conntrack(loose=True)
        self._topology = topology
        self._rules = rules
        self._link = segment.network

    def route(self, packet: Packet, signal: Signal, ingress: str) -> Onward | Stop:
        """Prerouting, routing, forward filter, postrouting. `ingress`: ``eth0``, ``cni0``, or ``local``."""
        self.conntrack.loose = self.settings.tcp_loose
        tracked = self.conntrack.track(packet, signal)
        begins = tracked.state is State.NEW and not self.conntrack.knows(packet)
        inner, notes = tracked.packet, []
        if inner != packet:
            notes.append("known flow, address translated")
        if begins:
            target = self._service(packet)
            if isinstance(target, Stop):
                return target
            if target is not None:
                inner = to_destination(packet, target.address, target.port)
                notes.append(f"kube-proxy: DNAT to {target.address}:{target.port}")
        marked = inner.destination != packet.destination and begins
        onward = self._out(inner)
        if ingress != "local" and onward.where != "local":
            obstacle = self._filter(tracked, marked, packet)
            if obstacle is not None:
                return obstacle
        if begins:
            onward = self._postrouting(onward, marked, notes)
            if tracked.state is State.NEW:
                self.conntrack.remember(packet, onward.packet, signal)
        action = "; ".join([*notes, onward.action])
        return Onward(onward.where, onward.packet, action, onward.next_hop)

    def _service(self, packet: Packet) -> Endpoint | Stop | None:
        if not self.settings.proxy_rules:
            return None
        match self._rules.match(packet, self.settings.proxy_mode, self.node.name):
            case Endpoint() as endpoint:
                return endpoint
            case "reject":
                return Stop(Fate.REFUSED, "kube-proxy: rejected, no endpoint behind this port", packet)
            case "drop":
                return Stop(Fate.DROPPED, "kube-proxy: dropped", packet)
        return None

    def _filter(self, tracked: Tracked, marked: bool, packet: Packet) -> Stop | None:
        """The FORWARD chain; kube-proxy's rules come first."""
        settings = self.settings
        if not settings.ip_forward:
            return Stop(Fate.DROPPED, "ip_forward is 0", packet)
        if settings.drops_invalid and tracked.state is State.INVALID:
            return Stop(Fate.DROPPED, "kube-proxy: conntrack state INVALID", packet)
        accepted = settings.proxy_rules and (marked or tracked.state is State.ESTABLISHED)
        if settings.forward_drop and not accepted:
            return Stop(Fate.DROPPED, "FORWARD policy DROP", packet)
        return None

    def _postrouting(self, onward: Onward, marked: bool, notes: list[str]) -> Onward:
        """Source NAT of the first packet of a flow."""
        packet, settings = onward.packet, self.settings
        outside = packet.source not in self._topology.pod_network and packet.source != self.node.address
        to_other_pod = packet.destination in self._topology.pod_network and onward.where == "eth0"
        if onward.where == "local" or not outside:
            return onward
        if (marked and settings.masquerade) or (not marked and settings.cni_masquerade and to_other_pod):
            address = self.node.bridge_address if onward.where == "pod" else self.node.address
            notes.append(f"masqueraded as {address}")
            return Onward(onward.where, from_source(packet, address), onward.action, onward.next_hop)
        return onward

    def _out(self, packet: Packet) -> Onward:
        """The route to a destination."""
        address = packet.destination
        if address in (self.node.address, self.node.bridge_address):
            return Onward("local", packet, "for the node itself")
        if address in self.node.pod_cidr:
            return Onward("pod", packet, "to the pod bridge cni0")
        owner = self._topology.node_of(address)
        if owner is not None and self.settings.cni_routes:
            return Onward("eth0", packet, f"to {owner.name}, which owns {owner.pod_cidr}", owner.address)
        if address in self._link:
            return Onward("eth0", packet, "to a neighbour on the segment", address)
        gateway = self.settings.default_gateway
        return Onward("eth0", packet, f"default route to {gateway}", gateway)
