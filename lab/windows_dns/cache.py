"""The server's cache: positive and negative, with the two caps of Get-DnsServerCache."""

from __future__ import annotations

from dataclasses import dataclass

import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from .clock import Clock
from .state import Settings

_WHOLE_NAME = dns.rdatatype.ANY


@dataclass(frozen=True)
class Entry:
    """A record set, or (`rrset` None) the knowledge that there is none; `soa` then came with it."""

    rrset: dns.rrset.RRset | None
    rcode: dns.rcode.Rcode
    soa: dns.rrset.RRset | None
    expires: float


class Cache:
    def __init__(self, clock: Clock, settings: Settings) -> None:
        self._clock, self._settings = clock, settings
        self._entries: dict[tuple[dns.name.Name, int], Entry] = {}

    def clear(self) -> None:
        self._entries.clear()

    def get(self, name: dns.name.Name, rdtype: int) -> Entry | None:
        """What is known about a name and type; a missing name is missing for every type."""
        for kind in (rdtype, _WHOLE_NAME):
            entry = self._entries.get((name, kind))
            if entry is None:
                continue
            if entry.expires > self._clock.now():
                return self._aged(entry)
            del self._entries[(name, kind)]
        return None

    def _aged(self, entry: Entry) -> Entry:
        left = int(entry.expires - self._clock.now())
        return Entry(_with_ttl(entry.rrset, left), entry.rcode, _with_ttl(entry.soa, left), entry.expires)

    def put(self, rrset: dns.rrset.RRset) -> None:
        ttl = min(rrset.ttl, self._settings.max_cache_ttl)
        if ttl > 0:
            entry = Entry(rrset, dns.rcode.NOERROR, None, self._clock.now() + ttl)
            self._entries[(rrset.name, rrset.rdtype)] = entry

    def put_negative(
        self, name: dns.name.Name, rdtype: int, rcode: dns.rcode.Rcode, soa: dns.rrset.RRset | None
    ) -> None:
        """Keep a negative answer for min(SOA TTL, SOA minimum, MaxNegativeCacheTtl); without SOA not at all."""
        if soa is None:
            return
        ttl = min(soa.ttl, soa[0].minimum, self._settings.max_negative_ttl)
        if ttl > 0:
            kind = _WHOLE_NAME if rcode == dns.rcode.NXDOMAIN else rdtype
            self._entries[(name, kind)] = Entry(None, rcode, soa, self._clock.now() + ttl)

    def view(self) -> list[tuple[str, str, int, str]]:
        """Name, type (or NXDOMAIN), seconds left, data: for people and tests."""
        out = []
        for (name, kind), entry in self._entries.items():
            left = int(entry.expires - self._clock.now())
            if left > 0:
                label = "NXDOMAIN" if kind == _WHOLE_NAME else dns.rdatatype.to_text(dns.rdatatype.RdataType.make(kind))
                data = "" if entry.rrset is None else " ".join(rdata.to_text() for rdata in entry.rrset)
                out.append((name.to_text(), label, left, data))
        return out


def _with_ttl(rrset: dns.rrset.RRset | None, ttl: int) -> dns.rrset.RRset | None:
    if rrset is None:
        return None
    return dns.rrset.from_rdata_list(rrset.name, min(rrset.ttl, ttl), list(rrset))
