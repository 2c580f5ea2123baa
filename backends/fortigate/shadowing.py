"""Which earlier policies take packets from a policy of ours: new ones go to the end, the first match wins.

The device's own policy look-up cannot tell while the routes are still missing, so those policies are read that may
matter, as many as fit into a small answer, and judged here: all that deny, and of those that accept the ones between
the same interfaces towards the same networks.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import IntEnum
from ipaddress import IPv4Network

from backends.fortigate.mapping import Found, stored_form
from backends.fortigate.order import MOST_ROWS, Order, columns, each
from backends.fortigate.reading import Reader
from backends.fortigate.services import Traffic, overlaps
from backends.fortigate.urls import fitting, lookups
from backends.fortigate.wire import EarlierRow, NamedRow, ServiceRow
from bot.engine.side_by_side import both, together
from bot.model.resources import Address, AddressGroup, Key, Policy, Resource

_MOST_NAMES = 100
_NESTED = 2  # groups within groups
_WIDEST = 8  # bits; networks between this one and everything are nobody's address objects
_PLACEHOLDERS = {"FIREWALL_AUTH_PORTAL_ADDRESS", "FABRIC_DEVICE"}  # built in as 0.0.0.0/0, and no way for packets
_SERVICE_COLUMNS = "name|protocol|protocol-number|tcp-portrange|udp-portrange|sctp-portrange"


class Covers(IntEnum):
    """How much of our traffic something else matches."""

    NOTHING = 0
    SOME = 1  # or it is not known how much
    EVERYTHING = 2


class Shadowing:
    """Reads and judges what stands before policies that are to be made or changed."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def denying(self, names: Collection[str]) -> Order:
        """See `Reader.denying`."""
        return await self._reader.denying(names)

    async def accepting(self, policies: Sequence[Policy], wishes: Iterable[Resource], names: Collection[str]) -> Order:
        """Accepting policies for the interfaces and destinations of `policies`, and those of these names.

        One round trip; two more when there are address objects for larger networks. Raises Unreachable or Rejected.
        """
        ours = {wish.name: wish.network for wish in wishes if isinstance(wish, Address)}
        destinations = {name for policy in policies for name in policy.destinations}
        towards = {*destinations, "all"}
        order, larger = await both(
            self._towards(policies, towards, names), self._covering([ours[name] for name in destinations & set(ours)])
        )
        if not larger - towards:
            return order
        return await self._towards(policies, towards, names, {*larger, *await self._groups(larger)} - towards)

    async def _towards(
        self,
        policies: Sequence[Policy],
        destinations: Collection[str],
        names: Collection[str],
        others: Collection[str] = (),
    ) -> Order:
        """Towards `destinations`, and as many of the others as fit. Every condition also holds for `names`, so that
        they stand in their place among the rest."""
        askable = [name for name in (*sorted(destinations), *sorted(others)) if "," not in name]
        asked = fitting("dstaddr", askable)
        sides = (
            ("srcintf", {name for policy in policies for name in policy.source_interfaces} | {"any"}),
            ("dstintf", {name for policy in policies for name in policy.destination_interfaces} | {"any"}),
            ("dstaddr", asked),
        )
        conditions = [("filter", ",".join([*each(column, values), *each("name", names)])) for column, values in sides]
        conditions.append(("filter", ",".join(["action==accept", *each("name", names)])))
        shown = f"{columns(await self._reader.release())}|nat|utm-status"
        query = (*conditions, ("format", shown), ("count", str(MOST_ROWS)))
        rows = await self._reader.shaped("firewall/policy", query, EarlierRow)
        return Order(rows, whole=len(asked) == len(askable))

    async def _covering(self, networks: Iterable[IPv4Network]) -> set[str]:
        """Names of the address objects for one of these networks or for one around it."""
        around = {
            stored_form(network.supernet(new_prefix=bits))
            for network in networks
            for bits in (0, *range(_WIDEST, network.prefixlen + 1))
        }
        rest = (("filter", "type==ipmask"), ("format", "name"), ("count", str(_MOST_NAMES)))
        queries = [(*query, *rest) for query in lookups("subnet", sorted(around))]
        found = await together([self._reader.shaped("firewall/address", query, NamedRow) for query in queries])
        return {row.name for rows in found for row in rows} - _PLACEHOLDERS

    async def _groups(self, members: Collection[str]) -> set[str]:
        """Names of the groups that one of these is in; groups of groups are not looked for."""
        rest = (("format", "name"), ("count", str(_MOST_NAMES)))
        queries = [(*query, *rest) for query in lookups("member", sorted(members))]
        found = await together([self._reader.shaped("firewall/addrgrp", query, NamedRow) for query in queries])
        return {row.name for rows in found for row in rows}

    async def services(self, names: Collection[str]) -> Mapping[str, Traffic]:
        """What services stand for; groups and what is more than ports are missing. Raises Unreachable or Rejected."""
        if len(names) > _MOST_NAMES:
            return {}
        rows = await self._reader.named("firewall.service/custom", names, _SERVICE_COLUMNS, ServiceRow)
        return {row.name: traffic for row in rows if (traffic := Traffic.of(row)) is not None}

    async def networks(self, names: Collection[str], wishes: Iterable[Resource]) -> Mapping[str, Sequence[IPv4Network]]:
        """What address objects and groups stand for; those are missing that stand for anything but networks.

        `wishes` are known without asking. Raises Unreachable or Rejected.
        """
        known: dict[str, Address | AddressGroup] = {
            wish.name: wish for wish in wishes if isinstance(wish, Address | AddressGroup)
        }
        asked = set(known)
        missing = set(names) - asked
        for _ in range(1 + _NESTED):
            if not missing or len(missing) > _MOST_NAMES:
                break
            keys = [Key(kind=kind, name=name) for name in missing for kind in ("address", "address-group")]
            for there in (await self._reader.find(keys)).values():
                if not isinstance(there, Found) or not isinstance(there.resource, Address | AddressGroup):
                    continue
                if there.resource.name not in _PLACEHOLDERS:
                    known[there.resource.name] = there.resource
            asked |= missing
            groups = [of for of in known.values() if isinstance(of, AddressGroup)]
            missing = {member for group in groups for member in group.members} - asked
        found = {name: _networks(name, known, set()) for name in known}
        return {name: networks for name, networks in found.items() if networks is not None}


