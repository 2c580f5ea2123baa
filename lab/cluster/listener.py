"""A port that can be closed and opened again."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from aiohttp import web

Address = tuple[str, int]

ANY: Address = ("127.0.0.1", 0)
"""A free port on loopback."""

Serving = AbstractAsyncContextManager[Address]
Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Listener:
    """Serves between `start` and `stop`, always on the same number. Both may be called twice."""

    def __init__(self, serve: Callable[[Address], Serving], address: Address = ANY) -> None:
        self.address = address
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
        self.address = await stack.enter_async_context(self._serve(self.address))
        self._stack = stack

    async def stop(self) -> None:
        """Close the port and every connection: clients are refused from now on."""
        if self._stack is not None:
            stack, self._stack = self._stack, None
            await stack.aclose()


@asynccontextmanager
async def serving_http(
    application: Callable[[], web.Application], address: Address, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Address]:
    """Serve a fresh application while the context lasts; yields the address with its real port."""
    runner = web.AppRunner(application(), handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, *address, ssl_context=tls).start()
        host, port = runner.addresses[0][:2]
        yield host, port
    finally:
        transports = [c.transport for c in (runner.server.connections if runner.server else []) if c.transport]
        await runner.cleanup()
        for transport in transports:
            transport.abort()  # TLS would wait for the peer's farewell
        await asyncio.sleep(0)  # one turn of the loop closes their sockets


@asynccontextmanager
async def serving_streams(handle: Handle, address: Address = ANY) -> AsyncIterator[Address]:
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

    server = await asyncio.start_server(accept, *address)
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
