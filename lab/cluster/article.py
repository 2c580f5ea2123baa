"""The article's QA cluster: seven nodes, flannel host-gw, services in 10.68.0.0/16, one headless Redis."""

from collections.abc import Sequence
from ipaddress import IPv4Address

from lab.cluster.access import Account, reader
from lab.cluster.clock import Clock
from lab.cluster.model import Cluster
from lab.cluster.resources import Json
from lab.topology import ARTICLE, Node, Topology

VERSION = "1.34"

COREFILE = """\
.:53 {
    errors
    health {
        lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
        max_concurrent 1000
    }
    cache 30
    reload
    loadbalance
}
"""

REDIS = "redis-abc-gns"
"""The headless service that the article resolves, at 172.20.4.222 on node 172.16.1.107."""

_CREATED = "2026-01-05T08:00:00Z"
_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease", "monitoring", "qa-orders", "qa-payments")


def cluster(
    token: str,
    *,
    accounts: tuple[Account, ...] = (),
    topology: Topology = ARTICLE,
    clock: Clock | None = None,
    more: Sequence[Json] = (),
) -> Cluster:
    """The example cluster, and `more` objects in it. `token` belongs to an account with the least a reader needs."""
    return Cluster(VERSION, [*objects(topology), *more], COREFILE, [reader(token), *accounts], clock=clock)


def objects(topology: Topology = ARTICLE) -> list[Json]:
    """Every object of the example, ready to be loaded."""
    services = _Services(topology)
    add, dns = services.add, str(topology.kube_dns)
    api = IPv4Address(topology.service_network[1])
    control_plane = [node for node in topology.nodes if node.control_plane]
    services.api(api, control_plane)
    add("kube-system", "kube-dns", dns, _DNS_PORTS, ["172.20.3.11", "172.20.6.12"], k8s_app="kube-dns")
    add("default", REDIS, None, [_tcp("redis", 6379)], ["172.20.4.222"])
    add("default", "redis-abc", "10.68.0.50", [_tcp("redis", 6379)], ["172.20.3.23"])
    add("default", "web-abc", "10.68.0.80", [_http(80, 8080)], ["172.20.3.31", "172.20.4.31", "172.20.5.31"])
    add("default", "echo-udp", "10.68.0.90", [_port("echo", "UDP", 7007, "echo")], ["172.20.5.41"])
    add("default", "empty-abc", "10.68.0.99", [_http(80, 8080)], [])
    services.external("default", "registry-abc", "registry.office.example")
    add("qa-orders", "rabbitmq", "10.68.1.20", [_tcp("amqp", 5672)], ["172.20.5.60"])
    add("qa-orders", "orders-db", None, [_tcp("redis", 6379)], ["172.20.2.61", "172.20.6.61"], stateful=True)
    add("qa-payments", "payments", "10.68.1.40", [_http(80, 8080)], ["172.20.2.40"])
    add("monitoring", "prometheus", "10.68.2.9", [_http(9090, 9090)], ["172.20.6.90"])
    namespaces = [_object("v1", "Namespace", name, status={"phase": "Active"}) for name in _NAMESPACES]
    return [
        *namespaces,
        *(_node(node) for node in topology.nodes),
        _object("v1", "ConfigMap", "coredns", "kube-system", data={"Corefile": COREFILE}),
        _service_cidr(topology),
        *services.objects,
    ]


