"""Answers a question: hosted zone, cache, conditional forwarder, server-level forwarders, root hints, in this order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.rdatatype import RdataType

from .cache import Cache
from .clock import Clock
from .state import Settings, Zone
from .upstream import Upstream
from .zones import ZoneTable

_DNS_PORT = 53
_CHAIN = 8
_ROOT_SOA = "a.root-servers.net. nstld.verisign-grs.com. 2024010100 1800 900 604800 86400"


@dataclass
class Answer:
    """`failed` answers (SERVFAIL) carry nothing else."""

    rcode: dns.rcode.Rcode = dns.rcode.NOERROR
    answer: list[dns.rrset.RRset] = field(default_factory=list)
    authority: list[dns.rrset.RRset] = field(default_factory=list)
    authoritative: bool = False


def _failure() -> Answer:
    return Answer(dns.rcode.SERVFAIL)


class Resolver:
    def __init__(self, zones: ZoneTable, cache: Cache, settings: Settings, clock: Clock, upstream: Upstream) -> None:
        self._zones, self._cache, self._settings = zones, cache, settings
        self._clock, self._upstream = clock, upstream

    async def respond(self, query: dns.message.Message) -> dns.message.Message:
        """The response to a client's query, whole: truncation is the listener's business."""
        response = dns.message.make_response(
            query, recursion_available=self._settings.recursion, our_payload=self._settings.edns_payload
        )
        if query.opcode() != dns.opcode.QUERY:
            response.set_rcode(dns.rcode.NOTIMP)
        elif len(query.question) != 1:
            response.set_rcode(dns.rcode.FORMERR)
        elif query.question[0].rdclass != dns.rdataclass.IN or query.question[0].rdtype in (
            dns.rdatatype.AXFR,
            dns.rdatatype.IXFR,
        ):
            response.set_rcode(dns.rcode.REFUSED)
        else:
            question = query.question[0]
            found = await self.resolve(question.name, question.rdtype, recursive=bool(query.flags & dns.flags.RD))
            response.set_rcode(found.rcode)
            response.answer, response.authority = found.answer, found.authority
            if found.authoritative:
                response.flags |= dns.flags.AA
        return response

    async def resolve(self, name: dns.name.Name, rdtype: RdataType, recursive: bool = True) -> Answer:
        """Follow aliases until there is an answer."""
        name = dns.name.Name([label.lower() for label in name.labels])
        total = Answer()
        for step in range(_CHAIN):
            part = await self._one(name, rdtype, recursive)
            total.rcode, total.authority = part.rcode, part.authority
            total.answer.extend(part.answer)
            total.authoritative = part.authoritative if step == 0 else total.authoritative
            target = _alias(part, rdtype)
            if target is None:
                return total if part.rcode != dns.rcode.SERVFAIL else _failure()
            name = target
        return _failure()

    async def _one(self, name: dns.name.Name, rdtype: RdataType, recursive: bool) -> Answer:
        zone = self._zones.match(name)
        if zone is not None and zone.type != "Forwarder":
            return self._hosted(zone, name, rdtype)
        if (known := self._cached(name, rdtype)) is not None:
            return known
        if not recursive:
            return Answer()
        if not self._settings.recursion:  # which switches forwarders off, too
            return _failure()
        return await self._ask(zone, name, rdtype)

    # Hosted zones and cache

    def _hosted(self, zone: Zone, name: dns.name.Name, rdtype: RdataType) -> Answer:
        content = self._zones.content(zone)
        soa = content.get_rrset(content.origin or name, dns.rdatatype.SOA)
        node = content.get_node(name)
        if node is None:
            below = any(other.is_subdomain(name) for other in content.nodes)
            rcode = dns.rcode.NOERROR if below else dns.rcode.NXDOMAIN
            return Answer(rcode, [], [soa] if soa else [], authoritative=True)
        if rdtype == dns.rdatatype.ANY:
            every = [dns.rrset.from_rdata_list(name, rdataset.ttl, list(rdataset)) for rdataset in node]
            return Answer(answer=every, authoritative=True)
        found = content.get_rrset(name, rdtype) or content.get_rrset(name, dns.rdatatype.CNAME)
        if found is None:
            return Answer(authority=[soa] if soa else [], authoritative=True)
        return Answer(answer=[found], authoritative=True)

    def _cached(self, name: dns.name.Name, rdtype: RdataType) -> Answer | None:
        entry = self._cache.get(name, rdtype) or self._cache.get(name, dns.rdatatype.CNAME)
        if entry is None:
            return None
        if entry.rrset is not None:
            return Answer(answer=[entry.rrset])
        return Answer(entry.rcode, authority=[entry.soa] if entry.soa else [])

    # Other servers

    async def _ask(self, zone: Zone | None, name: dns.name.Name, rdtype: RdataType) -> Answer:
        started = self._clock.now()
        masters = zone.masters if zone else self._settings.forwarders
        timeout = zone.timeout if zone else self._settings.forwarders_timeout
        further = zone.use_recursion if zone else self._settings.use_root_hints
        if masters:
            reply = await self._ask_masters(masters, timeout, name, rdtype)
            if reply is not None:
                return self._learn(reply, name, rdtype)
        late = self._clock.now() - started > self._settings.recursion_timeout
        if not further or late:
            return _failure()
        return await self._ask_root(name, rdtype, started)

    async def _ask_root(self, name: dns.name.Name, rdtype: RdataType, started: float) -> Answer:
        if self._settings.root_hints == "silent":
            left = started + self._settings.recursion_timeout - self._clock.now()
            await self._clock.sleep(max(left, 0))
            return _failure()
        soa = dns.rrset.from_text(dns.name.root, 86400, "IN", "SOA", _ROOT_SOA)
        self._cache.put_negative(name, rdtype, dns.rcode.NXDOMAIN, soa)
        # The answer already shows the cap that the cache applies.
        return self._cached(name, rdtype) or Answer(dns.rcode.NXDOMAIN, authority=[soa])

    async def _ask_masters(
        self, masters: Sequence[str], timeout: float, name: dns.name.Name, rdtype: RdataType
    ) -> dns.message.Message | None:
        """Strictly in order: the second after T, each further one after T+1, none after RecursionTimeout (KB 2834250).

        A late answer of an earlier master still counts. A refused port or an error answer moves on at once.
        """
        started = self._clock.now()
        waiting = [*masters]
        due = started + timeout + self._settings.jitter
        running = {asyncio.ensure_future(self._exchange(waiting.pop(0), name, rdtype))}
        try:
            while True:
                timer = asyncio.ensure_future(self._clock.sleep(due - self._clock.now()))
                try:
                    await asyncio.wait({*running, timer}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    timed_out = timer.done()
                    timer.cancel()
                finished = {task for task in running if task.done()}
                running -= finished
                results = [task.result() for task in finished]
                for result in results:
                    if isinstance(result, dns.message.Message):
                        return result
                refused = any(result is False for result in results)
                if not (timed_out or refused):
                    continue
                if not waiting or self._clock.now() - started > self._settings.recursion_timeout:
                    if timed_out or not running:
                        return None
                    continue
                running.add(asyncio.ensure_future(self._exchange(waiting.pop(0), name, rdtype)))
                due = self._clock.now() + timeout + 1
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _exchange(self, master: str, name: dns.name.Name, rdtype: RdataType) -> dns.message.Message | bool | None:
        """A usable response; False when the master refused or failed; None when it stayed silent."""
        edns = self._settings.edns_payload if self._settings.edns_probes else None
        reply = await self._query(master, name, rdtype, edns)
        if isinstance(reply, dns.message.Message) and reply.rcode() == dns.rcode.FORMERR and edns:
            reply = await self._query(master, name, rdtype, None)
        if isinstance(reply, dns.message.Message) and reply.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return False
        return reply

    async def _query(
        self, master: str, name: dns.name.Name, rdtype: RdataType, payload: int | None
    ) -> dns.message.Message | bool | None:
        query = dns.message.make_query(name, rdtype, use_edns=0 if payload else -1, payload=payload or 0)
        wire = query.to_wire()
        patience = 2 * self._settings.recursion_timeout + 15
        try:
            reply = await self._upstream.udp(master, _DNS_PORT, wire, patience)
            response = _parsed(reply, query)
            if response is not None and response.flags & dns.flags.TC:
                response = _parsed(await self._upstream.tcp(master, _DNS_PORT, wire, patience), query)
        except OSError:
            return False
        return response

    def _learn(self, reply: dns.message.Message, name: dns.name.Name, rdtype: RdataType) -> Answer:
        """Keep what belongs to the question, cache it, and answer with it."""
        kept: list[dns.rrset.RRset] = []
        for _ in range(_CHAIN):
            found = reply.get_rrset(reply.answer, name, dns.rdataclass.IN, rdtype)
            alias = None if found else reply.get_rrset(reply.answer, name, dns.rdataclass.IN, dns.rdatatype.CNAME)
            rrset = found or alias
            if rrset is None:
                break
            kept.append(rrset)
            self._cache.put(rrset)
            if alias is None:
                return Answer(answer=kept)
            name = alias[0].target
        soa = next((rrset for rrset in reply.authority if rrset.rdtype == dns.rdatatype.SOA), None)
        if kept and reply.rcode() == dns.rcode.NOERROR and soa is None:
            return Answer(answer=kept)
        self._cache.put_negative(name, rdtype, reply.rcode(), soa)
        return Answer(reply.rcode(), kept, [soa] if soa else [])


def _alias(part: Answer, rdtype: RdataType) -> dns.name.Name | None:
    """Where to go on: the target of the last alias, when the part ends with one and says nothing else."""
    if not part.answer or part.rcode != dns.rcode.NOERROR or rdtype in (dns.rdatatype.CNAME, dns.rdatatype.ANY):
        return None
    last = part.answer[-1]
    dangling = last.rdtype == dns.rdatatype.CNAME and not any(
        rrset.rdtype == dns.rdatatype.SOA for rrset in part.authority
    )
    return last[0].target if dangling else None


def _parsed(wire: bytes | None, query: dns.message.Message) -> dns.message.Message | None:
    """The response, unless it is missing, damaged or an answer to something else."""
    if wire is None:
        return None
    try:
        response = dns.message.from_wire(wire, ignore_trailing=True)
    except dns.exception.DNSException:
        return None
    return response if query.is_response(response) else None
