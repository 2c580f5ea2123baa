"""What the bot knows about a cluster, as read from its API at one moment."""

from datetime import datetime
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

from bot.model.value import Value

Protocol = Literal["TCP", "UDP", "SCTP"]


class Node(Value):
    """A node. `lease_renewed` is the API server's text of the moment; ages are measured by our own clock elsewhere."""

    name: str
    internal_ip: IPv4Address | None
    ready: bool
    schedulable: bool
    terminating: bool = False
    control_plane: bool = False
    linux: bool = True
    pod_networks: tuple[IPv4Network, ...] = ()
    lease_renewed: datetime | None = None
    taints: tuple[str, ...] = ()  # "key:effect"


class ServicePort(Value):
    name: str
    protocol: Protocol
    port: int


class Endpoint(Value):
    """One address behind a service. Missing conditions mean ready, as the API defines."""

    address: IPv4Address
    node: str | None
    hostname: str | None
    ready: bool
    ports: tuple[ServicePort, ...]


class Service(Value):
    """A service with its endpoints, ready ones first. `cluster_ip` is None for headless and ExternalName services."""

    namespace: str
    name: str
    type: str
    cluster_ip: IPv4Address | None
    headless: bool
    external_name: str | None
    publish_not_ready: bool
    internal_traffic_local: bool
    ports: tuple[ServicePort, ...]
    endpoints: tuple[Endpoint, ...]

    @property
    def ready_endpoints(self) -> tuple[Endpoint, ...]:
        return tuple(endpoint for endpoint in self.endpoints if endpoint.ready)


class ClusterFacts(Value):
    """Everything the bot reads from one cluster.

    `service_networks`, `pod_networks` and `domain` are what the cluster says, `*_source` says where it said so.
    `unreadable` names what could not be read and why: a missing right must not look like an empty cluster.
    """

    cluster: str
    version: str
    nodes: tuple[Node, ...]
    namespaces: tuple[str, ...]
    services: tuple[Service, ...]
    kube_dns: IPv4Address | None
    domain: str
    domain_source: str
    service_networks: tuple[IPv4Network, ...]
    service_networks_source: str
    pod_networks: tuple[IPv4Network, ...]
    pod_networks_source: str
    unreadable: tuple[str, ...] = ()

    def node(self, name: str) -> Node | None:
        return next((node for node in self.nodes if node.name == name), None)

    def services_in(self, namespace: str) -> tuple[Service, ...]:
        return tuple(service for service in self.services if service.namespace == namespace)

    def service(self, namespace: str, name: str) -> Service | None:
        return next((s for s in self.services if s.namespace == namespace and s.name == name), None)
