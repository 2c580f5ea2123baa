"""Faults of the simulated network."""

from collections.abc import Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass
from ipaddress import IPv4Address

from lab.cluster.listener import Handle, serving_streams
from lab.cluster.serving import Running
from lab.corpus.filters import filtering
from lab.corpus.ground import Impossible, NodeFault, Socket
from lab.fortigate.packets import Packet
from lab.network.simulated import SimulatedNetwork
from lab.network.simulated_node import NodeSettings
from lab.topology import ARTICLE, DNS_SERVER

_UNUSED_PORT = 9
"""Of loopback: nobody listens there."""
_NO_ROUTER = IPv4Address("172.16.1.253")
_OFFICE = ARTICLE.segment("internal").network


@dataclass(frozen=True)
class SimulatedGround:
    """`door` closes the SOCKS server that the bot's probes start from."""

    network: SimulatedNetwork
    cluster: Running
    door: AsyncExitStack
    extras: AsyncExitStack

    async def break_node(self, node: str, fault: NodeFault) -> None:
        if fault == "strict reverse path":
            filtering(self.network, node, fault, _forwarded_for_an_office)
        elif fault in _SWITCHES:
            _SWITCHES[fault](self.network.node(node))
        else:
            raise Impossible("its nodes look into the cluster's store at every packet")

    async def kill_node(self, node: str) -> None:
        self.network.kill_node(node)

    async def freeze_node(self, node: str) -> None:
        self.network.freeze_node(node)

    async def instead(self, programs: Collection[Socket], talk: Handle | None) -> None:
        target = ("127.0.0.1", _UNUSED_PORT)
        if talk is not None:
            target = await self.extras.enter_async_context(serving_streams(talk))
        for address, port in programs:
            self.network.servers.attach(address, port, "tcp", target)

    async def police(self, pods: Collection[IPv4Address]) -> None:
        for node in ARTICLE.nodes:
            filtering(
                self.network,
                node.name,
                "network policy",
                lambda packet, ingress: packet.destination in pods and ingress != "cni0",
            )

    async def stop_dns_server(self) -> None:
        for protocol in ("udp", "tcp"):
            self.network.servers.detach(str(ARTICLE.host(DNS_SERVER).address), 53, protocol)

    async def stop_coredns(self) -> None:
        await self.cluster.dns.stop()

    async def cut_bot(self) -> None:
        await self.door.aclose()

    async def settle(self) -> None:
        """The network looks into the cluster's store at every packet."""


def _forwarded_for_an_office(packet: Packet, ingress: str) -> bool:
    """Whether a packet would come by the overlay: for a pod, from an office, and not masqueraded."""
    return ingress == "eth0" and packet.source in _OFFICE and packet.destination in ARTICLE.pod_network


def _set(name: str, value: object) -> Callable[[NodeSettings], None]:
    return lambda settings: setattr(settings, name, value)


_SWITCHES: dict[NodeFault, Callable[[NodeSettings], None]] = {
    "forwards nothing": _set("ip_forward", False),
    "FORWARD drops": _set("forward_drop", True),
    "no service rules": _set("proxy_rules", False),
    "kube-proxy hangs": _set("proxy_hung", True),
    "no masquerade": _set("masquerade", False),
    "INVALID dropped": _set("proxy_mode", "iptables"),
    "no CNI routes": _set("cni_routes", False),
    "other router": _set("default_gateway", _NO_ROUTER),
}
