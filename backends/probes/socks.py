"""Probes that start on another host: a SOCKS5 proxy (RFC 1928) connects and relays datagrams for us.

CONNECT and UDP ASSOCIATE differ in one byte, so both are here; the asyncio libraries at hand only offer the first.
"""

import asyncio
import errno
import os
import struct
from ipaddress import IPv4Address

from backends.probes.vantage import ConnectedDatagrams, Datagrams, Opened, Streams, connected_udp, hang_up
from bot.model.errors import Rejected, Unreachable
from bot.model.hosts import possible_host
from bot.model.wording import marked, tr

_CONNECT, _ASSOCIATE = 1, 3
_IPV4, _NAME, _IPV6 = 1, 3, 4
_PROXY_TIMEOUT_S = 5.0  # for reaching the proxy itself; the destination has the probe's own limit

# What the proxy saw, as the error that our own kernel would have reported.
_REPLIES = {3: errno.ENETUNREACH, 4: errno.EHOSTUNREACH, 5: errno.ECONNREFUSED, 6: errno.EHOSTUNREACH}
_REFUSALS = {
    2: marked("its rules forbid it"),
    7: marked("it does not know the command"),
    8: marked("it takes no IPv4 address"),
}


class Socks:
    """`Vantage` on the host of a SOCKS5 proxy. What the proxy drops silently is silence here."""

    sees_acknowledgements = False  # the acknowledgements we get are the proxy's

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    async def open_tcp(self, address: IPv4Address, port: int, timeout_s: float) -> Opened:
        reader, writer = await self._open()
        try:
            async with asyncio.timeout(timeout_s):  # reaching the proxy does not count
                host, _ = await self._request(reader, writer, _CONNECT, address, port)
        except BaseException:
            await hang_up(writer)
            raise
        return Opened(reader, writer, _told(host))

    async def open_udp(self, address: IPv4Address, port: int) -> Datagrams:
        reader, writer = await self._open()
        try:
            async with asyncio.timeout(_PROXY_TIMEOUT_S):
                # We do not know our own address yet: all zeros are the form for that (RFC 1928, section 4).
                host, relay = await self._request(reader, writer, _ASSOCIATE, IPv4Address(0), 0)
                unspecified = host in ("0.0.0.0", "::")  # noqa: S104 (compared with, not bound to)
                if not unspecified and not possible_host(host):
                    raise OSError(errno.EDESTADDRREQ, tr("its relay has no usable name"))
                datagrams = await connected_udp((self._host if unspecified else host, relay))
        except OSError as error:
            await hang_up(writer)
            raise self._lost(error) from error
        except BaseException:
            await hang_up(writer)
            raise
        return _Relayed(datagrams, writer, address, port)

    async def _open(self) -> Streams:
        """A connection to the proxy that has agreed to serve us without a password."""
        try:
            async with asyncio.timeout(_PROXY_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(self._host, self._port)
        except OSError as error:
            raise self._lost(error) from error
        try:
            async with asyncio.timeout(_PROXY_TIMEOUT_S):
                writer.write(b"\x05\x01\x00")
                agreed = await reader.readexactly(2)
        except (OSError, asyncio.IncompleteReadError) as error:
            await hang_up(writer)
            raise self._lost(error) from error
        except BaseException:
            await hang_up(writer)
            raise
        if agreed != b"\x05\x00":
            await hang_up(writer)
            raise Rejected("probes", tr("{where} is no SOCKS5 proxy that serves without a password", where=self._where))
        return reader, writer

    async def _request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, command: int, address: IPv4Address, port: int
    ) -> tuple[str, int]:
        """Where the proxy is bound. An OSError is the destination's, everything else the proxy's own."""
        writer.write(struct.pack("!BBBB4sH", 5, command, 0, _IPV4, address.packed, port))
        try:
            _, code, _, kind = await reader.readexactly(4)
            bound = await self._bound(reader, kind)
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            raise self._lost(error) from error
        if code in _REPLIES:
            raise OSError(_REPLIES[code], os.strerror(_REPLIES[code]))
        if code:
            reason = tr(_REFUSALS[code]) if code in _REFUSALS else tr("it answered with code {code}", code=code)
            raise Rejected(
                "probes",
                tr(
                    "{where} does not probe {address}:{port} for us: {reason}",
                    where=self._where,
                    address=address,
                    port=port,
                    reason=reason,
                ),
            )
        return bound

    @staticmethod
    async def _bound(reader: asyncio.StreamReader, kind: int) -> tuple[str, int]:
        if kind == _NAME:
            (length,) = await reader.readexactly(1)
            host = (await reader.readexactly(length)).decode("ascii", "replace")
        else:
            packed = await reader.readexactly(16 if kind == _IPV6 else 4)
            host = "::" if kind == _IPV6 else str(IPv4Address(packed))
        (port,) = struct.unpack("!H", await reader.readexactly(2))
        return host, port

    @property
    def _where(self) -> str:
        return tr("the SOCKS5 proxy {host}:{port}", host=self._host, port=self._port)

    def _lost(self, error: Exception) -> Unreachable:
        reason = (
            "no answer" if isinstance(error, TimeoutError) else getattr(error, "strerror", None) or tr("it hung up")
        )
        return Unreachable(
            "probes",
            tr(
                "{where} cannot be used ({reason}); check that it runs and the way to it",
                where=self._where,
                reason=reason,
            ),
        )


def _told(host: str) -> IPv4Address | None:
    """BND.ADDR is where the proxy's own connection starts (RFC 1928, section 6); many proxies leave it empty."""
    try:
        address = IPv4Address(host)
    except ValueError:
        return None
    return None if address.is_unspecified else address


class _Relayed:
    """Datagrams by way of the proxy: a header in front of each names the far end. Lasts as long as its connection."""

    def __init__(
        self, datagrams: ConnectedDatagrams, control: asyncio.StreamWriter, address: IPv4Address, port: int
    ) -> None:
        self._datagrams = datagrams
        self._control = control
        self._header = struct.pack("!HBB4sH", 0, 0, _IPV4, address.packed, port)

    def send(self, data: bytes) -> None:
        self._datagrams.send(self._header + data)

    async def receive(self) -> bytes:
        """The next datagram from our destination; others, and fragments, are passed over."""
        while True:
            received = await self._datagrams.receive()
            if received.startswith(self._header):
                return received[len(self._header) :]

    async def close(self) -> None:
        await self._datagrams.close()
        await hang_up(self._control)