def _networks(name: str, known: Mapping[str, Address | AddressGroup], above: set[str]) -> Sequence[IPv4Network] | None:
    """None when a part of it is not known to be a network."""
    match known.get(name):
        case Address(network=network):
            return [network]
        case AddressGroup(members=members) if name not in above:
            parts = [_networks(member, known, above | {name}) for member in members]
            return None if None in parts else [network for part in parts if part is not None for network in part]
    return None


def covers(
    row: EarlierRow, policy: Policy, networks: Mapping[str, Sequence[IPv4Network]], services: Mapping[str, Traffic]
) -> Covers:
    """How much of the policy's traffic the row takes, as far as names could be resolved. Interfaces are not judged."""
    if "enable" in (row.internet_service, row.internet_service_src):
        return Covers.SOME
    return min(
        _addresses(row.srcaddr, row.srcaddr_negate == "enable", policy.sources, networks),
        _addresses(row.dstaddr, row.dstaddr_negate == "enable", policy.destinations, networks),
        _services(row, policy, services),
        Covers.EVERYTHING if row.schedule == "always" and not row.limited else Covers.SOME,
    )


def _addresses(
    theirs: Sequence[str], negated: bool, ours: Sequence[str], networks: Mapping[str, Sequence[IPv4Network]]
) -> Covers:
    if negated:
        return Covers.SOME
    them = [network for name in theirs for network in networks.get(name, ())]
    us = [network for name in ours for network in networks.get(name, ())]
    us_known = all(name in networks for name in ours)
    if any(network.prefixlen == 0 for network in them):
        return Covers.EVERYTHING
    if us_known and all(any(one.subnet_of(other) for other in them) for one in us):
        return Covers.EVERYTHING
    if us_known and all(name in networks for name in theirs):
        return Covers.SOME if any(one.overlaps(other) for one in us for other in them) else Covers.NOTHING
    return Covers.SOME


def _services(row: EarlierRow, policy: Policy, services: Mapping[str, Traffic]) -> Covers:
    if row.service_negate == "enable":
        return Covers.SOME
    everything = any(name in services and services[name].everything for name in row.service)
    if everything or {*policy.services} <= {*row.service}:
        return Covers.EVERYTHING
    pairs = [(services.get(theirs), services.get(ours)) for theirs in row.service for ours in policy.services]
    return Covers.SOME if any(overlaps(one, other) for one, other in pairs) else Covers.NOTHING
