"""`check`: facts first, probes concurrently, reasoning last and pure."""

import asyncio
from collections.abc import Awaitable
from ipaddress import IPv4Address
from typing import TypeVar

from bot.engine.context import Context
from bot.engine.ports import PathOracle
from bot.model import names
from bot.model.causes import diagnose
from bot.model.commands import Check
from bot.model.desired import zone_of
from bot.model.diagnosis import DnsEvidence, Evidence, Report
from bot.model.errors import BackendError, UserError
from bot.model.facts import ClusterFacts, Service
from bot.model.intent import ClusterIntent
from bot.model.probes import ConnectAnswer, DnsAnswer, PolicyAnswer, RouteAnswer
from bot.model.proof import addresses_of
from bot.model.protocols import spoken_on
from bot.model.site import ClusterSite, DnsServer

PROBE_TIMEOUT_S = 3.0
KUBELET_PORT = 10250
CONNECTIONS = 8

Answer = TypeVar("Answer")


async def check(context: Context, command: Check) -> Report:
    """Walk the path to a service from the bot's own host and say what is broken.

    Raises UserError for a name that cannot be one of the cluster's. What cannot be asked is part of the report.
    """
    cluster = context.cluster(command.cluster)
    started = context.env.monotonic()
    facts = await context.clusters[cluster.name].facts()
    name, namespace, port = parse_name(command.name, facts.domain)
    intent = (await context.journal.world()).intent(cluster.name)
    evidence = await _Gathering(context, cluster, facts, intent, name, namespace, port).evidence()
    elapsed_ms = round((context.env.monotonic() - started) * 1000)
    return diagnose(evidence, context.vantage, elapsed_ms)


def parse_name(text: str, domain: str) -> tuple[str, str, int | None]:
    """`service.namespace[.svc[.domain]][:port]` as (service, namespace, port). Raises UserError otherwise."""
    host, _, port_text = text.strip().rstrip(".").partition(":")
    for suffix in (f".svc.{domain}", ".svc"):
        host = host.removesuffix(suffix)
    labels = host.split(".")
    if len(labels) != 2 or not all(names.is_label(label) for label in labels):
        raise UserError(f"{text[:80]!r} is not a service name: write <service>.<namespace>, such as redis.default.")
    if port_text and not (port_text.isdecimal() and 0 < int(port_text) < 65536):
        raise UserError(f"{port_text[:20]!r} is not a port: write a number from 1 to 65535 after the colon.")
    return labels[0], labels[1], int(port_text) if port_text else None


