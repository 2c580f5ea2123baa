"""The article's office as commands for ``ip -batch``: pure functions from a topology to text.

Every machine is a network namespace, every segment a bridge in a namespace of its own, every pod a namespace
behind its node's bridge ``cni0``. A machine's only way anywhere is the firewall's leg on its segment, and no
interface of the real machine takes part, so nothing can leave.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from lab.topology import Host, Node, Segment, Topology

FIREWALL = "firewall"
POD_BRIDGE = "cni0"
UPLINK = "eth0"
"""Every machine's and every pod's only interface; the firewall's legs bear the names the firewall gives them."""

NEAR_INDEX = 1000

BASE_SYSCTLS = {
    # Addresses here are IPv4; without IPv6 nothing chatters on the segments.
    "net.ipv6.conf.all.disable_ipv6": 1,
    "net.ipv6.conf.default.disable_ipv6": 1,
    # New namespaces copy these from the machine; the network must not depend on where it runs.
    "net.ipv4.conf.all.rp_filter": 0,
    "net.ipv4.conf.default.rp_filter": 0,
    # Every refusal is answered, however quickly they follow each other: tests do not wait for a bucket to refill.
    "net.ipv4.icmp_ratelimit": 0,
}
ROUTER_SYSCTLS = {**BASE_SYSCTLS, "net.ipv4.ip_forward": 1}
FIREWALL_SYSCTLS = {
    **ROUTER_SYSCTLS,
    # A stateful firewall knows no connection that it has not seen from its first packet on.
    "net.netfilter.nf_conntrack_tcp_loose": 0,
    # Its sessions tell how old they are and what they have carried.
    "net.netfilter.nf_conntrack_timestamp": 1,
    "net.netfilter.nf_conntrack_acct": 1,
    # FortiOS spreads equal routes by source address (v4-ecmp-mode source-ip-based); 3 = chosen fields, 1 = source.
    "net.ipv4.fib_multipath_hash_policy": 3,
    "net.ipv4.fib_multipath_hash_fields": 1,
    "net.ipv4.conf.all.send_redirects": 0,
    "net.ipv4.conf.default.send_redirects": 0,
}


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod with an address of its own; its node is the one whose pod network contains the address."""

    name: str
    address: IPv4Address


ARTICLE_PODS = (
    Pod("redis-abc-gns-0", IPv4Address("172.20.4.222")),
    Pod("redis-qa-0", IPv4Address("172.20.3.21")),
    Pod("echo-0", IPv4Address("172.20.5.31")),
    Pod("coredns-0", IPv4Address("172.20.0.10")),
    Pod("coredns-1", IPv4Address("172.20.6.10")),
)
"""The headless redis of the article, a redis on the gateway node, an HTTP echo elsewhere, and kube-dns."""


def segment_namespace(interface: str) -> str:
    """Name of the namespace that holds the bridge of the segment behind a leg of the firewall."""
    return f"segment-{interface}"


def port(name: str) -> str:
    """Name of the bridge port of a machine or pod: at most 15 characters, unique within these topologies."""
    return f"p-{name}"[:15] if len(name) <= 13 else f"p-{name[:4]}{name[-9:]}"


def namespaces(topology: Topology) -> dict[str, Mapping[str, int]]:
    """Every namespace of the network without pods, with its kernel parameters."""
    return {
        **{segment_namespace(segment.interface): BASE_SYSCTLS for segment in topology.segments},
        FIREWALL: FIREWALL_SYSCTLS,
        **{host.name: BASE_SYSCTLS for host in topology.hosts},
        **{node.name: ROUTER_SYSCTLS for node in topology.nodes},
    }


def links(topology: Topology, paths: Mapping[str, str]) -> Iterator[str]:
    """Batch that lays every cable; *paths* tells ``ip`` where each namespace is."""
    for number, segment in enumerate(topology.segments):
        bridge = paths[segment_namespace(segment.interface)]
        yield _cable(segment.interface, paths[FIREWALL], port(FIREWALL), bridge, number)
    for machine in topology.machines():
        bridge = paths[segment_namespace(_segment(topology, machine).interface)]
        yield _cable(UPLINK, paths[machine.name], port(machine.name), bridge)


def pod_links(topology: Topology, pod: Pod, paths: Mapping[str, str]) -> Iterator[str]:
    """Batch that lays one pod's cable."""
    yield _cable(UPLINK, paths[pod.name], port(pod.name), paths[node_of(topology, pod).name])


def inside(topology: Topology) -> dict[str, list[str]]:
    """Batch for each namespace: addresses, bridges and routes."""
    batches = {FIREWALL: ["link set lo up"]}
    for segment in topology.segments:
        batches[FIREWALL] += _interface(segment.interface, segment.gateway, segment.network.prefixlen)
        name = segment_namespace(segment.interface)
        batches[name] = ["link add br0 type bridge", "link set br0 up", *_plug(port(FIREWALL), "br0")]
    for machine in topology.machines():
        segment = _segment(topology, machine)
        batches[segment_namespace(segment.interface)] += _plug(port(machine.name), "br0")
        batches[machine.name] = [
            "link set lo up",
            *_interface(UPLINK, machine.address, segment.network.prefixlen),
            f"route add default via {segment.gateway}",
        ]
    for node in topology.nodes:
        batches[node.name] += _node(topology, node)
    return batches


def pod_inside(topology: Topology, pod: Pod) -> dict[str, list[str]]:
    """Batches for a pod's namespace and for its node's."""
    node = node_of(topology, pod)
    return {
        pod.name: [
            "link set lo up",
            *_interface(UPLINK, pod.address, node.pod_cidr.prefixlen),
            f"route add default via {node.bridge_address}",
        ],
        node.name: _plug(port(pod.name), POD_BRIDGE),
    }


def node_of(topology: Topology, pod: Pod) -> Node:
    """The node a pod runs on; `ValueError` when its address is in no node's pod network."""
    node = topology.node_of(pod.address)
    if node is None:
        raise ValueError(f"pod {pod.name!r}: {pod.address} is in no node's pod network")
    return node


def _node(topology: Topology, node: Node) -> Iterator[str]:
    """What flannel in host-gw mode sets up: the pod bridge, and a route to every other node's pods."""
    yield f"link add {POD_BRIDGE} type bridge"
    yield from _interface(POD_BRIDGE, node.bridge_address, node.pod_cidr.prefixlen)
    for other in topology.nodes:
        if other is not node:
            yield f"route add {other.pod_cidr} via {other.address}"


def _segment(topology: Topology, machine: Host) -> Segment:
    segment = topology.segment_of(machine.address)
    if segment is None:
        raise ValueError(f"host {machine.name!r}: {machine.address} is on no segment")
    return segment


def _cable(near: str, near_namespace: str, far: str, far_namespace: str, number: int = 0) -> str:
    """A virtual Ethernet pair whose ends have different indexes.

    The kernel reports the carrier of a pair with equal indexes only once a second (``linkwatch_urgent_event``),
    and until then one end silently drops what is sent.
    """
    return (
        f"link add name {near} index {NEAR_INDEX + number} netns {near_namespace} "
        f"type veth peer name {far} netns {far_namespace}"
    )


def _plug(device: str, bridge: str) -> list[str]:
    return [f"link set {device} master {bridge} up"]


def _interface(device: str, address: IPv4Address, prefix: int) -> list[str]:
    return [f"addr add {address}/{prefix} brd + dev {device}", f"link set {device} up"]
