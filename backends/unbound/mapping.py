"""Between Unbound's lists and our forwarders. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from bot.model.resources import Forwarder
from bot.model.wording import tr
from bot.model.zones import ancestors, canonical_zone, refuse_masters

MAX_MASTERS = 16
# Types of local-zone that let a query through for which they hold no data.
_TRANSPARENT = {"transparent", "typetransparent", "always_transparent", "inform", "nodefault"}
_FORWARD = re.compile(r"(\S+) IN forward(?: (.*))?")
_STUB = re.compile(r"(\S+) IN stub\b.*")


class Unfit(Exception):
    """The server holds something under a name that a forwarder of ours cannot live with; the text says what."""


@dataclass(frozen=True)
class Local:
    """What the server answers by itself: local zones with their types, and the names of authority and stub zones."""

    zones: Mapping[str, str]
    authority: frozenset[str]
    stubs: frozenset[str]


def canonical_forwarder(wish: Forwarder, server: str) -> Forwarder:
    """The forwarder as it will read back. Raises ValueError.

    Masters are in numerical order, because Unbound has none: it prefers whoever answers fastest. It has one time-out
    for all (`timeout_s` means nothing to it), and a forwarder made at run time never falls back to recursion.
    """
    zone = canonical_zone(wish.zone)
    refuse_masters(zone, wish.masters, server, MAX_MASTERS)
    if wish.recursion:
        raise ValueError(
            tr("zone {zone}: Unbound cannot be told at run time to recurse when the masters are silent", zone=zone)
        )
    return Forwarder(zone=zone, masters=_in_order(wish.masters))


def forward_zones(lines: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Zone -> masters as the server writes them, from `list_forwards`. It tells no ports and no order."""
    found = (match for line in lines if (match := _FORWARD.fullmatch(line.strip())))
    return {
        _name(match[1]): tuple(word for word in (match[2] or "").split() if word not in ("+i", "+t")) for match in found
    }


def local(zones: Iterable[str], authority: Iterable[str], stubs: Iterable[str]) -> Local:
    """From `list_local_zones`, `list_auth_zones` and `list_stubs`."""
    pairs = (line.split() for line in zones)
    return Local(
        zones={_name(pair[0]): pair[1] for pair in pairs if len(pair) == 2},
        authority=frozenset(_name(line.split()[0]) for line in authority if line.split()),
        stubs=frozenset(_name(match[1]) for line in stubs if (match := _STUB.fullmatch(line.strip()))),
    )


def forwarder_in(zones: Mapping[str, tuple[str, ...]], name: str) -> Forwarder | None:
    """The forwarder of that name. Raises Unfit for one that points at anything but addresses."""
    if name not in zones:
        return None
    try:
        masters = _in_order(ip_address(master) for master in zones[name])
    except ValueError:
        raise Unfit(
            tr(
                "the forward zone {name} has masters that are not addresses ({printable}), which k8snet "
                "does not handle; change it by hand",
                name=name,
                printable=_printable(zones[name]),
            )
        ) from None
    return Forwarder(zone=name, masters=masters)


def _in_order(masters: Iterable[IPv4Address | IPv6Address]) -> tuple[IPv4Address | IPv6Address, ...]:
    return tuple(sorted(masters, key=lambda master: (master.version, int(master))))


def obstacle(held: Local, name: str) -> str | None:
    """Why the server would not forward that name although it has a forwarder for it; None: it would."""
    around = (name, *ancestors(name))
    if name in held.stubs:
        return tr("it has a stub zone {name}; remove that from unbound.conf, then try again", name=name)
    if (zone := next((zone for zone in around if zone in held.authority), None)) is not None:
        return tr(
            "it holds the auth-zone {zone} itself and answers {name} from there; remove "
            "that zone from unbound.conf, or have it answer for the cluster's names itself",
            zone=zone,
            name=name,
        )
    zone = next((zone for zone in around if zone in held.zones), None)
    if zone is not None and (kind := held.zones[zone]) not in _TRANSPARENT:
        return tr(
            "its local-zone {zone} of type {kind} answers {name} itself; set `local-zone: "
            '"{name}." transparent` in unbound.conf and reload, then try again',
            zone=zone,
            kind=kind,
            name=name,
        )
    return None


def overshadowed(zones: Mapping[str, tuple[str, ...]], name: str) -> str | None:
    """What a forwarder of that name takes names away from: the next forward zone above it, apart from the root."""
    above = next((zone for zone in ancestors(name) if zone in zones), None)
    if above is None:
        return None
    return tr(
        "it sends {above} to {printable} so far; from now on {name} goes to the cluster, and the rest stays as it is",
        above=above,
        printable=_printable(zones[above]),
        name=name,
    )


def _name(text: str) -> str:
    """The server keeps the spelling of whoever made a zone; names are equal without regard to case."""
    return text.lower().removesuffix(".")


def _printable(words: Iterable[str]) -> str:
    return ascii(" ".join(words)[:120])[1:-1]
