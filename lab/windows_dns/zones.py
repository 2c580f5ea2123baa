"""The zone table: the one thing that both the cmdlets and the DNS listener look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import dns.exception
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.zone

from .state import Zone

_SOA = "@ 3600 SOA {host}. hostmaster.{zone}. 1 900 600 86400 3600"


class DnsFailure(Exception):
    """The DNS server refuses. `code` is the Win32 code that ends up in `WIN32 <code>,<Cmdlet>`."""

    def __init__(self, code: int) -> None:
        super().__init__(f"WIN32 {code}")
        self.code = code


@dataclass(frozen=True)
class Change:
    """One effective write: `before` and `after` are None where the zone did not or does not exist."""

    before: Zone | None
    after: Zone | None


def normal(name: str) -> str:
    """Zone names compare without case and without the trailing dot."""
    return name.lower().rstrip(".")


class ZoneTable:
    """`refresh` is called before every look, to let replicated changes arrive; `announce` after every write."""

    def __init__(self, zones: list[Zone], hostname: str) -> None:
        self._zones = {normal(zone.name): zone for zone in zones}
        self._hosted: dict[str, tuple[Zone, dns.zone.Zone]] = {}
        self._hostname = hostname
        self.refresh: Callable[[], None] = lambda: None
        self.announce: Callable[[Change], None] = lambda _: None

    def __iter__(self) -> Iterator[Zone]:
        self.refresh()
        return iter(list(self._zones.values()))

    def get(self, name: str) -> Zone | None:
        self.refresh()
        return self._zones.get(normal(name))

    def require(self, name: str) -> Zone:
        zone = self.get(name)
        if zone is None:
            raise DnsFailure(9601)
        return zone

    def put(self, zone: Zone, *, replicated: bool = False) -> None:
        """Insert or replace."""
        before = self._zones.get(normal(zone.name))
        self._zones[normal(zone.name)] = zone
        if not replicated:
            self.announce(Change(before, zone))

    def remove(self, name: str, *, replicated: bool = False) -> None:
        before = self._zones.pop(normal(name), None)
        if before is not None and not replicated:
            self.announce(Change(before, None))

    def match(self, name: dns.name.Name) -> Zone | None:
        """The zone that answers for a name: the longest suffix; but a hosted parent keeps an undelegated child."""
        found: Zone | None = None
        labels = [label.decode("ascii", "replace").lower() for label in name.labels if label]
        self.refresh()
        for start in range(len(labels), -1, -1):
            zone = self._zones.get(".".join(labels[start:])) if start < len(labels) else None
            if zone is None or (zone.type == "Forwarder" and found is not None and self._keeps(found, zone)):
                continue
            found = zone
        return found

    def _keeps(self, parent: Zone, child: Zone) -> bool:
        """Whether a hosted zone answers for a forwarder below it: it does unless it delegates the name."""
        if parent.type == "Forwarder":
            return False
        origin = _absolute(parent.name)
        name = _absolute(child.name)
        content = self.content(parent)
        while name != origin:
            if content.get_rdataset(name, dns.rdatatype.NS) is not None:
                return False
            name = name.parent()
        return True

    def content(self, zone: Zone) -> dns.zone.Zone:
        """The records of a hosted zone, with a start of authority added where the state gave none."""
        key = normal(zone.name)
        cached = self._hosted.get(key)
        if cached is None or cached[0] is not zone:
            lines = list(zone.records)
            if not any(" SOA " in line for line in lines):
                lines.insert(0, _SOA.format(host=self._hostname.lower(), zone=zone.name))
            text = "\n".join(lines) + "\n"
            parsed = dns.zone.from_text(text, origin=_absolute(zone.name), relativize=False, check_origin=False)
            cached = self._hosted[key] = (zone, parsed)
        return cached[1]


def _absolute(name: str) -> dns.name.Name:
    return dns.name.from_text(name if name.endswith(".") else f"{name}.")
