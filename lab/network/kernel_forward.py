"""A port on the machine's loopback that leads to a place inside a kernel network.

For browsers, test drivers and control endpoints: what connects there appears inside as a program of one of the
hosts. Nothing inside can come out through it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lab.network.kernel import KernelNetwork

CHUNK = 65536


@asynccontextmanager
async def forwarded(
    net: KernelNetwork, host: str, address: str, port: int, *, source: str | None = None, listen: int = 0
) -> AsyncIterator[int]:
    """Relay connections to 127.0.0.1:*listen* (0: any free port, which is yielded) to *address* as seen from *host*.

    *source* is the address to come from, e.g. 127.0.0.1 for an endpoint that answers its own machine only.
    """
    relays: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        me = asyncio.current_task()
        assert me is not None
        relays.add(me)
        me.add_done_callback(relays.discard)
        with contextlib.suppress(asyncio.CancelledError):
            await _relay(net, (host, address, port, source), reader, writer)

    server = await asyncio.start_server(accept, "127.0.0.1", listen)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for relay in tuple(relays):
            relay.cancel()
        await asyncio.gather(*relays)
        await asyncio.sleep(0)  # one turn of the loop closes the sockets


async def _relay(
    net: KernelNetwork,
    target: tuple[str, str, int, str | None],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    host, address, port, source = target
    try:
        far_reader, far_writer = await net.connect(host, address, port, source=source)
    except OSError:
        writer.transport.abort()
        return
    try:
        async with asyncio.TaskGroup() as directions:
            directions.create_task(_copy(reader, far_writer))
            directions.create_task(_copy(far_reader, writer))
    except* ConnectionError:
        pass  # one end is gone, so the other has to go
    finally:
        writer.transport.abort()
        far_writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the sender has said all; then the receiver is told so."""
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