class _Services:
    """Services and their EndpointSlices, as they are added."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self.objects: list[Json] = []

    def add(
        self,
        namespace: str,
        name: str,
        cluster_ip: str | None,
        ports: list[Json],
        pods: list[str],
        *,
        stateful: bool = False,
        k8s_app: str = "",
    ) -> None:
        """A service with a ready endpoint for each pod; headless without a cluster IP."""
        labels = {"k8s-app": k8s_app} if k8s_app else {"app": name}
        address = cluster_ip or "None"
        spec = {
            "type": "ClusterIP",
            "clusterIP": address,
            "clusterIPs": [address],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Cluster",
            "sessionAffinity": "None",
            "selector": labels,
            "ports": ports,
        }
        self.objects.append(_object("v1", "Service", name, namespace, labels=labels, spec=spec))
        endpoints = [self._endpoint(namespace, name, number, pod, stateful=stateful) for number, pod in enumerate(pods)]
        self._slice(namespace, name, endpoints, [_endpoint_port(port) for port in ports])

    def api(self, address: IPv4Address, nodes: list[Node]) -> None:
        """``kubernetes.default``: the API server itself, at the addresses of the control plane."""
        port = {"name": "https", "protocol": "TCP", "port": 443, "targetPort": 6443}
        spec = {
            "type": "ClusterIP",
            "clusterIP": str(address),
            "clusterIPs": [str(address)],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Cluster",
            "sessionAffinity": "None",
            "ports": [port],
        }
        labels = {"component": "apiserver", "provider": "kubernetes"}
        self.objects.append(_object("v1", "Service", "kubernetes", "default", labels=labels, spec=spec))
        endpoints = [{"addresses": [str(node.address)], "conditions": {"ready": True}} for node in nodes]
        self._slice(
            "default", "kubernetes", endpoints, [{"name": "https", "protocol": "TCP", "port": 6443}], "kubernetes"
        )

    def external(self, namespace: str, name: str, target: str) -> None:
        spec = {"type": "ExternalName", "externalName": target, "sessionAffinity": "None"}
        self.objects.append(_object("v1", "Service", name, namespace, spec=spec))

    def _slice(self, namespace: str, service: str, endpoints: list[Json], ports: list[Json], name: str = "") -> None:
        labels = {"kubernetes.io/service-name": service}
        if not name:
            labels["endpointslice.kubernetes.io/managed-by"] = "endpointslice-controller.k8s.io"
        self.objects.append(
            _object(
                "discovery.k8s.io/v1",
                "EndpointSlice",
                name or f"{service}-lab01",
                namespace,
                labels=labels,
                addressType="IPv4",
                endpoints=endpoints,
                ports=ports,
            )
        )

    def _endpoint(self, namespace: str, service: str, number: int, pod: str, *, stateful: bool) -> Json:
        node = self._topology.node_of(IPv4Address(pod))
        if node is None:
            raise ValueError(f"{pod} lies in no node's pod network")
        name = f"{service}-{number}" if stateful else f"{service}-{pod.rsplit('.', 1)[1]}"
        endpoint: Json = {
            "addresses": [pod],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "nodeName": node.name,
            "targetRef": {"kind": "Pod", "namespace": namespace, "name": name},
        }
        return {**endpoint, "hostname": name} if stateful else endpoint


def _port(name: str, protocol: str, number: int, application: str, target: int = 0) -> Json:
    return {
        "name": name,
        "protocol": protocol,
        "port": number,
        "targetPort": target or number,
        "appProtocol": application,
    }


def _tcp(application: str, number: int) -> Json:
    return _port(application, "TCP", number, application)


def _http(number: int, target: int) -> Json:
    return _port("http", "TCP", number, "http", target)


_DNS_PORTS = [_port("dns", "UDP", 53, "domain"), _port("dns-tcp", "TCP", 53, "domain")]


def _endpoint_port(port: Json) -> Json:
    return {
        "name": port["name"],
        "protocol": port["protocol"],
        "port": port["targetPort"],
        "appProtocol": port["appProtocol"],
    }


def _object(
    version: str, kind: str, name: str, namespace: str = "", labels: dict[str, str] | None = None, **fields: object
) -> Json:
    metadata: Json = {"name": name, "creationTimestamp": _CREATED}
    if namespace:
        metadata["namespace"] = namespace
    if kind == "Namespace":
        labels = {"kubernetes.io/metadata.name": name}
    if labels:
        metadata["labels"] = dict(labels)
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}


def _service_cidr(topology: Topology) -> Json:
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "",
        "message": "Kubernetes Service CIDR is ready",
        "lastTransitionTime": _CREATED,
    }
    spec = {"cidrs": [str(topology.service_network)]}
    return _object("networking.k8s.io/v1", "ServiceCIDR", "kubernetes", spec=spec, status={"conditions": [ready]})


def _node(node: Node) -> Json:
    labels = {"kubernetes.io/hostname": node.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    spec: Json = {"podCIDR": str(node.pod_cidr), "podCIDRs": [str(node.pod_cidr)]}
    if node.control_plane:
        labels["node-role.kubernetes.io/control-plane"] = ""
        spec["taints"] = [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "kubelet is posting ready status",
        "lastHeartbeatTime": _CREATED,
        "lastTransitionTime": _CREATED,
    }
    status = {
        "addresses": [
            {"type": "InternalIP", "address": str(node.address)},
            {"type": "Hostname", "address": node.name},
        ],
        "capacity": {"cpu": "8", "memory": "32Gi", "pods": "110"},
        "allocatable": {"cpu": "8", "memory": "32Gi", "pods": "110"},
        "conditions": [ready],
        "nodeInfo": {
            "architecture": "amd64",
            "bootID": "",
            "containerRuntimeVersion": "containerd://2.1.4",
            "kernelVersion": "5.15.0",
            "kubeProxyVersion": "",
            "kubeletVersion": f"v{VERSION}.0",
            "machineID": "",
            "operatingSystem": "linux",
            "osImage": "Linux",
            "systemUUID": "",
        },
    }
    return _object("v1", "Node", node.name, labels=labels, spec=spec, status=status)
