"""DNS over UDP and TCP on one port."""

import asyncio
import errno
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

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
async def serving_dns(respond: Respond, host: str, port: int) -> AsyncIterator[tuple[str, int]]:
    """Serve while the context lasts; yields the address. Port 0: one that is free for both transports."""
    loop = asyncio.get_running_loop()
    streams: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        streams.add(task)
        try:
            await _stream(respond, reader, writer)
        finally:
            streams.discard(task)

    for attempt in range(_ATTEMPTS):
        server = await asyncio.start_server(serve, host, port)
        bound: tuple[str, int] = server.sockets[0].getsockname()[:2]
        try:
            transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(respond), local_addr=bound)
            break
        except OSError as error:
            server.close()
            await server.wait_closed()
            if port or error.errno != errno.EADDRINUSE or attempt == _ATTEMPTS - 1:
                raise
    try:
        yield bound
    finally:
        transport.close()
        server.close()
        for stream in tuple(streams):
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
        await server.wait_closed()


async def _stream(respond: Respond, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            response = respond(await reader.readexactly(length), False)
            if response is None:
                return
            writer.write(struct.pack("!H", len(response)) + response)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the client has gone
    finally:
        writer.close()
