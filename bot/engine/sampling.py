"""One round of looking at a gateway: its data path, its machine, the other nodes, and whether we can see at all."""

import asyncio
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from typing import NamedTuple

from bot.engine.context import Context
from bot.engine.gateways import MOST_NODES, host_answers, on_link, proxy_healthy
from bot.engine.targets import PathOracle, Target
from bot.engine.verifying import knock
from bot.model.canary import KNOCKS, armed, canary_routes
from bot.model.candidates import NodeHealth
from bot.model.doors import Door
from bot.model.errors import BackendError, Rejected
from bot.model.facts import ClusterFacts, Node
from bot.model.findings import STALE_LEASE_S, Finding, RoutesSeen, control_plane_silent, findings
from bot.model.intent import ClusterIntent
from bot.model.move import DOORS, pod_doors, service_doors
from bot.model.probes import RouteAnswer
from bot.model.resources import Key, Route, same_content
from bot.model.site import ClusterSite, DnsServer, WatchSite
from bot.model.watch import Reading, Round, Signal
from bot.model.wording import listed, tr

FACTS_FRESH_S = 15.0  # older ones say nothing about leases and readiness any more
REFERENCE_MEMORY_S = 60.0  # whoever has been silent for longer is down, and no reference
MOST_LOOKUPS = 8  # of a cluster with many networks: each is one request
UNKNOWN = Reading(None)


class _Look(NamedTuple):
    """What one machine said in one round."""

    host: Reading = UNKNOWN
    proxy: Reading = UNKNOWN
    ping: Reading = UNKNOWN
    canary: Reading = UNKNOWN


