"""Rows of theirs as resources of ours, and back. Pure."""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from backends.fortigate.capabilities import Capabilities
from backends.fortigate.wire import AddressGroupRow, AddressRow, LimitedRow, PolicyRow, RouteRow, Wire, network
from bot.model.resources import Address, AddressGroup, Key, Kind, Mark, Policy, Resource, Route
from bot.model.wording import tr

_ANYWHERE = IPv4Network("0.0.0.0/0")
_OUR_TEXT = "made by k8snet, do not edit"
_MARK = re.compile(
    r"k8snet:(?P<cluster>[A-Za-z0-9._/-]+) op=(?P<operation>[A-Za-z0-9._-]+) h=(?P<fingerprint>[0-9a-f]{8})"
    r" \| (?P<text>.*)",
    re.DOTALL,
)


class BeyondModel(Exception):
    """A row does more, or something else, than our resources can say: it must not be taken for one of them."""


@dataclass(frozen=True, slots=True)
class Found:
    """A row as read: what it is in our words, its key on the device, and its comment as it stands."""

    resource: Resource
    row: str | int
    comment: str


@dataclass(frozen=True, slots=True)
class Table:
    """How one kind of resource lies on the device."""

    name: str
    row_key: str
    """Column with the device's own key."""
    natural_key: str
    """Column that our key is looked up by."""
    columns: Callable[[Capabilities], Sequence[str]]
    comment: str
    comment_limit: int
    find: Callable[[Mapping[str, Any]], Found]
    """Raises ValueError for what is no such row, BeyondModel for what we cannot express."""
    body: Callable[[Any], dict[str, Any]]
    """All columns we manage except the row key and the comment; complete, because PUT keeps what is not sent."""


# --- the mark, inside the comment ------------------------------------------------------------------------------


def mark_of(comment: str) -> Mark | None:
    """Our mark, or None for a comment that is not exactly of our making."""
    match = _MARK.fullmatch(comment)
    return match and Mark(cluster=match["cluster"], operation=match["operation"], fingerprint=match["fingerprint"])


def comment_with(mark: Mark | None, present: str, limit: int) -> str:
    """The comment that carries this mark (or none). A person's own words in `present` are kept behind the mark
    and come back when the mark is taken off. Raises ValueError when the mark cannot be written, or not in `limit`.
    """
    match = _MARK.fullmatch(present)
    words = match["text"] if match else present
    if mark is None:
        return "" if words == _OUR_TEXT else words
    comment = f"k8snet:{mark.cluster} op={mark.operation} h={mark.fingerprint} | {words or _OUR_TEXT}"
    if mark_of(comment) != mark:
        raise ValueError(tr("the mark {mark} cannot be written: letters, digits, '.', '_' and '-' only", mark=mark))
    if len(comment.encode()) > limit:
        raise ValueError(
            tr(
                "the comment would have {count} bytes with our mark; there is room for {limit}",
                count=len(comment.encode()),
                limit=limit,
            )
        )
    return comment


# --- values ----------------------------------------------------------------------------------------------------


def stored_form(net: IPv4Network) -> str:
    """As the device keeps it, and as its filters want it."""
    return f"{net.network_address} {net.netmask}"


def _refs(names: Sequence[str]) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


def _switch(on: bool) -> str:
    return "enable" if on else "disable"


def _same_as_default(row: Wire, *fields: str) -> None:
    """Raises BeyondModel when one of the fields, which our resources do not have, is not at its default."""
    shape = type(row).model_fields
    odd = [
        f"{field.replace('_', '-')}={_shown(getattr(row, field))}"
        for field in fields
        if getattr(row, field) != shape[field].default
    ]
    if odd:
        raise BeyondModel(", ".join(odd))


