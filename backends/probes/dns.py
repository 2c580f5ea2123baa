"""One question to one DNS server, without search list and without cache; every way it can end is told apart."""

import asyncio
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from backends.probes.vantage import Vantage, hang_up, outcome_of
from bot.model.errors import Rejected
from bot.model.probes import ConnectOutcome, DnsAnswer, DnsOutcome, DnsTransport

if TYPE_CHECKING:
    from dns.message import Message, QueryMessage

# A common ground below every tunnel's MTU; larger answers are fetched over TCP.
_EDNS_PAYLOAD = 1232

_FAILURES: dict[ConnectOutcome, DnsOutcome] = {
    "timeout": "timeout",
    "refused": "refused",
    "host-unreachable": "unreachable",
    "net-unreachable": "unreachable",
}


class _Malformed(Exception):
    """Something came back that is no answer to our question. The text says what."""


async def ask(
    vantage: Vantage, server: IPv4Address, port: int, name: str, transport: DnsTransport, timeout_s: float
) -> DnsAnswer:
    """Ask for the A records of a name, taken as fully qualified. Raises Rejected for what can be no name.

    A truncated answer has `truncated` set; its outcome is `answer` even when no address fitted in.
    """
    query = _query(name)
    clock = asyncio.get_running_loop().time
    started = clock()
    found: dict[str, Any]
    try:
        if transport == "udp":
            found = read(await _over_udp(vantage, server, port, query, timeout_s))
        else:
            found = read(await _over_tcp(vantage, server, port, query, timeout_s))
    except _Malformed as malformed:
        found = {"outcome": "malformed", "detail": str(malformed)}
    except OSError as error:
        outcome = _FAILURES.get(outcome_of(error))
        found = {"outcome": outcome or "malformed", "detail": "" if outcome else "cut before the answer was whole"}
    return DnsAnswer(
        server=server, name=name, transport=transport, elapsed_ms=round((clock() - started) * 1000), **found
    )


def read(response: "QueryMessage") -> dict[str, Any]:
    """The fields of a DnsAnswer that stand in a response. Pure."""
    import dns.exception
    import dns.flags
    import dns.rcode
    import dns.rdatatype

    found: dict[str, Any] = {"truncated": bool(response.flags & dns.flags.TC)}
    for rrset in response.authority:
        if rrset.rdtype == dns.rdatatype.SOA:
            found["soa_owner"] = _text(rrset.name)
            found["ttl_s"] = min(rrset.ttl, rrset[0].minimum)  # how long "no" may be kept (RFC 2308, section 5)
    rcode = response.rcode()
    if rcode == dns.rcode.NXDOMAIN:
        return {"outcome": "nxdomain", **found}
    if rcode == dns.rcode.REFUSED:
        return {"outcome": "refused-rcode", **found}
    if rcode != dns.rcode.NOERROR:
        # SERVFAIL, and what else means that the server could not: NOTIMP, FORMERR, ...
        return {"outcome": "servfail", "detail": dns.rcode.to_text(rcode), **found}
    try:
        chain = response.resolve_chaining()
    except dns.exception.DNSException as error:
        raise _Malformed(f"the answer contradicts itself: {error}") from error
    found["aliases"] = tuple(_text(cname[0].target) for cname in chain.cnames)
    if chain.answer is not None:
        found["addresses"] = tuple(IPv4Address(record.address) for record in chain.answer)
    if chain.answer is not None or chain.cnames:
        found["ttl_s"] = chain.minimum_ttl
    if found["truncated"]:
        found["detail"] = "truncated: the whole answer needs TCP"
    has_answer = chain.answer is not None or found["truncated"]
    return {"outcome": "answer" if has_answer else "nodata", **found}


def _query(name: str) -> "QueryMessage":
    import dns.exception
    import dns.message
    import dns.name

    try:
        qname = dns.name.from_text(name)
    except (dns.exception.DNSException, UnicodeError) as error:
        raise Rejected("probes", f"{name!r} can be no DNS name: {error}") from error
    return dns.message.make_query(qname, "A", use_edns=0, payload=_EDNS_PAYLOAD)


def _parsed(query: "Message", wire: bytes) -> "QueryMessage":
    import dns.exception
    import dns.message

    try:
        response = dns.message.from_wire(wire)
    except (dns.exception.DNSException, ValueError) as error:
        raise _Malformed(f"{len(wire)} bytes that are no DNS message") from error
    if not (isinstance(response, dns.message.QueryMessage) and query.is_response(response)):
        raise _Malformed("a DNS message that does not answer our question")
    return response


async def _over_udp(
    vantage: Vantage, server: IPv4Address, port: int, query: "Message", timeout_s: float
) -> "QueryMessage":
    """The first datagram that answers the question; what else arrives could be forged, and is only reported."""
    datagrams = await vantage.open_udp(server, port)
    stray: _Malformed | None = None
    try:
        async with asyncio.timeout(timeout_s):
            datagrams.send(query.to_wire())
            while True:
                try:
                    return _parsed(query, await datagrams.receive())
                except _Malformed as malformed:
                    stray = malformed
    except TimeoutError:
        if stray is not None:
            raise stray from None
        raise
    finally:
        await datagrams.close()


async def _over_tcp(
    vantage: Vantage, server: IPv4Address, port: int, query: "Message", timeout_s: float
) -> "QueryMessage":
    clock = asyncio.get_running_loop().time
    deadline = clock() + timeout_s
    reader, writer, _ = await vantage.open_tcp(server, port, timeout_s)
    try:
        async with asyncio.timeout(deadline - clock()):
            wire = query.to_wire()
            writer.write(len(wire).to_bytes(2, "big") + wire)
            length = int.from_bytes(await reader.readexactly(2), "big")
            return _parsed(query, await reader.readexactly(length))
    except asyncio.IncompleteReadError as error:
        raise _Malformed("the connection was closed before the answer was whole") from error
    finally:
        await hang_up(writer)


def _text(name: Any) -> str:
    """Lower case, no final dot; the root is "."."""
    return str(name.to_text(omit_final_dot=True)).lower()
