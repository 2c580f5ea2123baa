"""Names of DNS zones and addresses of their masters: one spelling, and nothing that could be anything else.

DNS servers would not save us: some take UTF-8 names or names that they themselves cannot look up, and .NET reads
`10.1` and `010.0.0.1` as addresses.
"""

import re
from ipaddress import IPv4Address

MAX_ZONE_LENGTH = 253  # characters of a name whose wire form fits into 255 octets

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_ITSELF = "the DNS server itself, so that queries would go round in a circle"


def canonical_zone(text: str) -> str:
    """The one spelling of a zone name: lower case, no final dot. Raises ValueError with the reason."""
    if not text.isascii():  # first: str.lower() would turn the Kelvin sign into an honest k
        raise ValueError(f"zone {_shown(text)} has characters outside ASCII: write it in its xn-- form")
    name = text.lower().removesuffix(".")
    if not name:
        raise ValueError("an empty zone name would forward every query there is")
    if len(name) > MAX_ZONE_LENGTH:
        raise ValueError(f"zone {_shown(text)} has {len(name)} characters; DNS allows {MAX_ZONE_LENGTH}")
    labels = name.split(".")
    for label in labels:
        if not _LABEL.fullmatch(label):
            raise ValueError(
                f"zone {_shown(text)}: {_shown(label)} is no DNS label (1 to 63 letters, digits, hyphens or"
                " underscores, no hyphen at either end)"
            )
    if labels[-1].isdigit():
        raise ValueError(f"zone {_shown(text)} looks like an address; a forwarder is for a name")
    if len(labels) == 1:
        raise ValueError(
            f"zone {_shown(text)} is a whole top-level domain: forward the part below it that the cluster uses"
        )
    return name


def ancestors(zone: str) -> tuple[str, ...]:
    """The zones above a canonical zone, nearest first, without the root."""
    labels = zone.split(".")
    return tuple(".".join(labels[start:]) for start in range(1, len(labels)))


def refuse_masters(zone: str, masters: tuple[IPv4Address, ...], server: str, limit: int) -> None:
    """Raises ValueError when these cannot be the 1 to `limit` masters of a zone.

    `server` is the DNS server's own host name or address as far as we know it.
    """
    if not 1 <= len(masters) <= limit:
        raise ValueError(f"zone {zone} has {len(masters)} masters; it needs between 1 and {limit}")
    if len(set(masters)) != len(masters):
        raise ValueError(f"zone {zone} names a master twice")
    for master in masters:
        if problem := _ITSELF if str(master) == server else _problem(master):
            raise ValueError(f"zone {zone}: master {master} is {problem}")


def _problem(master: IPv4Address) -> str | None:
    if master.is_unspecified:
        return "no address"
    if master.is_loopback:
        return _ITSELF
    if master.is_multicast or master.is_reserved:
        return "not the address of one machine"
    if master.is_link_local:
        return "a link-local address, which no router forwards"
    return None


def _shown(text: str) -> str:
    """Printable ASCII of bounded length, whatever the text holds."""
    return ascii(text if len(text) <= 80 else text[:80] + "…")
