"""Policy routes: which of them send traffic of ours another way before the static routes are looked at."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from backends.fortigate.client import Refused
from backends.fortigate.reading import Reader
from backends.fortigate.services import Traffic
from backends.fortigate.shadowing import Covers, Shadowing
from backends.fortigate.wire import PolicyRouteRow, ZoneRow
from bot.engine.side_by_side import both
from bot.model.errors import Rejected
from bot.model.probes import DetourAnswer, Packet
from bot.model.resources import Policy, Resource, Route
from bot.model.wording import tr

MOST_ROWS = 100  # of some 500 bytes
_MOST_ZONES = 200
_COLUMNS = (
    "seq-num|status|action|input-device|input-device-negate|src|srcaddr|src-negate|dst|dstaddr|dst-negate|protocol|"
    "start-port|end-port|start-source-port|end-source-port|gateway|output-device|tos-mask|internet-service-id|"
    "internet-service-custom"
)
_PROTOCOLS = {6: "tcp", 17: "udp", 132: "sctp"}
Networks = Sequence[IPv4Network]


@dataclass(frozen=True, slots=True)
class Course:
    """Traffic of ours on its way in. `sources` and `destinations` are None where they are not known."""

    interfaces: frozenset[str]
    sources: Networks | None
    destinations: Networks | None
    traffic: Sequence[Traffic | None]


@dataclass(frozen=True, slots=True)
class Table:
    """The policy routes in their order, switched-off ones left out. `whole` is false when there are more of them."""

    rows: Sequence[PolicyRouteRow] = ()
    whole: bool = True
    problem: str = ""


class Detours:
    """Reads few rows; asks what their names mean only when there are any."""

    def __init__(self, system: str, reader: Reader) -> None:
        self._system = system
        self._reader = reader
        self._shadowing = Shadowing(reader)

    async def table(self) -> Table:
        """One request, once the release is known. A missing right is part of the answer. Raises Unreachable, or
        Rejected where nothing at all may be asked."""
        columns = "|".join((_COLUMNS, *(await self._reader.release()).policy_route_columns))
        query = (("format", columns), ("count", str(MOST_ROWS)))
        try:
            rows = await self._reader.shaped("router/policy", query, PolicyRouteRow)
        except Refused as no:
            return Table(problem=no.problem)
        return Table([row for row in rows if row.status == "enable"], whole=len(rows) < MOST_ROWS)

    async def ahead(
        self, table: Table, policies: Sequence[Policy], wishes: Sequence[Resource]
    ) -> Mapping[str, Sequence[tuple[PolicyRouteRow, Covers]]]:
        """By policy, the policy routes that take some of its traffic elsewhere than our routes lead."""
        if not table.rows:
            return {}
        names = {name for row in table.rows for name in (*row.srcaddr, *row.dstaddr)}
        names |= {name for policy in policies for name in (*policy.sources, *policy.destinations)}
        services = {name for policy in policies for name in policy.services}
        (networks, traffic), members = await both(
            both(self._shadowing.networks(names, wishes), self._shadowing.services(services)), self._members()
        )
        ours = [wish for wish in wishes if isinstance(wish, Route)]
        found = {}
        for policy in policies:
            course = Course(
                frozenset(policy.source_interfaces).union(*(members.get(one, ()) for one in policy.source_interfaces)),
                _named(policy.sources, networks),
                _named(policy.destinations, networks),
                [traffic.get(name) for name in policy.services],
            )
            found[policy.name] = list(_leading_away(table.rows, course, networks, ours))
        return found

    async def packets(self, packets: Sequence[Packet]) -> Sequence[DetourAnswer]:
        """What becomes of single packets. One request; another round trip for names of addresses in policy routes."""
        try:
            async with self._reader.in_time():
                table = await self.table()
                names = {name for row in table.rows for name in (*row.srcaddr, *row.dstaddr)}
                networks = await self._shadowing.networks(names, ()) if names else {}
        except Rejected as no:
            table, networks = Table(problem=no.problem), {}
        return [_answer(packet, table, networks) for packet in packets]

    async def _members(self) -> Mapping[str, Collection[str]]:
        """The interfaces of each zone; nothing where zones may not be read."""
        query = (("format", "name|interface"), ("count", str(_MOST_ZONES)))
        try:
            return {zone.name: zone.interface for zone in await self._reader.shaped("system/zone", query, ZoneRow)}
        except Refused:
            return {}


def way_of(row: PolicyRouteRow) -> str:
    """`10.0.0.1 on wan1`."""
    gateway = "" if row.gateway.is_unspecified else str(row.gateway)
    if gateway and row.output_device:
        return tr("{gateway} on {interface}", gateway=gateway, interface=row.output_device)
    return gateway or row.output_device


def _answer(packet: Packet, table: Table, networks: Mapping[str, Networks]) -> DetourAnswer:
    course = Course(
        frozenset({packet.interface}),
        [IPv4Network(packet.source)],
        [IPv4Network(packet.destination)],
        [Traffic(frozenset({(packet.protocol.lower(), (packet.port, packet.port))}))],
    )
    for row in table.rows:
        match covered(row, course, networks):
            case Covers.SOME:
                problem = tr("it is not known whether policy route {row} takes it", row=row.seq_num)
                return DetourAnswer(packet=packet, taken=None, row=row.seq_num, problem=problem)
            case Covers.EVERYTHING if row.action == "deny":
                return DetourAnswer(packet=packet, taken=False, row=row.seq_num)
            case Covers.EVERYTHING:
                return DetourAnswer(
                    packet=packet,
                    taken=True,
                    row=row.seq_num,
                    interface=row.output_device,
                    gateway=None if row.gateway.is_unspecified else row.gateway,
                )
    if not table.whole:
        problem = tr("there are more than {count} policy routes", count=MOST_ROWS - 1)
        return DetourAnswer(packet=packet, taken=None, problem=problem)
    return DetourAnswer(packet=packet, taken=None if table.problem else False, problem=table.problem)


def _leading_away(
    rows: Sequence[PolicyRouteRow],
    course: Course,
    networks: Mapping[str, Networks],
    ours: Sequence[Route],
) -> Iterator[tuple[PolicyRouteRow, Covers]]:
    """In their order, up to the one that leaves nothing to those behind it."""
    for row in rows:
        extent = covered(row, course, networks)
        same = any(row.gateway == one.gateway and row.output_device in ("", one.device) for one in ours)
        if extent is not Covers.NOTHING and row.action == "permit" and not same:
            yield row, extent
        if extent is Covers.EVERYTHING:
            return


def covered(row: PolicyRouteRow, course: Course, networks: Mapping[str, Networks]) -> Covers:
    """How much of the traffic a policy route meets."""
    if row.internet_service_id or row.internet_service_fortiguard:
        return Covers.NOTHING  # the vendor's list of services on the internet
    precise = not (row.tos_mask or row.internet_service_custom or row.users or row.groups)
    return min(
        _entering(row, course.interfaces),
        _side(row.src, row.srcaddr, row.src_negate == "enable", course.sources, networks),
        _side(row.dst, row.dstaddr, row.dst_negate == "enable", course.destinations, networks),
        _service(row, course.traffic),
        Covers.EVERYTHING if precise else Covers.SOME,
    )


def _entering(row: PolicyRouteRow, interfaces: Collection[str]) -> Covers:
    if not row.input_device:
        return Covers.EVERYTHING
    if "any" in interfaces:
        return Covers.SOME
    named = {*row.input_device} & {*interfaces}
    extent = Covers.NOTHING if not named else Covers.EVERYTHING if named == {*interfaces} else Covers.SOME
    return _turned(extent) if row.input_device_negate == "enable" else extent


def _side(
    subnets: Networks, names: Sequence[str], negated: bool, ours: Networks | None, networks: Mapping[str, Networks]
) -> Covers:
    if not subnets and not names:
        return Covers.EVERYTHING
    theirs = [*subnets, *(one for name in names for one in networks.get(name, ()))]
    known = all(name in networks for name in names)
    extent = _extent(theirs, known, ours)
    return _turned(extent) if negated else extent


def _extent(theirs: Networks, known: bool, ours: Networks | None) -> Covers:
    if any(one.prefixlen == 0 for one in theirs):
        return Covers.EVERYTHING
    if ours is None:
        return Covers.SOME
    if all(any(one.subnet_of(other) for other in theirs) for one in ours):
        return Covers.EVERYTHING
    if known and not any(one.overlaps(other) for one in ours for other in theirs):
        return Covers.NOTHING
    return Covers.SOME


def _turned(extent: Covers) -> Covers:
    return {Covers.NOTHING: Covers.EVERYTHING, Covers.EVERYTHING: Covers.NOTHING}.get(extent, Covers.SOME)


def _service(row: PolicyRouteRow, traffic: Sequence[Traffic | None]) -> Covers:
    if row.protocol == 0:
        return Covers.EVERYTHING
    name = _PROTOCOLS.get(row.protocol, "icmp" if row.protocol == 1 else str(row.protocol))
    low, high = (row.start_port, row.end_port) if row.protocol in _PROTOCOLS else (0, 65535)
    if any(one is None for one in traffic):
        return Covers.SOME
    parts = [part for one in traffic if one is not None for part in one.parts]
    if not any(protocol in (None, name) and first <= high and low <= last for protocol, (first, last) in parts):
        return Covers.NOTHING
    inside = all(protocol == name and low <= first and last <= high for protocol, (first, last) in parts)
    from_anywhere = row.protocol not in _PROTOCOLS or (row.start_source_port <= 1 and row.end_source_port == 65535)
    return Covers.EVERYTHING if inside and from_anywhere else Covers.SOME


def _named(names: Collection[str], networks: Mapping[str, Networks]) -> Networks | None:
    if not all(name in networks for name in names):
        return None
    return [network for name in names for network in networks[name]]
