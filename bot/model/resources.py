"""What a target can hold, in our own words: addresses, routes, policies and their place, conditional forwarders.

A resource has a natural key that a person would use (never the device's row number) and a mark that says which
operation of ours made it. The row number of tables that have one travels with the resource, because it is chosen
from a configured range and approved with the plan, but it is not part of what the resource *is*.
"""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from typing import Annotated, Literal

from pydantic import Field

from bot.model.value import Value, digest

Kind = Literal["address", "address-group", "route", "policy", "position", "forwarder", "cache"]
TargetId = str

# Creation order; removal is the reverse. DNS comes last, so that a name never resolves before its path is open.
RANK: Mapping[Kind, int] = {
    "address": 0,
    "address-group": 1,
    "route": 2,
    "policy": 3,
    "position": 4,
    "forwarder": 5,
    "cache": 6,
}


class Mark(Value):
    """Says that k8snet made a resource: for which cluster, in which operation, and what it made.

    `fingerprint` is that of the content as written: content that no longer matches it was edited by somebody else.
    """

    cluster: str
    operation: str
    fingerprint: str


class Key(Value):
    """The natural key of a resource within its target."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Address(Value):
    """A named network on a firewall."""

    kind: Literal["address"] = "address"
    name: str
    network: IPv4Network
    mark: Mark | None = None

    @property
    def key(self) -> Key:
        return Key(kind=self.kind, name=self.name)


class AddressGroup(Value):
    """A named set of addresses; the members are names, in alphabetical order."""

    kind: Literal["address-group"] = "address-group"
    name: str
    members: tuple[str, ...]
    mark: Mark | None = None

    @property
    def key(self) -> Key:
        return Key(kind=self.kind, name=self.name)


class Route(Value):
    """A static route. Its key is the destination: two routes to one destination would be ECMP, never our wish."""

    kind: Literal["route"] = "route"
    destination: IPv4Network
    gateway: IPv4Address
    device: str
    distance: int = 10
    row: int | None = None
    mark: Mark | None = None

    @property
    def key(self) -> Key:
        return Key(kind=self.kind, name=str(self.destination))


class Policy(Value):
    """A firewall policy that accepts; all names refer to objects of the same firewall, in alphabetical order."""

    kind: Literal["policy"] = "policy"
    name: str
    source_interfaces: tuple[str, ...]
    destination_interfaces: tuple[str, ...]
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    services: tuple[str, ...]
    action: Literal["accept", "deny"] = "accept"
    schedule: str = "always"
    nat: bool = False
    enabled: bool = True
    row: int | None = None
    mark: Mark | None = None

    @property
    def key(self) -> Key:
        return Key(kind=self.kind, name=self.name)


class Ahead(Value):
    """A policy that packets meet before ours. `matches` is a fingerprint of what it looks for and does with it."""

    row: int
    name: str
    matches: str

    def __str__(self) -> str:
        return f"{self.row} ({self.name})" if self.name else str(self.row)


class Position(Value):
    """Where a policy stands on a firewall where the first match decides: behind which ones, in the order that packets
    meet them. Only those count that could keep its packets from it, and the one before which it belongs.

    A policy has one anyhow, so it is never made or removed, only changed, and bears no mark; `owner` is the policy's.
    """

    kind: Literal["position"] = "position"
    policy: str
    row: int
    owner: Mark | None
    behind: tuple[Ahead, ...]
    mark: None = None

    @property
    def key(self) -> Key:
        return Key(kind=self.kind, name=self.policy)

    def before(self, ahead: Ahead) -> "Position":
        """The position directly before one of those that it stands behind."""
        return self.model_copy(update={"behind": self.behind[: self.behind.index(ahead)]})

    def passed(self, later: "Position") -> tuple[Ahead, ...]:
        """Those that it no longer stands behind at a later position of the same policy."""
        return self.behind[len(later.behind) :]


class Forwarder(Value):
    """A conditional forwarder: queries for the zone go to the masters, in this order.

    `timeout_s` and `recursion`, where a wish leaves them out, are the target's to decide when it normalises the wish.
    """

    kind: Literal["forwarder"] = "forwarder"
    zone: str
    masters: tuple[IPv4Address | IPv6Address, ...]
    timeout_s: int = 3
    recursion: bool = False
    mark: Mark | None = None

    @property
    def key(self) -> Key:
        return Key(kind=self.kind, name=self.zone)


class Cache(Value):
    """An empty cache of a DNS server. A step towards it empties the cache; it fills again at once, so it never reads as
    being there, and there is nothing to undo."""

    kind: Literal["cache"] = "cache"
    mark: None = None

    @property
    def key(self) -> Key:
        return Key(kind=self.kind, name="of every name")


Resource = Annotated[
    Address | AddressGroup | Route | Policy | Position | Forwarder | Cache, Field(discriminator="kind")
]


def content(resource: Resource) -> Resource:
    """The resource without row number and mark, the policy's as well: what it does on the wire."""
    changes: dict[str, None] = {"mark": None}
    if isinstance(resource, Route | Policy):
        changes["row"] = None
    if isinstance(resource, Position):
        changes["owner"] = None
    return resource.model_copy(update=changes)


def same_content(one: Resource, other: Resource) -> bool:
    """True when both do the same on the wire, whoever made them and in whatever row they stand."""
    return content(one) == content(other)


def fingerprint(resource: Resource | None) -> str:
    """Eight hexadecimal digits of the content, for markers and journals; `absent` for None."""
    return "absent" if resource is None else digest(content(resource))[:8]


def marked(resource: Resource, cluster: str, operation: str) -> Resource:
    """The resource with our mark on it."""
    mark = Mark(cluster=cluster, operation=operation, fingerprint=fingerprint(resource))
    return resource.model_copy(update={"mark": mark})
