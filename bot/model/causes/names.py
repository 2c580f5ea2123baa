"""Rows about what was asked for: names, ports, addresses, exposure, and what the cluster's API says of the service."""

from collections.abc import Sequence

from bot.model.causes.row import Row
from bot.model.causes.signals import ANSWERED, proven
from bot.model.describe import dns_line
from bot.model.diagnosis import Evidence
from bot.model.suggest import suggestion
from bot.model.wording import listed, marked, tr, tr_n


def _namespace_missing(e: Evidence) -> Sequence[str]:
    if not e.readable or e.address is not None or not e.namespaces or e.namespace in e.namespaces:
        return ()
    return (
        tr(
            "the API knows no namespace {namespace}.{suggestion}",
            namespace=e.namespace,
            suggestion=suggestion(e.namespace, e.namespaces),
        ),
    )


def _service_missing(e: Evidence) -> Sequence[str]:
    if not e.readable or e.address is not None or e.service is not None or e.namespace not in e.namespaces:
        return ()
    return (
        tr(
            "namespace {namespace} has no service {name}.{suggestion}",
            namespace=e.namespace,
            name=e.name,
            suggestion=suggestion(e.name, e.siblings),
        ),
    )


def _wrong_port(e: Evidence) -> Sequence[str]:
    if e.service is None or e.service.external_name or e.port is None or e.ports:
        return ()
    ports = ", ".join(f"{port.port}/{port.protocol}" for port in e.known_ports)
    return (tr("{name} has {ports}, not {port}", name=e.name, ports=ports or tr("no ports"), port=e.port),)


def _external(e: Evidence) -> Sequence[str]:
    if e.service is None or not e.service.external_name:
        return ()
    return (
        tr("service {name} is an ExternalName for {external_name}", name=e.name, external_name=e.service.external_name),
    )


def _address_free(e: Evidence) -> Sequence[str]:
    if not e.readable or e.address is None or e.service or not any(e.address in n for n in e.service_networks):
        return ()
    return (tr("no service has the address {address}", address=e.address),)


def _pod_unknown(e: Evidence) -> Sequence[str]:
    if not e.readable or e.address is None or e.service or not any(e.address in n for n in e.pod_networks):
        return ()
    return (tr("no service has an endpoint {address}", address=e.address),)


def _pod_name_unknown(e: Evidence) -> Sequence[str]:
    if e.service is None or e.host is None:
        return ()
    names = sorted(endpoint.hostname for endpoint in e.service.endpoints if endpoint.hostname)
    if e.host in names:
        return ()
    return (
        tr(
            "service {name} has {names}, not {host}",
            name=e.name,
            names=listed(names) or tr("no pods with names of their own"),
            host=e.host,
        ),
    )


def _not_exposed(e: Evidence) -> Sequence[str]:
    if e.exposed or (e.readable and e.service is None) or (e.service and e.service.external_name):
        return ()
    if e.address is not None:
        if e.cluster_exposed or any(c.outcome in ANSWERED for c in e.connections):
            return ()
        return (tr("no namespace of cluster {cluster} is exposed", cluster=e.cluster),)
    if e.servers and all(proven(e, server) for server in e.servers):
        return ()
    asked = [f"{s.server}: {dns_line(s.udp)}" for s in e.servers if s.udp]
    return (
        tr(
            "k8snet has not exposed namespace {namespace} of cluster {cluster}",
            namespace=e.namespace,
            cluster=e.cluster,
        ),
        *asked,
    )


def _no_endpoints(e: Evidence) -> Sequence[str]:
    if e.service is None or e.service.external_name or e.service.headless or e.service.ready_endpoints:
        return ()
    return (tr_n("{count} endpoint, not ready", "{count} endpoints, none ready", len(e.service.endpoints)),)


def _headless_empty(e: Evidence) -> Sequence[str]:
    if e.service is None or not e.service.headless or e.service.ready_endpoints:
        return ()
    return (
        tr_n(
            "{count} endpoint, not ready: the name has no address now",
            "{count} endpoints, none ready: the name has no address now",
            len(e.service.endpoints),
        ),
    )


