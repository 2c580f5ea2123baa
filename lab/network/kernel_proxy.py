"""kube-proxy's work on one node as an nftables ruleset: a pure function of Services and EndpointSlices.

Follows kube-proxy's iptables mode, because that is where the traps are: destination NAT to a random ready
endpoint, the mark 0x4000 on what must be masqueraded (everything from outside the cluster's pod network),
refusal for services without endpoints, and optionally the rule that drops packets whose connection tracking
state is INVALID. Not imitated: NodePorts, external addresses, session affinity, and a pod that reaches itself
through its own service.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any, Literal

TABLE = "kube_proxy"
MASQUERADE_MARK = "0x4000"
SERVICE_LABEL = "kubernetes.io/service-name"

Object = Mapping[str, Any]
"""A Kubernetes object as its API serves it."""


@dataclass(frozen=True, slots=True)
class NodeRules:
    """How one node treats packets; the defaults are a healthy node of the article."""

    running: bool = True
    """False: the rules of services are gone, as after ``kube-proxy --cleanup``."""
    masquerade: bool = True
    """False: kube-proxy does not know the cluster's pod network and masquerades nothing."""
    invalid_drop: bool = False
    """True: packets that connection tracking calls INVALID are dropped (iptables mode without tcpBeLiberal)."""
    forward: Literal["accept", "drop"] = "accept"
    """Policy of the FORWARD chain; docker sets ``drop``."""
    cni_masquerade: bool = False
    """True: flannel runs with ``--ip-masq``."""
    loss: float = 0.0
    """Share of forwarded packets that get lost."""
    frozen: bool = False
    """True: the node answers nothing and forwards nothing, as a hung machine does; its link stays up."""


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of one service, with the endpoints that this node may send to."""

    name: str
    address: str
    protocol: str
    port: int
    endpoints: tuple[tuple[str, int], ...]
    local_only: bool = False


def service_ports(services: Sequence[Object], slices: Sequence[Object], node: str) -> tuple[ServicePort, ...]:
    """Every port that kube-proxy on *node* programs; headless and external-name services have none."""
    ports: list[ServicePort] = []
    for service in services:
        spec, meta = service["spec"], service["metadata"]
        address = spec.get("clusterIP") or "None"
        if address == "None" or spec.get("type") == "ExternalName":
            continue
        local = spec.get("internalTrafficPolicy", "Cluster") == "Local"
        mine = [
            piece
            for piece in slices
            if piece["metadata"].get("namespace") == meta.get("namespace")
            and piece["metadata"].get("labels", {}).get(SERVICE_LABEL) == meta["name"]
        ]
        for port in spec.get("ports", ()):
            ports.append(
                ServicePort(
                    name=f"{meta.get('namespace', 'default')}/{meta['name']}:{port.get('name') or port['port']}",
                    address=address,
                    protocol=port.get("protocol", "TCP").lower(),
                    port=port["port"],
                    endpoints=_endpoints(mine, port.get("name") or "", node if local else None),
                    local_only=local,
                )
            )
    return tuple(ports)


def _endpoints(slices: Sequence[Object], port_name: str, node: str | None) -> tuple[tuple[str, int], ...]:
    """Ready endpoints; when there is none, those that still serve while they terminate."""
    ready: set[tuple[str, int]] = set()
    terminating: set[tuple[str, int]] = set()
    for piece in slices:
        numbers = [port["port"] for port in piece.get("ports") or () if (port.get("name") or "") == port_name]
        for endpoint in piece.get("endpoints") or ():
            if node is not None and endpoint.get("nodeName") != node:
                continue
            conditions = endpoint.get("conditions") or {}
            found = {(endpoint["addresses"][0], number) for number in numbers}
            if conditions.get("ready", True):
                ready |= found
            elif conditions.get("serving") and conditions.get("terminating"):
                terminating |= found
    return tuple(sorted(ready or terminating))


def udp_flows(services: Sequence[Object], slices: Sequence[Object], node: str) -> set[tuple[str, ...]]:
    """What distinguishes the flows to each UDP endpoint of a service, as options of ``conntrack``."""
    return {
        ("--orig-dst", port.address, "--orig-port-dst", str(port.port), "--dst-nat", address)
        for port in service_ports(services, slices, node)
        if port.protocol == "udp"
        for address, _ in port.endpoints
    }


def ruleset(rules: NodeRules, ports: Sequence[ServicePort], pod_network: IPv4Network, own_pods: IPv4Network) -> str:
    """The whole ruleset of a node, replacing the one before in a single transaction.

    *pod_network* is the cluster's, *own_pods* the part of it that lives on this node.
    """
    return "\n".join(
        [
            f"add table ip {TABLE}",
            f"delete table ip {TABLE}",
            f"table ip {TABLE} {{",
            *_chain("services", None, _services(rules, ports, pod_network) if rules.running else ()),
            *_chain("prerouting", "type nat hook prerouting priority dstnat; policy accept;", ["jump services"]),
            *_chain("nat_output", "type nat hook output priority -100; policy accept;", ["jump services"]),
            *_chain("postrouting", "type nat hook postrouting priority srcnat; policy accept;",
                    _postrouting(rules, pod_network, own_pods)),
            *_chain("refusals", None, _refusals(ports) if rules.running else ()),
            *_chain("forward", f"type filter hook forward priority filter; policy {rules.forward};",
                    _forward(rules)),
            *_chain("output", "type filter hook output priority filter; policy accept;",
                    ["ct state new jump refusals"]),
            *_chain("frozen_in", "type filter hook prerouting priority raw; policy accept;",
                    ["drop"] if rules.frozen else ()),
            *_chain("frozen_out", "type filter hook output priority raw; policy accept;",
                    ["drop"] if rules.frozen else ()),
            "}",
            "add table arp frozen",
            "delete table arp frozen",
            *(["table arp frozen {", *_chain("input", "type filter hook input priority 0; policy drop;", ()), "}"]
              if rules.frozen else ()),
        ]
    ) + "\n"  # fmt: skip


def _chain(name: str, hook: str | None, rules: Sequence[str] | Iterator[str]) -> Iterator[str]:
    yield f"  chain {name} {{"
    if hook:
        yield f"    {hook}"
    for rule in rules:
        yield f"    {rule}"
    yield "  }"


def _services(rules: NodeRules, ports: Sequence[ServicePort], pod_network: IPv4Network) -> Iterator[str]:
    for port in ports:
        if not port.endpoints:
            continue
        match = f"ip daddr {port.address} {port.protocol} dport {port.port}"
        if rules.masquerade:
            yield f"{match} ip saddr != {pod_network} meta mark set meta mark | {MASQUERADE_MARK}"
        yield f"{match} dnat {_destination(port.endpoints)}"


def _destination(endpoints: Sequence[tuple[str, int]]) -> str:
    if len(endpoints) == 1:
        return "to {}:{}".format(*endpoints[0])
    choices = ", ".join(f"{index} : {address} . {port}" for index, (address, port) in enumerate(endpoints))
    return f"ip to numgen random mod {len(endpoints)} map {{ {choices} }}"


def _refusals(ports: Sequence[ServicePort]) -> Iterator[str]:
    """Refuse what has no endpoint anywhere; drop what has none on this node but must stay on it."""
    for port in ports:
        if not port.endpoints:
            verdict = "drop" if port.local_only else "reject with icmp type port-unreachable"
            yield f"ip daddr {port.address} {port.protocol} dport {port.port} {verdict}"


def _forward(rules: NodeRules) -> Iterator[str]:
    if lost := round(rules.loss * 1000):
        yield f"numgen random mod 1000 <= {lost - 1} drop"
    yield "ct state new jump refusals"
    if not rules.running:
        return
    if rules.invalid_drop:
        yield "ct state invalid counter drop"
    yield f"meta mark & {MASQUERADE_MARK} == {MASQUERADE_MARK} accept"
    yield "ct state established,related accept"


def _postrouting(rules: NodeRules, pods: IPv4Network, own: IPv4Network) -> Iterator[str]:
    yield (
        f"meta mark & {MASQUERADE_MARK} == {MASQUERADE_MARK} "
        f"meta mark set meta mark ^ {MASQUERADE_MARK} masquerade fully-random"
    )
    if rules.cni_masquerade:
        yield f"ip saddr != {pods} ip daddr {own} return"
        yield f"ip saddr != {pods} ip daddr {pods} masquerade fully-random"
