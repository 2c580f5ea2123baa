"""Names of DNS zones and addresses of their masters: one spelling, and nothing that could be anything else.

DNS servers would not save us: some take UTF-8 names or names that they themselves cannot look up, and .NET reads
`10.1` and `010.0.0.1` as addresses.
"""

import re
from ipaddress import IPv4Address, IPv6Address

from bot.model.errors import Rejected
from bot.model.resources import Key
from bot.model.wording import marked, tr
from bot.model.words import key_line

MAX_ZONE_LENGTH = 253  # characters of a name whose wire form fits into 255 octets

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_ITSELF = marked("the DNS server itself, so that queries would go round in a circle")


def canonical_zone(text: str) -> str:
    """The one spelling of a zone name: lower case, no final dot. Raises ValueError with the reason."""
    if not text.isascii():  # first: str.lower() would turn the Kelvin sign into an honest k
        raise ValueError(tr("zone {zone} has characters outside ASCII: write it in its xn-- form", zone=_shown(text)))
    name = text.lower().removesuffix(".")
    if not name:
        raise ValueError(tr("an empty zone name would forward every query there is"))
    if len(name) > MAX_ZONE_LENGTH:
        raise ValueError(
            tr(
                "zone {zone} has {count} characters; DNS allows {most}",
                zone=_shown(text),
                count=len(name),
                most=MAX_ZONE_LENGTH,
            )
        )
    labels = name.split(".")
    for label in labels:
        if not _LABEL.fullmatch(label):
            raise ValueError(
                tr(
                    "zone {zone}: {label} is no DNS label (1 to 63 letters, digits, hyphens or "
                    "underscores, no hyphen at either end)",
                    zone=_shown(text),
                    label=_shown(label),
                )
            )
    if labels[-1].isdigit():
        raise ValueError(tr("zone {zone} looks like an address; a forwarder is for a name", zone=_shown(text)))
    if len(labels) == 1:
        raise ValueError(
            tr(
                "zone {zone} is a whole top-level domain: forward the part below it that the cluster uses",
                zone=_shown(text),
            )
        )
    return name


def check_forwarder_key(system: str, key: Key) -> None:
    """Raises Rejected unless it is a forwarder's, in its one spelling. `system` is the name of the DNS server."""
    if key.kind != "forwarder":
        raise Rejected(system, tr("a DNS server holds forwarders, not {key}", key=key_line(key)))
    try:
        canonical = canonical_zone(key.name)
    except ValueError as problem:
        raise Rejected(system, str(problem)) from None
    if canonical != key.name:
        raise Rejected(
            system, tr("the zone {name} is spelt {canonical} here; ask for that", name=key.name, canonical=canonical)
        )


def ancestors(zone: str) -> tuple[str, ...]:
    """The zones above a canonical zone, nearest first, without the root."""
    labels = zone.split(".")
    return tuple(".".join(labels[start:]) for start in range(1, len(labels)))


def refuse_masters(zone: str, masters: tuple[IPv4Address | IPv6Address, ...], server: str, limit: int) -> None:
    """Raises ValueError when these cannot be the 1 to `limit` masters of a zone.

    `server` is the DNS server's own host name or address as far as we know it.
    """
    if not 1 <= len(masters) <= limit:
        raise ValueError(
            tr(
                "zone {zone} has {count} masters; it needs between 1 and {limit}",
                zone=zone,
                count=len(masters),
                limit=limit,
            )
        )
    if len(set(masters)) != len(masters):
        raise ValueError(tr("zone {zone} names a master twice", zone=zone))
    for master in masters:
        if problem := tr(_ITSELF) if str(master) == server else _problem(master):
            raise ValueError(tr("zone {zone}: master {master} is {problem}", zone=zone, master=master, problem=problem))


def _problem(master: IPv4Address | IPv6Address) -> str | None:
    if master.is_unspecified:
        return tr("no address")
    if master.is_loopback:
        return tr(_ITSELF)
    if master.is_multicast or master.is_reserved:
        return tr("not the address of one machine")
    if master.is_link_local:
        return tr("a link-local address, which no router forwards")
    return None


def _shown(text: str) -> str:
    """Printable ASCII of bounded length, whatever the text holds."""
    return ascii(text if len(text) <= 80 else text[:80] + "…")
