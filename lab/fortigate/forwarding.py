"""What the firewall does with a packet: policy routes, routes, reverse-path check, policies in order.

Pure: everything follows from the configuration rows, the state of the links and the time.
A `Forwarding` is compiled once per configuration and then asked for every packet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address
from typing import Literal

from lab.fortigate.attributes import Row
from lab.fortigate.matching import Addresses, AddressSet, Schedules, ServiceMatch, Services, named
from lab.fortigate.packets import ICMP, TCP, Packet, Reason, Verdict
from lab.fortigate.policy_routing import PolicyRoutes
from lab.fortigate.routing import NO_GATEWAY, Links, Route, RoutingTable, Tables
from lab.fortigate.tables.firewall import expiry

LOCAL_PORTS = {22: "ssh", 23: "telnet", 80: "http", 443: "https"}


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy row, compiled."""

    policy_id: int
    action: Literal["accept", "deny"]
    source: AddressSet
    source_negated: bool
    destination: AddressSet
    destination_negated: bool
    services: tuple[ServiceMatch, ...]
    services_negated: bool
    schedule: str
    expires: datetime | None
    nat: bool

    def matches(self, packet: Packet) -> bool:
        """Whether addresses and service fit; interfaces and time are checked elsewhere."""
        return (
            (int(packet.source) in self.source) != self.source_negated
            and (int(packet.destination) in self.destination) != self.destination_negated
            and any(service.matches(packet) for service in self.services) != self.services_negated
        )


