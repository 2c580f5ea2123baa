"""UDP through the simulated network."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from lab.cluster.listener import Address
from lab.fortigate.packets import UDP, Packet
from lab.network.simulated_packets import Fate, Journey, Signal
from lab.network.simulated_servers import Caller, Servers

Walk = Callable[[Packet, Signal, str, int], Journey]
Receive = Callable[[bytes, Packet], None]
"""A datagram that reached the client, and the packet it came in."""

Refuse = Callable[[], None]
"""An ICMP "port unreachable" that reached the client after its datagram had left."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a datagram on its way to the server."""

    fate: Fate
    delay: float = 0.0


class _Exchange(asyncio.DatagramProtocol):
    """The real socket that stands for one simulated flow in front of a server."""

    def __init__(self, answer: Callable[[bytes], None], refuse: Callable[[], None]) -> None:
        self._answer = answer
        self._refuse = refuse

    def datagram_received(self, data: bytes, _addr: Address) -> None:
        self._answer(data)

    def error_received(self, _exc: Exception) -> None:
        self._refuse()


class DatagramSocket:
    """A client's UDP socket on a host of the network."""

    def __init__(
        self,
        source: str,
        local: Packet,
        number: int,
        servers: Servers,
        walk: Walk,
        node_of: Callable[[str], str],
        receive: Receive,
        refuse: Refuse,
    ) -> None:
        self._source = source
        self._local = local
        self._number = number
        self._servers = servers
        self._walk = walk
        self._node_of = node_of
        self._receive = receive
        self._refuse = refuse
        self._exchanges: dict[tuple[str, Packet], asyncio.DatagramTransport] = {}
        self._opening = asyncio.Lock()  # datagrams of one flow, sent at the same time, take the same way

    async def send(self, address: str, port: int, data: bytes) -> Sent:
        """Send a datagram. REFUSED means that an ICMP "port unreachable" came back."""
        packet = replace(self._local, destination=IPv4Address(address), destination_port=port)
        journey = self._walk(packet, Signal.DATAGRAM, self._source, self._number)
        if not journey.arrived:
            return Sent(journey.fate, journey.delay)
        async with self._opening:
            transport = await self._exchange(journey)
        if transport is None:
            return Sent(Fate.REFUSED)
        transport.sendto(data)
        return Sent(Fate.ARRIVED)

    def close(self) -> None:
        for transport in self._exchanges.values():
            self._servers.forget(transport.get_extra_info("sockname")[:2], UDP)
            transport.close()
        self._exchanges.clear()

    async def _exchange(self, journey: Journey) -> asyncio.DatagramTransport | None:
        """The real socket in front of the server a packet arrived at; None when nobody listens there."""
        key = (journey.station, journey.packet)
        transport = self._exchanges.get(key)
        if transport is not None and not transport.is_closing():
            return transport
        server = await self._servers.find(journey.packet)
        if server is None:
            return None
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Exchange(lambda data: self._answer(journey, data), self._refuse), remote_addr=server
        )
        caller = Caller(journey.packet, self._node_of(journey.station))
        self._servers.announce(transport.get_extra_info("sockname")[:2], caller)
        self._exchanges[key] = transport
        return transport

    def _answer(self, journey: Journey, data: bytes) -> None:
        back = self._walk(journey.packet.reply(), Signal.DATAGRAM, journey.station, self._number)
        if back.arrived and back.station == self._source:
            self._receive(data, back.packet)
