"""The article's configuration as FortiGate rows, and its cluster as Kubernetes objects, for the kernel tests."""

from typing import Any

from lab.topology import ARTICLE

Tables = dict[str, list[dict[str, Any]]]

REDIS_SERVICE = "10.68.0.50"
EMPTY_SERVICE = "10.68.0.60"
ECHO_SERVICE = "10.68.0.70"
KUBE_DNS = str(ARTICLE.kube_dns)


def policy(
    number: int, source: str, target: str, service: str, *, from_: str = "internal", **more: Any
) -> dict[str, Any]:
    """An accepting policy towards the nodes' segment."""
    return {
        "policyid": number,
        "srcintf": [{"name": from_}],
        "dstintf": [{"name": "Test"}],
        "srcaddr": [{"name": source}],
        "dstaddr": [{"name": target}],
        "service": [{"name": service}],
        "action": "accept",
        "schedule": "always",
        **more,
    }


def article_tables() -> Tables:
    """What the article types into its FortiGate, and the address object that it forgets."""
    return {
        "system/interface": [
            {"name": s.interface, "ip": f"{s.gateway} {s.network.netmask}", "allowaccess": "ping https"}
            for s in ARTICLE.segments
        ],
        "firewall/address": [
            {"name": "all"},
            {"name": "172.16.0.0/24", "subnet": "172.16.0.0 255.255.255.0"},
            {"name": "k8s_SERVICE_CIDR", "subnet": "10.68.0.0 255.255.0.0"},
            {"name": "k8s_POD_CIDR", "subnet": "172.20.0.0 255.255.0.0"},
        ],
        "router/static": [
            {"seq-num": 10, "dst": "10.68.0.0 255.255.0.0", "gateway": "172.16.1.106", "device": "Test"},
            {"seq-num": 11, "dst": "172.20.0.0 255.255.0.0", "gateway": "172.16.1.106", "device": "Test"},
        ],
        "firewall/policy": [
            policy(100, "172.16.0.0/24", "k8s_SERVICE_CIDR", "ALL_TCP"),
            policy(101, "172.16.0.0/24", "k8s_POD_CIDR", "ALL_TCP"),
        ],
    }


def dns_policy() -> dict[str, Any]:
    """What the article forgot: the office's DNS server may ask kube-dns."""
    return policy(102, "all", "k8s_SERVICE_CIDR", "DNS", from_="dmz")


def service(name: str, address: str, *ports: tuple[str, int]) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "type": "ClusterIP",
            "clusterIP": address,
            "ports": [{"name": f"{kind.lower()}-{port}", "protocol": kind, "port": port} for kind, port in ports],
        },
    }


def endpoint_slice(name: str, addresses: list[str], *ports: tuple[str, int]) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"{name}-x1",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
        "ports": [{"name": f"{kind.lower()}-{port}", "protocol": kind, "port": port} for kind, port in ports],
    }


def article_services() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """One service whose endpoint is not on the gateway node, one whose endpoint is, one without endpoints."""
    dns = (("UDP", 53), ("TCP", 53))
    return (
        [
            service("redis", REDIS_SERVICE, ("TCP", 6379)),
            service("empty", EMPTY_SERVICE, ("TCP", 6379)),
            service("local", ECHO_SERVICE, ("TCP", 6379)),
            service("kube-dns", KUBE_DNS, *dns),
        ],
        [
            endpoint_slice("redis", ["172.20.4.222"], ("TCP", 6379)),
            endpoint_slice("empty", [], ("TCP", 6379)),
            endpoint_slice("local", ["172.20.3.21"], ("TCP", 6379)),
            endpoint_slice("kube-dns", ["172.20.0.10", "172.20.6.10"], *dns),
        ],
    )
