"""The routing table: which configured routes are active, and which one a destination takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from lab.fortigate.attributes import Row
from lab.fortigate.matching import Addresses, network

NO_GATEWAY = IPv4Address(0)
BLACKHOLE_INTERFACE = "Null"

Tables = Mapping[str, Sequence[Row]]


@dataclass(frozen=True, slots=True)
class Route:
    """One active route. `gateway` is 0.0.0.0 on connected networks, `interface` is "Null" for a blackhole."""

    network: IPv4Network
    gateway: IPv4Address
    interface: str
    kind: str
    distance: int = 0
    priority: int = 0
    vrf: int = 0

    @property
    def blackhole(self) -> bool:
        return self.interface == BLACKHOLE_INTERFACE


@dataclass(frozen=True)
class Links:
    """What no configuration says: interfaces without carrier, link monitors whose probes fail."""

    down: frozenset[str] = frozenset()
    failed_monitors: frozenset[str] = frozenset()


class RoutingTable:
    """The active routes of one VDOM."""

    def __init__(self, tables: Tables, addresses: Addresses, links: Links = Links()) -> None:
        self.interface_addresses = dict(_interface_addresses(tables.get("system/interface", ()), links))
        self._up = {
            row["name"]
            for row in tables.get("system/interface", ())
            if row.get("status", "up") == "up" and row["name"] not in links.down
        }
        candidates = [*self._connected(), *self._static(tables, addresses, links)]
        self.routes = _selected(candidates)
        self._by_length: list[tuple[int, dict[int, list[Route]]]] = _index(self.routes)

    @property
    def own_addresses(self) -> dict[IPv4Address, str]:
        """The firewall's own addresses on interfaces that are up, with the interface."""
        return {item.ip: name for name, items in self.interface_addresses.items() for item in items}

    def best(self, destination: IPv4Address) -> list[Route]:
        """The routes that would be used, several with equal cost, empty if there is none."""
        for matches in self.covering(destination):
            lowest = min(route.priority for route in matches)
            return [route for route in matches if route.priority == lowest]
        return []

    def covering(self, address: IPv4Address) -> Iterator[list[Route]]:
        """All routes to an address, grouped by network, the most specific first."""
        value = int(address)
        for shift, networks in self._by_length:
            if matches := networks.get(value >> shift):
                yield matches

    def reaches_through(self, address: IPv4Address, interface: str) -> bool:
        """Whether any active route, however unspecific, leads to the address through the interface."""
        return any(route.interface == interface for matches in self.covering(address) for route in matches)

    def _connected(self) -> Iterator[Route]:
        for name, items in self.interface_addresses.items():
            for item in items:
                yield Route(item.network, NO_GATEWAY, name, "connect")

    def _static(self, tables: Tables, addresses: Addresses, links: Links) -> Iterator[Route]:
        monitors = [row for row in tables.get("system/link-monitor", ()) if row["name"] in links.failed_monitors]
        for row in tables.get("router/static", ()):
            if row.get("status", "enable") == "enable" and self._usable(row):
                if any(_withdraws(monitor, row) for monitor in monitors):
                    continue
                yield from _routes_of(row, addresses)

    def _usable(self, row: Row) -> bool:
        if row.get("blackhole") == "enable":
            return True
        device = row.get("device", "")
        if device not in self._up or row.get("dynamic-gateway") == "enable":
            # A dynamic gateway is learnt from DHCP or PPP, which nothing here speaks.
            return False
        gateway = IPv4Address(row.get("gateway", "0.0.0.0"))
        if gateway == NO_GATEWAY:
            return True
        return any(gateway in item.network for item in self.interface_addresses.get(device, ()))


def _interface_addresses(rows: Iterable[Row], links: Links) -> Iterator[tuple[str, list[IPv4Interface]]]:
    for row in rows:
        if row.get("status", "up") != "up" or row["name"] in links.down:
            continue
        texts = [row.get("ip", ""), *(child.get("ip", "") for child in row.get("secondaryip", ()))]
        items = [IPv4Interface(t.replace(" ", "/")) for t in texts if t and not t.startswith("0.0.0.0")]
        if items:
            yield row["name"], items


def _withdraws(monitor: Row, route: Row) -> bool:
    if monitor.get("status", "enable") != "enable" or monitor.get("update-static-route", "enable") != "enable":
        return False
    if route.get("link-monitor-exempt") == "enable":
        return False
    if monitor.get("srcintf", "") != route.get("device", ""):
        return False
    gateway = monitor.get("gateway-ip", "0.0.0.0")
    if gateway not in ("0.0.0.0", route.get("gateway", "0.0.0.0")):
        return False
    only = [network(item["subnet"]) for item in monitor.get("route", ())]
    return not only or network(route.get("dst", "0.0.0.0 0.0.0.0")) in only


def _routes_of(row: Row, addresses: Addresses) -> Iterator[Route]:
    if name := row.get("dstaddr"):
        networks = addresses.named(name).networks()
    else:
        networks = [network(row.get("dst", "0.0.0.0 0.0.0.0"))]
    blackhole = row.get("blackhole") == "enable"
    for net in networks:
        yield Route(
            net,
            NO_GATEWAY if blackhole else IPv4Address(row.get("gateway", "0.0.0.0")),
            BLACKHOLE_INTERFACE if blackhole else row.get("device", ""),
            "static",
            row.get("distance", 10),
            row.get("priority", 1),
            row.get("vrf", 0) if isinstance(row.get("vrf", 0), int) else 0,
        )


def _selected(candidates: Iterable[Route]) -> list[Route]:
    """For each network the routes of the lowest distance, ordered by network."""
    by_network: dict[IPv4Network, list[Route]] = defaultdict(list)
    for route in candidates:
        by_network[route.network].append(route)
    chosen: list[Route] = []
    for net in sorted(by_network):
        lowest = min(route.distance for route in by_network[net])
        chosen += [route for route in by_network[net] if route.distance == lowest]
    return chosen


def _index(routes: Collection[Route]) -> list[tuple[int, dict[int, list[Route]]]]:
    """(number of host bits, routes by network number without its host bits), the longest prefix first."""
    index: dict[int, dict[int, list[Route]]] = defaultdict(dict)
    for route in routes:
        shift = 32 - route.network.prefixlen
        index[shift].setdefault(int(route.network.network_address) >> shift, []).append(route)
    return sorted(index.items())
