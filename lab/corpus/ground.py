"""What carries the packets of an office, as far as faults break it: one contract, two networks."""

from collections.abc import Collection
from ipaddress import IPv4Address
from typing import Literal, Protocol

from lab.cluster.listener import Handle

NodeFault = Literal[
    "forwards nothing",
    "FORWARD drops",
    "no service rules",
    "kube-proxy hangs",
    "no masquerade",
    "INVALID dropped",
    "no CNI routes",
    "other router",
    "strict reverse path",
    "service rules stand still",
]
"""What can be wrong with a node that runs. ``other router``: its default route leads past the firewall.
``strict reverse path``: it drops what a neighbour forwards for an office, as rp_filter=1 does on an overlay."""

Socket = tuple[str, int]
"""Address and TCP port of a program in a pod."""


class Impossible(Exception):
    """A network cannot make a fault; the message says why."""


class Ground(Protocol):
    """Applies faults to a network. What it breaks stays broken until the office is closed."""

    async def break_node(self, node: str, fault: NodeFault) -> None:
        """Make one thing wrong with a node. Raises Impossible where the network cannot."""
        ...

    async def kill_node(self, node: str) -> None:
        """Power off, for the network and for the node's heart."""
        ...

    async def freeze_node(self, node: str) -> None:
        """The machine hangs: its link stays up, nothing answers, its lease is renewed no more."""
        ...

    async def instead(self, programs: Collection[Socket], talk: Handle | None) -> None:
        """Let another program, or none, listen where these pods' programs listen."""
        ...

    async def police(self, pods: Collection[IPv4Address]) -> None:
        """Lose what comes to these pods from outside their node, as a NetworkPolicy does."""
        ...

    async def stop_dns_server(self) -> None:
        """Nobody listens on port 53 of the office's DNS server."""
        ...

    async def stop_coredns(self) -> None:
        """CoreDNS dies in its pods, which stay where they are."""
        ...

    async def cut_bot(self) -> None:
        """Nothing that the bot's host sends as a probe leaves it."""
        ...

    async def settle(self) -> None:
        """Returns when whoever follows the cluster's API has caught up with it."""
        ...
