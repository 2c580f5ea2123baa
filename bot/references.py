"""What in app.yaml must fit together: names that stand for nothing, and names that would stand for two things."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from backends.unbound.settings import UnboundSettings
from backends.windows_dns.settings import WindowsDnsSettings
from bot.model.wording import tr

if TYPE_CHECKING:
    from bot.settings import Settings

POLICY_NAME_LIMIT = 35  # FortiOS, firewall/policy


def contradictions(settings: "Settings") -> Iterator[str]:
    """One sentence each, with the path."""
    yield from _missing(settings)
    yield from _policy_names(settings)
    for cluster in settings.clusters:
        yield from _address_objects(settings, cluster)
    yield from _roles(settings)


def _missing(settings: "Settings") -> Iterator[str]:
    for name, office in settings.offices.items():
        for server_name in office.dns_servers:
            if server_name not in settings.dns_servers:
                yield tr("offices.{name}.dns_servers: there is no dns_servers.{server}", name=name, server=server_name)
    for name, cluster in settings.clusters.items():
        if cluster.firewall not in settings.firewalls:
            yield tr("clusters.{name}.firewall: there is no firewalls.{firewall}", name=name, firewall=cluster.firewall)
    for name, server in settings.dns_servers.items():
        if server.replica_of is not None and (problem := _no_source(settings, server.replica_of)):
            yield tr("dns_servers.{name}.replica_of: {problem}", name=name, problem=problem)
    for name in set(settings.firewalls) & set(settings.dns_servers):
        yield tr("firewalls.{name}: a DNS server has the same name; messages could not tell them apart", name=name)


def _no_source(settings: "Settings", name: str) -> str | None:
    """Why no replica can learn forwarders from that server."""
    source = settings.dns_servers.get(name)
    if source is None:
        return tr("there is no dns_servers.{name}", name=name)
    if source.replica_of is not None:
        return tr("{name} is a replica itself; name the server that is written to", name=name)
    match source.server:
        case WindowsDnsSettings(storage="file"):
            return tr(
                "{name} keeps forwarders to itself; set dns_servers.{name}.server.storage to domain or forest",
                name=name,
            )
        case UnboundSettings():
            return tr("{name} is an Unbound, which tells nobody; give this server its own `server`", name=name)
    return None


def _policy_names(settings: "Settings") -> Iterator[str]:
    """Names are made of those of app.yaml: see `ClusterSite.policy_prefix`."""
    for cluster in settings.clusters:
        for server in settings.dns_servers:
            if (length := len(f"k8snet-{cluster}-dns-{server}")) > POLICY_NAME_LIMIT:
                yield tr(
                    "clusters.{name}, dns_servers.{server}: a policy name would have {length} "
                    "characters, FortiOS allows {limit}; choose shorter names",
                    name=cluster,
                    server=server,
                    length=length,
                    limit=POLICY_NAME_LIMIT,
                )
            if (office := f"dns-{server}") in settings.offices:
                yield tr(
                    "clusters.{name}: the policies of office {office} and of DNS server {server} would both be called "
                    "{policy}; call the office something else",
                    name=cluster,
                    office=office,
                    server=server,
                    policy=f"k8snet-{cluster}-{office}",
                )
        for office in settings.offices:
            if (length := len(f"k8snet-{cluster}-{office}")) > POLICY_NAME_LIMIT:
                yield tr(
                    "clusters.{name}, offices.{office}: a policy name would have {length} "
                    "characters, FortiOS allows {limit}; choose shorter names",
                    name=cluster,
                    office=office,
                    length=length,
                    limit=POLICY_NAME_LIMIT,
                )


def _address_objects(settings: "Settings", cluster: str) -> Iterator[str]:
    """Of one name, only one can be made: a policy would let in what the other one stands for."""
    seen: dict[str, tuple[str, str]] = {}
    for name, network, where in _named(settings, cluster):
        known = seen.setdefault(name, (network, where))
        if known[0] != network:
            yield tr(
                "address object {name} stands for {one} ({here}) and for {other} ({there}); give each its own",
                name=name,
                one=known[0],
                here=known[1],
                other=network,
                there=where,
            )


def _named(settings: "Settings", cluster: str) -> Iterator[tuple[str, str, str]]:
    """Object name, what it stands for, where app.yaml says so."""
    for name, office in settings.offices.items():
        for object_name, network in office.networks.items():
            yield object_name, str(network), f"offices.{name}"
    site = settings.site()
    for server in site.dns_servers:
        yield server.address_object, str(IPv4Network(server.address)), f"dns_servers.{server.name}"
    made = next(one for one in site.clusters if one.name == cluster)
    yield made.kube_dns_object, tr("the cluster's DNS service"), f"clusters.{cluster}"
    yield made.service_object, tr("the service network"), f"clusters.{cluster}.service_object"
    yield made.pod_object, tr("the pod network"), f"clusters.{cluster}.pod_object"


def _roles(settings: "Settings") -> Iterator[str]:
    for number, role in enumerate(settings.roles):
        for person in role.users:
            if person.team != settings.slack.team:
                yield tr(
                    "roles.{number}.users: {person} is not of workspace {team} (slack.team)",
                    number=number,
                    person=person,
                    team=settings.slack.team,
                )
        for pattern in role.clusters:
            if not any(fnmatchcase(cluster, pattern) for cluster in settings.clusters):
                yield tr("roles.{number}.clusters: no cluster is called {pattern}", number=number, pattern=pattern)
