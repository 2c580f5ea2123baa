"""A whole namespace: every service by name and with data, what they share asked once, a closer look at what fails."""

import asyncio
from collections.abc import Sequence
from ipaddress import IPv4Address

from bot.engine.checking.asking import all_of
from bot.engine.checking.one import One, Shared
from bot.engine.checking.subject import Subject
from bot.engine.checking.surroundings import Surroundings
from bot.model.causes.table import diagnose
from bot.model.diagnosis import DnsEvidence, Report
from bot.model.facts import Protocol, Service
from bot.model.probes import PolicyAnswer, RouteAnswer

Flow = tuple[bool, Protocol, int]
"""Whether a service address or a pod's, the protocol, the port: the firewall judges all of one kind alike."""


class Many:
    """Gathers for the services of one namespace."""

    def __init__(self, around: Surroundings, services: Sequence[Service]) -> None:
        self.around = around
        self.ones = [One(around, Subject(s.name, s.namespace, None, None, None, s)) for s in services]

    async def reports(self) -> list[Report]:
        """One report a service. A few that did not pass are looked at as closely as a single one."""
        if not self.ones:
            return []
        servers, gateway, held, detours, routes, policies = await asyncio.gather(
            self.ones[0].servers(),
            self.around.gateway(),
            self.around.held_by_firewall(),
            self.around.detours([door for one in self.ones for door in one.doors(one.subject.expected[:1])]),
            self._routes(),
            self._policies(),
        )
        shared = Shared(gateway, held, detours)
        reports = list(
            await asyncio.gather(*(self._light(one, servers, shared, routes, policies) for one in self.ones))
        )
        doubtful = [index for index, report in enumerate(reports) if report.verdict != "passed"]
        closer = doubtful[: self.around.asking.limits.closer_looks]
        for index, report in zip(
            closer, await asyncio.gather(*(self.ones[index].report() for index in closer)), strict=True
        ):
            reports[index] = report
        return reports

    async def _light(
        self,
        one: One,
        servers: Sequence[DnsEvidence],
        shared: Shared,
        routes: dict[bool, RouteAnswer],
        policies: dict[Flow, list[PolicyAnswer]],
    ) -> Report:
        expected = one.subject.expected
        names = asyncio.ensure_future(all_of(self._named(one, server) for server in servers))
        try:
            connections = await one.connections(expected, self.around.asking.limits.attempts_of_many)
            named = await names
        finally:
            names.cancel()
        flows = [flow for address in expected[:1] for flow in self._flows(one, address)]
        evidence = one.evidence(
            tuple(named),
            expected,
            shared,
            (),
            tuple(routes.values()),
            tuple(answer for flow in flows for answer in policies.get(flow, ())),
            connections,
        )
        return diagnose(evidence, brief=True)

    async def _named(self, one: One, server: DnsEvidence) -> DnsEvidence:
        answer = server.udp
        if answer is None or answer.name != one.fqdn:
            answer = await self.around.dns(server.address, one.fqdn)
        return server.model_copy(update={"udp": answer})

    def _flows(self, one: One, address: IPv4Address) -> list[Flow]:
        return [(self._is_service(address), port.protocol, port.port) for port in one.subject.ports]

    def _is_service(self, address: IPv4Address) -> bool:
        return any(address in network for network in self.around.known.service_networks)

    async def _routes(self) -> dict[bool, RouteAnswer]:
        """One look-up for the service network and one for the pod network."""
        sample: dict[bool, IPv4Address] = {}
        if self.around.known.kube_dns is not None:
            sample[True] = self.around.known.kube_dns
        for one in self.ones:
            for address in one.subject.expected:
                sample.setdefault(self._is_service(address), address)
        answers = await asyncio.gather(*map(self.around.route, sample.values()))
        return {kind: answer for kind, answer in zip(sample, answers, strict=True) if answer is not None}

    async def _policies(self) -> dict[Flow, list[PolicyAnswer]]:
        sample: dict[Flow, IPv4Address] = {}
        for one in self.ones:
            for address in one.subject.expected[:1]:
                for flow in self._flows(one, address):
                    sample.setdefault(flow, address)
        answers = await asyncio.gather(
            *(self.around.from_offices(address, protocol, port) for (_, protocol, port), address in sample.items())
        )
        return dict(zip(sample, answers, strict=True))
