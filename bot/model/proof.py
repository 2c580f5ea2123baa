"""What must be true on the wire before a change is called done, and what a person should know before saying yes."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address

from bot.model.commands import Change, ClearDnsCache, Drill, Expose, Failover, Unexpose
from bot.model.desired import zone_of
from bot.model.facts import ClusterFacts, Service
from bot.model.intent import ClusterIntent
from bot.model.move import drill_warnings, move_checks, move_warnings
from bot.model.plan import AfterReturn, CarriesData, Check, DoesNotResolve, Forwards, Resolves
from bot.model.protocols import spoken_on
from bot.model.resources import Forwarder, Policy
from bot.model.site import ClusterSite, DnsServer, Site
from bot.model.steps import Step
from bot.model.wording import tr

# Enough to prove the path; a namespace of a thousand services is proven by a sample, `check` looks at all.
NAMES_PER_SERVER = 3
NAMES_CLEARED = 20  # any of them may be the one that was remembered wrongly
DATA_PROBES = 3


def checks_for(
    command: Change,
    cluster: ClusterSite,
    site: Site,
    before: ClusterIntent,
    after: ClusterIntent,
    facts: ClusterFacts,
    operation: str,
) -> tuple[Check, ...]:
    """The proof of a change; of a drill, `after` is the intent while the routes are away.

    Depends on nothing but its arguments, so that the same world gives the same plan.
    """
    match command:
        case Expose():
            offices = {exposure.office for exposure in after.exposures if exposure.namespace == command.namespace}
            services = facts.services_in(command.namespace)
            return (*_names(command.namespace, offices, site, facts, operation), *_data(facts, services))
        case Failover():
            old, new = before.gateway or cluster.gateway, after.gateway or cluster.gateway
            return move_checks(site, old, new, after, facts, operation)
        case Drill():
            old, new = before.gateway or cluster.gateway, after.gateway or cluster.gateway
            back = move_checks(site, new, old, after, facts, f"{operation}-back")
            there = move_checks(site, old, new, after, facts, operation)
            return (*there, *(AfterReturn(check=check) for check in back))
        case ClearDnsCache():
            raise AssertionError("its plan has its own proof: see `fresh_names`")
        case Unexpose():
            return _no_names(command, site, after, facts, operation)


def _no_names(
    command: Unexpose, site: Site, after: ClusterIntent, facts: ClusterFacts, operation: str
) -> tuple[Check, ...]:
    zone = zone_of(command.namespace, facts.domain)
    kept = {e.office for e in after.exposures if e.namespace == command.namespace}
    servers = site.dns_servers_of({office.name for office in site.offices})
    still = {server.name for server in site.dns_servers_of(kept)}
    # A fresh name: no cache anywhere has seen it, so the answer tells where the server sends such questions now.
    return tuple(
        DoesNotResolve(
            server=server.name,
            address=server.address,
            name=f"k8snet-{operation}.{zone}.",
            zone=f"{facts.domain}.",
            patience_s=server.replication_s,
        )
        for server in servers
        if server.name not in still
    )


def fresh_names(
    namespace: str, servers: Sequence[DnsServer], facts: ClusterFacts, operation: str
) -> Iterator[Resolves | Forwards]:
    """Every name of the namespace, as the cluster has it now, from each of these servers; and one nobody knows."""
    zone = zone_of(namespace, facts.domain)
    for server in servers:
        yield Forwards(
            server=server.name,
            address=server.address,
            name=f"k8snet-{operation}.{zone}.",
            zone=f"{facts.domain}.",
        )
        for service in [one for one in facts.services_in(namespace) if addresses_of(one)][:NAMES_CLEARED]:
            yield Resolves(
                server=server.name,
                address=server.address,
                name=f"{service.name}.{zone}.",
                expected=addresses_of(service),
            )


def _names(
    namespace: str, offices: set[str], site: Site, facts: ClusterFacts, operation: str
) -> Iterator[Resolves | Forwards]:
    zone = zone_of(namespace, facts.domain)
    known = [(f"{service.name}.{zone}.", addresses_of(service)) for service in facts.services_in(namespace)]
    known = [(name, addresses) for name, addresses in known if addresses][:NAMES_PER_SERVER]
    for server in site.dns_servers_of(offices):
        if server.replica_of is not None:
            # A fresh name: a replica may remember that known names did not exist, until its cache is cleared.
            yield Forwards(
                server=server.name,
                address=server.address,
                name=f"k8snet-{operation}.{zone}.",
                zone=f"{facts.domain}.",
                patience_s=server.replication_s,
            )
            continue
        for name, addresses in known or [(f"{zone}.", ())]:
            yield Resolves(server=server.name, address=server.address, name=name, expected=addresses)


def addresses_of(service: Service) -> tuple[IPv4Address, ...]:
    """What the service's name must resolve to: its ClusterIP, or the endpoints of a headless one."""
    if service.cluster_ip is not None:
        return (service.cluster_ip,)
    if not service.headless:
        return ()
    endpoints = service.endpoints if service.publish_not_ready else service.ready_endpoints
    return tuple(sorted({endpoint.address for endpoint in endpoints}))