class Sampler:
    """Keeps what must be remembered between rounds: the last facts, when leases last changed, who ever answered."""

    def __init__(self, context: Context, cluster: ClusterSite, rules: WatchSite) -> None:
        self._context, self._cluster, self._rules = context, cluster, rules
        self.facts: ClusterFacts | None = None
        self.facts_at = 0.0
        self.health: Mapping[str, NodeHealth] = {}
        self._leases: dict[str, tuple[object, float]] = {}
        self._answered_at: dict[str, float] = {}
        self._on_link: dict[str, bool | None] = {}
        self._routes = RoutesSeen()
        self._routes_asked_at = 0.0
        self._canary_routes: frozenset[Key] = frozenset()
        self._pinged: set[str] = set()
        self._silent: tuple[str, ...] = ()
        self._asked = 0
        self._said: Mapping[Signal, Reading] = {}

    async def refresh(self) -> None:
        """Read the cluster and ask the firewall where its routes lead. What does not answer leaves the old answer."""
        facts = await self._context.facts(self._cluster.name)
        now = self._context.env.monotonic()
        for node in facts.nodes:
            if self._leases.get(node.name, (None, 0.0))[0] != node.lease_renewed:
                self._leases[node.name] = (node.lease_renewed, now)
        for gone in self._leases.keys() - {node.name for node in facts.nodes}:
            del self._leases[gone]
        self.facts, self.facts_at = facts, now
        self._routes, self._routes_asked_at = await self._routes_now(facts), now
        if isinstance(self._context.targets[self._cluster.firewall], PathOracle):
            nodes = [node for node in facts.nodes[:MOST_NODES] if node.internal_ip is not None]
            links = await asyncio.gather(*(on_link(self._context, self._cluster, _address(node)) for node in nodes))
            self._on_link = {node.name: link for node, link in zip(nodes, links, strict=True)}

    async def round(self, gateway: str, intent: ClusterIntent) -> Round:
        """Ask everything at once; takes at most the rules' time-out. `refresh` must have succeeded before."""
        facts = self.facts
        assert facts is not None
        others = [node for node in facts.nodes if node.name != gateway and node.internal_ip is not None][:MOST_NODES]
        servers = self._context.site.dns_servers_of({office.name for office in self._context.site.offices})
        doors = armed(self._cluster, facts, self._canary_routes)
        service, pod, own, looks, names = await asyncio.gather(
            self._knock(service_doors(gateway, intent, facts)[:DOORS]),
            self._knock(self._pods(gateway, intent, facts)),
            self._look(facts.node(gateway), None),
            asyncio.gather(*(self._look(node, doors.get(node.name)) for node in others)),
            asyncio.gather(*(self._names(server) for server in servers)),
        )
        answered = {node.name: look.host.good is True for node, look in zip(others, looks, strict=True)}
        answered |= {server.name: name for server, name in zip(servers, names, strict=True)}
        references = self._references(answered)
        signals: dict[Signal, Reading] = {"service": service, "pod": pod, "host": own.host, "proxy": own.proxy}
        signals["ping"] = self._ping_of_gateway(gateway, own, looks)
        # Where nobody's port answers ours, a policy is in the way: it says nothing about the machine.
        if not any(answered[node.name] for node in others) and own.host.good is False:
            signals["host"] = UNKNOWN
        signals |= self._word_of_the_api(gateway)
        self._said = signals
        ages = self.lease_ages()
        self.health = {
            node.name: NodeHealth(
                host_answers=look.host.good,
                proxy_healthy=look.proxy.good,
                lease_fresh=self._lease_fresh(node.name, ages),
                on_link=self._on_link.get(node.name),
                canary=look.canary.good,
            )
            for node, look in zip(others, looks, strict=True)
        }
        good = {name: self._nothing_wrong(name, health) for name, health in self.health.items()}
        at = self._context.env.monotonic()
        return Round(at, signals, len(references), sum(answered[name] for name in references), good)

    def findings(self, gateway: str, since: float) -> tuple[Finding, ...]:
        """What API and firewall say that people should know about what has been the gateway `since` (monotonic)."""
        facts = self.facts if self._fresh() else None
        routes = self._routes if self._routes_asked_at >= since else RoutesSeen()
        return findings(facts, gateway, self.lease_ages(), routes)

    def said(self, signal: Signal) -> str:
        """What this signal said in the last round; empty when nothing that counts."""
        reading = self._said.get(signal, UNKNOWN)
        return "" if reading.good is None else reading.evidence

    def self_check(self) -> str:
        """Why our own eyes can be trusted, in a sentence."""
        silent = tr("; silent: {silent}", silent=listed(self._silent)) if self._silent else ""
        return tr(
            "{answered} of {count} other nodes and DNS servers answer the bot{silent}",
            answered=self._asked - len(self._silent),
            count=self._asked,
            silent=silent,
        )

    def lease_ages(self) -> Mapping[str, float]:
        """Seconds between the last change that we saw and the last time we looked; never the API's clock."""
        if self.facts is None:
            return {}
        known = [node.name for node in self.facts.nodes if node.lease_renewed is not None]
        return {name: self.facts_at - self._leases[name][1] for name in known}

    def _fresh(self) -> bool:
        return self.facts is not None and self._context.env.monotonic() - self.facts_at <= FACTS_FRESH_S

    def _word_of_the_api(self, gateway: str) -> dict[Signal, Reading]:
        ages = self.lease_ages()
        node = self.facts.node(gateway) if self.facts is not None else None
        if node is None or not self._fresh() or control_plane_silent(ages):
            return {"lease": UNKNOWN, "ready": UNKNOWN}
        fresh = self._lease_fresh(gateway, ages)
        age = tr("last renewed {seconds:.0f} s before it was read", seconds=ages.get(gateway, 0))
        return {
            "lease": UNKNOWN if fresh is None else Reading(fresh, age),
            "ready": Reading(node.ready, tr("Ready") if node.ready else tr("not Ready")),
        }

    def _lease_fresh(self, name: str, ages: Mapping[str, float]) -> bool | None:
        age = ages.get(name)  # none of a node without a lease, nor of one that left while others were looked at
        if age is None or not self._fresh() or control_plane_silent(ages):
            return None
        return age <= STALE_LEASE_S

    def _nothing_wrong(self, name: str, health: NodeHealth) -> bool:
        node = self.facts.node(name) if self.facts is not None else None
        word = node is not None and (node.ready or not self._fresh())
        return word and False not in (health.host_answers, health.proxy_healthy, health.lease_fresh, health.canary)

    def _references(self, answered: Mapping[str, bool]) -> list[str]:
        now = self._context.env.monotonic()
        for name, good in answered.items():
            if good:
                self._answered_at[name] = now
        known = [
            name for name in answered if now - self._answered_at.get(name, -REFERENCE_MEMORY_S) < REFERENCE_MEMORY_S
        ]
        self._asked, self._silent = len(known), tuple(name for name in known if not answered[name])
        return known

    def _pods(self, gateway: str, intent: ClusterIntent, facts: ClusterFacts) -> tuple[Door, ...]:
        """Pods elsewhere, each on a node of its own as far as there are enough."""
        remote = [(node, door) for node, door in pod_doors(intent, facts) if node != gateway]
        one_each = list(dict(reversed(remote)).values())[::-1]
        return tuple([*one_each, *(door for _, door in remote if door not in one_each)][:DOORS])

    async def _knock(self, doors: tuple[Door, ...]) -> Reading:
        """Whether data comes back, within the rules' time-out; asked twice in that time before it counts as bad.

        A lost first packet is sent again only after a second, and of a service's endpoints one may be gone: a
        connection made anew meets neither again by itself.
        """
        if not doors:
            return UNKNOWN
        half = self._rules.timeout_s / 2
        first = asyncio.ensure_future(knock(self._context, doors, self._rules.timeout_s))
        try:
            await asyncio.wait({first}, timeout=half)
            if first.done() and first.result()[0]:
                return Reading(*first.result())
            again = await knock(self._context, doors, half)
            return Reading(*again) if again[0] else Reading(*await first)
        finally:
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)

    def _ping_of_gateway(self, gateway: str, own: _Look, others: Sequence[_Look]) -> Reading:
        """Silence counts only of a machine that has answered before, and while others still answer."""
        if own.ping.good:
            self._pinged.add(gateway)
        elif gateway not in self._pinged or not any(look.ping.good for look in others):
            return UNKNOWN
        return own.ping

    async def _look(self, node: Node | None, canary: Door | None) -> _Look:
        if node is None or node.internal_ip is None:
            return _Look()
        host, proxy, ping, data = await asyncio.gather(
            host_answers(self._context, node.internal_ip),
            proxy_healthy(self._context, node.internal_ip),
            self._ping(node.internal_ip),
            self._knock(() if canary is None else (canary,) * KNOCKS),
        )
        return _Look(Reading(*host), Reading(*proxy), ping, data)

    async def _ping(self, address: IPv4Address) -> Reading:
        answer = await self._context.prober.ping(address, self._rules.timeout_s)
        if answer.answered is None:
            return UNKNOWN
        return Reading(
            answer.answered, tr("{elapsed} ms", elapsed=answer.elapsed_ms) if answer.answered else tr("silence")
        )

    async def _names(self, server: DnsServer) -> bool:
        """Whether the DNS server's machine answers; what it says does not matter here."""
        try:
            reply = await self._context.prober.connect(server.address, 53, "TCP", "dns", self._rules.timeout_s)
        except BackendError:
            return False
        return reply.outcome in ("data", "refused", "reset")

    async def _routes_now(self, facts: ClusterFacts) -> RoutesSeen:
        """What the firewall holds and does for our routes; nothing where it cannot be asked."""
        firewall = self._context.targets[self._cluster.firewall]
        owned = (await self._context.journal.world()).owned(self._cluster.name)
        networks = (*facts.service_networks, *facts.pod_networks)[:MOST_LOOKUPS]
        ours = [Key(kind="route", name=str(network)) for network in networks]
        canaries = {route.key: route for route in canary_routes(self._cluster, facts)}
        keys = [key for key in (*ours, *canaries) if (self._cluster.firewall, key) in owned]
        held, problem = await self._held(firewall, keys)
        self._canary_routes = frozenset(r.key for r in held if r.key in canaries and same_content(r, canaries[r.key]))
        held = tuple(route for route in held if route.key in ours)
        if not isinstance(firewall, PathOracle):
            return RoutesSeen(held=held, problem=problem)
        answers = await asyncio.gather(*(self._route(firewall, network[1]) for network in networks))
        return RoutesSeen(held=held, problem=problem, answers=tuple(one for one in answers if one is not None))

    async def _held(self, firewall: Target, keys: Sequence[Key]) -> tuple[tuple[Route, ...], str]:
        try:
            there = await firewall.read(keys)
        except Rejected as error:
            return (), str(error)
        except BackendError:
            return (), ""
        return tuple(one for one in there.values() if isinstance(one, Route)), ""

    async def _route(self, firewall: PathOracle, destination: IPv4Address) -> RouteAnswer | None:
        try:
            return await firewall.route(destination)
        except BackendError:
            return None


def _address(node: Node) -> IPv4Address:
    assert node.internal_ip is not None
    return node.internal_ip
