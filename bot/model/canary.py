"""Canaries: a service for each node that could carry the routes, reached through exactly that node.

A route of its own (/32) leads to each through its node, whatever carries the rest. So a node's whole data path is known
before anything depends on it. The services are those of `deploy/kubernetes/canary.yaml`, found by their names.
"""

from collections.abc import Collection, Iterator, Mapping
from ipaddress import IPv4Network

from bot.model.doors import Door
from bot.model.facts import ClusterFacts, Node
from bot.model.resources import Key, Route
from bot.model.site import ClusterSite
from bot.model.wording import tr

MOST = 12  # routes; of a large cluster, enough nodes are candidates
# A canary is knocked at so often at once: of the pods behind it one may just have died with the gateway, and until the
# cluster notices, each connection meets one by chance.
KNOCKS = 3


def canary_name(node: str) -> str:
    """What a node's canary service is called; service names have no dots and at most 63 characters."""
    return f"canary-{node.replace('.', '-')}"[:63].rstrip("-")


def canaries(cluster: ClusterSite, facts: ClusterFacts) -> Mapping[str, Door]:
    """The canary of every node that has one."""
    return {node.name: door for node, door in _found(cluster, facts)}


def canary_routes(cluster: ClusterSite, facts: ClusterFacts) -> Iterator[Route]:
    """The way to each canary through its node."""
    for node, door in _found(cluster, facts):
        if node.internal_ip is not None:
            yield Route(destination=IPv4Network(door.address), gateway=node.internal_ip, device=cluster.interface)


def armed(cluster: ClusterSite, facts: ClusterFacts, routes: Collection[Key]) -> Mapping[str, Door]:
    """The canaries to which these routes lead: without its own route, a canary is reached through the gateway."""
    return {node: door for node, door in canaries(cluster, facts).items() if canary_key(door) in routes}


def canary_key(door: Door) -> Key:
    """The key of the route to a canary."""
    return Key(kind="route", name=str(IPv4Network(door.address)))


def _found(cluster: ClusterSite, facts: ClusterFacts) -> Iterator[tuple[Node, Door]]:
    if cluster.canary is None:
        return
    for node in facts.nodes[:MOST]:
        service = facts.service(cluster.canary, canary_name(node.name))
        port = next((one for one in service.ports if one.protocol == "TCP"), None) if service is not None else None
        if service is not None and service.cluster_ip is not None and port is not None:
            label = tr("canary through {name}", name=node.name)
            yield node, Door(label=label, address=service.cluster_ip, port=port.port, speak="http")
