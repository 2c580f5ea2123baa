"""Addresses, services and schedules, compiled from configuration rows into quick tests."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, summarize_address_range

from lab.fortigate.attributes import MOMENT_FORMAT, Row
from lab.fortigate.packets import ICMP, SCTP, TCP, UDP, Packet
from lab.fortigate.tables.service import port_ranges

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

NamedRows = Mapping[str, Row]


def network(value: str) -> IPv4Network:
    """`10.0.0.0 255.0.0.0` (as stored) as a network; host bits are ignored."""
    return IPv4Interface(value.replace(" ", "/")).network


def named(rows: Iterable[Row]) -> dict[str, Row]:
    return {row["name"]: row for row in rows}


@dataclass(frozen=True)
class AddressSet:
    """Disjoint, sorted ranges of addresses as integers, and (value, mask) pairs for wildcards."""

    lows: tuple[int, ...]
    highs: tuple[int, ...]
    wildcards: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, ranges: Iterable[tuple[int, int]], wildcards: Iterable[tuple[int, int]] = ()) -> AddressSet:
        merged: list[list[int]] = []
        for low, high in sorted(ranges):
            if merged and low <= merged[-1][1] + 1:
                merged[-1][1] = max(merged[-1][1], high)
            else:
                merged.append([low, high])
        return cls(tuple(r[0] for r in merged), tuple(r[1] for r in merged), tuple(wildcards))

    def __contains__(self, address: int) -> bool:
        index = bisect_right(self.lows, address) - 1
        if index >= 0 and address <= self.highs[index]:
            return True
        return any(address & mask == value for value, mask in self.wildcards)

    def minus(self, other: AddressSet) -> AddressSet:
        """Ranges of this set without those of the other (wildcards of the other are ignored)."""
        kept = []
        holes = list(zip(other.lows, other.highs, strict=True))
        for low, high in zip(self.lows, self.highs, strict=True):
            start = low
            for hole_low, hole_high in holes:
                if hole_high < start or hole_low > high:
                    continue
                if hole_low > start:
                    kept.append((start, hole_low - 1))
                start = hole_high + 1
            if start <= high:
                kept.append((start, high))
        return AddressSet.of(kept, self.wildcards)

    def networks(self) -> list[IPv4Network]:
        return [
            net
            for low, high in zip(self.lows, self.highs, strict=True)
            for net in summarize_address_range(IPv4Address(low), IPv4Address(high))
        ]


NOTHING = AddressSet((), ())


def union(sets: Sequence[AddressSet]) -> AddressSet:
    if len(sets) == 1:
        return sets[0]
    ranges = [pair for item in sets for pair in zip(item.lows, item.highs, strict=True)]
    return AddressSet.of(ranges, [pair for item in sets for pair in item.wildcards])


class Addresses:
    """Address objects and groups by name. Types without fixed addresses (FQDN, geography) match nothing."""

    def __init__(self, addresses: NamedRows, groups: NamedRows, interfaces: NamedRows) -> None:
        self._addresses = addresses
        self._groups = groups
        self._interfaces = interfaces
        self._compiled: dict[str, AddressSet] = {}

    def named(self, name: str) -> AddressSet:
        """The addresses of an object or group; an unknown name (a dangling reference) matches nothing."""
        found = self._compiled.get(name)
        if found is None:
            # Entered before compiling, so that a (refused, but perhaps loaded) cycle of groups ends.
            self._compiled[name] = NOTHING
            found = self._compiled[name] = self._compile(name)
        return found

    def of(self, members: Sequence[Row]) -> AddressSet:
        return union([self.named(member["name"]) for member in members]) if members else NOTHING

    def _compile(self, name: str) -> AddressSet:
        if (group := self._groups.get(name)) is not None:
            included = self.of(group.get("member", ()))
            if group.get("exclude") == "enable":
                return included.minus(self.of(group.get("exclude-member", ())))
            return included
        row = self._addresses.get(name)
        return NOTHING if row is None else self._compile_address(row)

    def _compile_address(self, row: Row) -> AddressSet:
        kind = row.get("type", "ipmask")
        if kind == "ipmask":
            return _of_network(row.get("subnet", "0.0.0.0 0.0.0.0"))
        if kind == "iprange":
            low, high = (int(IPv4Address(row.get(name, "0.0.0.0"))) for name in ("start-ip", "end-ip"))
            return AddressSet.of([(low, high)])
        if kind == "wildcard":
            value, mask = (int(IPv4Address(part)) for part in row.get("wildcard", "0.0.0.0 0.0.0.0").split())
            return AddressSet((), (), ((value & mask, mask),))
        if kind == "interface-subnet":
            interface = self._interfaces.get(row.get("interface", ""), {})
            return _of_network(interface["ip"]) if "ip" in interface else NOTHING
        return NOTHING


def _of_network(value: str) -> AddressSet:
    net = network(value)
    return AddressSet.of([(int(net.network_address), int(net.broadcast_address))])


@dataclass(frozen=True, slots=True)
class ServiceMatch:
    """One protocol with its ranges; None means any."""

    protocol: int | None
    low: int = 0
    high: int = 65535
    source_low: int = 0
    source_high: int = 65535
    icmp_type: int | None = None
    icmp_code: int | None = None

    def matches(self, packet: Packet) -> bool:
        if self.protocol is None:
            return True
        return (
            packet.protocol == self.protocol
            and self.low <= packet.destination_port <= self.high
            and self.source_low <= packet.source_port <= self.source_high
            and (self.icmp_type is None or packet.icmp_type == self.icmp_type)
            and (self.icmp_code is None or packet.icmp_code == self.icmp_code)
        )


class Services:
    """Service objects and groups by name. A service's own destination (`iprange`, `fqdn`) is not evaluated."""

    def __init__(self, services: NamedRows, groups: NamedRows) -> None:
        self._services = services
        self._groups = groups
        self._compiled: dict[str, tuple[ServiceMatch, ...]] = {}

    def of(self, members: Sequence[Row]) -> tuple[ServiceMatch, ...]:
        if len(members) == 1:
            return self.named(members[0]["name"])
        return tuple(match for member in members for match in self.named(member["name"]))

    def named(self, name: str) -> tuple[ServiceMatch, ...]:
        found = self._compiled.get(name)
        if found is None:
            self._compiled[name] = ()
            group = self._groups.get(name)
            found = self.of(group.get("member", ())) if group else _compile_service(self._services.get(name))
            self._compiled[name] = found
        return found