def _pod_not_ready(e: Evidence) -> Sequence[str]:
    if e.service is None or (e.host is None and e.address is None) or e.address == e.service.cluster_ip:
        return ()
    asked = [endpoint for endpoint in e.service.endpoints if endpoint.address in e.expected]
    return [tr("pod {pod} is not ready", pod=one.hostname or one.address) for one in asked if not one.ready]


def _local_only(e: Evidence) -> Sequence[str]:
    if e.service is None or not e.service.internal_traffic_local or e.address not in (None, e.service.cluster_ip):
        return ()
    nodes = {endpoint.node for endpoint in e.service.ready_endpoints}
    if not nodes or e.gateway.name in nodes or e.service.cluster_ip is None:
        return ()
    places = ", ".join(sorted(node for node in nodes if node))
    return (
        tr(
            "internalTrafficPolicy is Local; endpoints on {places}, none on the gateway {gateway}",
            places=places,
            gateway=e.gateway.name,
        ),
    )


NAMES: tuple[Row, ...] = (
    Row(
        "K8SNET-NAME-01",
        "cluster",
        _namespace_missing,
        "the API's list of namespaces does not have the one asked for",
        marked("the namespace does not exist"),
        marked("Check the spelling."),
    ),
    Row(
        "K8SNET-NAME-02",
        "cluster",
        _service_missing,
        "the namespace exists, the service does not",
        marked("the service does not exist"),
        marked("Check the spelling."),
    ),
    Row(
        "K8SNET-NAME-07",
        "cluster",
        _pod_name_unknown,
        "a pod's own name was asked for, and no endpoint of the service has it",
        marked("the service has no pod of that name"),
        marked("Use one of the pods it has, or the service's own name."),
    ),
    Row(
        "K8SNET-NAME-03",
        "service",
        _wrong_port,
        "the asked port is none of the service's (for a headless service: none of its pods')",
        marked("the service does not listen on that port"),
        marked("Use a port of the service."),
    ),
    Row(
        "K8SNET-NAME-05",
        "cluster",
        _address_free,
        "the address lies in the service network, and no service has it",
        marked("the address belongs to no service: an old one, remembered or written down somewhere"),
        marked("Use the service's name instead of its address; empty caches on the way."),
    ),
    Row(
        "K8SNET-NAME-06",
        "cluster",
        _pod_unknown,
        "the address lies in the pod network, and no EndpointSlice has it",
        marked("no service has a pod with that address: it is gone, or it stands behind no service"),
        marked("Use the service's name: addresses of pods do not last."),
        verdict="undetermined",
    ),
    Row(
        "K8SNET-NAME-04",
        "cluster",
        _external,
        "the service is of type ExternalName",
        marked("the name points outside the cluster; this path does not lead there"),
        marked("Check the external name by itself."),
        verdict="undetermined",
    ),
    Row(
        "K8SNET-SVC-01",
        "service",
        _no_endpoints,
        "the API has no ready endpoint for the service",
        marked("no pod of the service is ready"),
        marked("Look at the pods of the service; the network is not at fault."),
    ),
    Row(
        "K8SNET-SVC-03",
        "service",
        _headless_empty,
        "the service is headless and the API has no ready endpoint for it",
        marked("no pod of the headless service is ready, and so its name does not exist for now"),
        marked("Look at the pods of the service; the network is not at fault."),
    ),
    Row(
        "K8SNET-SVC-09",
        "service",
        _pod_not_ready,
        "the asked pod is an endpoint of the service, but not a ready one",
        marked("the pod is not ready"),
        marked("Look at the pod; the network is not at fault."),
    ),
    Row(
        "K8SNET-EXP-01",
        "office DNS",
        _not_exposed,
        "no exposure of the namespace is in the journal, and the office's DNS servers do not resolve the name",
        marked("the namespace is not exposed to the office"),
        marked("Expose it."),
        fix="expose",
    ),
    Row(
        "K8SNET-SVC-05",
        "service",
        _local_only,
        "internalTrafficPolicy is Local and no ready endpoint stands on the gateway node",
        marked("the service accepts only connections through nodes that run it, and the gateway does not"),
        marked("Set internalTrafficPolicy to Cluster, or reach the pods by a headless service."),
    ),
)
