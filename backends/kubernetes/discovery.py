"""Where a cluster says its networks, its domain and its DNS address, in the order in which it can be trusted. Pure."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, collapse_addresses
from typing import Any, NamedTuple

import yaml

from bot.model.facts import Node, Service
from bot.model.wording import tr

Json = dict[str, Any]
Networks = tuple[IPv4Network, ...]


class Found(NamedTuple):
    """Networks and where they come from; without networks, `source` says what to do."""

    networks: Networks
    source: str


def service_networks(cidrs: Iterable[Json], kubeadm: Json, override: Networks) -> Found:
    """The networks of ClusterIPs. ServiceCIDR objects exist since 1.31; several may be added at run time."""
    if override:
        return Found(override, "app.yaml")
    told = [text for cidr in cidrs if _in_use(cidr) for text in (cidr.get("spec") or {}).get("cidrs") or ()]
    for networks, source in (
        (_networks(told), tr("the cluster's ServiceCIDRs")),
        (_networks(_networking(kubeadm, "serviceSubnet")), "kubeadm-config"),
    ):
        if networks:
            return Found(networks, source)
    return Found((), tr("not told by the cluster: set service_networks in app.yaml"))


def pod_networks(
    nodes: Sequence[Node], services: Sequence[Service], kubeadm: Json, kube_proxy: Json, override: Networks
) -> Found:
    """The networks of pods.

    What kubeadm or kube-proxy name is preferred where it contains every node's own network: new nodes then need no new
    route. It is never preferred against the nodes. Some CNIs ignore the nodes' networks, so whatever is found is held
    against the endpoints that really exist.
    """
    if override:
        return Found(override, "app.yaml")
    own = tuple(collapse_addresses(network for node in nodes for network in node.pod_networks))
    wide = [
        (_networks(_networking(kubeadm, "podSubnet")), "kubeadm-config"),
        (_networks(_kube_proxy(kube_proxy).get("clusterCIDR")), tr("the configuration of kube-proxy")),
    ]
    candidates = [(networks, source) for networks, source in wide if networks and _contains(networks, own)]
    if own:
        candidates.append((own, tr("the nodes' podCIDRs")))
    candidates += [(networks, source) for networks, source in wide if networks and not _contains(networks, own)]
    strays = [_stray(networks, nodes, services) for networks, _ in candidates]
    for (networks, source), stray in zip(candidates, strays, strict=True):
        if stray is None:
            return Found(networks, source)
    if candidates:
        networks, source = candidates[0]
        return Found(
            networks,
            tr("{source}, but {strays} lies outside: set pod_networks in app.yaml", source=source, strays=strays[0]),
        )
    return Found((), tr("not told by the cluster: set pod_networks in app.yaml"))


def domain(coredns: Json, kubeadm: Json, override: str | None) -> tuple[str, str]:
    """The cluster's domain without a final dot, and where it comes from."""
    if override:
        return override, "app.yaml"
    corefile = (coredns.get("data") or {}).get("Corefile")
    if isinstance(corefile, str) and (zone := _kubernetes_zone(corefile)):
        return zone, "CoreDNS' Corefile"
    told = _networking(kubeadm, "dnsDomain")
    if isinstance(told, str) and told:
        return told.rstrip(".").lower(), "kubeadm-config"
    return "cluster.local", tr("assumed: the usual name")


def kube_dns(services: Sequence[Json], override: IPv4Address | None) -> tuple[IPv4Address | None, str]:
    """The address pods ask, and a sentence when it cannot be told ("" otherwise).

    With NodeLocal DNSCache two services carry the label `k8s-app: kube-dns`; the one named kube-dns is the address.
    """
    if override is not None:
        return override, ""
    system = [service for service in services if service["metadata"].get("namespace") == "kube-system"]
    labelled = [s for s in system if (s["metadata"].get("labels") or {}).get("k8s-app") == "kube-dns"]
    named = [s for s in system if s["metadata"]["name"] == "kube-dns"]
    for candidates in (named, [s for s in labelled if _answers_dns(s)], labelled):
        addresses = [address for service in candidates if (address := cluster_ip(service)) is not None]
        if len(addresses) == 1:
            return addresses[0], ""
        if addresses:
            break
    if not labelled and not named:
        return None, tr("kube-dns: kube-system holds no service kube-dns; set kube_dns in app.yaml")
    return None, tr("kube-dns: several services in kube-system could be meant; set kube_dns in app.yaml")


