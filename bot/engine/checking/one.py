"""The evidence about one service or address: first what health needs to be proven, then, in doubt, the rest."""

import asyncio
import math
from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import NamedTuple

from bot.engine.checking.asking import all_of, cancelled
from bot.engine.checking.comparing import compared
from bot.engine.checking.known import DNS_PORT
from bot.engine.checking.subject import Subject
from bot.engine.checking.surroundings import Surroundings
from bot.model.causes.signals import forbidden, spoke
from bot.model.causes.table import diagnose
from bot.model.desired import Placed, zone_of
from bot.model.diagnosis import DnsEvidence, Evidence, GatewayEvidence, Held, Report, Sample, Traffic
from bot.model.facts import ServicePort
from bot.model.probes import ConnectAnswer, DetourAnswer, DnsAnswer, PolicyAnswer, RouteAnswer
from bot.model.protocols import spoken_on
from bot.model.resources import Forwarder
from bot.model.site import DnsServer
from bot.model.wording import tr

# Every DNS server answers this by itself (RFC 6303), so that its silence is its own.
LOCAL_NAME = "1.0.0.127.in-addr.arpa."
MISSED = 0.001
"""How probable it may be that a pod was not met."""
ANY_PORT = 65000
"""No policy names it: one that denies it denies whole networks."""


def attempts(pods: int, most: int) -> int:
    """How often to connect to a service address until all pods have most probably been met, at most `most` times.

    kube-proxy chooses at random, so that after as many attempts as pods one of three is still missed by a third.
    """
    return 1 if pods < 2 else min(most, math.ceil(math.log(MISSED) / math.log1p(-1 / pods)))


class Shared(NamedTuple):
    """Signals that all services of a namespace share."""

    gateway: GatewayEvidence
    held: tuple[Held, ...]
    detours: tuple[DetourAnswer, ...]


