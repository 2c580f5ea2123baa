"""From intent and facts to every resource that should exist. Pure; the article's procedure, written once."""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network

from bot.model.canary import canary_routes
from bot.model.errors import UserError
from bot.model.facts import ClusterFacts
from bot.model.intent import ClusterIntent
from bot.model.resources import Address, Forwarder, Key, Policy, Resource, Route, TargetId
from bot.model.site import ClusterSite, DnsServer, Office, Site
from bot.model.value import Value
from bot.model.wording import listed, tr

DNS_SERVICE = "DNS"  # FortiOS' built-in service: UDP and TCP 53. The article forgot both the rule and TCP.


class Placed(Value):
    """A resource and the target that should hold it."""

    target: TargetId
    resource: Resource


def desired(intent: ClusterIntent, cluster: ClusterSite, site: Site, facts: ClusterFacts) -> tuple[Placed, ...]:
    """Every resource that the intent needs; nothing when the intent exposes nothing.

    Raises UserError, naming the missing fact and where to set it, when the facts do not suffice.
    """
    if not intent.exposures:
        return ()
    networks = _cluster_networks(cluster, facts)
    kube_dns = _kube_dns(facts)
    gateway = gateway_address(intent, cluster, facts)
    names = {exposure.office for exposure in intent.exposures}
    _refuse_unknown_offices(intent, site)
    offices = [office for office in site.offices if office.name in names]
    servers = site.dns_servers_of(names)
    on_firewall: list[Resource] = [
        *_addresses(cluster, offices, servers, networks, kube_dns),
        *(Route(destination=network, gateway=gateway, device=cluster.interface) for network in networks.values()),
        *canary_routes(cluster, facts),
        *(_office_policy(cluster, office, networks) for office in offices),
        *(_dns_policy(cluster, server) for server in servers),
    ]
    return (
        *(Placed(target=cluster.firewall, resource=resource) for resource in on_firewall),
        *_forwarders(intent, site, facts.domain, kube_dns),
    )


def shared(
    cluster: ClusterSite, site: Site, intents: Mapping[str, ClusterIntent]
) -> Mapping[tuple[TargetId, Key], str]:
    """Objects that policies of other clusters on the same firewall name as well, with the name of one of those."""
    found = {}
    for other in site.clusters:
        if other.name == cluster.name or other.firewall != cluster.firewall:
            continue
        names = {exposure.office for exposure in intents[other.name].exposures}
        networks = [name for office in site.offices if office.name in names for name in office.networks]
        for name in (*networks, *(server.address_object for server in site.dns_servers_of(names))):
            found[cluster.firewall, Key(kind="address", name=name)] = other.name
    return found


def _refuse_unknown_offices(intent: ClusterIntent, site: Site) -> None:
    known = {office.name for office in site.offices}
    for exposure in intent.exposures:
        if exposure.office not in known:
            raise UserError(
                tr(
                    "Namespace {namespace} is exposed to office {office}, which is not in app.yaml (any more). Put it "
                    "back there, or take the exposure back: `unexpose {namespace}`.",
                    namespace=exposure.namespace,
                    office=exposure.office,
                )
            )


def zone_of(namespace: str, domain: str) -> str:
    """The DNS zone that is forwarded for a namespace: only that namespace, as the article advises."""
    return f"{namespace}.svc.{domain}"


def gateway_address(intent: ClusterIntent, cluster: ClusterSite, facts: ClusterFacts) -> IPv4Address:
    """The next hop of the cluster's routes: the gateway node's internal address as the API tells it now."""
    name = intent.gateway or cluster.gateway
    node = facts.node(name)
    if node is None:
        known = listed(node.name for node in facts.nodes) or tr("none")
        raise UserError(
            tr(
                "The gateway node {name} is not in cluster {cluster} (nodes: {known}). Set "
                "clusters.{cluster}.gateway in app.yaml to one of them.",
                name=name,
                cluster=cluster.name,
                known=known,
            )
        )
    if node.internal_ip is None:
        raise UserError(
            tr(
                "The gateway node {name} has no InternalIP in cluster {cluster}; choose another one.",
                name=name,
                cluster=cluster.name,
            )
        )
    return node.internal_ip


def _cluster_networks(cluster: ClusterSite, facts: ClusterFacts) -> dict[str, IPv4Network]:
    """Address object name -> network, for service and pod networks."""
    if not facts.service_networks:
        raise UserError(
            tr(
                "Cluster {name} does not tell its service network. "
                "Set clusters.{name}.kubernetes.service_networks in app.yaml.",
                name=cluster.name,
            )
        )
    if not facts.pod_networks:
        raise UserError(
            tr(
                "Cluster {name} does not tell its pod network. "
                "Set clusters.{name}.kubernetes.pod_networks in app.yaml.",
                name=cluster.name,
            )
        )
    return {
        **_numbered(cluster.service_object, facts.service_networks),
        **_numbered(cluster.pod_object, facts.pod_networks),
    }


def _numbered(name: str, networks: tuple[IPv4Network, ...]) -> dict[str, IPv4Network]:
    """The first network keeps the plain name, so that the usual case has the article's names."""
    return {name if i == 1 else f"{name}-{i}": network for i, network in enumerate(networks, 1)}


def _kube_dns(facts: ClusterFacts) -> IPv4Address:
    if facts.kube_dns is None:
        raise UserError(
            tr(
                "Cluster {cluster} has no kube-dns service that can be found, so names could "
                "not be forwarded. Set clusters.{cluster}.kubernetes.kube_dns in app.yaml.",
                cluster=facts.cluster,
            )
        )
    return facts.kube_dns


def _addresses(
    cluster: ClusterSite,
    offices: list[Office],
    servers: tuple[DnsServer, ...],
    networks: dict[str, IPv4Network],
    kube_dns: IPv4Address,
) -> Iterator[Address]:
    for office in offices:
        for name, network in office.networks.items():
            yield Address(name=name, network=network)
    for name, network in networks.items():
        yield Address(name=name, network=network)
    for server in servers:
        yield Address(name=server.address_object, network=IPv4Network(server.address))
    if servers:
        yield Address(name=cluster.kube_dns_object, network=IPv4Network(kube_dns))


def _office_policy(cluster: ClusterSite, office: Office, networks: dict[str, IPv4Network]) -> Policy:
    return Policy(
        name=f"{cluster.policy_prefix}-{office.name}",
        source_interfaces=(office.in_policies,),
        destination_interfaces=(cluster.in_policies,),
        sources=tuple(sorted(office.networks)),
        destinations=tuple(sorted(networks)),
        services=tuple(sorted(cluster.services)),
    )


def _dns_policy(cluster: ClusterSite, server: DnsServer) -> Policy:
    return Policy(
        name=f"{cluster.policy_prefix}-dns-{server.name}",
        source_interfaces=(server.in_policies,),
        destination_interfaces=(cluster.in_policies,),
        sources=(server.address_object,),
        destinations=(cluster.kube_dns_object,),
        services=(DNS_SERVICE,),
    )


def _forwarders(intent: ClusterIntent, site: Site, domain: str, kube_dns: IPv4Address) -> Iterator[Placed]:
    placed = {
        (site.dns_server(server).target, zone_of(exposure.namespace, domain))
        for exposure in intent.exposures
        for server in site.office(exposure.office).dns_servers
    }
    for server, zone in sorted(placed):
        yield Placed(target=server, resource=Forwarder(zone=zone, masters=(kube_dns,)))
