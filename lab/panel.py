"""The network beside the chat: what the devices hold, how the machines are, the packet under way, things to break."""

from ipaddress import IPv4Address
from typing import Any

from lab.breaking import Breaking
from lab.fortigate.device import Device
from lab.network.simulated import SimulatedNetwork, Trace
from lab.network.simulated_packets import Signal
from lab.network.topology import ARTICLE, BOT, DNS_SERVER, PC
from lab.windows_dns import Server

Json = dict[str, Any]
STATIONS = {PC: "office", BOT: "office", DNS_SERVER: "dns", "firewall": "firewall"}


class Panel:
    """Implements the Slack simulator's Network."""

    def __init__(self, device: Device, dns: Server, network: SimulatedNetwork, breaking: Breaking) -> None:
        self._device, self._dns, self.breaking = device, dns, breaking
        self._packet: Json | None = None
        self._packets = 0
        network.on_trace(self._seen)

    def describe(self) -> Json:
        """The picture as the page draws it."""
        switches = self.breaking.switches()
        broken = {name for name, switch in switches.items() if switch.broken()}

        def state(*names: str) -> str:
            return "down" if broken & set(names) else "ok"

        nodes = [
            {"id": "office", "label": "office", "detail": "172.16.0.0/24", "state": "ok"},
            {
                "id": "firewall",
                "label": "FortiGate",
                "detail": "172.16.0.254",
                "state": state("fortigate", "deny", "edit"),
            },
            {
                "id": "dns",
                "label": "dc1 DNS",
                "detail": "172.16.2.3",
                "state": state("dns", "winrm", "forwarder", "cache"),
            },
            {
                "id": "gateway",
                "label": ARTICLE.gateway_node,
                "detail": "172.16.1.106",
                "state": state("gateway", "forwarding"),
            },
            {"id": "cluster", "label": "cluster qa", "detail": "10.68.0.0/16, 172.20.0.0/16", "state": "ok"},
        ]
        links = [
            {"from": "office", "to": "firewall"},
            {"from": "dns", "to": "firewall"},
            {"from": "firewall", "to": "gateway"},
            {"from": "gateway", "to": "cluster"},
        ]
        return {
            "title": "The office network",
            "nodes": nodes,
            "links": links,
            "packet": self._packet,
            "tables": self._tables(),
            "switches": [
                {"id": name, "label": switch.label, "on": name in broken} for name, switch in switches.items()
            ],
        }

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
            box = STATIONS.get(hop.station, "gateway" if hop.station == ARTICLE.gateway_node else "cluster")
            if not path or path[-1] != box:
                path.append(box)
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


def _inside(address: IPv4Address) -> bool:
    return address in ARTICLE.pod_network or address in ARTICLE.service_network


def _names(members: list[Json]) -> str:
    return ", ".join(str(member["name"]) for member in members)
