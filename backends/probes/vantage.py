"""A place from which probes start. Everything above it speaks to streams and datagrams and need not know which."""

import asyncio
import errno
from contextlib import suppress
from ipaddress import IPv4Address
from typing import NamedTuple, Protocol, cast

from bot.model.errors import Unreachable
from bot.model.probes import ConnectOutcome
from bot.model.wording import tr

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Opened(NamedTuple):
    """A connection. `source` is the address it starts from at the vantage, None when that is not told."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    source: IPv4Address | None


# ICMP as Linux reports it: port unreachable is ECONNREFUSED, protocol unreachable ENOPROTOOPT, host unreachable,
# prohibited or TTL exceeded EHOSTUNREACH.
_OUTCOMES: dict[int, ConnectOutcome] = {
    errno.ECONNREFUSED: "refused",
    errno.EHOSTUNREACH: "host-unreachable",
    errno.EHOSTDOWN: "host-unreachable",
    errno.ENOPROTOOPT: "host-unreachable",
    errno.ENETUNREACH: "net-unreachable",
    errno.ENETDOWN: "net-unreachable",
    errno.ETIMEDOUT: "timeout",
    errno.ECONNRESET: "reset",
    errno.ECONNABORTED: "reset",
    errno.EPIPE: "reset",
}


class Datagrams(Protocol):
    """A UDP conversation with one destination."""

    def send(self, data: bytes) -> None: ...

    async def receive(self) -> bytes:
        """The next datagram from the destination. Raises OSError for what ICMP reports."""
        ...

    async def close(self) -> None: ...


class Vantage(Protocol):
    """Errors that say something about the destination are OSErrors; a fault of the vantage itself is Unreachable."""

    @property
    def sees_acknowledgements(self) -> bool:
        """Whether the kernel here knows what the destination has acknowledged: not when a proxy stands between."""
        ...

    async def open_tcp(self, address: IPv4Address, port: int, timeout_s: float) -> Opened:
        """A connection. Raises TimeoutError when the destination is silent for `timeout_s`."""
        ...

    async def open_udp(self, address: IPv4Address, port: int) -> Datagrams: ...


def outcome_of(error: OSError) -> ConnectOutcome:
    """What an error says about the destination. Raises Unreachable when it speaks of our own host instead."""
    if isinstance(error, TimeoutError):
        return "timeout"
    outcome = _OUTCOMES.get(error.errno or 0)
    if outcome is None:
        # EMFILE, EADDRNOTAVAIL, EPERM of a local firewall: nothing was learnt about the destination.
        reason = error.strerror or type(error).__name__
        raise Unreachable(
            "probes", tr("this host could not send the probe: {reason}; look at the bot's host", reason=reason)
        ) from error
    return outcome


class Direct:
    """Probes start on the bot's own host."""

    sees_acknowledgements = True

    async def open_tcp(self, address: IPv4Address, port: int, timeout_s: float) -> Opened:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(str(address), port)
        return Opened(reader, writer, IPv4Address(writer.get_extra_info("sockname")[0]))

    async def open_udp(self, address: IPv4Address, port: int) -> Datagrams:
        return await connected_udp((str(address), port))


class ConnectedDatagrams(asyncio.DatagramProtocol):
    """A connected UDP socket: only such a one is told of an ICMP refusal, and gets no datagram from anybody else."""

    def __init__(self) -> None:
        self._received: asyncio.Queue[bytes | OSError] = asyncio.Queue(maxsize=512)
        self._transport: asyncio.DatagramTransport
        self._closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # The event loop's own class does not inherit from the abstract one before Python 3.12.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 (the base class names it)
        self._put(data)

    def error_received(self, exc: Exception) -> None:
        if isinstance(exc, OSError):
            self._put(exc)

    def send(self, data: bytes) -> None:
        self._transport.sendto(data)

    async def receive(self) -> bytes:
        received = await self._received.get()
        if isinstance(received, OSError):
            raise received
        return received

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (the base class names it)
        self._closed.set()

    async def close(self) -> None:
        self._transport.close()
        await self._closed.wait()

    def _put(self, received: bytes | OSError) -> None:
        if not self._received.full():  # a flood is not an answer
            self._received.put_nowait(received)


async def connected_udp(destination: tuple[str, int]) -> ConnectedDatagrams:
    loop = asyncio.get_running_loop()
    _, datagrams = await loop.create_datagram_endpoint(ConnectedDatagrams, remote_addr=destination)
    return datagrams


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close a connection now; politely if nothing is left to send, so that a silent peer cannot hold us."""
    if writer.transport.get_write_buffer_size():
        writer.transport.abort()
    else:
        writer.close()
    with suppress(OSError):
        await writer.wait_closed()
