"""Moving the routes to another node: what must be true on the wire afterwards, and what a person should know before."""

from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Address
from typing import cast

from bot.model.desired import zone_of
from bot.model.doors import Door
from bot.model.facts import ClusterFacts, Service
from bot.model.intent import ClusterIntent
from bot.model.plan import Forwards, ReachesOne
from bot.model.probes import OpenSessions
from bot.model.protocols import spoken_on
from bot.model.resources import Route
from bot.model.site import Site
from bot.model.steps import Step
from bot.model.wording import tr

DOORS = 3  # a program that is down must not decide, and three are not down at once


def move_checks(
    site: Site, old: str, new: str, intent: ClusterIntent, facts: ClusterFacts, operation: str
) -> tuple[ReachesOne | Forwards, ...]:
    """Data through the new gateway to a service address, to a pod on it and to a pod elsewhere; names for the office.

    Nothing that lives only on the old gateway is asked: it may be gone, and that is no fault of the new one.
    """
    return (*_data(old, new, intent, facts), *_names(site, intent, facts, operation))


def missed_first(steps: Sequence[Step], intent: ClusterIntent, facts: ClusterFacts) -> tuple[Step, ...]:
    """The same steps, the routes among them in the order in which people miss them.

    First the ways to what is exposed, then to other services, then to addresses that nothing is known of: routes are
    written one after another, and with hundreds of them the last one waits for seconds.
    """
    exposed = {exposure.namespace for exposure in intent.exposures}
    used: tuple[set[IPv4Address], set[IPv4Address]] = (set(), set())
    for service in facts.services:
        own = (service.cluster_ip, *(endpoint.address for endpoint in service.ready_endpoints))
        used[service.namespace not in exposed].update(address for address in own if address is not None)

    def place(route: Route) -> int:
        return next((rank for rank, some in enumerate(used) if any(one in route.destination for one in some)), 2)

    return _with_routes_by(place, steps)


def routes_as_in(approved: Sequence[Step], steps: Sequence[Step]) -> tuple[Step, ...]:
    """The same steps, the routes in the order that somebody said yes to: pods come and go in between."""
    order = {step.after.key: number for number, step in enumerate(approved) if isinstance(step.after, Route)}
    return _with_routes_by(lambda route: order.get(route.key, len(approved)), steps)


def _with_routes_by(place: Callable[[Route], int], steps: Sequence[Step]) -> tuple[Step, ...]:
    """Routes change places with routes only: what depends on what stays as it is."""
    routes = iter(
        sorted((one for one in steps if isinstance(one.after, Route)), key=lambda one: place(cast(Route, one.after)))
    )
    return tuple(next(routes) if isinstance(one.after, Route) else one for one in steps)


def move_warnings(new: str, facts: ClusterFacts) -> tuple[str, ...]:
    """What people should know of the node that the routes move to, and what cannot be proven."""
    return (
        tr("The routes stay there: nothing moves them back by itself."),
        *_about_node(new, facts),
    )


def drill_warnings(new: str, facts: ClusterFacts) -> tuple[str, ...]:
    """The same for a move there and back."""
    return (
        tr(
            "A drill: the routes lead through {node} until data is proven to pass there, then back as they were.",
            node=new,
        ),
        *_about_node(new, facts),
    )


def impact(sessions: OpenSessions, facts: ClusterFacts) -> str:
    """What a move does to open connections; `sessions` are those of the cluster's own policies, by network."""
    if sessions.count is None:
        return tr(
            "Open connections to service addresses are reset once (how many cannot be told: {problem}); those to pod "
            "addresses survive, unless the cluster's network masquerades them.",
            problem=sessions.problem,
        )
    services = sum(sessions.count.get(network, 0) for network in facts.service_networks)
    pods = sum(sessions.count.get(network, 0) for network in facts.pod_networks)
    return tr(
        "{about} {services} open connections to service addresses will be reset; {pods} to pod addresses survive, "
        "unless the cluster's network masquerades them.",
        about=tr("About") if sessions.complete else tr("More than"),
        services=services,
        pods=pods,
    )


def clearing() -> str:
    """The warning that flows through a gateway that is gone will be forgotten."""
    return tr(
        "Once that is proven, the firewall forgets what k8snet's policies let through before the move: it led to a "
        "gateway that is gone. Only sessions to these networks, only ours."
    )


