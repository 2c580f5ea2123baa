"""DNS over UDP and TCP on one port."""

import asyncio
import errno
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from lab.cluster.listener import Address, serving_streams

Respond = Callable[[bytes, bool], bytes | None]
"""Query and "came by UDP" to response; None: no response."""

_ATTEMPTS = 20
"""Tries to find a number that is free for UDP and for TCP at once."""


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, respond: Respond) -> None:
        self._respond = respond
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        response = self._respond(data, True)
        if response is not None and self._transport is not None:
            self._transport.sendto(response, addr)


@asynccontextmanager
async def serving_dns_sockets(respond: Respond, udp: socket.socket, tcp: socket.socket) -> AsyncIterator[None]:
    """Serve on bound sockets while the context lasts; they are closed at its end."""
    loop = asyncio.get_running_loop()
    async with serving_streams(partial(_stream, respond), tcp):
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(respond), sock=udp)
        try:
            yield
        finally:
            transport.close()


@asynccontextmanager
async def serving_dns(respond: Respond, address: Address) -> AsyncIterator[Address]:
    """Serve while the context lasts; yields the address. Port 0: one that is free for both transports."""
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        for attempt in range(1, _ATTEMPTS + 1):
            streams = AsyncExitStack()
            bound = await streams.enter_async_context(serving_streams(partial(_stream, respond), address))
            try:
                transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(respond), local_addr=bound)
            except OSError as error:
                await streams.aclose()
                if address[1] or error.errno != errno.EADDRINUSE or attempt == _ATTEMPTS:
                    raise
            else:
                stack.push_async_exit(streams)
                stack.callback(transport.close)
                break
        yield bound


async def _stream(respond: Respond, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        response = respond(await reader.readexactly(length), False)
        if response is None:
            return
        writer.write(struct.pack("!H", len(response)) + response)
        await writer.drain()
