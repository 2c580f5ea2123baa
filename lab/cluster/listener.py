"""A port that can be closed and opened again."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from aiohttp import web

from lab.cutting import cut, transports

Address = tuple[str, int]

ANY: Address = ("127.0.0.1", 0)
"""A free port on loopback."""

Place = Address | socket.socket
"""Where to listen: at an address of this machine, or at a bound TCP socket, which may live in another namespace."""

Serving = AbstractAsyncContextManager[Address]
Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Listener:
    """Serves between `start` and `stop`, always on the same number. Both may be called twice.

    A socket that was given serves once: it is closed by `stop`.
    """

    def __init__(self, serve: Callable[[Place], Serving], place: Place = ANY) -> None:
        self.address = address_of(place)
        self._place = place
        self._serve = serve
        self._stack: AsyncExitStack | None = None

    @property
    def serving(self) -> bool:
        return self._stack is not None

    async def start(self) -> None:
        """Open the port; `OSError` when it is taken."""
        if self._stack is not None:
            return
        stack = AsyncExitStack()
        self._place = self.address = await stack.enter_async_context(self._serve(self._place))
        self._stack = stack

    async def stop(self) -> None:
        """Close the port and every connection: clients are refused from now on."""
        if self._stack is not None:
            stack, self._stack = self._stack, None
            await stack.aclose()


def address_of(place: Place) -> Address:
    """The address of a place; port 0 where any free one is wanted."""
    if isinstance(place, socket.socket):
        host, port = place.getsockname()[:2]
        return host, port
    return place


def site(runner: web.AppRunner, place: Place, tls: ssl.SSLContext | None = None) -> web.BaseSite:
    """A site of aiohttp at a place."""
    if isinstance(place, socket.socket):
        return web.SockSite(runner, place, ssl_context=tls)
    return web.TCPSite(runner, *place, ssl_context=tls)


@asynccontextmanager
async def serving_http(
    application: Callable[[], web.Application], place: Place, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Address]:
    """Serve a fresh application while the context lasts; yields the address with its real port."""
    runner = web.AppRunner(application(), handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    try:
        await site(runner, place, tls).start()
        host, port = runner.addresses[0][:2]
        yield host, port
    finally:
        connections = transports(runner)
        await runner.cleanup()
        cut(connections)  # TLS would wait for the peer's farewell
        await asyncio.sleep(0)  # one turn of the loop closes their sockets


@asynccontextmanager
async def serving_streams(handle: Handle, place: Place = ANY) -> AsyncIterator[Address]:
    """Serve TCP connections, each by one call of `handle`, while the context lasts; yields the real address.

    A connection is closed when `handle` returns; a client that has gone is no error.
    """
    connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        connections[task] = writer
        task.add_done_callback(connections.pop)

    if isinstance(place, socket.socket):
        server = await asyncio.start_server(accept, sock=place)
    else:
        server = await asyncio.start_server(accept, *place)
    host, port = server.sockets[0].getsockname()[:2]
    try:
        yield host, port
    finally:
        server.close()
        open_now = dict(connections)
        for task in open_now:
            task.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)
        for writer in open_now.values():
            writer.transport.abort()  # a client that does not read must not keep the server from closing
        await server.wait_closed()
