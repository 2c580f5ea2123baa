"""Whether everything that wishes name stands on the device: interfaces, zones, services, schedules."""

from collections.abc import Collection, Iterator, Sequence
from ipaddress import IPv4Interface

from pydantic import ValidationError

from backends.fortigate.client import Client, Refused
from backends.fortigate.reading import Reader
from backends.fortigate.urls import TableUrl
from backends.fortigate.wire import InterfaceRow, NamedRow, Sdwan, ZoneRow
from bot.engine.side_by_side import both, together
from bot.engine.targets import Foresight
from bot.model.errors import Unreachable
from bot.model.resources import Policy, Route
from bot.model.wording import tr

_MOST_ZONES = 200


class References:
    """Each question raises Unreachable, or Refused when a right is missing."""

    def __init__(self, system: str, client: Client, reader: Reader, vdom: str) -> None:
        self._system = system
        self._client = client
        self._reader = reader
        self._vdom = vdom

    async def interfaces(self, policies: Sequence[Policy], routes: Sequence[Route]) -> Foresight:
        """One round trip, and another for an interface that is none."""
        named = {name for policy in policies for name in (*policy.source_interfaces, *policy.destination_interfaces)}
        named -= {"any"}
        devices = {route.device for route in routes}
        rows, zones = await both(self._interfaces(named | devices), self._zones())
        known = {row.name: row for row in rows}
        groups = {zone.name for zone in zones}
        if named - set(known) - groups:
            groups |= await self._sdwan_zones()
        return Foresight(
            obstacles=(
                *self._unknown(named, devices, {*known, *groups}),
                *_unfit(named & set(known), devices & groups, zones),
                *_apart(policies, devices & set(known), zones),
            ),
            warnings=(
                *(
                    tr("Interface {name} of the firewall is switched off.", name=row.name)
                    for row in rows
                    if row.status == "down"
                ),
                *(text for route in routes if (text := _outside(route, known.get(route.device)))),
                *_open_inside(policies, zones),
            ),
        )

    async def services(self, policies: Sequence[Policy]) -> Foresight:
        """One round trip, and another for a service that may be a group."""
        names = {name for policy in policies for name in policy.services}
        missing = names - await self._existing(names, "firewall.service/custom")
        missing -= await self._existing(missing, "firewall.service/group")
        return Foresight(
            obstacles=tuple(
                tr("the firewall has no service {name}; correct app.yaml", name=name) for name in sorted(missing)
            )
        )

    async def schedules(self, policies: Sequence[Policy]) -> Foresight:
        """Nothing to ask for the usual one, which every device has; otherwise up to two round trips."""
        names = {policy.schedule for policy in policies} - {"always"}
        missing = names - await self._existing(names, "firewall.schedule/recurring")
        missing -= await self._existing(missing, "firewall.schedule/onetime", "firewall.schedule/group")
        return Foresight(
            obstacles=tuple(tr("the firewall has no schedule {name}", name=name) for name in sorted(missing))
        )

    def _unknown(self, named: Collection[str], devices: Collection[str], known: Collection[str]) -> Iterator[str]:
        for name in sorted({*named, *devices} - {*known}):
            kind = tr("no interface") if name in devices else tr("neither an interface nor a zone")
            yield tr(
                "the firewall has {kind} {name} in VDOM {vdom}; correct app.yaml", kind=kind, name=name, vdom=self._vdom
            )

    async def _interfaces(self, names: Collection[str]) -> Sequence[InterfaceRow]:
        """Those of our VDOM: the device lists them all."""
        rows = await self._reader.named("system/interface", names, "name|vdom|status|ip", InterfaceRow)
        return [row for row in rows if row.vdom in ("", self._vdom)]

    async def _zones(self) -> Sequence[ZoneRow]:
        """All of them: which zone an interface belongs to can only be told from the zones. A device has few."""
        query = (("format", "name|interface|intrazone"), ("count", str(_MOST_ZONES)))
        return await self._reader.shaped("system/zone", query, ZoneRow)

    async def _sdwan_zones(self) -> set[str]:
        try:
            results = await self._client.look_up(TableUrl("system/sdwan"), (("format", "zone"),))
            return set(Sdwan.model_validate(results).zone)
        except Refused as no:
            if no.status == 404:
                return set()  # a release that has none
            raise
        except ValidationError:
            raise Unreachable(self._system, tr("its SD-WAN zones cannot be read")) from None

    async def _existing(self, names: Collection[str], *tables: str) -> set[str]:
        found = await together([self._reader.named(table, names, "name", NamedRow) for table in tables])
        return {row.name for rows in found for row in rows}


def _unfit(named: Collection[str], devices: Collection[str], zones: Sequence[ZoneRow]) -> Iterator[str]:
    """Members of zones in policies, and zones in routes."""
    members = {member: zone.name for zone in zones for member in zone.interface}
    for name in sorted({*named} & set(members)):
        yield (
            tr(
                "interface {name} is a member of zone {members}, and FortiOS takes no policy "
                "for a member alone: write `zone: {members}` beside `interface: {name}` in "
                "app.yaml",
                name=name,
                members=members[name],
            )
        )
    for device in sorted(devices):
        yield (
            tr(
                "{device} is a zone, and a route needs one interface: write `zone: {device}` "
                "in app.yaml, and the member towards the nodes as `interface`",
                device=device,
            )
        )


def _apart(policies: Sequence[Policy], devices: Collection[str], zones: Sequence[ZoneRow]) -> Iterator[str]:
    """Routes that leave by an interface outside the zone that the policies open."""
    opened = {name for policy in policies for name in policy.destination_interfaces}
    for zone in zones:
        for device in sorted({*devices} - {*zone.interface, *opened}):
            if zone.name in opened:
                yield (
                    tr(
                        "interface {device} is no member of zone {name}, so policies for the zone "
                        "would not open the way of the routes; correct `interface` or `zone` in "
                        "app.yaml",
                        device=device,
                        name=zone.name,
                    )
                )


def _open_inside(policies: Sequence[Policy], zones: Sequence[ZoneRow]) -> Iterator[str]:
    """Policies from a zone into itself, where the zone asks no policy."""
    free = {zone.name for zone in zones if zone.intrazone == "allow"}
    for policy in policies:
        for zone in sorted(free & {*policy.source_interfaces} & {*policy.destination_interfaces}):
            yield (
                tr(
                    "Policy {name} leads from zone {zone} into itself, and that zone lets its "
                    "members reach one another (intrazone): the way is open whatever policies say.",
                    name=policy.name,
                    zone=zone,
                )
            )


def _outside(route: Route, interface: InterfaceRow | None) -> str | None:
    """A gateway that no connected network holds leaves the route configured but never used."""
    if interface is None:
        return None
    try:
        connected = IPv4Interface("/".join(interface.ip.split())).network
    except ValueError:
        return None
    if connected.prefixlen == 0 or route.gateway in connected:
        return None
    return tr(
        "The gateway {gateway} is not in the network {connected} of interface "
        "{device}; unless that has another address there, the firewall will not use "
        "the route to {destination}.",
        gateway=route.gateway,
        connected=connected,
        device=route.device,
        destination=route.destination,
    )
