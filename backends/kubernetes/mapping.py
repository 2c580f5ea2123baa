"""The API's JSON as facts of ours. Pure; unknown fields are ignored, so that newer servers can be read."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, get_args

from pydantic import Field

from backends.kubernetes import discovery
from backends.kubernetes.discovery import Json, ipv4, ipv4_network
from backends.kubernetes.settings import KubernetesSettings
from bot.model.facts import ClusterFacts, Endpoint, Node, Protocol, Service, ServicePort
from bot.model.value import Value

_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
_SERVICE_NAME = "kubernetes.io/service-name"
_PROTOCOLS = get_args(Protocol)


class Raw(Value):
    """What was read, as the API wrote it; what could not be read is empty here and named in `unreadable`."""

    version: dict[str, Any] = Field(default_factory=dict)
    namespaces: list[dict[str, Any]] = Field(default_factory=list)
    services: list[dict[str, Any]] = Field(default_factory=list)
    nodes: list[dict[str, Any]] = Field(default_factory=list)
    leases: list[dict[str, Any]] = Field(default_factory=list)
    endpointslices: list[dict[str, Any]] = Field(default_factory=list)
    servicecidrs: list[dict[str, Any]] = Field(default_factory=list)
    coredns: dict[str, Any] = Field(default_factory=dict)
    kubeadm_config: dict[str, Any] = Field(default_factory=dict)
    kube_proxy: dict[str, Any] = Field(default_factory=dict)
    unreadable: tuple[str, ...] = ()


def cluster_facts(cluster: str, raw: Raw, settings: KubernetesSettings) -> ClusterFacts:
    """Everything in a stable order: nodes, namespaces and services by name, ready endpoints first."""
    nodes = _nodes(raw.nodes, raw.leases)
    services = _services(raw.services, raw.endpointslices)
    kube_dns, dns_problem = discovery.kube_dns(raw.services, settings.kube_dns)
    domain, domain_source = discovery.domain(raw.coredns, raw.kubeadm_config, settings.domain)
    served = discovery.service_networks(raw.servicecidrs, raw.kubeadm_config, settings.service_networks)
    pods = discovery.pod_networks(nodes, services, raw.kubeadm_config, raw.kube_proxy, settings.pod_networks)
    return ClusterFacts(
        cluster=cluster,
        version=str(raw.version.get("gitVersion", "")),
        nodes=nodes,
        namespaces=tuple(sorted(item["metadata"]["name"] for item in raw.namespaces)),
        services=services,
        kube_dns=kube_dns,
        domain=domain,
        domain_source=domain_source,
        service_networks=served.networks,
        service_networks_source=served.source,
        pod_networks=pods.networks,
        pod_networks_source=pods.source,
        unreadable=(*raw.unreadable, *([dns_problem] if dns_problem else [])),
    )


def _nodes(items: Iterable[Json], leases: Iterable[Json]) -> tuple[Node, ...]:
    renewed = {lease["metadata"]["name"]: _moment((lease.get("spec") or {}).get("renewTime")) for lease in leases}
    nodes = (_node(item, renewed) for item in items)
    return tuple(sorted(nodes, key=lambda node: node.name))


def _node(item: Json, renewed: Mapping[str, datetime | None]) -> Node:
    metadata, spec, status = item["metadata"], item.get("spec") or {}, item.get("status") or {}
    labels = metadata.get("labels") or {}
    addresses = [a.get("address") for a in status.get("addresses") or () if a.get("type") == "InternalIP"]
    conditions = {c.get("type"): c.get("status") for c in status.get("conditions") or ()}
    networks = spec.get("podCIDRs") or [spec.get("podCIDR")]
    return Node(
        name=metadata["name"],
        internal_ip=next((address for text in addresses if (address := ipv4(text))), None),
        ready=conditions.get("Ready") == "True",
        schedulable=not spec.get("unschedulable"),
        terminating=metadata.get("deletionTimestamp") is not None,
        control_plane=any(label in labels for label in _CONTROL_PLANE),
        linux=labels.get("kubernetes.io/os", "linux") == "linux",
        pod_networks=tuple(network for text in networks if (network := ipv4_network(text))),
        lease_renewed=renewed.get(metadata["name"]),
        taints=tuple(f"{taint.get('key', '')}:{taint.get('effect', '')}" for taint in spec.get("taints") or ()),
    )


def _services(items: Iterable[Json], slices: Iterable[Json]) -> tuple[Service, ...]:
    behind: dict[tuple[str, str], list[Json]] = {}
    for piece in slices:
        metadata = piece["metadata"]
        name = (metadata.get("labels") or {}).get(_SERVICE_NAME)
        if name and piece.get("addressType") == "IPv4":
            behind.setdefault((metadata.get("namespace", ""), name), []).append(piece)
    services = (_service(item, behind) for item in items)
    return tuple(sorted(services, key=lambda service: (service.namespace, service.name)))


def _service(item: Json, behind: Mapping[tuple[str, str], Sequence[Json]]) -> Service:
    metadata, spec = item["metadata"], item.get("spec") or {}
    key = (metadata["namespace"], metadata["name"])
    return Service(
        namespace=key[0],
        name=key[1],
        type=spec.get("type") or "ClusterIP",
        cluster_ip=discovery.cluster_ip(item),
        headless=spec.get("clusterIP") == "None",
        external_name=spec.get("externalName") or None,
        publish_not_ready=bool(spec.get("publishNotReadyAddresses")),
        internal_traffic_local=spec.get("internalTrafficPolicy") == "Local",
        ports=_ports(spec.get("ports")),
        endpoints=_endpoints(behind.get(key, ())),
    )


def _endpoints(slices: Sequence[Json]) -> tuple[Endpoint, ...]:
    """One endpoint an address: a service has several slices, and pods with different ports stand in different ones."""
    merged: dict[str, Endpoint] = {}
    for piece in slices:
        ports = _ports(piece.get("ports"))
        for item in piece.get("endpoints") or ():
            for text in item.get("addresses") or ():
                address = ipv4(text)
                if address is None:
                    continue
                known = merged.get(text)
                endpoint = Endpoint(
                    address=address,
                    node=item.get("nodeName"),
                    hostname=item.get("hostname"),
                    ready=(item.get("conditions") or {}).get("ready") is not False,
                    ports=ports,
                )
                merged[text] = endpoint if known is None else _merged(known, endpoint)
    return tuple(sorted(merged.values(), key=lambda endpoint: (not endpoint.ready, endpoint.address)))


def _merged(one: Endpoint, other: Endpoint) -> Endpoint:
    return Endpoint(
        address=one.address,
        node=one.node or other.node,
        hostname=one.hostname or other.hostname,
        ready=one.ready or other.ready,
        ports=tuple(dict.fromkeys((*one.ports, *other.ports))),
    )


def _ports(items: Sequence[Json] | None) -> tuple[ServicePort, ...]:
    """Named, numbered ports; a missing protocol means TCP, a missing number means "all" and cannot be probed."""
    ports = []
    for item in items or ():
        protocol: Literal["TCP", "UDP", "SCTP"] = item.get("protocol") or "TCP"
        if protocol in _PROTOCOLS and item.get("port"):
            ports.append(ServicePort(name=item.get("name") or "", protocol=protocol, port=item["port"]))
    return tuple(ports)


def _moment(text: object) -> datetime | None:
    """Of a zone of time, as Kubernetes always writes it: one without cannot be compared with the others."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
