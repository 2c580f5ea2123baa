"""One question to one DNS server, without search list and without cache; every way it can end is told apart."""

import asyncio
import secrets
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from backends.probes.dns_line import Lines
from backends.probes.dns_wire import Malformed, Question, mismatch, parsed, plain_addresses, question
from backends.probes.vantage import Vantage, hang_up, outcome_of
from bot.model.probes import ConnectOutcome, DnsAnswer, DnsOutcome, DnsTransport
from bot.model.wording import tr

if TYPE_CHECKING:
    from dns.message import QueryMessage

_FAILURES: dict[ConnectOutcome, DnsOutcome] = {
    "timeout": "timeout",
    "refused": "refused",
    "host-unreachable": "unreachable",
    "net-unreachable": "unreachable",
}


async def ask(
    vantage: Vantage, lines: Lines, server: IPv4Address, port: int, name: str, transport: DnsTransport, timeout_s: float
) -> DnsAnswer:
    """Ask for the A records of a name, taken as fully qualified. Raises Rejected for what can be no name.

    A truncated answer has `truncated` set; its outcome is `answer` even when no address fitted in.
    """
    asked = question(name)
    clock = asyncio.get_running_loop().time
    started = clock()
    found: dict[str, Any]
    try:
        if transport == "udp":
            found = told(asked, await lines.ask(server, asked, timeout_s))
        else:
            found = told(asked, await _over_tcp(vantage, server, port, asked, timeout_s))
    except Malformed as malformed:
        found = {"outcome": "malformed", "detail": str(malformed)}
    except OSError as error:
        outcome = _FAILURES.get(outcome_of(error))
        found = {"outcome": outcome or "malformed", "detail": "" if outcome else tr("cut before the answer was whole")}
    return DnsAnswer(
        server=server, name=name, transport=transport, elapsed_ms=round((clock() - started) * 1000), **found
    )


def told(asked: Question, wire: bytes) -> dict[str, Any]:
    """The fields of a DnsAnswer that stand in the bytes of an answer. Pure. Raises Malformed."""
    plain = plain_addresses(asked, wire)
    if plain is None:
        return read(parsed(wire))
    addresses, ttl_s = plain
    return {"outcome": "answer", "addresses": addresses, "ttl_s": ttl_s}


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
        raise Malformed(tr("the answer contradicts itself: {error}", error=error)) from error
    found["aliases"] = tuple(_text(cname[0].target) for cname in chain.cnames)
    if chain.answer is not None:
        found["addresses"] = tuple(IPv4Address(record.address) for record in chain.answer)
    if chain.answer is not None or chain.cnames:
        found["ttl_s"] = chain.minimum_ttl
    if found["truncated"]:
        found["detail"] = tr("truncated: the whole answer needs TCP")
    has_answer = chain.answer is not None or found["truncated"]
    return {"outcome": "answer" if has_answer else "nodata", **found}


async def _over_tcp(vantage: Vantage, server: IPv4Address, port: int, asked: Question, timeout_s: float) -> bytes:
    clock = asyncio.get_running_loop().time
    deadline = clock() + timeout_s
    number = secrets.randbits(16)
    reader, writer, _ = await vantage.open_tcp(server, port, timeout_s)
    try:
        async with asyncio.timeout(deadline - clock()):
            wire = asked.wire(number)
            writer.write(len(wire).to_bytes(2, "big") + wire)
            length = int.from_bytes(await reader.readexactly(2), "big")
            answer = await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        raise Malformed(tr("the connection was closed before the answer was whole")) from error
    finally:
        await hang_up(writer)
    if problem := mismatch(asked, number, answer):
        raise Malformed(problem)
    return answer


def _text(name: Any) -> str:
    """Lower case, no final dot; the root is "."."""
    return str(name.to_text(omit_final_dot=True)).lower()
