"""Clusters as values in which one thing is broken, and the evidence that a check would gather there.

Packets are not walked: each fault says which connections it silences, as the lab's networks have shown them.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from bot.engine.checking.samples import Planned, planned
from bot.model.causes.signals import better, unanswered
from bot.model.diagnosis import Evidence, Sample
from bot.model.facts import ClusterFacts, Endpoint, Service, ServicePort
from bot.model.probes import ConnectAnswer, ConnectOutcome, PolicyAnswer, RouteAnswer
from tests.office import KUBE_DNS, cluster_facts, site

GATEWAY = site().clusters[0].gateway
NAMESPACE = "default"
HTTP = ServicePort(name="http", protocol="TCP", port=80)
DNS = (ServicePort(name="dns", protocol="UDP", port=53), ServicePort(name="dns-tcp", protocol="TCP", port=53))
ASKED = IPv4Address("10.68.0.80")
OFFICE, BOT = IPv4Address("172.16.0.10"), IPv4Address("172.16.0.50")
ATTEMPTS = 12


@dataclass(frozen=True)
class Cluster:
    """`asked` is one of the services in `facts`; the first node is the gateway."""

    facts: ClusterFacts
    asked: Service
    gateway: str

    @property
    def others(self) -> tuple[Service, ...]:
        return tuple(service for service in self.facts.services if service != self.asked)


@dataclass
class Fault:
    """What is broken: pods by address, service addresses, or whole kinds of connections."""

    pods: dict[IPv4Address, ConnectOutcome] = field(default_factory=dict)
    addresses: set[IPv4Address] = field(default_factory=set)
    way: Callable[[str, str], ConnectOutcome] = lambda kind, node: "data"
    """What happens to a connection to this kind of address that ends on this node, whatever the pod does."""
    acknowledged: bool = False
    """Whether the far kernel's word for what a mute program has received comes back, and can be seen from here."""


def cluster(
    chance: random.Random, headless: bool, namespaces: int, services: int, nodes: int, rich: bool = False
) -> Cluster:
    """A random one: kube-dns, the asked service, and so many others in so many namespaces besides its own.

    In a rich one six more, each in a namespace of its own: two on all nodes, two on all but the gateway, two there.
    """
    names = [GATEWAY, *(f"node-{number}" for number in range(1, nodes))]
    numbers = iter(range(10, 250))
    spaces = [NAMESPACE, *(f"other-{number}" for number in range(namespaces))]

    def service(
        namespace: str,
        name: str,
        address: IPv4Address | None,
        homes: Sequence[str],
        ports: tuple[ServicePort, ...] = (HTTP,),
    ) -> Service:
        endpoints = tuple(
            Endpoint(
                address=IPv4Address(f"172.20.{names.index(node) + 1}.{next(numbers)}"),
                node=node,
                hostname=None,
                ready=True,
                ports=ports,
            )
            for node in homes
        )
        return Service(
            namespace=namespace,
            name=name,
            type="ClusterIP",
            cluster_ip=address,
            headless=address is None,
            external_name=None,
            publish_not_ready=False,
            internal_traffic_local=False,
            ports=ports,
            endpoints=endpoints,
        )

    def some(most: int = 3) -> list[str]:
        return chance.sample(names, min(chance.randint(1, most), nodes))

    asked = service(NAMESPACE, "asked", None if headless else ASKED, some())
    others = [
        service(
            chance.choice(spaces),
            f"s{number}",
            IPv4Address(f"10.68.1.{number + 1}") if chance.random() < 0.8 else None,
            some(),
        )
        for number in range(services)
    ]
    if rich:
        homes = (names, names, names[1:], names[1:], names[:1], names[:1])
        others += [
            service(f"rich-{number}", f"r{number}", IPv4Address(f"10.68.2.{number + 1}"), on)
            for number, on in enumerate(homes)
        ]
    kube_dns = service("kube-system", "kube-dns", KUBE_DNS, chance.sample(names, 2), DNS)
    facts = cluster_facts().model_copy(update={"services": (kube_dns, asked, *others)})
    return Cluster(facts=facts, asked=asked, gateway=GATEWAY)


