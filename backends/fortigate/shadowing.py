"""Whether earlier denying policies keep packets from a policy of ours: new ones go to the end, the first match wins.

The device's own policy look-up cannot tell while the routes are still missing, so the denying policies are read, as
many as fit into a small answer, and judged here.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import IntEnum
from ipaddress import IPv4Network
from itertools import takewhile

from backends.fortigate.mapping import Found
from backends.fortigate.reading import Reader
from backends.fortigate.services import Traffic, overlaps
from backends.fortigate.urls import encoded
from backends.fortigate.wire import DenyRow, ServiceRow
from bot.model.resources import Address, AddressGroup, Key, Policy, Resource

MOST_DENIES = 100  # rows of some 600 bytes
_MOST_NAMES = 100
_NESTED = 2  # groups within groups
_COLUMNS = (
    "policyid|name|action|status|srcintf|dstintf|srcaddr|dstaddr|service|schedule|"
    "srcaddr-negate|dstaddr-negate|service-negate|internet-service|internet-service-src"
)


_SERVICE_COLUMNS = "name|protocol|protocol-number|tcp-portrange|udp-portrange|sctp-portrange"


class Covers(IntEnum):
    """How much of our traffic something else matches."""

    NOTHING = 0
    SOME = 1  # or it is not known how much
    EVERYTHING = 2


class Order:
    """Denying policies, the anchor, and policies of given names, in the order in which packets meet them."""

    def __init__(self, rows: Sequence[DenyRow]) -> None:
        self._rows = rows

    @property
    def complete(self) -> bool:
        return len(self._rows) < MOST_DENIES

    def holds(self, name: str) -> bool:
        return any(row.name == name for row in self._rows)

    def denies_before(self, name: str | None) -> Sequence[DenyRow]:
        """The enabled denying policies before the one of this name, or all without a name."""
        before = takewhile(lambda row: name is None or row.name != name, self._rows)
        return [row for row in before if row.action == "deny" and row.status == "enable"]


class Shadowing:
    """Reads and judges what stands before policies that are to be made or changed."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def order(self, names: Collection[str]) -> Order:
        """One request. Raises Unreachable or Rejected."""
        either = ",".join(["action==deny", *(f"name=={encoded(name)}" for name in sorted(set(names)))])
        query = (("filter", either), ("format", _COLUMNS), ("count", str(MOST_DENIES)))
        return Order(await self._reader.shaped("firewall/policy", query, DenyRow))

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
                if isinstance(there, Found) and isinstance(there.resource, Address | AddressGroup):
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


def meeting(denies: Iterable[DenyRow], policy: Policy) -> list[DenyRow]:
    """Those that look at packets between the same interfaces."""
    return [
        deny
        for deny in denies
        if _shared(deny.srcintf, policy.source_interfaces) and _shared(deny.dstintf, policy.destination_interfaces)
    ]


def _shared(theirs: Collection[str], ours: Collection[str]) -> bool:
    return bool({*theirs} & {*ours}) or "any" in theirs or "any" in ours


def covers(
    deny: DenyRow, policy: Policy, networks: Mapping[str, Sequence[IPv4Network]], services: Mapping[str, Traffic]
) -> Covers:
    """How much of the policy's traffic the deny stops, as far as names could be resolved. Interfaces are not judged."""
    if "enable" in (deny.internet_service, deny.internet_service_src):
        return Covers.SOME
    return min(
        _addresses(deny.srcaddr, deny.srcaddr_negate == "enable", policy.sources, networks),
        _addresses(deny.dstaddr, deny.dstaddr_negate == "enable", policy.destinations, networks),
        _services(deny, policy, services),
        Covers.EVERYTHING if deny.schedule == "always" else Covers.SOME,
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


def _services(deny: DenyRow, policy: Policy, services: Mapping[str, Traffic]) -> Covers:
    if deny.service_negate == "enable":
        return Covers.SOME
    everything = any(name in services and services[name].everything for name in deny.service)
    if everything or {*policy.services} <= {*deny.service}:
        return Covers.EVERYTHING
    pairs = [(services.get(theirs), services.get(ours)) for theirs in deny.service for ours in policy.services]
    return Covers.SOME if any(overlaps(one, other) for one, other in pairs) else Covers.NOTHING