def _shown(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


# --- the four tables -------------------------------------------------------------------------------------------


def _find_address(data: Mapping[str, Any]) -> Found:
    row = AddressRow.model_validate(data)
    _same_as_default(row, "type")
    address = Address(name=row.name, network=network(row.subnet), mark=mark_of(row.comment))
    return Found(address, row.name, row.comment)


def _address_body(address: Address) -> dict[str, Any]:
    return {"name": address.name, "type": "ipmask", "subnet": stored_form(address.network)}


def _find_group(data: Mapping[str, Any]) -> Found:
    row = AddressGroupRow.model_validate(data)
    _same_as_default(row, "type", "category", "exclude")
    group = AddressGroup(name=row.name, members=_sorted(row.member), mark=mark_of(row.comment))
    return Found(group, row.name, row.comment)


def _group_body(group: AddressGroup) -> dict[str, Any]:
    return {"name": group.name, "member": _refs(group.members)}


def _find_route(data: Mapping[str, Any]) -> Found:
    row = RouteRow.model_validate(data)
    _same_as_default(
        row,
        "status",
        "blackhole",
        "dynamic_gateway",
        "dstaddr",
        "internet_service",
        "internet_service_custom",
        "internet_service_fortiguard",
        "sdwan",
        "sdwan_zone",
    )
    if network(row.src) != _ANYWHERE:
        raise BeyondModel(f"src={row.src}")
    if row.vrf not in (0, "0", "unspecified"):
        raise BeyondModel(f"vrf={row.vrf}")
    route = Route(
        destination=network(row.dst),
        gateway=IPv4Address(row.gateway),
        device=row.device,
        distance=row.distance,
        row=row.seq_num,
        mark=mark_of(row.comment),
    )
    return Found(route, row.seq_num, row.comment)


def _route_body(route: Route) -> dict[str, Any]:
    """`dst` is always there: a route sent without it becomes the default route of the whole office."""
    return {
        "dst": stored_form(route.destination),
        "gateway": str(route.gateway),
        "device": route.device,
        "distance": route.distance,
        "status": "enable",
    }


def _find_policy(data: Mapping[str, Any]) -> Found:
    row = PolicyRow.model_validate(data)
    _same_as_default(
        row,
        "srcaddr_negate",
        "dstaddr_negate",
        "service_negate",
        "internet_service",
        "internet_service_src",
        *LimitedRow.model_fields,
        "ippool",
        "utm_status",
        "policy_expiry",
    )
    if row.action not in ("accept", "deny"):
        raise BeyondModel(f"action={row.action}")
    policy = Policy(
        name=row.name,
        source_interfaces=_sorted(row.srcintf),
        destination_interfaces=_sorted(row.dstintf),
        sources=_sorted(row.srcaddr),
        destinations=_sorted(row.dstaddr),
        services=_sorted(row.service),
        action="accept" if row.action == "accept" else "deny",
        schedule=row.schedule,
        nat=row.nat == "enable",
        enabled=row.status == "enable",
        row=row.policyid,
        mark=mark_of(row.comments),
    )
    return Found(policy, row.policyid, row.comments)


def _policy_body(policy: Policy) -> dict[str, Any]:
    return {
        "name": policy.name,
        "srcintf": _refs(policy.source_interfaces),
        "dstintf": _refs(policy.destination_interfaces),
        "srcaddr": _refs(policy.sources),
        "dstaddr": _refs(policy.destinations),
        "service": _refs(policy.services),
        "action": policy.action,
        "schedule": policy.schedule,
        "nat": _switch(policy.nat),
        "status": _switch(policy.enabled),
    }


def _sorted(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


_ROUTE_COLUMNS = (
    "seq-num",
    "status",
    "dst",
    "src",
    "gateway",
    "distance",
    "device",
    "comment",
    "blackhole",
    "dynamic-gateway",
    "dstaddr",
    "internet-service",
    "internet-service-custom",
    "vrf",
)
_POLICY_COLUMNS = (
    "policyid",
    "name",
    "status",
    "srcintf",
    "dstintf",
    "srcaddr",
    "dstaddr",
    "action",
    "schedule",
    "service",
    "nat",
    "comments",
    "srcaddr-negate",
    "dstaddr-negate",
    "service-negate",
    "internet-service",
    "internet-service-src",
    "ippool",
    "utm-status",
)

TABLES: Mapping[Kind, Table] = {
    "address": Table(
        "firewall/address",
        "name",
        "name",
        lambda _: ("name", "type", "subnet", "comment"),
        "comment",
        255,
        _find_address,
        _address_body,
    ),
    "address-group": Table(
        "firewall/addrgrp",
        "name",
        "name",
        lambda _: ("name", "type", "category", "member", "exclude", "comment"),
        "comment",
        255,
        _find_group,
        _group_body,
    ),
    "route": Table(
        "router/static",
        "seq-num",
        "dst",
        lambda fos: (*_ROUTE_COLUMNS, *fos.route_columns),
        "comment",
        255,
        _find_route,
        _route_body,
    ),
    "policy": Table(
        "firewall/policy",
        "policyid",
        "name",
        lambda fos: (*_POLICY_COLUMNS, *fos.policy_columns),
        "comments",
        1023,
        _find_policy,
        _policy_body,
    ),
}


def natural_key(kind: Kind, data: Mapping[str, Any]) -> Key:
    """The key of a row, also of one that our model cannot express. Raises ValueError when it has none."""
    value = data.get(TABLES[kind].natural_key)
    if not isinstance(value, str):
        raise ValueError("no natural key")
    return Key(kind=kind, name=str(network(value)) if kind == "route" else value)


def wanted_value(key: Key) -> str:
    """What to look for in the natural key's column. Raises ValueError for a route key that is no network."""
    return stored_form(ipaddress.IPv4Network(key.name)) if key.kind == "route" else key.name


def row_body(resource: Resource, comment: str) -> dict[str, Any]:
    """What to send for a new row or a changed one."""
    table = TABLES[resource.kind]
    return {**table.body(resource), table.comment: comment}
