"""Which real server stands behind an address of the simulated network, and who is calling it."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv4Address

from lab.cluster.listener import Address
from lab.fortigate.packets import TCP, UDP, Packet

Socket = tuple[IPv4Address, int, int]
"""A simulated one: address, protocol number, port."""

PROTOCOL_NUMBERS = {"tcp": TCP, "udp": UDP}


@dataclass(frozen=True, slots=True)
class Caller:
    """What a server inside the network sees of a client: `packet` as it arrived, after every translation."""

    packet: Packet
    node: str
    """The node the packet arrived at, or that carries the pod; empty for other hosts."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A real connection to a server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    forget: Callable[[], None]

    def abort(self) -> None:
        self.writer.transport.abort()
        self.forget()


Finder = Callable[[Socket], Awaitable[Address | None]]


class Servers:
    """The real servers behind simulated sockets: attached by hand, or found on demand."""

    def __init__(self) -> None:
        self._attached: dict[Socket, Address] = {}
        self._finders: list[Finder] = []
        self._callers: dict[tuple[int, Address], Caller] = {}

    def attach(self, address: str, port: int, protocol: str, target: Address) -> None:
        """Let a real server answer at a simulated address; `protocol` is ``tcp`` or ``udp``."""
        self._attached[IPv4Address(address), PROTOCOL_NUMBERS[protocol], port] = target

    def detach(self, address: str, port: int, protocol: str) -> None:
        """Nobody answers there any more; nothing happens when nobody did."""
        self._attached.pop((IPv4Address(address), PROTOCOL_NUMBERS[protocol], port), None)

    def find_with(self, finder: Finder) -> None:
        """Ask `finder` for the server of sockets that nobody attached."""
        self._finders.append(finder)

    def has_address(self, address: IPv4Address) -> bool:
        """Whether something was attached at an address."""
        return any(attached == address for attached, _, _ in self._attached)

    async def find(self, packet: Packet) -> Address | None:
        """The real server a packet is for; None: nobody listens."""
        key = (packet.destination, packet.protocol, packet.destination_port)
        if key in self._attached:
            return self._attached[key]
        for finder in self._finders:
            address = await finder(key)
            if address is not None:
                return address
        return None

    async def open(self, caller: Caller) -> Stream | None:
        """Call the real server that a packet arrived at, as `caller`; None: nobody listens."""
        server = await self.find(caller.packet)
        if server is None:
            return None
        sock = socket.socket()
        sock.setblocking(False)
        sock.bind((server[0], 0))
        local: Address = sock.getsockname()
        self.announce(local, caller)  # before the server can ask
        try:
            await asyncio.get_running_loop().sock_connect(sock, server)
        except OSError:
            sock.close()
            self.forget(local, TCP)
            return None
        reader, writer = await asyncio.open_connection(sock=sock)
        return Stream(reader, writer, lambda: self.forget(local, TCP))

    def caller(self, protocol: str, peer: Address) -> Caller | None:
        """Who calls from a real peer address; None when the call did not come through the network."""
        return self._callers.get((PROTOCOL_NUMBERS[protocol], peer))

    def announce(self, local: Address, caller: Caller) -> None:
        """Say who is behind a real local address that is about to call a server."""
        self._callers[caller.packet.protocol, local] = caller

    def forget(self, local: Address, protocol: int) -> None:
        self._callers.pop((protocol, local), None)
