"""Between the server's zones and our forwarders. Pure."""

from collections.abc import Container, Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from backends.windows_dns.settings import Storage
from backends.windows_dns.wire import Facts, Zone
from bot.model.resources import Forwarder
from bot.model.wording import tr
from bot.model.zones import ancestors

TICKS_PER_SECOND = 10_000_000  # the server's clock counts steps of 100 ns

_SCOPES: Mapping[Storage, str] = {
    "file": "",
    "domain": "Domain",
    "forest": "Forest",
    "legacy": "Legacy",
    "custom": "Custom",
}
# A server never forwards a name for which it holds the data itself, nor anything below it.
_HOSTED = ("Primary", "Secondary")


class Unfit(Exception):
    """The server holds something under a name that a forwarder of ours cannot live with; the text says what."""


def ticks(seconds: float) -> int:
    return int(seconds * TICKS_PER_SECOND)


def state(forwarder: Forwarder | None) -> str:
    """What `Get-State` in forwarder.write.ps1 says for the same content; "" for none."""
    if forwarder is None:
        return ""
    masters = ",".join(str(master) for master in forwarder.masters)
    return f"{masters} {forwarder.timeout_s} {forwarder.recursion}"


def write_parameters(
    before: Forwarder | None, after: Forwarder | None, storage: Storage, partition: str = ""
) -> dict[str, Any]:
    """The wish of forwarder.write. Both forwarders are canonical and at least one is there; `partition` belongs to
    storage custom."""
    some = after or before
    assert some is not None
    wish: dict[str, Any] = {"zone": some.zone, "pre": state(before), "post": state(after)}
    if after is not None:
        wish |= {
            "masters": [str(master) for master in after.masters],
            "timeout": after.timeout_s,
            "recursion": after.recursion,
            "scope": _SCOPES[storage],
        }
        if partition:  # an endpoint that was installed before there were any does not know the parameter
            wish["partition"] = partition
    return wish


def batches(names: Iterable[str], limit: int) -> Iterator[list[str]]:
    """The names in lists of at most `limit` characters in JSON."""
    batch: list[str] = []
    size = 0
    for name in names:
        cost = len(name) + 4  # quotes, comma, space
        if batch and size + cost > limit:
            yield batch
            batch, size = [], 0
        batch.append(name)
        size += cost
    if batch:
        yield batch


def by_name(zones: Iterable[Zone]) -> dict[str, Zone]:
    """The server keeps the spelling of whoever made a zone; names are equal without regard to case."""
    return {zone.name.lower().removesuffix("."): zone for zone in zones}


def forwarder_in(zones: Mapping[str, Zone], name: str) -> Forwarder | None:
    """The forwarder of that name. Raises Unfit when another kind of zone stands in its place."""
    zone = zones.get(name)
    if zone is None:
        return None
    if zone.type != "Forwarder":
        raise Unfit(
            tr(
                "{name} is already a {type} zone there, so no forwarder can have that name; "
                "remove that zone if nothing needs it, or have it answer for the cluster's "
                "names itself",
                name=name,
                type=zone.type.lower(),
            )
        )
    try:
        masters: tuple[IPv4Address | IPv6Address, ...] = tuple(ip_address(master) for master in zone.masters)
    except ValueError:
        masters = ()
    # Windows writes some IPv6 addresses, such as ISATAP's, otherwise than anybody else.
    if [str(master) for master in masters] != [master.lower() for master in zone.masters]:
        raise Unfit(
            tr(
                "the forwarder {name} has masters that k8snet cannot read ({masters}); change it by hand",
                name=name,
                masters=ascii(", ".join(zone.masters))[1:-1],
            )
        )
    return Forwarder(zone=name, masters=masters, timeout_s=zone.timeout, recursion=zone.recursion)


def obstacle(zones: Mapping[str, Zone], name: str, delegating: Container[str]) -> str | None:
    """Why the server would not forward that name although it has a forwarder for it; None: it would.

    `delegating` names the hosted zones of which we are told that they leave names below them to others.
    """
    for above in ancestors(name):
        zone = zones.get(above)
        if zone is not None and zone.type in _HOSTED and above not in delegating:
            return tr(
                "it holds the {type} zone {above} itself and would answer {name} from there "
                "instead of forwarding; delegate the name in that zone and list {above} under "
                "`delegating_zones`",
                type=zone.type.lower(),
                above=above,
                name=name,
            )
    return None


def overshadowed(zones: Mapping[str, Zone], name: str) -> str | None:
    """What a forwarder of that name takes names away from: the next forwarder or stub zone above it."""
    for above in ancestors(name):
        zone = zones.get(above)
        if zone is not None and zone.type not in _HOSTED:
            return tr(
                "it sends {above} to {masters} so far; from now on {name} goes to the cluster, "
                "and the rest stays as it is",
                above=above,
                masters=", ".join(zone.masters),
                name=name,
            )
    return None


def prevented(facts: Facts, storage: Storage) -> Iterator[str]:
    """Why no forwarder at all would work on that server. What it would not tell prevents nothing."""
    if facts.recursion is False:
        yield tr(
            "recursion is switched off there, and with it all forwarding; switch it on (Set-DnsServerRecursion "
            "-Enable $true), or name another DNS server in app.yaml"
        )
    if facts.directory is False and storage != "file":
        yield tr(
            "it does not belong to an Active Directory, so `storage: {storage}` cannot work; set `storage: file`",
            storage=storage,
        )
