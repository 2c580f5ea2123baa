"""How the server reaches other DNS servers. A port: the simulated network passes its own implementation."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Protocol

from .clock import Clock, within


class Upstream(Protocol):
    """`None` means silence: no answer within `timeout` seconds of the server's clock.

    A refused port (ICMP, or RST) is ConnectionRefusedError. The wire format carries no length prefix, over TCP neither.
    """

    async def udp(self, server: str, port: int, wire: bytes, timeout: float) -> bytes | None: ...

    async def tcp(self, server: str, port: int, wire: bytes, timeout: float) -> bytes | None: ...


Opening = Callable[[socket.SocketKind], Awaitable[socket.socket]]
"""Opens a non-blocking socket, which belongs to the caller from then on."""


class SocketUpstream:
    """Real sockets. `source` binds the local address; `routes` sends what is meant for one address elsewhere;
    `opening` opens the sockets, for instance in a network namespace."""

    def __init__(
        self,
        clock: Clock,
        source: str | None = None,
        routes: Mapping[str, tuple[str, int]] | None = None,
        opening: Opening | None = None,
    ) -> None:
        self._clock, self._source, self._routes = clock, source, dict(routes or {})
        self._opening = opening or _open

    async def _connected(self, kind: socket.SocketKind, endpoint: tuple[str, int]) -> socket.socket:
        opened = await self._opening(kind)
        try:
            if self._source:
                opened.bind((self._source, 0))
            await asyncio.get_running_loop().sock_connect(opened, endpoint)
        except BaseException:
            opened.close()
            raise
        return opened

    def _endpoint(self, server: str, port: int) -> tuple[str, int]:
        return self._routes.get(server, (server, port))

    async def udp(self, server: str, port: int, wire: bytes, timeout: float) -> bytes | None:
        loop = asyncio.get_running_loop()
        opened = await self._connected(socket.SOCK_DGRAM, self._endpoint(server, port))
        transport, protocol = await loop.create_datagram_endpoint(lambda: _OneReply(loop), sock=opened)
        try:
            transport.sendto(wire)
            return await within(self._clock, timeout, protocol.reply)
        except TimeoutError:
            return None
        finally:
            transport.close()

    async def tcp(self, server: str, port: int, wire: bytes, timeout: float) -> bytes | None:
        try:
            return await within(self._clock, timeout, self._exchange(self._endpoint(server, port), wire))
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionResetError):
            return None

    async def _exchange(self, endpoint: tuple[str, int], wire: bytes) -> bytes:
        opened = await self._connected(socket.SOCK_STREAM, endpoint)
        reader, writer = await asyncio.open_connection(sock=opened)
        try:
            writer.write(struct.pack("!H", len(wire)) + wire)
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            return await reader.readexactly(length)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def _open(kind: socket.SocketKind) -> socket.socket:
    opened = socket.socket(type=kind)
    opened.setblocking(False)
    return opened


class _OneReply(asyncio.DatagramProtocol):
    """The socket is connected, so that only the asked server can answer and a refusal is reported at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.reply: asyncio.Future[bytes] = loop.create_future()

    def datagram_received(self, data: bytes, _addr: object) -> None:
        if not self.reply.done():
            self.reply.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.reply.done():
            self.reply.set_exception(exc)
