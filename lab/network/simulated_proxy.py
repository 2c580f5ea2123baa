"""kube-proxy's view of the services: which rule a packet meets on a node."""

from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal

from lab.cluster.model import SERVICES, SLICES, Cluster, is_ready
from lab.cluster.resources import Json
from lab.fortigate.packets import ICMP, TCP, UDP, Packet
from lab.topology import Topology

ProxyMode = Literal["iptables", "ipvs", "nftables"]
_PROTOCOLS = {"TCP": TCP, "UDP": UDP}


@dataclass(frozen=True, slots=True)
class Endpoint:
    address: IPv4Address
    port: int
    node: str


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of a ClusterIP service with the endpoints that take its traffic."""

    namespace: str
    name: str
    endpoints: tuple[Endpoint, ...]
    local_only: bool
    sticky: bool


Rule = Literal["none", "reject", "drop"]
"""What happens without an endpoint to go to: routed on as any packet, refused, or silently dropped."""


class ServiceRules:
    """The rules that every kube-proxy derives from the API's objects; compiled anew when these change."""

    def __init__(self, cluster: Cluster, topology: Topology) -> None:
        self._cluster = cluster
        self._topology = topology
        self._version = -1
        self._ports: dict[tuple[IPv4Address, int, int], ServicePort] = {}
        self._addresses: set[IPv4Address] = set()
        self._turn: Counter[tuple[str, str]] = Counter()

    def match(self, packet: Packet, mode: ProxyMode, node: str) -> Endpoint | Rule:
        """The endpoint a packet is sent to, or the fate of one that has none."""
        self._compile()
        if packet.destination not in self._topology.service_network:
            return "none"
        if packet.destination not in self._addresses:
            return "drop" if mode == "nftables" else "none"
        port = self._ports.get((packet.destination, packet.protocol, packet.destination_port))
        if port is None:
            return self._unused_port(packet, mode)
        candidates = [e for e in port.endpoints if not port.local_only or e.node == node]
        if candidates:
            return self._choose(port, candidates, packet)
        return "drop" if port.endpoints else "reject"

    @staticmethod
    def _unused_port(packet: Packet, mode: ProxyMode) -> Rule:
        if mode == "iptables":
            return "none"
        return "drop" if packet.protocol == ICMP and mode == "nftables" else "reject"

    def _choose(self, port: ServicePort, candidates: list[Endpoint], packet: Packet) -> Endpoint:
        """Sticky services go by the client's address, the others take turns."""
        if port.sticky:
            return candidates[int(packet.source) % len(candidates)]
        key = (port.namespace, port.name)
        self._turn[key] += 1
        return candidates[(self._turn[key] - 1) % len(candidates)]

    def _compile(self) -> None:
        # kube-proxy, like CoreDNS, keeps its last state while the API is away.
        latest = self._cluster.store.latest(SERVICES, SLICES)
        if self._version == latest or (self._version >= 0 and not self._cluster.api_serving):
            return
        self._version = latest
        self._ports.clear()
        self._addresses.clear()
        for service in self._cluster.services():
            self._add(service)

    def _add(self, service: Json) -> None:
        spec, metadata = service["spec"], service["metadata"]
        addresses = [ip for ip in spec.get("clusterIPs") or [spec.get("clusterIP")] if ip and ip != "None"]
        if spec.get("type") == "ExternalName" or not addresses:
            return
        slices = self._cluster.slices(metadata["namespace"], metadata["name"])
        for address in map(IPv4Address, addresses):
            self._addresses.add(address)
            for port in spec.get("ports") or []:
                protocol = port.get("protocol", "TCP")
                if protocol in _PROTOCOLS:
                    self._ports[address, _PROTOCOLS[protocol], port["port"]] = ServicePort(
                        metadata["namespace"],
                        metadata["name"],
                        tuple(_endpoints(slices, port.get("name") or "", protocol)),
                        spec.get("internalTrafficPolicy") == "Local",
                        spec.get("sessionAffinity") == "ClientIP",
                    )


def _endpoints(slices: list[Json], port_name: str, protocol: str) -> list[Endpoint]:
    """Ready endpoints; terminating ones that still serve if no other is there."""
    found: list[tuple[Json, int]] = [
        (endpoint, port["port"])
        for document in slices
        for port in document.get("ports") or []
        if (port.get("name") or "") == port_name and (port.get("protocol") or "TCP") == protocol
        for endpoint in document.get("endpoints") or []
    ]
    usable = [pair for pair in found if is_ready(pair[0])] or [pair for pair in found if _still_serves(pair[0])]
    unique = {(address, port): e.get("nodeName") or "" for e, port in usable for address in e["addresses"]}
    return [Endpoint(IPv4Address(address), port, node) for (address, port), node in unique.items()]


def _still_serves(endpoint: Json) -> bool:
    conditions = endpoint.get("conditions") or {}
    return bool(conditions.get("terminating")) and conditions.get("serving") is not False