class One:
    """Gathers for one subject."""

    def __init__(self, around: Surroundings, subject: Subject) -> None:
        self.around, self.subject = around, subject
        self.limits, self.known = around.asking.limits, around.known
        host = f"{subject.host}." if subject.host else ""
        self.zone = f"{zone_of(subject.namespace, self.known.domain)}."
        self.fqdn = f"{host}{subject.name}.{self.zone}"

    async def foretaste(self) -> None:
        """Ask everything that is asked in the first place, for somebody else to find it asked already."""
        await self._first()

    async def report(self) -> Report:
        """The diagnosis of everything that is asked in the first place; in doubt also of the rest."""
        first = asyncio.ensure_future(self._first())
        second: asyncio.Future[_Second] | None = None
        order: asyncio.Future[tuple[str, ...]] | None = None
        try:
            await asyncio.wait({first}, timeout=self.limits.doubt_s)
            if not first.done():
                self.around.asking.hurry()
                second = asyncio.ensure_future(self._second())
            evidence = await first
            report = diagnose(evidence)
            if report.verdict == "passed" or not _worth_more(report):
                return report
            if second is None:
                second = asyncio.ensure_future(self._second())
            order = asyncio.ensure_future(self._movable(evidence))
            known = evidence.model_copy(update={"movable": await order})
            return diagnose(self._with(known, await second))
        finally:
            await cancelled(first, second, order)

    # --- in the first place ------------------------------------------------------------------------------------

    async def _first(self) -> Evidence:
        names = asyncio.ensure_future(asyncio.gather(self.servers(), self._direct()))
        try:
            expected = self.subject.expected
            if self.known.facts is None and not expected:
                expected = self._told(*await asyncio.shield(names))
            gateway, held, detours, routes, policies, connections = await asyncio.gather(
                self.around.gateway(),
                self.around.held_by_firewall(),
                self.around.detours(self.doors(expected)),
                self._routes(expected),
                self._policies(expected),
                self.connections(expected, self.limits.attempts),
            )
            servers, direct = await names
        finally:
            await cancelled(names)
        return self.evidence(servers, expected, Shared(gateway, held, detours), direct, routes, policies, connections)

    def _told(self, servers: Sequence[DnsEvidence], direct: Sequence[DnsAnswer]) -> tuple[IPv4Address, ...]:
        """Without the cluster's facts, what DNS says is all there is: kube-dns before the office's servers, and only
        what lies in the cluster's networks."""
        networks = (*self.known.service_networks, *self.known.pod_networks)
        by_office = [address for server in servers if server.udp for address in server.udp.addresses]
        told = [address for answer in direct for address in answer.addresses] or by_office
        return tuple(dict.fromkeys(one for one in told if any(one in network for network in networks)))

    async def servers(self) -> tuple[DnsEvidence, ...]:
        if self.subject.address is not None:
            return ()
        site = self.around.context.site
        servers = site.dns_servers_of({office.name for office in self.around.offices()})
        return tuple(await asyncio.gather(*map(self._server, servers)))

    async def _server(self, server: DnsServer) -> DnsEvidence:
        kube_dns = self.known.kube_dns
        udp, fresh, reach, policy_udp, policy_tcp = await asyncio.gather(
            self.around.dns(server.address, self.fqdn),
            self.around.dns(server.address, f"k8snet-{self.around.asking.label}.{self.zone}"),
            self.around.from_office(server.address, "UDP", DNS_PORT),
            self.around.policy(server.interface, server.address, kube_dns, "UDP", DNS_PORT),
            self.around.policy(server.interface, server.address, kube_dns, "TCP", DNS_PORT),
        )
        return DnsEvidence(
            server=server.name,
            address=server.address,
            udp=udp,
            fresh=fresh,
            reach=reach,
            policy_udp=policy_udp,
            policy_tcp=policy_tcp,
        )

    async def _direct(self) -> tuple[DnsAnswer, ...]:
        if self.known.kube_dns is None or self.subject.address is not None:
            return ()
        asked = (self.around.dns(self.known.kube_dns, self.fqdn, transport) for transport in ("udp", "tcp"))
        return tuple(answer for answer in await asyncio.gather(*asked) if answer is not None)

    async def _routes(self, expected: Sequence[IPv4Address]) -> tuple[RouteAnswer, ...]:
        wanted = [*expected[:2], *([self.known.kube_dns] if self.known.kube_dns else [])]
        answers = await asyncio.gather(*map(self.around.route, dict.fromkeys(wanted)))
        return tuple(answer for answer in answers if answer is not None)

    async def _policies(self, expected: Sequence[IPv4Address]) -> tuple[PolicyAnswer, ...]:
        if self.known.facts is None and not self.subject.ports:
            return await self._broad_denial(next(iter(expected), self.known.kube_dns))
        answers = await asyncio.gather(
            *(self.around.from_offices(address, port.protocol, port.port) for address, port in self.doors(expected))
        )
        return tuple(answer for of_port in answers for answer in of_port)

    def doors(self, addresses: Sequence[IPv4Address]) -> list[tuple[IPv4Address, ServicePort]]:
        """Every port of every address, as many as are asked for."""
        return [(address, port) for address in addresses for port in self.subject.ports][: self.limits.connections]

    async def _broad_denial(self, address: IPv4Address | None) -> tuple[PolicyAnswer, ...]:
        """Where no port is known: policies that keep the offices from the cluster altogether."""
        if address is None:
            return ()
        answers = await self.around.from_offices(address, "TCP", ANY_PORT)
        return tuple(answer for answer in answers if forbidden(answer))

    async def connections(self, expected: Sequence[IPv4Address], most: int) -> tuple[ConnectAnswer, ...]:
        """Every port of every address; a service address with several pods behind it up to so many times."""
        wanted = [(a, p) for a in expected for p in self.subject.ports if _can_probe(p)][: self.limits.connections]
        service = self.subject.service
        if service is not None and not service.ready_endpoints:
            wanted = wanted[:1]
        answers = await all_of(
            self.around.connect(address, port.port, spoken_on(port) or "byte", port.protocol)
            for address, port in wanted
            for _ in range(self._attempts(address, max(1, most // len(wanted))))
        )
        return tuple(answer for answer in answers if answer is not None)

    def _attempts(self, address: IPv4Address, most: int) -> int:
        service = self.subject.service
        if service is None or service.cluster_ip != address:
            return 1
        return attempts(len(service.ready_endpoints), most)

    # --- in doubt ----------------------------------------------------------------------------------------------

    async def _second(self) -> "_Second":
        servers = self.around.context.site.dns_servers if self.subject.address is None else ()
        local = asyncio.gather(*(self.around.dns(server.address, LOCAL_NAME) for server in servers))
        names, forwarders, samples, neighbours, pod_route, traffic = await asyncio.gather(
            asyncio.gather(local, self._direct()),
            self._forwarders(servers),
            compared(self.around, self.subject.service),
            self.around.neighbours(),
            self.around.route(self._some_pod()),
            self._traffic(),
        )
        return _Second(
            local={server.name: answer for server, answer in zip(servers, names[0], strict=True)},
            direct=names[1],
            forwarders={held.target: held for held in forwarders},
            samples=samples,
            neighbours=neighbours,
            route=pod_route,
            traffic=traffic,
        )

    async def _movable(self, evidence: Evidence) -> tuple[str, ...]:
        """Where somebody's policy denies: what exposing again would do about it."""
        asking = [flow for server in evidence.servers for flow in (server.policy_udp, server.policy_tcp) if flow]
        if not any(forbidden(policy) for policy in (*evidence.policies, *asking)):
            return ()
        return await self.around.movable(evidence.held)

    async def _forwarders(self, servers: Sequence[DnsServer]) -> tuple[Held, ...]:
        if self.known.kube_dns is None:
            return ()
        wish = Forwarder(zone=self.zone.rstrip("."), masters=(self.known.kube_dns,))
        return await self.around.held([Placed(target=server.name, resource=wish) for server in servers])

    async def _traffic(self) -> Traffic | None:
        """What the firewall sees of a connection to the first address and port."""
        ports = [port for port in self.subject.ports if _can_probe(port)]
        if not self.subject.expected or not ports:
            return None
        port = ports[0]
        return await self.around.traffic(self.subject.expected[0], port.port, spoken_on(port) or "byte", port.protocol)

    def _some_pod(self) -> IPv4Address | None:
        """An address of the pod network, for its route."""
        services = self.known.facts.services if self.known.facts else ()
        pods = (endpoint.address for service in services for endpoint in service.ready_endpoints)
        return next((pod for pod in pods if any(pod in network for network in self.known.pod_networks)), None)

    def _with(self, evidence: Evidence, second: "_Second") -> Evidence:
        servers = tuple(
            server.model_copy(
                update={"local": second.local.get(server.server), "forwarder": second.forwarders.get(server.server)}
            )
            for server in evidence.servers
        )
        routes = evidence.routes
        if second.route is not None and second.route.destination not in {route.destination for route in routes}:
            routes = (*routes, second.route)
        gateway = evidence.gateway.model_copy(update={"neighbours": second.neighbours})
        source = evidence.source or _source([sample.answer for sample in second.samples])
        return evidence.model_copy(
            update={
                "servers": servers,
                "direct": _spoken(evidence.direct, second.direct),
                "routes": routes,
                "gateway": gateway,
                "samples": second.samples,
                "traffic": second.traffic,
                "unread": tuple(self.around.asking.unread),
                "source": source,
                "in_office": self._in_office(source),
            }
        )

    # --- together ----------------------------------------------------------------------------------------------

    def evidence(
        self,
        servers: tuple[DnsEvidence, ...],
        expected: tuple[IPv4Address, ...],
        shared: Shared,
        direct: tuple[DnsAnswer, ...],
        routes: tuple[RouteAnswer, ...],
        policies: tuple[PolicyAnswer, ...],
        connections: tuple[ConnectAnswer, ...],
    ) -> Evidence:
        subject, known, intent = self.subject, self.known, self.around.intent
        facts = known.facts
        gateway = [] if shared.gateway.kubelet is None else [shared.gateway.kubelet]
        beside = (known.kube_dns, shared.gateway.address)
        source = _source([*connections, *gateway])
        return Evidence(
            cluster=self.around.cluster.name,
            namespace=subject.namespace,
            name=subject.name,
            host=subject.host,
            address=subject.address,
            port=subject.port,
            domain=known.domain,
            interface=self.around.cluster.interface,
            firewall=self.around.cluster.firewall,
            readable=facts is not None,
            unreadable=facts.unreadable if facts else (),
            exposed=intent.exposes(subject.namespace),
            cluster_exposed=bool(intent.exposures),
            namespaces=facts.namespaces if facts else (),
            siblings=self._siblings(),
            service=subject.service,
            expected=expected,
            ports=subject.ports,
            known_ports=subject.known_ports,
            kube_dns=known.kube_dns,
            kube_dns_applied=known.kube_dns_applied,
            kube_dns_ready=known.kube_dns_ready,
            kube_dns_transports=known.kube_dns_transports,
            service_networks=known.service_networks,
            pod_networks=known.pod_networks,
            nodes=len(facts.nodes) if facts else 0,
            nodes_not_ready=known.nodes_not_ready,
            gateway=shared.gateway,
            servers=servers,
            direct=direct,
            routes=routes,
            policies=policies,
            connections=connections,
            unprobed=tuple(
                tr("{protocol} port {port}", protocol=port.protocol, port=port.port)
                for port in subject.ports
                if not _can_probe(port)
            ),
            held=shared.held,
            detours=tuple(one for one in shared.detours if one.packet.destination in (*expected, *beside)),
            unread=tuple(self.around.asking.unread),
            source=source,
            in_office=self._in_office(source),
        )

    def _siblings(self) -> tuple[str, ...]:
        """What else there is, for a name that is not."""
        if self.known.facts is None or self.subject.service is not None:
            return ()
        return tuple(service.name for service in self.known.facts.services_in(self.subject.namespace))

    def _in_office(self, source: IPv4Address | None) -> bool | None:
        if source is None:
            return None
        return any(source in network for office in self.around.offices() for network in office.networks.values())


class _Second(NamedTuple):
    """What is asked in doubt only."""

    local: dict[str, DnsAnswer | None]
    direct: tuple[DnsAnswer, ...]
    forwarders: dict[str, Held]
    samples: tuple[Sample, ...]
    neighbours: tuple[ConnectAnswer, ...]
    route: RouteAnswer | None
    traffic: Traffic | None


def _worth_more(report: Report) -> bool:
    """A name that does not exist needs no comparison with others."""
    return not any(finding.code.startswith("K8SNET-NAME") for finding in report.findings)


def _can_probe(port: ServicePort) -> bool:
    return port.protocol == "TCP" or (port.protocol == "UDP" and spoken_on(port) == "dns")


def _source(answers: Sequence[ConnectAnswer]) -> IPv4Address | None:
    return next((answer.source for answer in answers if answer.source is not None), None)


def _spoken(first: Sequence[DnsAnswer], again: Sequence[DnsAnswer]) -> tuple[DnsAnswer, ...]:
    """The first answers, each but for a better second one over the same transport: nobody repeats a lost datagram."""
    by_transport = {answer.transport: answer for answer in again if spoke(answer)}
    return tuple(answer if spoke(answer) else by_transport.get(answer.transport, answer) for answer in first)
