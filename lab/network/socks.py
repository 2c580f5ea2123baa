"""SOCKS 5 (RFC 1928) as the door into the simulated network: one server per host, CONNECT and UDP ASSOCIATE.

Whoever connects through it sees what a program on that host would see: a refusal is reply 5, an unreachable host 4, an
unreachable network 3, and a packet that is silently dropped is never answered at all. There is no ICMP over SOCKS
(`SimulatedNetwork.ping` is the way), and no name resolution: the clients ask the DNS server themselves.
"""

import asyncio
import ipaddress
import struct
from contextlib import AbstractAsyncContextManager, suppress

from lab.cluster.listener import ANY, Address, serving_streams
from lab.fortigate.packets import Packet
from lab.network.simulated import SimulatedNetwork
from lab.network.simulated_connection import Outcome
from lab.network.simulated_datagrams import DatagramSocket

VERSION = 5
_CONNECT, _UDP_ASSOCIATE = 1, 3
_IPV4, _NAME, _IPV6 = 1, 3, 4
_SUCCEEDED, _FAILURE, _COMMAND_UNKNOWN, _ADDRESS_UNKNOWN = 0, 1, 7, 8
_NO_AUTHENTICATION, _NO_METHOD = 0, 0xFF

_REPLIES = {
    Outcome.CONNECTED: _SUCCEEDED,
    Outcome.HANDSHAKE_ONLY: _SUCCEEDED,
    Outcome.NET_UNREACHABLE: 3,
    Outcome.HOST_UNREACHABLE: 4,
    Outcome.REFUSED: 5,
}


class _Refused(Exception):
    """The request cannot be served; `code` is the reply."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def serving_socks(
    network: SimulatedNetwork, source: str, address: Address = ANY
) -> AbstractAsyncContextManager[Address]:
    """Serve SOCKS for a host of the network while the context lasts; the context yields the real address.

    `KeyError` when the network has no such host.
    """
    network.topology.host(source)
    return serving_streams(_Door(network, source).serve, address)


class _Door:
    def __init__(self, network: SimulatedNetwork, source: str) -> None:
        self._network = network
        self._source = source

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._negotiate(reader, writer)
            await self._request(reader, writer)
        except _Refused as refusal:
            writer.write(_reply(refusal.code, None))

    @staticmethod
    async def _negotiate(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        version, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        if version != VERSION or _NO_AUTHENTICATION not in methods:
            writer.write(bytes([VERSION, _NO_METHOD]))
            raise ConnectionAbortedError("no common method")
        writer.write(bytes([VERSION, _NO_AUTHENTICATION]))

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        version, command, _reserved, kind = await reader.readexactly(4)
        if version != VERSION:
            raise _Refused(_FAILURE)
        host, port = await _read_address(reader, kind)
        if command == _CONNECT:
            await self._connect(reader, writer, host, port)
        elif command == _UDP_ASSOCIATE:
            await self._associate(reader, writer)
        else:
            raise _Refused(_COMMAND_UNKNOWN)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int) -> None:
        attempt = await self._network.connect(self._source, host, port)
        if attempt.outcome is Outcome.SILENT:
            await _until_gone(reader)
            return
        if attempt.connection is None:
            raise _Refused(_REPLIES[attempt.outcome])
        sent = attempt.connection.flow.sent
        writer.write(_reply(_SUCCEEDED, (str(sent.source), sent.source_port)))
        await attempt.connection.run(reader, writer)

    async def _associate(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay datagrams as long as the TCP connection lasts."""
        loop = asyncio.get_running_loop()
        local = writer.get_extra_info("sockname")[0]
        transport, relay = await loop.create_datagram_endpoint(
            lambda: _Relay(self._network, self._source), local_addr=(local, 0)
        )
        try:
            writer.write(_reply(_SUCCEEDED, transport.get_extra_info("sockname")[:2]))
            await _until_gone(reader)
        finally:
            await relay.close()
            transport.close()


class _Relay(asyncio.DatagramProtocol):
    """One UDP association: datagrams with a SOCKS header on the client's side, bare ones in the network."""

    def __init__(self, network: SimulatedNetwork, source: str) -> None:
        self._socket: DatagramSocket = network.datagrams(source, self._received)
        self._client: Address | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._sending: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._client = self._client or addr
        if addr != self._client or len(data) < 10 or data[:4] != b"\0\0\0\x01":
            return  # fragments and names are not relayed, as RFC 1928 allows
        (port,) = struct.unpack("!H", data[8:10])
        task = asyncio.create_task(self._send(str(ipaddress.IPv4Address(data[4:8])), port, data[10:]))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def close(self) -> None:
        for task in tuple(self._sending):
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        self._socket.close()

    async def _send(self, host: str, port: int, data: bytes) -> None:
        await self._socket.send(host, port, data)  # SOCKS has no way to tell what became of it

    def _received(self, data: bytes, packet: Packet) -> None:
        if self._transport is not None and self._client is not None:
            header = b"\0\0\0\x01" + packet.source.packed + struct.pack("!H", packet.source_port)
            self._transport.sendto(header + data, self._client)


async def _read_address(reader: asyncio.StreamReader, kind: int) -> Address:
    if kind == _IPV4:
        host = str(ipaddress.IPv4Address(await reader.readexactly(4)))
    elif kind in (_NAME, _IPV6):
        # Read to the end all the same: closing with unread bytes would reset the connection before the reply.
        (length,) = await reader.readexactly(1) if kind == _NAME else (16,)
        await reader.readexactly(length + 2)
        raise _Refused(_ADDRESS_UNKNOWN)
    else:
        raise _Refused(_ADDRESS_UNKNOWN)
    (port,) = struct.unpack("!H", await reader.readexactly(2))
    return host, port


def _reply(code: int, bound: Address | None) -> bytes:
    host, port = bound or ("0.0.0.0", 0)
    return bytes([VERSION, code, 0, _IPV4]) + ipaddress.IPv4Address(host).packed + struct.pack("!H", port)


async def _until_gone(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):
        while await reader.read(65536):
            pass
