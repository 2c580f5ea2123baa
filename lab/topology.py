"""The article's office, as data: segments, hosts, nodes and the cluster's two inner networks.

Both networks of the lab are built from this: the simulated one walks packets over it, the kernel one makes a
network namespace of every host. Addresses of the firewall's legs are the ``.254`` of each segment; the
article names two of them (172.16.2.254, the firewall's address; 172.16.1.254, the nodes' default route).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network


@dataclass(frozen=True, slots=True)
class Segment:
    """One Ethernet segment behind one leg of the firewall."""

    interface: str
    """The firewall's name of the leg."""
    network: IPv4Network
    gateway: IPv4Address
    """The firewall's own address on the segment."""


@dataclass(frozen=True, slots=True)
class Host:
    """A machine on a segment; its default route is the segment's gateway."""

    name: str
    address: IPv4Address


@dataclass(frozen=True, slots=True)
class Node(Host):
    """A Kubernetes node; it owns one slice of the pod network (flannel host-gw: no overlay)."""

    pod_cidr: IPv4Network
    control_plane: bool = False

    @property
    def bridge_address(self) -> IPv4Address:
        """Address of the pod bridge (``cni0``): the first of the node's pod network."""
        return self.pod_cidr[1]


@dataclass(frozen=True, slots=True)
class Topology:
    segments: tuple[Segment, ...]
    hosts: tuple[Host, ...]
    nodes: tuple[Node, ...]
    pod_network: IPv4Network
    service_network: IPv4Network
    kube_dns: IPv4Address
    """ClusterIP of kube-dns."""
    gateway_node: str
    """Name of the node that the article's static routes point at."""

    def machines(self) -> Iterator[Host]:
        """Every machine with an address on a segment, the firewall excepted."""
        yield from self.hosts
        yield from self.nodes

    def host(self, name: str) -> Host:
        """The machine of that name; `KeyError` when there is none."""
        for machine in self.machines():
            if machine.name == name:
                return machine
        raise KeyError(f"no host {name!r} in the topology; there are: {', '.join(m.name for m in self.machines())}")

    def node(self, name: str) -> Node:
        """The node of that name; `KeyError` when there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(f"no node {name!r} in the topology; there are: {', '.join(n.name for n in self.nodes)}")

    def at(self, address: IPv4Address) -> Host | None:
        """The machine that owns an address on a segment, if any."""
        return next((machine for machine in self.machines() if machine.address == address), None)

    def node_of(self, pod: IPv4Address) -> Node | None:
        """The node whose pod network contains an address, if any."""
        return next((node for node in self.nodes if pod in node.pod_cidr), None)

    def segment_of(self, address: IPv4Address) -> Segment | None:
        """The segment that contains an address, if any."""
        return next((segment for segment in self.segments if address in segment.network), None)

    def segment(self, interface: str) -> Segment:
        """The segment behind a leg of the firewall; `KeyError` when there is none."""
        for segment in self.segments:
            if segment.interface == interface:
                return segment
        raise KeyError(f"the firewall has no leg {interface!r}")


PC = "pc"
BOT = "bot"
DNS_SERVER = "dns"


def _segment(interface: str, network: str) -> Segment:
    subnet = IPv4Network(network)
    return Segment(interface, subnet, subnet[254])


def _node(number: int, address: str, pod_cidr: str) -> Node:
    return Node(f"k8s-qa-node-{number:02}", IPv4Address(address), IPv4Network(pod_cidr), control_plane=number == 1)


ARTICLE = Topology(
    segments=(
        _segment("internal", "172.16.0.0/24"),
        _segment("Test", "172.16.1.0/24"),
        _segment("dmz", "172.16.2.0/24"),
    ),
    hosts=(
        Host(PC, IPv4Address("172.16.0.10")),
        Host(BOT, IPv4Address("172.16.0.50")),
        Host(DNS_SERVER, IPv4Address("172.16.2.3")),
    ),
    nodes=(
        _node(1, "172.16.1.100", "172.20.0.0/24"),
        _node(2, "172.16.1.106", "172.20.3.0/24"),
        _node(3, "172.16.1.107", "172.20.4.0/24"),
        _node(4, "172.16.1.108", "172.20.5.0/24"),
        _node(5, "172.16.1.109", "172.20.6.0/24"),
        _node(6, "172.16.1.110", "172.20.2.0/24"),
        _node(7, "172.16.1.101", "172.20.1.0/24"),
    ),
    pod_network=IPv4Network("172.20.0.0/16"),
    service_network=IPv4Network("10.68.0.0/16"),
    kube_dns=IPv4Address("10.68.0.2"),
    gateway_node="k8s-qa-node-02",
)
