"""The `Prober` port: questions to the wire from the configured vantage point."""

import asyncio
from ipaddress import IPv4Address

from backends.probes.connect import connect
from backends.probes.dns import ask
from backends.probes.dns_line import Lines
from backends.probes.ping import ping
from backends.probes.settings import ProbeSettings
from backends.probes.socks import Socks
from backends.probes.vantage import Direct, Vantage
from bot.model.facts import Protocol
from bot.model.probes import ConnectAnswer, DnsAnswer, DnsTransport, PingAnswer
from bot.model.wording import tr


class NetworkProber:
    """`Prober` on real sockets.

    What the far end does is an answer. Raises Unreachable when the probe could not be sent at all (our own host, the
    proxy), and Rejected for what no probe can tell. The limit of concurrency delays a probe; the wait does not count
    against its time.
    """

    def __init__(self, settings: ProbeSettings, dns_port: int = 53) -> None:
        """`dns_port` is for servers of a test: the port that `dns` asks."""
        self._vantage: Vantage = Direct() if settings.proxy is None else Socks(*settings.proxy)
        self._proxied = settings.proxy is not None
        self._greeting_s = settings.greeting_s
        self._turns = asyncio.Semaphore(settings.concurrency)
        self._dns_port = dns_port
        self._lines = Lines(self._vantage, dns_port)

    async def dns(self, server: IPv4Address, name: str, transport: DnsTransport, timeout_s: float) -> DnsAnswer:
        async with self._turns:
            return await ask(self._vantage, self._lines, server, self._dns_port, name, transport, timeout_s)

    async def connect(
        self, address: IPv4Address, port: int, protocol: Protocol, speak: str, timeout_s: float
    ) -> ConnectAnswer:
        async with self._turns:
            return await connect(self._vantage, address, port, protocol, speak, timeout_s, self._greeting_s)

    async def ping(self, address: IPv4Address, timeout_s: float) -> PingAnswer:
        if self._proxied:
            return PingAnswer(address=address, answered=None, problem=tr("an echo cannot go through a SOCKS5 proxy"))
        async with self._turns:
            return await ping(address, timeout_s)
