"""What else in the cluster to connect to, so that faults which look alike can be told apart. Pure."""

from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Address
from typing import Literal

from bot.model.causes.signals import place_of
from bot.model.diagnosis import Place
from bot.model.facts import ClusterFacts, Endpoint, Service, ServicePort
from bot.model.protocols import spoken_on
from bot.model.value import Value

OWN_PODS = 3  # of the checked service
OTHER_NODES = 2  # besides those of the checked service's pods


class Planned(Value):
    """A connection to make for comparison; see `Sample`. `spare` tells whether it is silent alone: something of the
    same kind in the same place, that is asked only then."""

    service: str
    namespace: str
    kind: Literal["service", "pod"]
    place: Place
    nodes: tuple[str, ...]
    own: bool
    address: IPv4Address
    port: int
    speak: str
    spare: "Planned | None" = None


def planned(facts: ClusterFacts, checked: Service | None, gateway: str) -> tuple[Planned, ...]:
    """Services with pods on the gateway and elsewhere; pods there and on the nodes of the checked service's pods, of
    other namespaces where there are any; and a few more pods of its own namespace.

    kube-dns first: everybody may ask it. Only ports whose protocol can be spoken without harm.
    """
    others = [service for service in _by_interest(facts, checked) if service != checked]
    own = list(_own_pods(checked, gateway)) if checked is not None else []
    namespace = checked.namespace if checked is not None else ""
    home = {node for pod in own for node in pod.nodes}
    if checked is not None and checked.headless:
        home |= {endpoint.node for endpoint in checked.ready_endpoints[:OWN_PODS] if endpoint.node}
    addresses = [one for service in others for one in _address(service, facts, gateway)]
    pods = [pod for service in others for pod in _pods(service, facts, gateway)]
    foreign = _on_nodes([pod for pod in pods if pod.namespace != namespace], home, gateway)
    kin = _on_nodes([pod for pod in pods if pod.namespace == namespace], home, gateway)
    wanted = (*_first_of_each_place(addresses), *own, *foreign, *kin)
    return tuple(_with_spares(wanted, [*addresses, *pods]))


def _with_spares(wanted: Collection[Planned], possible: Iterable[Planned]) -> Iterator[Planned]:
    """For an address another service's in the same place, on other nodes if it can be; for a pod another service's on
    the same node. What is asked anyway is no spare, and the checked service's pods need none."""
    taken = {plan.address for plan in wanted}
    free = [one for one in possible if one.address not in taken]
    for plan in wanted:
        beside = [
            one
            for one in free
            if not plan.own
            and (one.kind, one.place) == (plan.kind, plan.place)
            and one.service != plan.service
            and one.address not in taken
            and (plan.kind == "service" or one.nodes == plan.nodes)
        ]
        spare = min(beside, key=lambda one: not set(one.nodes).isdisjoint(plan.nodes), default=None)
        if spare is not None:
            taken.add(spare.address)
        yield plan.model_copy(update={"spare": spare})


def _by_interest(facts: ClusterFacts, checked: Service | None) -> list[Service]:
    """kube-dns, then other namespaces, then its own: a policy of the namespace would hide what the comparison shows."""
    namespace = checked.namespace if checked else ""

    def rank(service: Service) -> tuple[bool, bool]:
        return service.cluster_ip != facts.kube_dns, service.namespace == namespace

    return sorted(facts.services, key=rank)


def _address(service: Service, facts: ClusterFacts, gateway: str) -> Iterator[Planned]:
    """The service's address, if its pods can answer there."""
    endpoints = [endpoint for endpoint in service.ready_endpoints if _is_pod(endpoint, facts)]
    port = next((port for port in service.ports if port.protocol == "TCP" and spoken_on(port)), None)
    if not endpoints or len(endpoints) < len(service.ready_endpoints) or port is None:
        return
    if service.cluster_ip is None or service.internal_traffic_local:
        return
    nodes = tuple(sorted({endpoint.node for endpoint in endpoints if endpoint.node}))
    yield Planned(
        service=f"{service.name}.{service.namespace}",
        namespace=service.namespace,
        kind="service",
        place=place_of(nodes, gateway),
        nodes=nodes,
        own=False,
        address=service.cluster_ip,
        port=port.port,
        speak=spoken_on(port),
    )


def _own_pods(checked: Service, gateway: str) -> Iterator[Planned]:
    """The pods behind the checked service's address, past it; those of a headless one are connected to anyway."""
    if checked.cluster_ip is None:
        return
    for endpoint in checked.ready_endpoints[:OWN_PODS]:
        port = next((port for port in endpoint.ports if port.protocol == "TCP"), None)
        if port is not None and endpoint.node is not None:
            yield _pod(checked, endpoint, port, gateway, own=True)


def _pods(service: Service, facts: ClusterFacts, gateway: str) -> Iterator[Planned]:
    for endpoint in service.ready_endpoints:
        port = next((port for port in endpoint.ports if port.protocol == "TCP" and spoken_on(port)), None)
        if port is not None and endpoint.node is not None and _is_pod(endpoint, facts):
            yield _pod(service, endpoint, port, gateway, own=False)


def _pod(service: Service, endpoint: Endpoint, port: ServicePort, gateway: str, *, own: bool) -> Planned:
    assert endpoint.node is not None  # the callers saw to it
    return Planned(
        service=f"{service.name}.{service.namespace}",
        namespace=service.namespace,
        kind="pod",
        place=place_of((endpoint.node,), gateway),
        nodes=(endpoint.node,),
        own=own,
        address=endpoint.address,
        port=port.port,
        speak=spoken_on(port) or "byte",
    )


def _on_nodes(pods: Iterable[Planned], home: set[str], gateway: str) -> Iterator[Planned]:
    """One pod on the gateway, one on each node of `home`, and one on each of a few further nodes."""
    seen: set[str] = set()
    further = 0
    for pod in pods:
        [node] = pod.nodes
        if node in seen:
            continue
        if node != gateway and node not in home:
            if further == OTHER_NODES:
                continue
            further += 1
        seen.add(node)
        yield pod


def _first_of_each_place(found: Iterable[Planned]) -> Iterator[Planned]:
    seen: set[Place] = set()
    for one in found:
        if one.place not in seen:
            seen.add(one.place)
            yield one


def _is_pod(endpoint: Endpoint, facts: ClusterFacts) -> bool:
    """Not a program in a node's own network: its way is another one."""
    return any(endpoint.address in network for network in facts.pod_networks)