def _data(facts: ClusterFacts, services: Sequence[Service]) -> Iterator[CarriesData]:
    """Connections with data: kube-dns over TCP always, then ports whose protocol can be spoken without harm."""
    if facts.kube_dns is not None:
        yield CarriesData(label="kube-dns", sample=False, address=facts.kube_dns, port=53, protocol="TCP", speak="dns")
    count = 0
    for service in services:
        if service.internal_traffic_local or count == DATA_PROBES or not _in_pods(service, facts):
            continue
        for port in service.ports:
            if port.protocol == "TCP" and (speak := spoken_on(port)):
                yield CarriesData(
                    label=service.name,
                    sample=True,
                    address=addresses_of(service)[0],
                    port=port.port,
                    protocol="TCP",
                    speak=speak,
                )
                count += 1
                break


def _in_pods(service: Service, facts: ClusterFacts) -> bool:
    """Whether a ready pod of the pod networks answers; endpoints on nodes, such as the API's, prove another path."""
    addresses = [endpoint.address for endpoint in service.ready_endpoints]
    return any(address in network for address in addresses for network in facts.pod_networks)


def warnings_for(
    command: Change, cluster: ClusterSite, site: Site, after: ClusterIntent, facts: ClusterFacts, steps: Sequence[Step]
) -> tuple[str, ...]:
    """What a person should know before saying yes."""
    warnings = []
    if any(isinstance(step.after, Policy) and step.before is None for step in steps):
        warnings.append(
            tr(
                "The policies open the cluster's whole service and pod networks to the office; "
                "only the names are limited to the namespace."
            )
        )
    if isinstance(command, Expose):
        warnings += _about_gateway(after.gateway or cluster.gateway, facts)
        if not any(service.ready_endpoints for service in facts.services_in(command.namespace)):
            warnings.append(
                tr("Namespace {namespace} has no service with a ready endpoint yet.", namespace=command.namespace)
            )
        if any(isinstance(step.after, Forwarder) and step.before is None for step in steps):
            warnings += _about_mdns(facts.domain)
            warnings += _about_replicas(command, site, after)
    if isinstance(command, Failover):
        warnings += move_warnings(after.gateway or cluster.gateway, facts)
    if isinstance(command, Drill):
        warnings += drill_warnings(after.gateway or cluster.gateway, facts)
    warnings += [tr("Could not read from the cluster: {problem}", problem=problem) for problem in facts.unreadable]
    return tuple(warnings)


def _about_replicas(command: Expose, site: Site, after: ClusterIntent) -> Iterator[str]:
    offices = {exposure.office for exposure in after.exposures if exposure.namespace == command.namespace}
    for server in site.dns_servers_of(offices):
        if server.replica_of is None:
            continue
        if server.forgets:
            yield (
                tr(
                    "{name} learns the forwarder from {writer}, within {seconds} s. Its cache is cleared then.",
                    name=server.name,
                    writer=server.replica_of,
                    seconds=server.replication_s,
                )
            )
        else:
            yield (
                tr(
                    "{name} learns the forwarder from {writer}, within {seconds} s. Names that "
                    "somebody asked it for before may stay unknown there for up to 15 minutes more.",
                    name=server.name,
                    writer=server.replica_of,
                    seconds=server.replication_s,
                )
            )


def _about_mdns(domain: str) -> Iterator[str]:
    if f".{domain}".endswith(".local"):
        yield (
            tr(
                "Names in {domain} end in .local, for which macOS and some Linux machines ask "
                "their own network (mDNS) instead of the DNS server; Windows does not. The "
                'cure is in docs/dns.md, "Names in .local".',
                domain=domain,
            )
        )


def _about_gateway(name: str, facts: ClusterFacts) -> Iterator[str]:
    node = facts.node(name)
    if node is None:
        return
    if not node.ready:
        yield tr("The gateway node {name} is not Ready.", name=name)
    if not node.schedulable or node.terminating:
        yield tr("The gateway node {name} is cordoned or about to go; everything here passes through it.", name=name)