class Forwarding:
    """One VDOM's way of treating packets.

    `tables` are rows in the REST shape by full table name (`firewall/policy` in evaluation order);
    attributes at their default may be missing.
    """

    def __init__(self, tables: Tables, links: Links = Links()) -> None:  # noqa: B008 - frozen
        interfaces = named(tables.get("system/interface", ()))
        self._interfaces = interfaces
        self._addresses = Addresses(
            named(tables.get("firewall/address", ())), named(tables.get("firewall/addrgrp", ())), interfaces
        )
        self._services = Services(
            named(tables.get("firewall.service/custom", ())), named(tables.get("firewall.service/group", ()))
        )
        self._schedules = Schedules(
            named(tables.get("firewall.schedule/recurring", ())),
            named(tables.get("firewall.schedule/onetime", ())),
            named(tables.get("firewall.schedule/group", ())),
        )
        self._zones = {
            member["interface-name"]: zone
            for zone in tables.get("system/zone", ())
            for member in zone.get("interface", ())
        }
        settings = next(iter(tables.get("system/settings", ())), {})
        self._strict = settings.get("strict-src-check") == "enable"
        self._spread_by_destination = settings.get("v4-ecmp-mode") == "source-dest-ip-based"
        self.routing = RoutingTable(tables, self._addresses, links)
        self._own_addresses = self.routing.own_addresses
        self._policy_routes = PolicyRoutes(tables.get("router/policy", ()), self._addresses, self.routing)
        # In the other mode security policies decide, and of those there is no table here.
        decides = settings.get("ngfw-mode") != "policy-based"
        policies = [
            row for row in tables.get("firewall/policy", ()) if decides and not _asks_who(row) and _takes_plain(row)
        ]
        self._rows = [row for row in policies if row.get("status", "enable") == "enable"]
        self._by_pair: dict[tuple[str, str], list[Policy]] = {}
        self._compiled: dict[int, Policy] = {}

    def evaluate(self, packet: Packet, ingress: str | None = None, now: datetime | None = None) -> Verdict:
        """The verdict on the first packet of a flow.

        Without `ingress` the packet comes in where the route to its source goes out. `now` is the
        device's local time (naive); the present UTC time if left out.
        """
        entry = self._entry(packet, ingress)
        if isinstance(entry, Verdict):
            return entry
        if packet.destination in self._own_addresses:
            return self._local(packet, entry)
        if (way := self._policy_routes.way(packet, entry)) is not None:
            return self._decide(packet, entry, way.interface, _hop(way.gateway, packet), now)
        routes = self.routing.best(packet.destination)
        if not routes:
            return Verdict("no-route", Reason.NO_ROUTE, ingress=entry)
        route = self._pick(routes, packet)
        if route.blackhole:
            return Verdict("no-route", Reason.BLACKHOLE, ingress=entry)
        return self._decide(packet, entry, route.interface, _hop(route.gateway, packet), now)

    def next_hop(self, packet: Packet, ingress: str | None = None) -> tuple[str, IPv4Address] | None:
        """Where a packet leaves and to whom, whatever the policies say; None without a route.

        Without `ingress` policy routes do not count, as for answers within a session.
        """
        if ingress is not None and (way := self._policy_routes.way(packet, ingress)) is not None:
            return way.interface, _hop(way.gateway, packet)
        routes = self.routing.best(packet.destination)
        if not routes or (route := self._pick(routes, packet)).blackhole:
            return None
        return route.interface, _hop(route.gateway, packet)

    def _entry(self, packet: Packet, ingress: str | None) -> str | Verdict:
        """The interface by which the packet comes in, or why it is refused there."""
        back = self.routing.best(packet.source)
        if ingress is None:
            if not back or back[0].blackhole:
                return Verdict("no-route", Reason.NO_SOURCE_ROUTE)
            return back[0].interface
        if not any(True for _ in self.routing.covering(packet.source)):
            return Verdict("no-route", Reason.NO_SOURCE_ROUTE, ingress=ingress)
        if self._strict:
            fits = any(route.interface == ingress for route in back)
        else:
            fits = self.routing.reaches_through(packet.source, ingress)
        return ingress if fits else Verdict("deny", Reason.REVERSE_PATH, ingress=ingress)

    def _local(self, packet: Packet, ingress: str) -> Verdict:
        allowed = self._interfaces.get(ingress, {}).get("allowaccess", "").split()
        if packet.protocol == ICMP:
            wanted = "ping"
        elif packet.protocol == TCP:
            wanted = LOCAL_PORTS.get(packet.destination_port, "")
        else:
            wanted = ""
        if wanted in allowed:
            return Verdict("accept", Reason.LOCAL, ingress=ingress, next_hop=packet.destination)
        return Verdict("deny", Reason.LOCAL_REFUSED, ingress=ingress)

    def _pick(self, routes: list[Route], packet: Packet) -> Route:
        """One of several routes of equal cost: the same source always takes the same."""
        if len(routes) == 1:
            return routes[0]
        value = int(packet.source)
        if self._spread_by_destination:
            value ^= int(packet.destination)
        return routes[value % len(routes)]

    def _decide(
        self, packet: Packet, ingress: str, egress: str, next_hop: IPv4Address, now: datetime | None
    ) -> Verdict:
        zone = self._zones.get(ingress)
        if zone and zone is self._zones.get(egress) and zone.get("intrazone") == "allow":
            return Verdict("accept", Reason.INTRAZONE, None, ingress, egress, next_hop)
        for policy in self._policies(ingress, egress):
            if policy.matches(packet) and self._in_force(policy, now):
                translated = self._translated(egress) if policy.nat and policy.action == "accept" else None
                return Verdict(policy.action, Reason.POLICY, policy.policy_id, ingress, egress, next_hop, translated)
        return Verdict("deny", Reason.IMPLICIT_DENY, 0, ingress, egress, next_hop)

    def _in_force(self, policy: Policy, now: datetime | None) -> bool:
        if policy.schedule == "always" and policy.expires is None:
            return True
        moment = now or datetime.now(UTC).replace(tzinfo=None)
        if policy.expires is not None and moment >= policy.expires:
            return False
        return self._schedules.active(policy.schedule, moment)

    def _translated(self, egress: str) -> IPv4Address | None:
        own = self.routing.interface_addresses.get(egress)
        return own[0].ip if own else None

    def _policies(self, ingress: str, egress: str) -> list[Policy]:
        """The policies between two interfaces, in evaluation order."""
        pair = (ingress, egress)
        found = self._by_pair.get(pair)
        if found is None:
            sources, destinations = self._aliases(ingress), self._aliases(egress)
            found = self._by_pair[pair] = [
                self._compile(row)
                for row in self._rows
                if _names_any(row.get("srcintf", ()), sources) and _names_any(row.get("dstintf", ()), destinations)
            ]
        return found

    def _aliases(self, interface: str) -> set[str]:
        zone = self._zones.get(interface)
        return {interface, "any"} | ({zone["name"]} if zone else set())

    def _compile(self, row: Row) -> Policy:
        policy_id = row["policyid"]
        if policy_id not in self._compiled:
            self._compiled[policy_id] = Policy(
                policy_id,
                "deny" if row.get("action", "deny") == "deny" else "accept",
                self._addresses.of(row.get("srcaddr", ())),
                row.get("srcaddr-negate") == "enable",
                self._addresses.of(row.get("dstaddr", ())),
                row.get("dstaddr-negate") == "enable",
                self._services.of(row.get("service", ())),
                row.get("service-negate") == "enable",
                row.get("schedule", ""),
                expiry(row),
                row.get("nat") == "enable",
            )
        return self._compiled[policy_id]


def evaluate(
    tables: Tables,
    packet: Packet,
    ingress: str | None = None,
    now: datetime | None = None,
    links: Links = Links(),  # noqa: B008 - frozen
) -> Verdict:
    """The verdict on one packet; to ask more than once, keep a `Forwarding`."""
    return Forwarding(tables, links).evaluate(packet, ingress, now)


_CERTAIN_ONES = (
    "users", "groups", "fsso-groups", "scim-users", "scim-groups", "src-vendor-mac", "reputation-minimum",
)  # fmt: skip


def _asks_who(row: Row) -> bool:
    """Whether a policy is for certain people or machines: nobody has logged in here, packets have neither a tag nor a
    network card's address, and private addresses no reputation, so nobody is one of them."""
    tagged = "enable" in (row.get("ztna-status"), row.get("sgt-check"))
    return tagged or any(row.get(column) for column in _CERTAIN_ONES)


def _takes_plain(row: Row) -> bool:
    """Whether a policy takes packets of type of service 0, as all packets here are."""
    return (int(row.get("tos") or "0", 16) & int(row.get("tos-mask") or "0", 16) == 0) != (
        row.get("tos-negate") == "enable"
    )


def _hop(gateway: IPv4Address, packet: Packet) -> IPv4Address:
    return packet.destination if gateway == NO_GATEWAY else gateway


def _names_any(members: Sequence[Row], wanted: set[str]) -> bool:
    return any(member["name"] in wanted for member in members)