def _compile_service(row: Row | None) -> tuple[ServiceMatch, ...]:
    if row is None:
        return ()
    protocol = row.get("protocol", "TCP/UDP/SCTP")
    if protocol == "ALL":
        return (ServiceMatch(None),)
    if protocol == "IP":
        return (ServiceMatch(row.get("protocol-number", 0) or None),)
    if protocol == "ICMP":
        return (ServiceMatch(ICMP, icmp_type=_number(row, "icmptype"), icmp_code=_number(row, "icmpcode")),)
    if protocol not in ("TCP/UDP/SCTP", "TCP/UDP/UDP-Lite/SCTP"):
        return ()
    return tuple(
        ServiceMatch(number, *bounds)
        for number, name in ((TCP, "tcp-portrange"), (UDP, "udp-portrange"), (SCTP, "sctp-portrange"))
        for bounds in port_ranges(row.get(name, ""))
    )


def _number(row: Row, name: str) -> int | None:
    value = row.get(name, "")
    return None if value == "" else int(value)


class Schedules:
    """Recurring and one-time schedules and groups of them by name; times are the device's local time."""

    def __init__(self, recurring: NamedRows, onetime: NamedRows, groups: NamedRows) -> None:
        self._recurring = recurring
        self._onetime = onetime
        self._groups = groups

    def active(self, name: str, now: datetime) -> bool:
        if name == "always":
            return True
        if (row := self._recurring.get(name)) is not None:
            return _recurring_active(row, now)
        if (row := self._onetime.get(name)) is not None:
            start, end = (_moment(row.get(part, "00:00 2001/01/01")) for part in ("start", "end"))
            return start <= now < end
        members = self._groups.get(name, {}).get("member", ())
        return any(self.active(member["name"], now) for member in members)


def _moment(value: str) -> datetime:
    # Naive on purpose: the device's schedules know no time zone.
    return datetime.strptime(value, MOMENT_FORMAT)  # noqa: DTZ007


def _recurring_active(row: Row, now: datetime) -> bool:
    days = row.get("day", "none").split()
    start, end = (time.fromisoformat(row.get(part, "00:00")) for part in ("start", "end"))
    today, yesterday = (WEEKDAYS[(now - timedelta(days=back)).weekday()] for back in (0, 1))
    if start < end:
        return today in days and start <= now.time() < end
    # The end lies on the following day (equal times: a full day).
    return (today in days and now.time() >= start) or (yesterday in days and now.time() < end)
