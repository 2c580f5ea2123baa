"""What is known of a cluster: its own facts, or, while its API is silent, what the journal tells of earlier changes."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from bot.model.commands import Drill
from bot.model.desired import Placed
from bot.model.facts import ClusterFacts, Protocol, Service
from bot.model.resources import Forwarder, Key, Resource, Route, TargetId
from bot.model.site import ClusterSite
from bot.model.value import Value
from bot.model.world import World

USUAL_DOMAIN = "cluster.local"
DNS_PORT = 53
PASSING = ("cache", "position")  # emptied or moved once: nothing that stands there for good


class Known(Value):
    """As much as is known. `facts` is None while the API cannot be read; the rest then comes from the journal."""

    facts: ClusterFacts | None
    domain: str
    kube_dns: IPv4Address | None
    gateway: str
    gateway_address: IPv4Address | None
    service_networks: tuple[IPv4Network, ...]
    pod_networks: tuple[IPv4Network, ...]
    kube_dns_ready: int | None = None  # endpoints; None when it is not known
    kube_dns_transports: tuple[Protocol, ...] | None = None  # of port 53; None when it is not known
    nodes_not_ready: tuple[str, ...] = ()
    written: tuple[Placed, ...] = ()  # what earlier changes wrote and left

    @property
    def kube_dns_applied(self) -> IPv4Address | None:
        """Where earlier changes pointed the forwarders."""
        return _pointed_at(p.resource for p in self.written if isinstance(p.resource, Forwarder))


def _pointed_at(forwarders: Iterable[Forwarder]) -> IPv4Address | None:
    """The first master, of those that a firewall here knows a way to."""
    return next((m for one in forwarders for m in one.masters if isinstance(m, IPv4Address)), None)


def known(facts: ClusterFacts | None, world: World, cluster: ClusterSite, typed_domain: str | None = None) -> Known:
    """Fresh facts where there are any."""
    gateway = world.intent(cluster.name).gateway or cluster.gateway
    written = _written(world, cluster.name)
    routes = [one.resource for one in written if isinstance(one.resource, Route)]
    applied = routes[0].gateway if routes else None
    if facts is not None:
        node, dns = facts.node(gateway), _kube_dns(facts)
        return Known(
            facts=facts,
            domain=facts.domain,
            kube_dns=facts.kube_dns,
            gateway=gateway,
            gateway_address=node.internal_ip if node else None if facts.nodes else applied,
            service_networks=facts.service_networks,
            pod_networks=facts.pod_networks,
            kube_dns_ready=len(dns.ready_endpoints) if dns else None,
            kube_dns_transports=tuple(port.protocol for port in dns.ports if port.port == DNS_PORT) if dns else None,
            nodes_not_ready=tuple(node.name for node in facts.nodes if not node.ready),
            written=written,
        )
    forwarders = [one.resource for one in written if isinstance(one.resource, Forwarder)]
    kube_dns = _pointed_at(forwarders)
    networks = tuple(dict.fromkeys(route.destination for route in routes))
    domains = [domain for one in forwarders if (domain := one.zone.partition(".svc.")[2])]
    return Known(
        facts=None,
        domain=typed_domain or next(iter(domains), USUAL_DOMAIN),
        kube_dns=kube_dns,
        gateway=gateway,
        gateway_address=applied,
        service_networks=tuple(network for network in networks if kube_dns and kube_dns in network),
        pod_networks=tuple(network for network in networks if not (kube_dns and kube_dns in network)),
        written=written,
    )


def _written(world: World, cluster: str) -> tuple[Placed, ...]:
    """What finished changes for this cluster wrote and did not take back. A drill took back everything."""
    left: dict[tuple[TargetId, Key], Resource | None] = {}
    for operation in world.operations.values():
        plan = operation.plan
        if plan is None or plan.cluster != cluster or isinstance(plan.command, Drill) or operation.state != "done":
            continue
        left |= {(step.target, step.key): step.after for step in plan.steps if step.key.kind not in PASSING}
    return tuple(Placed(target=target, resource=one) for (target, _), one in left.items() if one is not None)


def _kube_dns(facts: ClusterFacts) -> Service | None:
    """The service with kube-dns' address."""
    if facts.kube_dns is None:
        return None
    return next((service for service in facts.services if service.cluster_ip == facts.kube_dns), None)
