"""TCP connections for the pool, with a cheap answer to what it asks of each idle one, twice a request.

The pool drops connections that the device has closed meanwhile; it looks by asking whether there is something to read.
By way of the library's attributes that answer takes longer than everything else about a request that is not TLS.
"""

import select
import ssl
from typing import Any

import httpcore


class Stream(httpcore.AsyncNetworkStream):
    """Another stream, whose socket is looked up once."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._socket = stream.get_extra_info("socket")
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        if info != "is_readable":
            return self._stream.get_extra_info(info)
        # A closed socket counts as readable: the next read says that it is.
        return self._socket.fileno() < 0 or bool(self._poll.poll(0))


class Connections(httpcore.AnyIOBackend):
    """Opens connections as the library does."""

    async def connect_tcp(self, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        return Stream(await super().connect_tcp(*args, **options))