def _about_node(new: str, facts: ClusterFacts) -> Sequence[str]:
    lines = []
    node = facts.node(new)
    if node is not None and not node.schedulable:
        lines.append(tr("{node} is cordoned.", node=new))
    if node is not None and node.control_plane:
        lines.append(tr("{node} belongs to the control plane; all office traffic will pass through it.", node=new))
    if not any(node == new for node, _ in pod_doors(ClusterIntent(), facts)):
        lines.append(tr("No pod on {node} can be asked, so the way to its own pods is not proven.", node=new))
    return lines


def service_doors(old: str, intent: ClusterIntent, facts: ClusterFacts) -> tuple[Door, ...]:
    """Service addresses that can be asked, best first: those that need nothing on the node `old`."""
    living: list[Door] = []
    shared: list[Door] = []
    for service in _ordered(intent, facts):
        if service.cluster_ip is None or service.internal_traffic_local:
            continue
        backing = [endpoint for endpoint in service.ready_endpoints if _in_pods(endpoint.address, facts)]
        port = next((one for one in service.ports if one.protocol == "TCP" and spoken_on(one)), None)
        if port is None or not backing:
            continue
        label = f"{service.name}.{service.namespace}"
        door = Door(label=label, address=service.cluster_ip, port=port.port, speak=spoken_on(port))
        (shared if any(endpoint.node == old for endpoint in backing) else living).append(door)
    return (*living, *shared) or _kube_dns(facts)


def pod_doors(intent: ClusterIntent, facts: ClusterFacts) -> Iterator[tuple[str, Door]]:
    """(node, door) of ready pods that can be asked; those of exposed namespaces first."""
    seen = set()
    for service in _ordered(intent, facts):
        for endpoint in service.ready_endpoints:
            port = next((one for one in endpoint.ports if one.protocol == "TCP" and spoken_on(one)), None)
            if endpoint.node is None or port is None or not _in_pods(endpoint.address, facts):
                continue
            if endpoint.address not in seen:
                seen.add(endpoint.address)
                label = tr(
                    "{name}.{namespace} on {node}", name=service.name, namespace=service.namespace, node=endpoint.node
                )
                yield endpoint.node, Door(label=label, address=endpoint.address, port=port.port, speak=spoken_on(port))


def _data(old: str, new: str, intent: ClusterIntent, facts: ClusterFacts) -> Iterator[ReachesOne]:
    pods = list(pod_doors(intent, facts))
    ways = {
        tr("a service address"): service_doors(old, intent, facts),
        tr("a pod on {node}", node=new): [door for node, door in pods if node == new],
        tr("a pod on another node"): [door for node, door in pods if node not in (old, new) and _ready(node, facts)],
    }
    for label, doors in ways.items():
        if doors:
            yield ReachesOne(label=tr("{label} through {node}", label=label, node=new), doors=tuple(doors[:DOORS]))


def _names(site: Site, intent: ClusterIntent, facts: ClusterFacts, operation: str) -> Iterator[Forwards]:
    """A name that nobody has asked for before: a cached answer would prove nothing about the new way."""
    for server in site.dns_servers_of({exposure.office for exposure in intent.exposures}):
        exposure = next(e for e in intent.exposures if server.name in site.office(e.office).dns_servers)
        zone = zone_of(exposure.namespace, facts.domain)
        yield Forwards(
            server=server.name, address=server.address, name=f"k8snet-{operation}.{zone}.", zone=f"{facts.domain}."
        )


def _kube_dns(facts: ClusterFacts) -> tuple[Door, ...]:
    if facts.kube_dns is None:
        return ()
    return (Door(label="kube-dns", address=facts.kube_dns, port=53, speak="dns"),)


def _ordered(intent: ClusterIntent, facts: ClusterFacts) -> Sequence[Service]:
    """What people were given comes first; kube-dns last, because half of it may be down without anybody's notice."""
    exposed = {exposure.namespace for exposure in intent.exposures}

    def place(service: Service) -> tuple[bool, bool]:
        return facts.kube_dns is not None and service.cluster_ip == facts.kube_dns, service.namespace not in exposed

    return sorted(facts.services, key=place)


def _in_pods(address: IPv4Address, facts: ClusterFacts) -> bool:
    return any(address in network for network in facts.pod_networks)


def _ready(name: str, facts: ClusterFacts) -> bool:
    node = facts.node(name)
    return node is not None and node.ready
