"""What every name of a cluster has in common on the path: firewall, gateway, what the firewall should hold."""

import asyncio
import contextlib
from collections.abc import Collection, Sequence
from ipaddress import IPv4Address

from bot.engine.checking.asking import Asking
from bot.engine.checking.known import DNS_PORT, Known
from bot.engine.context import Context
from bot.engine.ports import HasServer
from bot.engine.targets import OrdersPolicies, PathOracle, RoutesByPolicy, Target, TrafficOracle
from bot.model.desired import Placed, desired
from bot.model.diagnosis import GatewayEvidence, Held, Traffic
from bot.model.diff import moves, passed
from bot.model.errors import Rejected, Unreachable, UserError
from bot.model.facts import Node, Protocol, ServicePort
from bot.model.intent import ClusterIntent
from bot.model.probes import ConnectAnswer, DetourAnswer, DnsAnswer, DnsTransport, Packet, PolicyAnswer, RouteAnswer
from bot.model.resources import Key, Resource, TargetId
from bot.model.site import ClusterSite, Office
from bot.model.wording import tr
from bot.model.words import key_line, word

KUBELET_PORT, PROXY_HEALTH_PORT = 10250, 10256
STALE_S = 25.0
NEIGHBOURS = 2


class Surroundings:
    """Asks for one check; every method answers None or nothing for what could not be asked."""

    def __init__(
        self, context: Context, asking: Asking, cluster: ClusterSite, known: Known, intent: ClusterIntent
    ) -> None:
        self.context, self.asking, self.cluster = context, asking, cluster
        self.known, self.intent = known, intent
        firewall = context.targets[cluster.firewall]
        self._oracle = firewall if isinstance(firewall, PathOracle) else None
        self._counters = firewall if isinstance(firewall, TrafficOracle) else None

    # --- single questions --------------------------------------------------------------------------------------

    async def dns(self, server: IPv4Address, name: str, transport: DnsTransport = "udp") -> DnsAnswer | None:
        return await self.asking.ask(
            "probes",
            lambda: tr("{server} for {name}", server=server, name=name),
            lambda: self.context.prober.dns(server, name, transport, self.asking.probe_s),
            *("dns", server, name, transport),
        )

    async def connect(
        self, address: IPv4Address, port: int, speak: str, protocol: Protocol = "TCP", timeout_s: float | None = None
    ) -> ConnectAnswer | None:
        patience_s = timeout_s or self.asking.probe_s
        return await self.asking.ask(
            "probes",
            lambda: tr("{address} port {port}", address=address, port=port),
            lambda: self.context.prober.connect(address, port, protocol, speak, patience_s),
            *("connect", address, port, protocol, speak),
        )

    async def route(self, address: IPv4Address | None) -> RouteAnswer | None:
        oracle = self._oracle
        if oracle is None or address is None:
            return None
        return await self.asking.ask(
            self.cluster.firewall,
            lambda: tr("the route to {address}", address=address),
            lambda: oracle.route(address),
            *("route", address),
        )

    async def policy(
        self, interface: str, source: IPv4Address, destination: IPv4Address | None, protocol: Protocol, port: int
    ) -> PolicyAnswer | None:
        oracle = self._oracle
        if oracle is None or destination is None:
            return None
        return await self.asking.ask(
            self.cluster.firewall,
            lambda: tr("the policy for {address} port {port}", address=destination, port=port),
            lambda: oracle.policy(interface, source, destination, protocol, port),
            *("policy", interface, source, destination, protocol, port),
        )

    async def detours(self, doors: Sequence[tuple[IPv4Address, ServicePort]]) -> tuple[DetourAnswer, ...]:
        """Packets from offices to these and the gateway, and from DNS servers to kube-dns, that rules of the firewall
        lead their own way, or of which that is not known. One question for all."""
        firewall, kube_dns = self.context.targets[self.cluster.firewall], self.known.kube_dns
        ends = [(address, port.protocol, port.port) for address, port in doors]
        if self.known.gateway_address is not None:
            ends.append((self.known.gateway_address, "TCP", KUBELET_PORT))
        packets = [
            Packet(interface=one.interface, source=a_machine_of(one), destination=address, protocol=protocol, port=port)
            for one in self.offices()
            for address, protocol, port in ends
        ]
        if kube_dns is not None:
            packets += [
                Packet(interface=one.interface, source=one.address, destination=kube_dns, protocol="UDP", port=DNS_PORT)
                for one in self.context.site.dns_servers_of({office.name for office in self.offices()})
            ]
        if not isinstance(firewall, RoutesByPolicy) or not packets:
            return ()
        answers = await self.asking.ask(
            firewall.name, lambda: tr("its policy routes"), lambda: firewall.detours(packets), "detours", *packets
        )
        return tuple(answer for answer in answers or () if answer.taken is not False)

    async def from_offices(self, destination: IPv4Address, protocol: Protocol, port: int) -> list[PolicyAnswer]:
        """The policy look-up for a machine of each office concerned."""
        asked = (
            self.policy(office.interface, a_machine_of(office), destination, protocol, port)
            for office in self.offices()
        )
        return [answer for answer in await asyncio.gather(*asked) if answer is not None]

    async def from_office(self, destination: IPv4Address | None, protocol: Protocol, port: int) -> PolicyAnswer | None:
        """The same for the first of them, where one answer says enough."""
        if destination is None:
            return None
        return next(iter(await self.from_offices(destination, protocol, port)), None)

    async def traffic(self, address: IPv4Address, port: int, speak: str, protocol: Protocol) -> Traffic | None:
        """Try once more, and see what the firewall counts meanwhile at the policy that should let it through."""
        policy, counters = await self.from_office(address, protocol, port), self._counters
        if counters is None or policy is None or not policy.allowed:
            return None
        number = policy.policy

        def counter() -> str:
            return tr("the counter of policy {number}", number=number)

        before = await self.asking.ask(self.cluster.firewall, counter, lambda: counters.hits(number))
        answer = await self.connect(address, port, speak, protocol)
        after, sessions = await asyncio.gather(
            self.asking.ask(self.cluster.firewall, counter, lambda: counters.hits(number)),
            self.asking.ask(
                self.cluster.firewall,
                lambda: tr("sessions to {address}", address=address),
                lambda: counters.sessions(address, protocol, port),
            ),
        )
        if before is None or answer is None or after is None or sessions is None:
            return None
        return Traffic(answer=answer, before=before, after=after, sessions=sessions)

    def offices(self) -> Sequence[Office]:
        """Those that something of the cluster is exposed to; before anything is, all of them."""
        names = {exposure.office for exposure in self.intent.exposures}
        return [office for office in self.context.site.offices if office.name in names] or self.context.site.offices

    # --- the gateway -------------------------------------------------------------------------------------------

    async def gateway(self) -> GatewayEvidence:
        """The gateway node: what the cluster says of it, and whether it answers."""
        address, facts = self.known.gateway_address, self.known.facts
        (kubelet, policy), health, route = await asyncio.gather(
            self._kubelet(address),
            self._on_node(address, PROXY_HEALTH_PORT, "healthz"),
            self.route(address),
        )
        nodes = facts.nodes if facts else ()
        behind = _lease_ages(nodes)
        return GatewayEvidence(
            name=self.known.gateway,
            address=address,
            node=facts.node(self.known.gateway) if facts else None,
            kubelet=kubelet,
            proxy_health=health,
            policy=policy,
            route=route,
            lease_behind_s=behind.get(self.known.gateway),
            stale_leases=sum(age > STALE_S for age in behind.values()),
            leases=len(behind),
        )

    async def _kubelet(self, address: IPv4Address | None) -> tuple[ConnectAnswer | None, PolicyAnswer | None]:
        """Its answer; of one that does not answer, also whether the firewall would let us ask it."""
        reply = await self._on_node(address, KUBELET_PORT, "kubelet")
        if reply is not None and reply.outcome == "data":
            return reply, None
        return reply, await self.from_office(address, "TCP", KUBELET_PORT)

    async def neighbours(self) -> tuple[ConnectAnswer, ...]:
        """Whether other nodes answer: asked only in doubt."""
        nodes = self.known.facts.nodes if self.known.facts else ()
        if not nodes:
            return await self._api_server()
        others = [node.internal_ip for node in nodes if node.name != self.known.gateway and node.ready][:NEIGHBOURS]
        answers = await asyncio.gather(*(self._on_node(address, KUBELET_PORT, "kubelet") for address in others))
        return tuple(answer for answer in answers if answer is not None)

    async def _api_server(self) -> tuple[ConnectAnswer, ...]:
        """Without the cluster's word on its nodes, its API server itself, if it stands among the nodes."""
        reader = self.context.clusters[self.cluster.name]
        server = reader.server() if isinstance(reader, HasServer) else None
        if server is None or server[0] == self.known.gateway_address:
            return ()
        route, answer = await asyncio.gather(self.route(server[0]), self._on_node(*server, "kubelet"))
        among = route is not None and route.found is True and route.interface == self.cluster.interface
        return (answer,) if among and answer is not None else ()

    async def _on_node(self, address: IPv4Address | None, port: int, speak: str) -> ConnectAnswer | None:
        return None if address is None else await self.connect(address, port, speak)

    # --- what targets hold -------------------------------------------------------------------------------------

    async def movable(self, held: Sequence[Held]) -> tuple[str, ...]:
        """Denying policies, as look-ups call them, that exposing again would move ours before."""
        firewall = self.context.targets[self.cluster.firewall]
        if not isinstance(firewall, OrdersPolicies):
            return ()
        wanted = [Placed(target=one.target, resource=one.wanted) for one in held]
        there = {(one.target, one.key): one.actual for one in held if one.actual is not None}
        order = await self.asking.ask(
            firewall.name,
            lambda: tr("what stands before our policies"),
            lambda: firewall.precedence([placed.resource for placed in wanted]),
        )
        better = {(firewall.name, key): one.better for key, one in (order or {}).items() if one.better is not None}
        steps = moves(wanted, there, better, self.cluster.name)
        return tuple(ahead.name or str(ahead.row) for step in steps for ahead in passed(step))

    async def held_by_firewall(self) -> tuple[Held, ...]:
        """What the firewall should hold for the exposures, beside what it holds."""
        wanted = self.known.written
        if self.known.facts is not None:
            with contextlib.suppress(UserError):  # a fact is missing; then what was applied has to do
                wanted = desired(self.intent, self.cluster, self.context.site, self.known.facts)
        return await self.held([placed for placed in wanted if placed.target == self.cluster.firewall])

    async def held(self, wanted: Sequence[Placed]) -> tuple[Held, ...]:
        """Wishes beside what is there, kind by kind, so that one strange row does not hide the others."""
        groups: dict[tuple[TargetId, str], list[Resource]] = {}
        for placed in wanted:
            target = self.context.targets.get(placed.target)
            if target is None:  # a replica that only learns, or a device that app.yaml names no more
                continue
            try:
                wish = target.normalise(placed.resource)
            except Rejected:
                continue  # the device could never hold it, so it tells nothing
            groups.setdefault((placed.target, placed.resource.kind), []).append(wish)
        found = await asyncio.gather(*(self._group(target, wishes) for (target, _), wishes in groups.items()))
        return tuple(held for group in found for held in group)

    async def _group(self, name: TargetId, wishes: Sequence[Resource]) -> list[Held]:
        target = self.context.targets[name]
        keys = [wish.key for wish in wishes]
        try:
            there = await self.asking.insist(lambda: target.read(keys), "read", name, *keys)
        except Rejected as refusal:
            if len(wishes) > 1:
                alone = await asyncio.gather(*(self._group(name, [wish]) for wish in wishes))
                return [held for group in alone for held in group]
            return await self._strange(target, wishes[0], refusal)
        except Unreachable as error:
            self.asking.note(error)
            return []
        except TimeoutError:
            self.asking.late(name, tr("what it holds as {key}", key=word(wishes[0].kind)))
            return []
        return [Held(target=name, key=wish.key, wanted=wish, actual=there.get(wish.key)) for wish in wishes]

    async def _strange(self, target: Target, wish: Resource, refusal: Rejected) -> list[Held]:
        """Something stands there that is none of our resources; unless nothing at all may be read."""
        try:
            await self.asking.insist(lambda: target.read([_nobody(wish)]))
        except Rejected:
            self.asking.note(refusal)
        except Unreachable as error:
            self.asking.note(error)
        except TimeoutError:
            self.asking.late(target.name, tr("what it holds as {key}", key=key_line(wish.key)))
        else:
            return [Held(target=target.name, key=wish.key, wanted=wish, actual=None, problem=refusal.problem)]
        return []


def a_machine_of(office: Office) -> IPv4Address:
    """An address that such a machine could have."""
    network = next(iter(office.networks.values()))
    return network.network_address + min(10, network.num_addresses - 1)


def _nobody(wish: Resource) -> Key:
    """A key of the same kind that nothing has."""
    names = {"route": "192.0.2.1/32", "forwarder": "k8snet-check.invalid"}
    return Key(kind=wish.kind, name=names.get(wish.kind, "k8snet-check-nothing"))


def _lease_ages(nodes: Collection[Node]) -> dict[str, float]:
    """By how many seconds each lease is older than the newest: the same clock made both, so none of ours matters."""
    renewed = {node.name: node.lease_renewed for node in nodes if node.lease_renewed is not None}
    newest = max(renewed.values(), default=None)
    return {} if newest is None else {name: (newest - at).total_seconds() for name, at in renewed.items()}
