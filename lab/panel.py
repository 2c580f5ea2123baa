"""The network beside the chat: what the devices hold, how the machines are, and things to break."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.fortigate.device import Device
from lab.network.simulated import SimulatedNetwork
from lab.network.topology import ARTICLE
from lab.windows_dns import Server

Json = dict[str, Any]


@dataclass(frozen=True)
class Switch:
    """Something to break and mend again."""

    label: str
    broken: Callable[[], bool]
    turn: Callable[[bool], None]


class Panel:
    """Implements the Slack simulator's Network."""

    def __init__(self, device: Device, dns: Server, network: SimulatedNetwork) -> None:
        self._device, self._dns, self._network = device, dns, network
        gateway = network.node(ARTICLE.gateway_node)
        self._switches = {
            "gateway": Switch(
                f"Kill the gateway {ARTICLE.gateway_node}",
                lambda: ARTICLE.gateway_node in self._dead,
                lambda on: self._kill(ARTICLE.gateway_node, on),
            ),
            "forwarding": Switch(
                "Turn off ip_forward on the gateway",
                lambda: not gateway.ip_forward,
                lambda on: setattr(gateway, "ip_forward", not on),
            ),
            "dns": Switch(
                "Stop the DNS service on dc1",
                lambda: dns.settings.dns_service != "running",
                lambda on: setattr(dns.settings, "dns_service", "stopped" if on else "running"),
            ),
        }
        self._dead: set[str] = set()

    def describe(self) -> Json:
        """The picture as the page draws it."""
        gateway_ok = ARTICLE.gateway_node not in self._dead
        nodes = [
            {"id": "office", "label": "office", "detail": "172.16.0.0/24", "state": "ok"},
            {"id": "firewall", "label": "FortiGate", "detail": "172.16.0.254", "state": "ok"},
            {"id": "dns", "label": "dc1 DNS", "detail": "172.16.2.3", "state": self._state("dns")},
            {
                "id": "gateway",
                "label": ARTICLE.gateway_node,
                "detail": "172.16.1.106",
                "state": "ok" if gateway_ok else "down",
            },
            {"id": "cluster", "label": "cluster qa", "detail": "10.68.0.0/16, 172.20.0.0/16", "state": "ok"},
        ]
        links = [
            {"from": "office", "to": "firewall"},
            {"from": "dns", "to": "firewall"},
            {"from": "firewall", "to": "gateway"},
            {"from": "gateway", "to": "cluster"},
        ]
        switches = [{"id": key, "label": one.label, "on": one.broken()} for key, one in self._switches.items()]
        return {
            "title": "The office network",
            "nodes": nodes,
            "links": links,
            "tables": self._tables(),
            "switches": switches,
        }

    async def switch(self, switch: str, on: bool) -> None:
        """Break (`on`) or mend something. KeyError when there is no such switch."""
        self._switches[switch].turn(on)

    def _state(self, switch: str) -> str:
        return "down" if self._switches[switch].broken() else "ok"

    def _kill(self, node: str, on: bool) -> None:
        if on:
            self._network.kill_node(node)
            self._dead.add(node)
        else:
            self._network.revive_node(node)
            self._dead.discard(node)

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


def _names(members: list[Json]) -> str:
    return ", ".join(str(member["name"]) for member in members)
