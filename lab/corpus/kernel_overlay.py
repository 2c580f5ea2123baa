"""flannel's vxlan backend in place of host-gw: pure functions from a topology to commands.

Every node gets the device ``flannel.1`` with the first address of its pod network, and reaches the pods of every other
node through it. As flannel does, neighbours and forwarding entries are written down instead of learnt.
"""

from collections.abc import Iterator

from lab.network.kernel_layout import UPLINK
from lab.topology import Node, Topology

DEVICE = "flannel.1"
_NETWORK_ID, _PORT = 1, 8472


def ip_commands(topology: Topology, node: Node) -> Iterator[str]:
    """For ``ip -batch`` on a node: the device, and a route through it to every other node's pods."""
    yield (
        f"link add {DEVICE} address {_hardware(node)} type vxlan id {_NETWORK_ID} local {node.address} dev {UPLINK} "
        f"dstport {_PORT} nolearning"
    )
    yield f"address add {node.pod_cidr[0]}/32 dev {DEVICE}"
    yield f"link set {DEVICE} up"
    for other in _others(topology, node):
        yield f"neigh replace {other.pod_cidr[0]} lladdr {_hardware(other)} dev {DEVICE} nud permanent"
        yield f"route replace {other.pod_cidr} via {other.pod_cidr[0]} dev {DEVICE} onlink"


def bridge_commands(topology: Topology, node: Node) -> Iterator[str]:
    """For ``bridge -batch`` on a node: behind which machine each other node's end of the overlay is."""
    for other in _others(topology, node):
        yield f"fdb append {_hardware(other)} dev {DEVICE} dst {other.address}"


def undoing(topology: Topology, node: Node) -> Iterator[str]:
    """For ``ip -batch`` on a node: back to host-gw."""
    for other in _others(topology, node):
        yield f"route replace {other.pod_cidr} via {other.address}"
    yield f"link del {DEVICE}"


def _others(topology: Topology, node: Node) -> Iterator[Node]:
    return (one for one in topology.nodes if one.name != node.name)


def _hardware(node: Node) -> str:
    return (b"\x02\x02" + node.address.packed).hex(":")