def cluster_ip(service: Json) -> IPv4Address | None:
    """The IPv4 ClusterIP; None for a headless service, an ExternalName, or IPv6 only."""
    spec = service.get("spec") or {}
    for text in spec.get("clusterIPs") or [spec.get("clusterIP")]:
        if (address := ipv4(text)) is not None:
            return address
    return None


def ipv4(text: object) -> IPv4Address | None:
    try:
        return IPv4Address(text) if isinstance(text, str) else None
    except ValueError:
        return None


def ipv4_network(text: object) -> IPv4Network | None:
    try:
        return IPv4Network(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _networks(told: object) -> Networks:
    """IPv4 networks of a list or of a text with commas, as two stacks are written; IPv6 ones are left out."""
    texts = told.split(",") if isinstance(told, str) else told if isinstance(told, list) else []
    found = (ipv4_network(text.strip()) for text in texts if isinstance(text, str))
    return tuple(collapse_addresses(network for network in found if network is not None))


def _in_use(cidr: Json) -> bool:
    conditions = (cidr.get("status") or {}).get("conditions") or ()
    return not any(c.get("type") == "Ready" and c.get("status") == "False" for c in conditions)


def _networking(kubeadm: Json, name: str) -> object:
    section = _yaml((kubeadm.get("data") or {}).get("ClusterConfiguration")).get("networking")
    return section.get(name) if isinstance(section, dict) else None


def _kube_proxy(config_map: Json) -> Json:
    return _yaml((config_map.get("data") or {}).get("config.conf"))


def _yaml(text: object) -> Json:
    try:
        document = yaml.safe_load(text) if isinstance(text, str) else None
    except yaml.YAMLError:
        return {}
    return document if isinstance(document, dict) else {}


def _contains(networks: Networks, parts: Networks) -> bool:
    return all(any(part.subnet_of(network) for network in networks) for part in parts)


def _stray(networks: Networks, nodes: Sequence[Node], services: Sequence[Service]) -> str | None:
    """An endpoint that is a pod (it stands on a node and has not the node's address) outside of these networks."""
    of_nodes = {node.internal_ip for node in nodes}
    for service in services:
        for endpoint in service.endpoints:
            if endpoint.node is None or endpoint.address in of_nodes:
                continue
            if not any(endpoint.address in network for network in networks):
                return tr(
                    "{address} of {namespace}/{name}",
                    address=endpoint.address,
                    namespace=service.namespace,
                    name=service.name,
                )
    return None


def _kubernetes_zone(corefile: str) -> str | None:
    """The forward zone of the first `kubernetes` plugin; one without zones serves those of its server block."""
    keys: list[str] = []
    depth = 0
    for line in corefile.splitlines():
        words = line.split("#", 1)[0].split()
        if depth == 0 and words:
            keys = [word for word in words if word != "{"]
        if depth == 1 and words[:1] == ["kubernetes"]:
            zones = [word for word in words[1:] if word != "{"] or keys
            for zone in (_zone(word) for word in zones):
                if zone and not zone.endswith(".arpa"):
                    return zone
        depth += words.count("{") - words.count("}")
    return None


def _zone(word: str) -> str | None:
    """A zone without scheme, port and final dot; None for the root and for what is still a placeholder."""
    name = word.rpartition("//")[2].partition(":")[0].strip(",").rstrip(".").lower()
    return name if name and all(c.isalnum() or c in "-." for c in name) else None


def _answers_dns(service: Json) -> bool:
    ports = (service.get("spec") or {}).get("ports") or ()
    return {("UDP", 53), ("TCP", 53)} <= {(port.get("protocol", "TCP"), port.get("port")) for port in ports}
