"""The simulated network: the article's office without a kernel's help, on any machine, with no rights.

Packets walk over the topology as values; what passes reaches a real server on loopback, byte for byte. A client
enters it at a host, through that host's SOCKS server (`lab.network.socks`), and sees what it would see there.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address
from typing import Any

from lab.cluster.model import Cluster
from lab.fortigate.packets import ICMP, TCP, UDP, Packet
from lab.network.simulated_connection import Connection, Flow, Outcome
from lab.network.simulated_datagrams import DatagramSocket, Receive, Refuse
from lab.network.simulated_node import NodeSettings
from lab.network.simulated_packets import Fate, Firewall, Journey, Signal
from lab.network.simulated_servers import Caller, Servers
from lab.network.simulated_walk import Pods, Timing, Walker
from lab.topology import ARTICLE, Topology

_ECHO_REQUEST = 8
_PORTS = range(32768, 61000)
_TRACES = 500

_OUTCOMES = {
    Fate.DROPPED: Outcome.SILENT,
    Fate.REFUSED: Outcome.REFUSED,
    Fate.HOST_UNREACHABLE: Outcome.HOST_UNREACHABLE,
    Fate.NET_UNREACHABLE: Outcome.NET_UNREACHABLE,
}


@dataclass(frozen=True, slots=True)
class Trace:
    """A journey and when it was made."""

    time: datetime
    journey: Journey

    def as_json(self) -> dict[str, Any]:
        return {"time": self.time.isoformat(), **self.journey.as_json()}


@dataclass(frozen=True, slots=True)
class Attempt:
    """The end of an attempt to connect; `connection` is there when the client believes that it is connected."""

    outcome: Outcome
    connection: Connection | None = None


class SimulatedNetwork:
    """Hosts, a firewall and a cluster, joined. Switches: `node`, `kill_node`, `freeze_node`, and
    those of the `walker`, `dead_neighbours_answer` and `same_interface_forwarding`.

    `sleep` is what waiting costs: three seconds for an address that nobody answers to, pauses between
    retransmissions.
    """

    def __init__(
        self,
        cluster: Cluster,
        firewall: Firewall,
        *,
        topology: Topology = ARTICLE,
        timing: Timing | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.cluster = cluster
        self.topology = topology
        self.servers = Servers()
        self.traces: deque[Trace] = deque(maxlen=_TRACES)
        self._pods = Pods(cluster)
        self.walker = Walker(topology, cluster, firewall, self._has_pod, timing or Timing())
        self._listeners: list[Callable[[Trace], None]] = []
        self._flows = itertools.count(1)
        self._ports = itertools.cycle(_PORTS)
        self._sleep = sleep
        self._changed = asyncio.Event()

    # Switches --------------------------------------------------------------------------------------------------

    def node(self, name: str) -> NodeSettings:
        """The switches of a node, to be changed in place; `KeyError` when there is no such node."""
        return self.walker.routers[self.topology.node(name).name].settings

    def kill_node(self, name: str) -> None:
        """Switch a machine off."""
        self.cluster.kill_node(name)
        self.poke()

    def revive_node(self, name: str) -> None:
        """Switch it on again; like any machine that boots it remembers no connection."""
        self.walker.routers[self.topology.node(name).name].conntrack.clear()
        self.node(name).paused = False
        self.cluster.revive_node(name)
        self.poke()

    def freeze_node(self, name: str) -> None:
        """Stop a machine in its tracks: packets to it vanish, its lease is renewed no more."""
        self.node(name).paused = True
        self.cluster.freeze_lease(name)

    def thaw_node(self, name: str) -> None:
        """Let it go on where it stood, with all its connections."""
        self.node(name).paused = False
        self.cluster.thaw_lease(name)
        self.poke()

    def poke(self) -> None:
        """Tell waiting connections that something has changed, so that they try again now and not later."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    # Traces ----------------------------------------------------------------------------------------------------

    def on_trace(self, listener: Callable[[Trace], None]) -> Callable[[], None]:
        """Call `listener` with every journey; returns the way to stop that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def walk(self, packet: Packet, signal: Signal, station: str, flow: int) -> Journey:
        """Send one packet and record its journey."""
        journey = self.walker.walk(packet, signal, station, flow)
        trace = Trace(self.cluster.clock.now(), journey)
        self.traces.append(trace)
        for listener in tuple(self._listeners):
            listener(trace)
        return journey

    # Clients ---------------------------------------------------------------------------------------------------

    async def connect(self, source: str, address: str, port: int) -> Attempt:
        """Try to open a TCP connection from a host. Returns without delay when the attempt stays unanswered."""
        number = next(self._flows)
        packet = self._packet(source, address, TCP, next(self._ports), port)
        forward = self.walk(packet, Signal.SYN, source, number)
        if not forward.arrived:
            await self._sleep(forward.delay)
            return Attempt(_OUTCOMES[forward.fate])
        flow = Flow(number, source, packet, forward.station, forward.packet)
        server = await self.servers.open(Caller(flow.seen, self.node_of(flow.station)))
        reply = Signal.RST if server is None else Signal.SYN_ACK
        back = self.walk(forward.packet.reply(), reply, forward.station, number)
        recognised = back.arrived and (back.station, back.packet) == (source, packet.reply())
        if server is None:
            return Attempt(Outcome.REFUSED if recognised else Outcome.SILENT)
        connection = Connection(flow, server, self.walk, self.pause)
        if not recognised:
            connection.abandon()
            return Attempt(Outcome.SILENT)
        acknowledged = connection.acknowledge()
        return Attempt(Outcome.CONNECTED if acknowledged else Outcome.HANDSHAKE_ONLY, connection)

    def datagrams(self, source: str, receive: Receive, refuse: Refuse = lambda: None) -> DatagramSocket:
        """A UDP socket on a host; `receive` is called with what comes back, `refuse` for a late ICMP refusal."""
        local = Packet(self._address(source), self._address(source), UDP, next(self._ports), 0)
        number = next(self._flows)
        return DatagramSocket(source, local, number, self.servers, self.walk, self.node_of, receive, refuse)

    async def ping(self, source: str, address: str) -> Fate:
        """Send an ICMP echo request from a host; ARRIVED means that the reply came back."""
        number = next(self._flows)
        packet = self._packet(source, address, ICMP, 0, 0)
        forward = self.walk(packet, Signal.DATAGRAM, source, number)
        if not forward.arrived:
            await self._sleep(forward.delay)
            return forward.fate
        back = self.walk(forward.packet.reply(), Signal.DATAGRAM, forward.station, number)
        recognised = back.arrived and (back.station, back.packet) == (source, packet.reply())
        return Fate.ARRIVED if recognised else Fate.DROPPED

    def node_of(self, station: str) -> str:
        """The node that a station is, or that carries it; empty for other hosts."""
        try:
            node = self.topology.node_of(IPv4Address(station))
        except ValueError:
            return station if any(node.name == station for node in self.topology.nodes) else ""
        return node.name if node else ""

    async def pause(self, seconds: float) -> None:
        """Wait so long, or until something changes."""
        waits = [asyncio.ensure_future(self._sleep(seconds)), asyncio.ensure_future(self._changed.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _packet(self, source: str, address: str, protocol: int, source_port: int, port: int) -> Packet:
        echo = _ECHO_REQUEST if protocol == ICMP else None
        return Packet(self._address(source), IPv4Address(address), protocol, source_port, port, icmp_type=echo)

    def _address(self, source: str) -> IPv4Address:
        return self.topology.host(source).address

    def _has_pod(self, address: IPv4Address) -> bool:
        return address in self._pods or self.servers.has_address(address)
