"""A firewall in memory that also tells where its routes lead, as a FortiGate's route look-up does."""

from collections.abc import Collection, Mapping
from ipaddress import IPv4Address, IPv4Network

from bot.model.errors import Rejected, Unreachable
from bot.model.facts import Protocol
from bot.model.probes import ClearedSessions, OpenSessions, PolicyAnswer, RouteAnswer
from bot.model.resources import Key, Resource, Route
from tests.memory import MemoryTarget

CONNECTED = {IPv4Network("172.16.0.0/24"): "internal", IPv4Network("172.16.1.0/24"): "Test"}


class MemoryFirewall(MemoryTarget):
    """`preferred` are routes that win against the configured ones, `doubled` those that stand there twice."""

    def __init__(self) -> None:
        super().__init__("fw", keeps_marks=True)
        self.preferred: dict[IPv4Network, IPv4Address] = {}
        self.doubled: set[Key] = set()
        self.sessions: dict[IPv4Network, int] | None = None  # None: it does not tell
        self.cleared: list[tuple[frozenset[str], frozenset[IPv4Network], float]] = []
        self.away = False
        self.besides: IPv4Address | None = None

    async def read(self, keys: Collection[Key]) -> Mapping[Key, Resource]:
        for key in sorted(self.doubled & set(keys), key=str):
            raise Rejected(self.name, f"2 rows of router/static are for {key} (seq-num 7 and 1000): remove all but one")
        return await super().read(keys)

    async def route(self, destination: IPv4Address) -> RouteAnswer:
        for network, interface in CONNECTED.items():
            if destination in network:
                return RouteAnswer(destination=destination, found=True, interface=interface)
        routes = [route for route in self.resources.values() if isinstance(route, Route)]
        ways = {route.destination: route.gateway for route in routes} | self.preferred
        best = max((network for network in ways if destination in network), key=lambda n: n.prefixlen, default=None)
        if best is None:
            return RouteAnswer(destination=destination, found=False)
        return RouteAnswer(destination=destination, found=True, interface="Test", gateway=ways[best])

    async def open_sessions(
        self, policies: Collection[str], networks: Collection[IPv4Network], besides: IPv4Address | None = None
    ) -> OpenSessions:
        self.besides = besides
        if self.away:
            raise Unreachable(self.name, "no connection")
        if self.sessions is None:
            return OpenSessions(count=None, problem="the right sysgrp.cfg is missing")
        return OpenSessions(count={network: self.sessions.get(network, 0) for network in networks})

    async def clear_sessions(
        self,
        policies: Collection[str],
        networks: Collection[IPv4Network],
        older_than_s: float,
        not_after: float | None = None,
    ) -> ClearedSessions:
        if self.away:
            raise Unreachable(self.name, "no connection")
        self.cleared.append((frozenset(policies), frozenset(networks), older_than_s))
        return ClearedSessions(cleared=sum((self.sessions or {}).values()), left=0)

    async def policy(
        self, interface: str, source: IPv4Address, destination: IPv4Address, protocol: Protocol, port: int
    ) -> PolicyAnswer:
        return PolicyAnswer(
            source=source,
            destination=destination,
            protocol=protocol,
            port=port,
            allowed=None,
            problem="this firewall does not tell",
        )
