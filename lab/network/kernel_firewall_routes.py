"""Which of a FortiGate's configured routes are active: pure, from rows to kernel routes.

A static route stays out when it is disabled, its device is down or has no address, its gateway is in no subnet
of the device, a link monitor has withdrawn it, or another route to the same prefix has a lower distance. Of
routes with equal distance the lowest priority carries the traffic; the others still count for the reverse path
check. What is left over with equal distance and priority becomes one multipath route.
"""

import ipaddress
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from lab.network.kernel_firewall_objects import Objects, Row, Tables, enabled, network, references

ANY = "0.0.0.0 0.0.0.0"
NO_GATEWAY = IPv4Address(0)
BLACKHOLE = ""
"""In place of a device."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One interface as configured."""

    name: str
    up: bool
    addresses: tuple[IPv4Interface, ...]
    access: frozenset[str]
    """What the interface answers itself: ``ping``, ``https``, ..."""
    source_check: bool


@dataclass(frozen=True, slots=True, order=True)
class Hop:
    device: str
    gateway: IPv4Address
    """0.0.0.0: the destination itself is on the device's link."""


@dataclass(frozen=True, slots=True)
class Route:
    """An active static route."""

    prefix: IPv4Network
    hops: tuple[Hop, ...]
    """Those that carry traffic, sorted; more than one is ECMP."""
    devices: frozenset[str]
    """Every device that has an active route to the prefix, also with a worse priority."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    prefix: IPv4Network
    hop: Hop
    distance: int
    priority: int


def legs(tables: Tables, carrier: Collection[str] | None = None) -> tuple[Leg, ...]:
    """The interfaces; one that is not in *carrier* (when given) has no link or does not exist."""
    return tuple(
        Leg(
            name=row["name"],
            up=row.get("status", "up") == "up" and (carrier is None or row["name"] in carrier),
            addresses=tuple(_own_addresses(row)),
            access=frozenset((row.get("allowaccess") or "").split()),
            source_check=row.get("src-check", "enable") == "enable",
        )
        for row in tables.get("system/interface", ())
    )


def active_routes(
    tables: Tables, interfaces: Sequence[Leg], failed_monitors: Collection[str] = ()
) -> tuple[Route, ...]:
    """The static routes in force while these link monitors get no answers."""
    objects = Objects(tables)
    up = {leg.name: leg for leg in interfaces if leg.up and leg.addresses}
    connected = {address.network for leg in up.values() for address in leg.addresses}
    by_prefix: dict[IPv4Network, list[_Candidate]] = {}
    monitors = [row for row in tables.get("system/link-monitor", ()) if row["name"] in failed_monitors]
    for row in tables.get("router/static", ()):
        if not any(_withdraws(monitor, row) for monitor in monitors):
            for candidate in _candidates(row, objects, up):
                by_prefix.setdefault(candidate.prefix, []).append(candidate)
    return tuple(
        _select(prefix, candidates) for prefix, candidates in sorted(by_prefix.items()) if prefix not in connected
    )


def reachable_through(leg: Leg, routes: Sequence[Route]) -> tuple[IPv4Network, ...]:
    """Prefixes whose addresses may arrive on an interface (feasible-path reverse path check)."""
    through = [route.prefix for route in routes if leg.name in route.devices]
    return tuple(sorted({*(address.network for address in leg.addresses), *through}))


def _own_addresses(row: Row) -> Iterator[IPv4Interface]:
    for value in (row.get("ip", ANY), *(extra.get("ip", ANY) for extra in row.get("secondaryip") or ())):
        address = IPv4Interface(value.replace(" ", "/"))
        if address.ip != NO_GATEWAY:
            yield address


def _withdraws(monitor: Row, route: Row) -> bool:
    """Whether a failed monitor takes out a route: same interface and gateway, and among its ``route`` if it has any."""
    if monitor.get("status", "enable") != "enable" or monitor.get("update-static-route", "enable") != "enable":
        return False
    if enabled(route, "link-monitor-exempt") or enabled(route, "blackhole"):
        return False
    way = (monitor.get("srcintf"), monitor.get("gateway-ip", "0.0.0.0"))
    if way != (route.get("device"), route.get("gateway", "0.0.0.0")):
        return False
    only = [network(subnet) for subnet in references(monitor, "route", "subnet")]
    return not only or network(route.get("dst", ANY)) in only


def _candidates(row: Row, objects: Objects, up: Mapping[str, Leg]) -> Iterator[_Candidate]:
    if row.get("status", "enable") != "enable":
        return
    hop = _hop(row, up)
    if hop is None:
        return
    for prefix in _destinations(row, objects):
        yield _Candidate(prefix, hop, row.get("distance", 10), row.get("priority", 1))


def _hop(row: Row, up: Mapping[str, Leg]) -> Hop | None:
    if enabled(row, "blackhole"):
        return Hop(BLACKHOLE, NO_GATEWAY)
    leg = up.get(row.get("device", ""))
    if leg is None:
        return None
    gateway = IPv4Address(row.get("gateway", "0.0.0.0"))
    if gateway != NO_GATEWAY and not any(gateway in address.network for address in leg.addresses):
        return None
    return Hop(leg.name, gateway)


def _destinations(row: Row, objects: Objects) -> Iterator[IPv4Network]:
    if not row.get("dstaddr"):
        first, _ = network(row.get("dst", ANY))
        mask = row.get("dst", ANY).replace("/", " ").split()[1]
        yield IPv4Network(f"{IPv4Address(first)}/{mask}")
        return
    for first, last in objects.addresses([row["dstaddr"]]):
        yield from ipaddress.summarize_address_range(IPv4Address(first), IPv4Address(last))


def _select(prefix: IPv4Network, candidates: Sequence[_Candidate]) -> Route:
    nearest = min(candidate.distance for candidate in candidates)
    active = [candidate for candidate in candidates if candidate.distance == nearest]
    best = min(candidate.priority for candidate in active)
    hops = {candidate.hop for candidate in active if candidate.priority == best}
    forwarding = {hop for hop in hops if hop.device != BLACKHOLE} or hops
    return Route(prefix, tuple(sorted(forwarding)), frozenset(candidate.hop.device for candidate in active))
