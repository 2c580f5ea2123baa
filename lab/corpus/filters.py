"""Packet filters on nodes: what a NetworkPolicy, a host firewall or a sysctl drops."""

from collections.abc import Callable
from dataclasses import dataclass

from lab.fortigate.packets import Packet
from lab.network.simulated import SimulatedNetwork
from lab.network.simulated_node import NodeRouter, NodeSettings, Onward, Stop
from lab.network.simulated_packets import Fate, Signal
from lab.topology import Node

Drops = Callable[[Packet, str], bool]
"""Whether a packet, as translated by the node, is lost; the text is where it came in: ``eth0``, ``cni0``, ``local``."""


@dataclass(slots=True)
class FilteringRouter:
    """A node's router with one more rule at its end."""

    inner: NodeRouter
    reason: str
    drops: Drops

    @property
    def node(self) -> Node:
        return self.inner.node

    @property
    def settings(self) -> NodeSettings:
        return self.inner.settings

    def route(self, packet: Packet, signal: Signal, ingress: str) -> Onward | Stop:
        onward = self.inner.route(packet, signal, ingress)
        if isinstance(onward, Onward) and self.drops(onward.packet, ingress):
            return Stop(Fate.DROPPED, self.reason, packet)
        return onward


def filtering(network: SimulatedNetwork, node: str, reason: str, drops: Drops) -> None:
    """Put a filter on a node, behind those it has."""
    routers = network.walker.routers
    routers[node] = FilteringRouter(routers[node], reason, drops)  # type: ignore[assignment]  # has all that is used
