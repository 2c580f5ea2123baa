"""A FortiGate's policy routes for the kernel: marks on packets before they are routed, and a table for each mark. Pure.

Rows are rules in their order; the first that matches marks the packet with its way, or leaves it to the main table.
Answers within a connection are routed by the main table alone. A row whose way cannot be used is left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from lab.network.kernel_firewall_objects import (
    Objects,
    Row,
    address_match,
    complement,
    enabled,
    network,
    references,
    union,
)
from lab.network.kernel_firewall_routes import BLACKHOLE, NO_GATEWAY, Hop, Leg, Route

FIRST_MARK = 0x40000000
"""Also the number of the first table; no policy has such an id, with which packets are marked later."""
_PORTS = {6: "tcp", 17: "udp", 132: "sctp"}


@dataclass(frozen=True, slots=True)
class Way:
    """Where packets with a mark go."""

    mark: int
    hop: Hop


def policy_routes(
    rows: Sequence[Row], objects: Objects, legs: Sequence[Leg], routes: Sequence[Route]
) -> tuple[tuple[Way, ...], tuple[str, ...]]:
    """The ways in use, and the rules that choose among them."""
    ways: dict[Hop, Way] = {}
    rules: list[str] = []
    for row in rows:
        if row.get("status", "enable") != "enable":
            continue
        verdict = "return"
        if row.get("action", "permit") == "permit":
            hop = _hop(row, legs, routes)
            if hop is None:
                continue
            way = ways.setdefault(hop, Way(FIRST_MARK + len(ways), hop))
            verdict = f"meta mark set {way.mark} return"
        rules += (f"{match} {verdict}".strip() for match in _matches(row, objects, legs))
    return tuple(ways.values()), ("ct direction reply return", *rules) if ways else ()


def _hop(row: Row, legs: Sequence[Leg], routes: Sequence[Route]) -> Hop | None:
    """An interface alone leads to the destination itself; a gateway alone lies where the table has it."""
    gateway, device = IPv4Address(row.get("gateway", "0.0.0.0")), row.get("output-device", "")
    up: Mapping[str, Leg] = {leg.name: leg for leg in legs if leg.up and leg.addresses}
    if device:
        leg = up.get(device)
        if leg is None or (gateway != NO_GATEWAY and not any(gateway in one.network for one in leg.addresses)):
            return None
        return Hop(device, gateway)
    near = next((name for name, leg in up.items() if any(gateway in one.network for one in leg.addresses)), None)
    if near is not None:
        return Hop(near, gateway)
    far = max((route for route in routes if gateway in route.prefix), key=lambda r: r.prefix.prefixlen, default=None)
    return None if far is None or far.hops[0].device == BLACKHOLE else Hop(far.hops[0].device, gateway)


def _matches(row: Row, objects: Objects, legs: Sequence[Leg]) -> Iterator[str]:
    """The row's conditions as one match, or none when nothing can meet them."""
    parts = [_entering(row, legs), _side("ip saddr", "src", row, objects), _side("ip daddr", "dst", row, objects)]
    if None not in parts:
        yield " ".join(part for part in (*parts, _service(row)) if part)


def _entering(row: Row, legs: Sequence[Leg]) -> str | None:
    names = references(row, "input-device")
    if not names:
        return ""
    if enabled(row, "input-device-negate"):
        names = [leg.name for leg in legs if leg.name not in names]
    quoted = ", ".join(f'"{name}"' for name in sorted(names))
    return f"iifname {{ {quoted} }}" if names else None


def _side(selector: str, side: str, row: Row, objects: Objects) -> str | None:
    subnets, names = references(row, side, "subnet"), references(row, f"{side}addr")
    if not subnets and not names:
        return ""
    found = union([*(network(subnet) for subnet in subnets), *objects.addresses(names)])
    return address_match(selector, complement(found) if enabled(row, f"{side}-negate") else found)


def _service(row: Row) -> str:
    protocol = row.get("protocol", 0)
    if protocol == 0:
        return ""
    if protocol not in _PORTS:
        return f"meta l4proto {protocol}"
    name = _PORTS[protocol]
    to = f"{row.get('start-port', 0)}-{row.get('end-port', 65535)}"
    source = f"{row.get('start-source-port', 0)}-{row.get('end-source-port', 65535)}"
    return f"{name} dport {to} {name} sport {source}"
