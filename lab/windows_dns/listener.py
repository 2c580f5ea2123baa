"""The DNS port: UDP with truncation, TCP with any number of queries per connection."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress

import dns.exception
import dns.flags
import dns.message
import dns.rcode

Respond = Callable[[dns.message.Message], Awaitable[dns.message.Message | None]]
_PLAIN_LIMIT = 512


class DnsListener:
    """`respond` returns None to stay silent. `start` may be given port 0; `port` is then the one that was free."""

    def __init__(self, respond: Respond, payload: int) -> None:
        self._respond, self._payload = respond, payload
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        for attempt in range(20):
            transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), local_addr=(host, port))
            self.port = transport.get_extra_info("sockname")[1]
            try:
                self._server = await asyncio.start_server(self._connection, host, self.port)
            except OSError:
                transport.close()
                # Port 0 gave a UDP port whose TCP twin is taken: try another.
                if port or attempt == 19:
                    raise
                continue
            self._transport = transport
            return

    async def start_on(self, udp: socket.socket, tcp: socket.socket) -> None:
        """Serve on sockets that are bound to one address and port already."""
        loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._connection, sock=tcp)
        self._transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=udp)
        self.port = udp.getsockname()[1]

    async def stop(self) -> None:
        if self._transport:
            self._transport.close()
        if self._server:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server:
            await self._server.wait_closed()

    async def answer(self, wire: bytes, limit: int | None) -> bytes | None:
        """The reply to one query in wire format; `limit` is the size of a datagram, None over TCP."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return _format_error(wire)
        if query.flags & dns.flags.QR:
            return None
        response = await self._respond(query)
        if response is None:
            return None
        if limit is None:
            return response.to_wire(max_size=65535)
        size = min(max(query.payload, _PLAIN_LIMIT), self._payload) if query.edns >= 0 else _PLAIN_LIMIT
        return response.to_wire(max_size=size, prefer_truncation=True)

    def start_task(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                reply = await self.answer(await reader.readexactly(length), None)
                if reply is None:
                    return
                writer.write(struct.pack("!H", len(reply)) + reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()
            with suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, listener: DnsListener) -> None:
        self._listener = listener
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._listener.start_task(self._reply(data, addr))

    async def _reply(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = await self._listener.answer(data, _PLAIN_LIMIT)
        if reply is not None and self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(reply, addr)


def _format_error(wire: bytes) -> bytes | None:
    """FORMERR with the client's id; silence when not even a header arrived."""
    if len(wire) < 12:
        return None
    response = dns.message.Message(id=struct.unpack("!H", wire[:2])[0])
    response.flags |= dns.flags.QR
    response.set_rcode(dns.rcode.FORMERR)
    return response.to_wire()
