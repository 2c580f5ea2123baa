"""The network beside the chat: what the devices hold, how the machines are, the packet under way, things to break."""

from collections.abc import Collection
from ipaddress import IPv4Address
from typing import Any

from lab.breaking import Breaking
from lab.fortigate.device import Device
from lab.network.simulated import SimulatedNetwork, Trace
from lab.network.simulated_packets import Signal
from lab.topology import ARTICLE, BOT, DNS_SERVER, PC
from lab.windows_dns import Server

Json = dict[str, Any]
STATIONS = {PC: "office", BOT: "office", DNS_SERVER: "dns"}
SERVICES = {"10.68.0.2": "kube-dns", "172.20.4.222": "redis-abc-gns", "10.68.0.80": "web-abc"}
SHOWN_NODES = 3


class Panel:
    """Implements the Slack simulator's Network."""

    def __init__(self, device: Device, dns: Server, network: SimulatedNetwork, breaking: Breaking) -> None:
        self._device, self._dns, self._network, self.breaking = device, dns, network, breaking
        self._packet: Json | None = None
        self._packets = 0
        network.on_trace(self._seen)

    def describe(self) -> Json:
        """The picture as the page draws it."""
        switches = self.breaking.switches()
        broken = {name for name, switch in switches.items() if switch.broken()}
        carrying = self._carrying()
        nodes = [
            _box(0, "office", "office", "172.16.0.0/24"),
            _box(0, "dns", "dc1 DNS", "172.16.2.3", broken & {"dns", "winrm", "forwarder", "cache"}),
            _box(1, "firewall", "FortiGate", "172.16.0.254", broken & {"fortigate", "deny", "edit"}),
            *(self._node(name, name in carrying) for name in self._shown(carrying)),
            *(_box(3, name, name, address) for address, name in SERVICES.items()),
        ]
        links = [("office", "firewall"), ("dns", "firewall")]
        links += [("firewall", name) for name in carrying]
        links += [(name, service) for name in carrying for service in SERVICES.values()]
        return {
            "title": "The office network",
            "nodes": nodes,
            "links": [self._link(*ends) for ends in links],
            "packet": self._packet,
            "tables": self._tables(),
            "switches": [
                {"id": name, "label": switch.label, "on": name in broken} for name, switch in switches.items()
            ],
        }

    def _carrying(self) -> list[str]:
        """Nodes that the firewall sends the cluster's packets to."""
        hops = {str(row["gateway"]) for row in self._device.rows("router/static")}
        return [node.name for node in ARTICLE.nodes if str(node.address) in hops]

    @staticmethod
    def _shown(carrying: list[str]) -> list[str]:
        """The nodes that carry, the one that the article names, and the next ones, in their order."""
        workers = [node.name for node in ARTICLE.nodes if not node.control_plane]
        chosen = list(dict.fromkeys([*carrying, ARTICLE.gateway_node, *workers]))[: max(SHOWN_NODES, len(carrying))]
        return sorted(chosen)

    def _node(self, name: str, carries: bool) -> Json:
        box = _box(2, name, name.removeprefix("k8s-qa-"), str(ARTICLE.node(name).address))
        if self.breaking.dead(name):
            return box | {"state": "down"}
        if not self._network.node(name).ip_forward:
            return box | {"state": "warn"}
        return box | {"state": "active" if carries else "off"}

    def _link(self, one: str, other: str) -> Json:
        lost = self.breaking.dead(one) or self.breaking.dead(other)
        return {"from": one, "to": other, "state": "down" if lost else "ok"}

    async def switch(self, switch: str, on: bool) -> None:
        """Break (`on`) or mend something. KeyError when there is no such switch."""
        await self.breaking.switches()[switch].turn(on)

    def _seen(self, trace: Trace) -> None:
        """Remember where the newest connection attempt or question from the office went, as boxes of the picture."""
        journey = trace.journey
        sent = journey.hops[0].packet.destination if journey.hops else None
        if journey.signal not in (Signal.SYN, Signal.DATAGRAM) or sent is None or not _inside(sent):
            return
        path: list[str] = []
        for hop in journey.hops:
            box = STATIONS.get(hop.station, hop.station)
            if path[-1:] != [box]:
                path.append(box)
        if journey.arrived and (service := SERVICES.get(str(sent))):
            path.append(service)
        if len(path) > 1:
            self._packets += 1
            self._packet = {"number": self._packets, "path": path, "arrived": journey.arrived}

    def _tables(self) -> list[Json]:
        routes = [[row["dst"], row["gateway"], row["device"]] for row in self._device.rows("router/static")]
        policies = [
            [
                row["name"],
                f"{_names(row['srcaddr'])} → {_names(row['dstaddr'])}",
                f"{row['action']} {_names(row['service'])}",
            ]
            for row in self._device.rows("firewall/policy")
        ]
        forwarders = [
            [zone.name, ", ".join(map(str, zone.masters))] for zone in self._dns.zones if zone.type == "Forwarder"
        ]
        return [
            {"title": "FortiGate: static routes", "columns": ["to", "via", "on"], "rows": routes},
            {"title": "FortiGate: policies", "columns": ["name", "from → to", "does"], "rows": policies},
            {"title": "dc1: conditional forwarders", "columns": ["zone", "to"], "rows": forwarders},
        ]


def _box(row: int, name: str, label: str, detail: str, broken: Collection[str] = ()) -> Json:
    return {"id": name, "row": row, "label": label, "detail": detail, "state": "down" if broken else "ok"}


def _inside(address: IPv4Address) -> bool:
    return address in ARTICLE.pod_network or address in ARTICLE.service_network


def _names(members: list[Json]) -> str:
    return ", ".join(str(member["name"]) for member in members)
