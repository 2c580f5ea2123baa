"""FortiGate address and service objects as nftables matches: pure, by arithmetic on whole sets.

Addresses become sorted, disjoint intervals of integers, so that groups, exclusions and negations are unions,
differences and complements; nothing here looks at a packet. What cannot be expressed (names to be looked up,
dynamic objects without members) matches nothing and is reported as a problem.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]
Tables = Mapping[str, Sequence[Row]]
"""Rows in table order by full table name, e.g. ``firewall/policy``; absent attributes have their defaults."""

Interval = tuple[int, int]
"""First and last address, both included."""

LAST = 2**32 - 1
EVERYTHING: tuple[Interval, ...] = ((0, LAST),)
WILDCARD_LIMIT = 4096

# Rows of a factory-fresh device, for configurations that do not repeat them.
BUILT_IN_SERVICES: dict[str, Row] = {
    "ALL": {"protocol": "IP", "protocol-number": 0},
    "ALL_TCP": {"tcp-portrange": "1-65535"},
    "ALL_UDP": {"udp-portrange": "1-65535"},
    "ALL_ICMP": {"protocol": "ICMP"},
    "PING": {"protocol": "ICMP", "icmptype": 8},
    "DNS": {"tcp-portrange": "53", "udp-portrange": "53"},
    "HTTP": {"tcp-portrange": "80"},
    "HTTPS": {"tcp-portrange": "443"},
    "SSH": {"tcp-portrange": "22"},
}
BUILT_IN_ADDRESSES: dict[str, Row] = {"all": {}, "none": {"subnet": "0.0.0.0 255.255.255.255"}}


@dataclass(slots=True)
class Objects:
    """Looks up address and service names of one configuration; collects what it could not express."""

    tables: Tables
    problems: list[str] = field(default_factory=list)

    def addresses(self, names: Iterable[str]) -> tuple[Interval, ...]:
        """The union of named addresses and groups."""
        return union(interval for name in names for interval in self._address(name, ()))

    def services(self, names: Iterable[str]) -> list[str]:
        """Matches of which any one suffices; `""` matches every packet."""
        return [match for name in names for match in self._service(name, ())]

    def row(self, table: str, name: str) -> Row | None:
        """A row of a table whose key is ``name``."""
        return next((row for row in self.tables.get(table, ()) if row["name"] == name), None)

    def _address(self, name: str, inside: tuple[str, ...]) -> tuple[Interval, ...]:
        if name in inside:
            self.problems.append(f"address group {name!r} contains itself")
            return ()
        row = self.row("firewall/address", name) or BUILT_IN_ADDRESSES.get(name)
        if row is not None:
            return self._single_address(name, row)
        group = self.row("firewall/addrgrp", name)
        if group is None:
            self.problems.append(f"no address or group {name!r}")
            return ()
        path = (*inside, name)
        members = union(i for member in references(group, "member") for i in self._address(member, path))
        if group.get("exclude") == "enable":
            excluded = [i for member in references(group, "exclude-member") for i in self._address(member, path)]
            return intersection(members, complement(union(excluded)))
        return members

    def _single_address(self, name: str, row: Row) -> tuple[Interval, ...]:
        kind = row.get("type", "ipmask")
        if kind in ("ipmask", "interface-subnet"):
            return (network(row.get("subnet", "0.0.0.0 0.0.0.0")),)
        if kind == "iprange":
            return ((number(row.get("start-ip", "0.0.0.0")), number(row.get("end-ip", "0.0.0.0"))),)
        if kind == "wildcard":
            return self._wildcard(name, row.get("wildcard", "0.0.0.0 0.0.0.0"))
        members = [member["ip"] for member in row.get("list", ())]
        if not members:
            self.problems.append(f"address {name!r} of type {kind} has no members here: it matches nothing")
        return union(network(member) for member in members)

    def _wildcard(self, name: str, value: str) -> tuple[Interval, ...]:
        """An address and a mask whose set bits must agree, wherever they are."""
        base, mask = (number(part) for part in value.split())
        trailing = (mask & -mask) - 1 if mask else LAST  # the free bits at the end make each piece an interval
        holes = [1 << bit for bit in range(32) if not (mask | trailing) >> bit & 1]
        if 2 ** len(holes) > WILDCARD_LIMIT:
            self.problems.append(f"wildcard address {name!r} is too scattered: it matches nothing")
            return ()
        starts = [base & mask]
        for hole in holes:
            starts += [start | hole for start in starts]
        return union((start, start | trailing) for start in starts)

    def _service(self, name: str, inside: tuple[str, ...]) -> list[str]:
        if name in inside:
            self.problems.append(f"service group {name!r} contains itself")
            return []
        row = self.row("firewall.service/custom", name) or BUILT_IN_SERVICES.get(name)
        if row is not None:
            return self._single_service(name, row)
        group = self.row("firewall.service/group", name)
        if group is None:
            self.problems.append(f"no service or group {name!r}")
            return []
        return [m for member in references(group, "member") for m in self._service(member, (*inside, name))]

    def _single_service(self, name: str, row: Row) -> list[str]:
        protocol = row.get("protocol", "TCP/UDP/SCTP")
        if protocol == "IP":
            wanted = row.get("protocol-number", 0)
            return [f"meta l4proto {wanted}" if wanted else ""]
        if protocol == "ICMP":
            return [_icmp(row)]
        if protocol not in ("TCP/UDP/SCTP", "TCP/UDP/UDP-Lite/SCTP"):
            self.problems.append(f"service {name!r}: protocol {protocol} matches nothing here")
            return []
        if row.get("iprange", "0.0.0.0") != "0.0.0.0" or row.get("fqdn"):
            self.problems.append(f"service {name!r} is limited to destinations: it matches nothing here")
            return []
        return [
            match
            for transport in ("tcp", "udp", "sctp")
            for match in _ports(transport, row.get(f"{transport}-portrange") or "")
        ]


def references(row: Row, attribute: str, key: str = "name") -> list[str]:
    """The names in a list attribute."""
    return [member[key] for member in row.get(attribute) or ()]


def enabled(row: Row, attribute: str) -> bool:
    """Whether a switch that is off by default is on."""
    return bool(row.get(attribute, "disable") == "enable")


def number(address: str) -> int:
    return int(ipaddress.IPv4Address(address))


def network(value: str) -> Interval:
    """``a.b.c.d m.m.m.m``, CIDR, ``a.b.c.d-e.f.g.h`` or one address as an interval."""
    if "-" in value:
        first, last = value.split("-")
        return number(first), number(last)
    address, _, mask = value.replace("/", " ").partition(" ")
    length = mask if "." not in mask else str(number(mask).bit_count())
    parsed = ipaddress.IPv4Network(f"{address}/{length or 32}", strict=False)
    return int(parsed.network_address), int(parsed.broadcast_address)


def union(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Sorted, disjoint and not adjacent intervals with the same members."""
    merged: list[Interval] = []
    for first, last in sorted(intervals):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


