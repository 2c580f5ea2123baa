"""The canaries of `deploy/kubernetes/canary.yaml` in the example cluster: its services, and a pod on each node."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from lab.cluster.resources import Json
from lab.topology import Topology

MANIFEST = Path(__file__).parents[2] / "deploy/kubernetes/canary.yaml"
NAMESPACE = "k8snet"
FIRST = 20  # of the lower band of the service network, which a cluster gives out last by itself
POD = 77


def objects(topology: Topology) -> list[Json]:
    """What the cluster holds once the manifest is applied: namespace, services with addresses, endpoints."""
    documents = list(yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8")))
    daemon = next(one for one in documents if one["kind"] == "DaemonSet")
    labels = daemon["spec"]["template"]["metadata"]["labels"]
    port = daemon["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"]
    services = [one for one in documents if one["kind"] == "Service"]
    assert all(one["spec"]["selector"].items() <= labels.items() for one in services)
    namespace = next(one for one in documents if one["kind"] == "Namespace")
    made: list[Json] = [{**namespace, "status": {"phase": "Active"}}]
    for number, service in enumerate(services):
        address = str(topology.service_network[FIRST + number])
        spec = {"type": "ClusterIP", "clusterIP": address, "clusterIPs": [address], **service["spec"]}
        made += [{**service, "spec": spec}, _slice(service["metadata"]["name"], topology, port)]
    return made


def _slice(service: str, topology: Topology, port: int) -> Json:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-lab01",
            "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "endpoints": list(_endpoints(topology)),
        "ports": [{"name": "http", "protocol": "TCP", "port": port, "appProtocol": "http"}],
    }


def _endpoints(topology: Topology) -> Sequence[Json]:
    return [
        {
            "addresses": [str(node.pod_cidr[POD])],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "nodeName": node.name,
            "targetRef": {"kind": "Pod", "namespace": NAMESPACE, "name": f"canary-{node.name[-2:]}"},
        }
        for node in topology.nodes
        if not node.control_plane
    ]