def outcomes(there: Cluster, fault: Fault, address: IPv4Address) -> list[ConnectOutcome]:
    """What connections to this address come to, one for each pod that they may end at."""
    for service in there.facts.services:
        for endpoint in service.endpoints:
            if endpoint.address == address:
                return [_of_pod(fault, "pod", endpoint)]
            if service.cluster_ip == address and address in fault.addresses:
                return ["timeout"]
        if service.cluster_ip == address:
            return [_of_pod(fault, "service", endpoint) for endpoint in service.endpoints]
    raise LookupError(address)


def _of_pod(fault: Fault, kind: str, endpoint: Endpoint) -> ConnectOutcome:
    on_the_way = fault.way(kind, endpoint.node or "")
    return fault.pods.get(endpoint.address, "data") if on_the_way == "data" else on_the_way


def gathered(there: Cluster, fault: Fault, base: Evidence, chance: random.Random, lost: int | None = None) -> Evidence:
    """What a check gathers there in doubt. The first question of the comparison number `lost` gets no answer by
    chance."""

    def answer(address: IPv4Address, port: int, speak: str) -> ConnectAnswer:
        outcome = chance.choice(outcomes(there, fault, address))
        said = _answer(address, port, speak, outcome)
        silent = outcome == "handshake-only" and fault.acknowledged
        return said.model_copy(update={"peer_says": "no answer"}) if silent else said

    def samples() -> Iterator[Sample]:
        for number, plan in enumerate(planned(there.facts, there.asked, there.gateway)):
            first = answer(plan.address, plan.port, plan.speak)
            if number == lost:
                first = _answer(plan.address, plan.port, plan.speak, "timeout")
            if not unanswered(first):
                yield _sample(plan, first)
                continue
            second = better(first, answer(plan.address, plan.port, plan.speak))
            assert second is not None
            yield _sample(plan, second)
            if plan.spare is not None:
                yield _sample(plan.spare, answer(plan.spare.address, plan.spare.port, plan.spare.speak))

    asked = there.asked
    expected = (asked.cluster_ip,) if asked.cluster_ip else tuple(one.address for one in asked.endpoints)
    tries = ATTEMPTS if asked.cluster_ip and len(asked.endpoints) > 1 else 1
    server = base.servers[0]
    assert server.udp is not None
    named = {"addresses": expected}
    return base.model_copy(
        update={
            "namespace": asked.namespace,
            "name": asked.name,
            "service": asked,
            "expected": expected,
            "ports": asked.ports,
            "known_ports": asked.ports,
            "gateway": base.gateway.model_copy(update={"name": there.gateway}),
            "servers": (server.model_copy(update={"udp": server.udp.model_copy(update=named)}),),
            "direct": tuple(one.model_copy(update=named) for one in base.direct),
            "routes": tuple(
                RouteAnswer(destination=one, found=True, interface=base.interface, gateway=base.gateway.address)
                for one in (*expected, KUBE_DNS, asked.endpoints[0].address)
            ),
            "policies": tuple(_policy(one, HTTP.port) for one in expected),
            "connections": tuple(answer(one, HTTP.port, "http") for one in expected for _ in range(tries)),
            "samples": tuple(samples()),
        }
    )


def _answer(address: IPv4Address, port: int, speak: str, outcome: ConnectOutcome) -> ConnectAnswer:
    return ConnectAnswer(
        address=address,
        port=port,
        protocol="TCP",
        outcome=outcome,
        spoke=speak,
        peer_says="HTTP/1.1 200 OK" if outcome == "data" else "",
        source=BOT if outcome == "data" else None,
        elapsed_ms=9,
    )


def _policy(destination: IPv4Address, port: int) -> PolicyAnswer:
    return PolicyAnswer(
        source=OFFICE, destination=destination, protocol="TCP", port=port, allowed=True, policy="k8snet-qa-hq"
    )


def _sample(plan: Planned, answer: ConnectAnswer) -> Sample:
    return Sample(
        service=plan.service,
        namespace=plan.namespace,
        kind=plan.kind,
        place=plan.place,
        nodes=plan.nodes,
        own=plan.own,
        answer=answer,
        policy=_policy(plan.address, plan.port),
    )
