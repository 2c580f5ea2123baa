"""What a FortiGate can hold, checked before anything is sent. Pure."""

import re
from collections.abc import Iterator

from backends.fortigate.mapping import TABLES, comment_with
from bot.model.resources import Address, AddressGroup, Forwarder, Policy, Resource, Route
from bot.model.wording import tr

# Limits of FortiOS 6.4 to 7.6. The four characters are refused by the device against script injection.
_OBJECT_NAME, _INTERFACE_NAME, _POLICY_NAME, _SCHEDULE_NAME, _MEMBERS = 79, 35, 35, 35, 600
_UNUSABLE = re.compile(r"[\"'<>\x00-\x1f\x7f]")


def canonical(resource: Resource) -> Resource:
    """The resource with its sets in alphabetical order and without duplicates, as it will read back."""
    match resource:
        case AddressGroup():
            return resource.model_copy(update={"members": _set(resource.members)})
        case Policy():
            sets = ("source_interfaces", "destination_interfaces", "sources", "destinations", "services")
            return resource.model_copy(update={name: _set(getattr(resource, name)) for name in sets})
        case _:
            return resource


def objections(resource: Resource) -> Iterator[str]:
    """Every reason why the device could never hold this, in words for people; nothing when it could."""
    if isinstance(resource, Forwarder):
        yield tr("a FortiGate holds no conditional forwarders: configure it on the DNS server")
        return
    match resource:
        case Address():
            yield from _name(tr("the address name"), resource.name, _OBJECT_NAME)
        case AddressGroup():
            yield from _name(tr("the group name"), resource.name, _OBJECT_NAME)
            yield from _names("member", resource.members, _OBJECT_NAME, _MEMBERS)
        case Route():
            yield from _route(resource)
        case Policy():
            yield from _policy(resource)
    if resource.mark is not None:
        try:
            comment_with(resource.mark, "", TABLES[resource.kind].comment_limit)
        except ValueError as problem:
            yield str(problem)


def _route(route: Route) -> Iterator[str]:
    if route.destination.prefixlen == 0:
        yield tr("a default route would move the whole office's traffic; k8snet never makes one")
    if route.gateway.is_unspecified or route.gateway.is_multicast or route.gateway.is_loopback:
        yield tr("{gateway} cannot be a gateway", gateway=route.gateway)
    if not 1 <= route.distance <= 255:
        yield tr("the distance {distance} is not within 1 to 255", distance=route.distance)
    yield from _name(tr("the interface name"), route.device, _INTERFACE_NAME)
    yield from _row(route.row)


def _policy(policy: Policy) -> Iterator[str]:
    yield from _name(tr("the policy name"), policy.name, _POLICY_NAME)
    yield from _name(tr("the schedule name"), policy.schedule, _SCHEDULE_NAME)
    yield from _names(tr("source interface"), policy.source_interfaces, _OBJECT_NAME)
    yield from _names(tr("destination interface"), policy.destination_interfaces, _OBJECT_NAME)
    yield from _names(tr("source address"), policy.sources, _OBJECT_NAME)
    yield from _names(tr("destination address"), policy.destinations, _OBJECT_NAME)
    yield from _names("service", policy.services, _OBJECT_NAME)
    yield from _row(policy.row)


def _row(row: int | None) -> Iterator[str]:
    if row is not None and not 1 <= row <= 4294967294:
        yield tr("{row} is not a row number: 0 would let the device choose one itself", row=row)


def _names(what: str, names: tuple[str, ...], limit: int, most: int | None = None) -> Iterator[str]:
    if not names:
        yield tr("there is no {what}, and at least one is needed", what=what)
    if most is not None and len(names) > most:
        yield tr("there are {count} {what}s, and at most {most} fit", count=len(names), what=what, most=most)
    for name in names:
        yield from _name(tr("the {what}", what=what), name, limit)


def _name(what: str, name: str, limit: int) -> Iterator[str]:
    if not name.strip() or name in (".", "..", "0"):
        yield tr("{what} {name!r} is empty or has a meaning of its own", what=what, name=name)
    if name != name.strip():
        yield tr("{what} {name!r} begins or ends with a blank", what=what, name=name)
    if _UNUSABLE.search(name):
        yield tr(
            "{what} {name!r} contains a character that FortiOS refuses (\" ' < > or a control character)",
            what=what,
            name=name,
        )
    if len(name.encode()) > limit:
        yield tr("{what} {name!r} is longer than {limit} bytes", what=what, name=name, limit=limit)


def _set(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))
