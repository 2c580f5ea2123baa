"""A port that can be closed and opened again."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from aiohttp import web

Address = tuple[str, int]

ANY: Address = ("127.0.0.1", 0)
"""A free port on loopback."""

Serving = AbstractAsyncContextManager[Address]


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
        await runner.cleanup()