def complement(intervals: Sequence[Interval]) -> tuple[Interval, ...]:
    """Every address that is not in sorted, disjoint intervals."""
    edges = [-1, *(edge for interval in intervals for edge in interval), LAST + 1]
    gaps = zip(edges[::2], edges[1::2], strict=True)
    return tuple((before + 1, after - 1) for before, after in gaps if before + 1 <= after - 1)


def intersection(left: Sequence[Interval], right: Sequence[Interval]) -> tuple[Interval, ...]:
    return complement(union((*complement(left), *complement(right))))


def address_match(selector: str, intervals: tuple[Interval, ...]) -> str | None:
    """``ip saddr { ... }``; empty when everything matches, `None` when nothing does."""
    if not intervals:
        return None
    if intervals == EVERYTHING:
        return ""
    elements = (
        f"{ipaddress.IPv4Address(first)}"
        if first == last
        else f"{ipaddress.IPv4Address(first)}-{ipaddress.IPv4Address(last)}"
        for first, last in intervals
    )
    return f"{selector} {{ {', '.join(elements)} }}"


def _icmp(row: Row) -> str:
    kind, code = row.get("icmptype", ""), row.get("icmpcode", "")
    if kind in ("", None):
        return "meta l4proto icmp"
    if kind > 255:
        return "meta l4proto icmp icmp type 255 icmp type 0"
    return f"icmp type {kind}" + ("" if code in ("", None) else f" icmp code {code}")


def _ports(transport: str, ranges: str) -> Iterator[str]:
    """``"80 8000-8100:1024-65535"``: destination ports, and source ports after a colon."""
    for item in ranges.split():
        destination, _, source = item.partition(":")
        match = f"{transport} dport {destination}"
        yield f"{match} {transport} sport {source}" if source else match