class _Gathering:
    """One check's questions. Every one of them runs concurrently; a refused one becomes a note, not an error."""

    def __init__(
        self,
        context: Context,
        cluster: ClusterSite,
        facts: ClusterFacts,
        intent: ClusterIntent,
        name: str,
        namespace: str,
        port: int | None,
    ) -> None:
        self.context, self.cluster, self.facts, self.intent = context, cluster, facts, intent
        self.name, self.namespace, self.port = name, namespace, port
        self.unread: list[str] = list(facts.unreadable)
        self.service = facts.service(namespace, name)
        self.expected = addresses_of(self.service) if self.service else ()
        self.gateway = facts.node(intent.gateway or cluster.gateway)
        self.fqdn = f"{name}.{zone_of(namespace, facts.domain)}."

    async def evidence(self) -> Evidence:
        servers = self.context.site.dns_servers_of({office.name for office in self.context.site.offices})
        (dns, direct, connections, route, policy, gateway_answers) = await asyncio.gather(
            asyncio.gather(*(self._server(server) for server in servers)),
            self._direct(),
            self._connections(),
            self._route(),
            self._policy(),
            self._gateway(),
        )
        return Evidence(
            cluster=self.cluster.name,
            namespace=self.namespace,
            name=self.name,
            port=self.port,
            domain=self.facts.domain,
            exposed=self.intent.exposes(self.namespace),
            namespaces=self.facts.namespaces,
            siblings=tuple(service.name for service in self.facts.services_in(self.namespace)),
            service=self.service,
            expected=self.expected,
            kube_dns=self.facts.kube_dns,
            gateway=self.gateway,
            gateway_wanted=self.gateway.internal_ip if self.gateway else None,
            gateway_answers=gateway_answers,
            servers=tuple(dns),
            direct=direct,
            route=route,
            policy=policy,
            connections=connections,
            unread=tuple(self.unread),
        )

    async def _server(self, server: DnsServer) -> DnsEvidence:
        fresh_name = f"k8snet-{self.context.env.new_id()}.{zone_of(self.namespace, self.facts.domain)}."
        udp, tcp, fresh, policy = await asyncio.gather(
            self._dns(server.address, self.fqdn, "udp"),
            self._dns(server.address, self.fqdn, "tcp"),
            self._dns(server.address, fresh_name, "udp"),
            self._dns_policy(server),
        )
        return DnsEvidence(server=server.name, address=server.address, udp=udp, tcp=tcp, fresh=fresh, policy=policy)

    async def _dns(self, server: IPv4Address, name: str, transport: str) -> DnsAnswer:
        return await self.context.prober.dns(server, name, "tcp" if transport == "tcp" else "udp", PROBE_TIMEOUT_S)

    async def _direct(self) -> tuple[DnsAnswer, ...]:
        if self.facts.kube_dns is None:
            return ()
        kube_dns = self.facts.kube_dns
        return tuple(await asyncio.gather(*(self._dns(kube_dns, self.fqdn, transport) for transport in ("udp", "tcp"))))

    async def _connections(self) -> tuple[ConnectAnswer, ...]:
        if self.service is None or not self.service.ready_endpoints:
            return ()
        wanted = [
            (address, port)
            for address in self.expected
            for port in self.service.ports
            if port.protocol == "TCP" and self.port in (None, port.port)
        ][:CONNECTIONS]
        return tuple(
            await asyncio.gather(
                *(
                    self.context.prober.connect(address, port.port, "TCP", spoken_on(port), PROBE_TIMEOUT_S)
                    for address, port in wanted
                )
            )
        )

    async def _gateway(self) -> bool | None:
        if self.gateway is None or self.gateway.internal_ip is None:
            return None
        reply = await self.context.prober.connect(
            self.gateway.internal_ip, KUBELET_PORT, "TCP", "https", PROBE_TIMEOUT_S
        )
        # A refusal comes from a living host; only silence or an ICMP error for the host speaks against it.
        return reply.outcome not in ("timeout", "host-unreachable", "net-unreachable")

    async def _route(self) -> RouteAnswer | None:
        oracle = self._oracle()
        if oracle is None or not self.expected:
            return None
        return await self._noting(oracle.route(self.expected[0]))

    async def _policy(self) -> PolicyAnswer | None:
        oracle, port = self._oracle(), _tcp_port(self.service, self.port)
        if oracle is None or not self.expected or port is None:
            return None
        office = self.context.site.offices[0]
        source = next(iter(office.networks.values()))[10]
        return await self._noting(oracle.policy(office.interface, source, self.expected[0], "TCP", port))

    async def _dns_policy(self, server: DnsServer) -> PolicyAnswer | None:
        oracle = self._oracle()
        if oracle is None or self.facts.kube_dns is None:
            return None
        return await self._noting(oracle.policy(server.interface, server.address, self.facts.kube_dns, "UDP", 53))

    def _oracle(self) -> PathOracle | None:
        firewall = self.context.targets[self.cluster.firewall]
        return firewall if isinstance(firewall, PathOracle) else None

    async def _noting(self, question: Awaitable[Answer]) -> Answer | None:
        try:
            return await question
        except BackendError as error:
            if str(error) not in self.unread:
                self.unread.append(str(error))
            return None


def _tcp_port(service: Service | None, wanted: int | None) -> int | None:
    if service is None:
        return wanted
    return next((port.port for port in service.ports if port.protocol == "TCP" and wanted in (None, port.port)), wanted)
