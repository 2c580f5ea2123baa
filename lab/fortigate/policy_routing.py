"""Policy routes: the way of a packet by more than its destination, chosen before the routing table is asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from lab.fortigate.attributes import Row
from lab.fortigate.matching import Addresses, AddressSet, network, union
from lab.fortigate.packets import SCTP, TCP, UDP, Packet
from lab.fortigate.routing import NO_GATEWAY, RoutingTable

_WITH_PORTS = (TCP, UDP, SCTP)


@dataclass(frozen=True, slots=True)
class Way:
    """Where a policy route sends a packet. `gateway` is 0.0.0.0 where that is the packet's own destination."""

    interface: str
    gateway: IPv4Address


@dataclass(frozen=True, slots=True)
class _Rule:
    """One row, compiled. `way` is None for one that ends the search: the routing table decides."""

    way: Way | None
    entering: frozenset[str]
    entering_negated: bool
    source: AddressSet | None
    source_negated: bool
    destination: AddressSet | None
    destination_negated: bool
    protocol: int
    ports: range
    source_ports: range

    def matches(self, packet: Packet, ingress: str) -> bool:
        return (
            (not self.entering or (ingress in self.entering) != self.entering_negated)
            and (self.source is None or (int(packet.source) in self.source) != self.source_negated)
            and (self.destination is None or (int(packet.destination) in self.destination) != self.destination_negated)
            and self._fits(packet)
        )

    def _fits(self, packet: Packet) -> bool:
        """Ports are looked at only where the rule names a protocol that has them."""
        if self.protocol == 0:
            return True
        if packet.protocol != self.protocol:
            return False
        if self.protocol not in _WITH_PORTS:
            return True
        return packet.destination_port in self.ports and packet.source_port in self.source_ports


class PolicyRoutes:
    """Those of one VDOM, in their order. One whose way is not usable is passed over."""

    def __init__(self, rows: Iterable[Row], addresses: Addresses, routing: RoutingTable) -> None:
        self._addresses, self._routing = addresses, routing
        enabled = [row for row in rows if row.get("status", "enable") == "enable" and not _is_for_others(row)]
        self._rules = [rule for row in enabled if (rule := self._compiled(row)) is not None]

    def way(self, packet: Packet, ingress: str) -> Way | None:
        """The way of a packet that came in by `ingress`; None when the routing table decides."""
        return next((rule.way for rule in self._rules if rule.matches(packet, ingress)), None)

    def _compiled(self, row: Row) -> _Rule | None:
        way = None
        if row.get("action", "permit") == "permit" and (way := self._way(row)) is None:
            return None
        return _Rule(
            way,
            frozenset(item["name"] for item in row.get("input-device", ())),
            row.get("input-device-negate") == "enable",
            self._set(row.get("src", ()), row.get("srcaddr", ())),
            row.get("src-negate") == "enable",
            self._set(row.get("dst", ()), row.get("dstaddr", ())),
            row.get("dst-negate") == "enable",
            row.get("protocol", 0),
            range(row.get("start-port", 0), row.get("end-port", 65535) + 1),
            range(row.get("start-source-port", 0), row.get("end-source-port", 65535) + 1),
        )

    def _way(self, row: Row) -> Way | None:
        gateway, interface = IPv4Address(row.get("gateway", "0.0.0.0")), row.get("output-device", "")
        if not interface:
            routes = [] if gateway == NO_GATEWAY else self._routing.best(gateway)
            return Way(routes[0].interface, gateway) if routes and not routes[0].blackhole else None
        connected = self._routing.interface_addresses.get(interface, ())
        if not connected or (gateway != NO_GATEWAY and not any(gateway in item.network for item in connected)):
            return None
        return Way(interface, gateway)

    def _set(self, subnets: Sequence[Row], names: Sequence[Row]) -> AddressSet | None:
        """None where neither is given: everything."""
        if not subnets and not names:
            return None
        networks = [network(item["subnet"]) for item in subnets]
        literal = AddressSet.of((int(net[0]), int(net[-1])) for net in networks)
        return union([literal, self._addresses.of(names)])


_OTHERS = ("users", "groups", "internet-service-id", "internet-service-custom", "internet-service-fortiguard")


def _is_for_others(row: Row) -> bool:
    """For people who have logged in, or to services on the internet: no packet here is of either."""
    return any(row.get(column) for column in _OTHERS)
