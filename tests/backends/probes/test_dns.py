"""Questions to a DNS server that answers in every way there is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv4Address

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from backends.probes.prober import NetworkProber
from backends.probes.settings import ProbeSettings
from bot.model.errors import Rejected
from bot.model.probes import DnsAnswer, DnsTransport
from tests.backends.probes.servers import LOOPBACK, closed_port, closing, serving
from tests.ports import free_port

LONG, SHORT = 30.0, 0.3
NAME = "redis.default.svc.cluster.local"
Message = dns.message.Message
Respond = Callable[[Message], list[bytes]]
TRANSPORTS: list[DnsTransport] = ["udp", "tcp"]


class Udp(asyncio.DatagramProtocol):
    def __init__(self, respond: Respond) -> None:
        self.respond = respond

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        for wire in self.respond(dns.message.from_wire(data)):
            self.transport.sendto(wire, addr)  # type: ignore[arg-type]


@asynccontextmanager
async def dns_server(respond: Respond) -> AsyncIterator[int]:
    """UDP and TCP on one port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = int.from_bytes(await reader.readexactly(2), "big")
        for wire in respond(dns.message.from_wire(await reader.readexactly(length))):
            writer.write(len(wire).to_bytes(2, "big") + wire)
        await reader.read()

    async with serving(serve, free_port()) as port:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: Udp(respond), local_addr=(str(LOOPBACK), port))
        try:
            yield port
        finally:
            transport.close()


async def ask(port: int, transport: DnsTransport, name: str = NAME, timeout_s: float = LONG) -> DnsAnswer:
    return await NetworkProber(ProbeSettings(), dns_port=port).dns(LOOPBACK, name, transport, timeout_s)


def saying(*records: str, rcode: dns.rcode.Rcode = dns.rcode.NOERROR, authority: str = "", flags: int = 0) -> Respond:
    def respond(query: Message) -> list[bytes]:
        response = dns.message.make_response(query)
        response.set_rcode(rcode)
        response.flags |= flags
        response.answer = [dns.rrset.from_text(*record.split(" ", 4)) for record in records]
        if authority:
            response.authority = [dns.rrset.from_text(*authority.split(" ", 4))]
        return [response.to_wire(max_size=65535)]

    return respond


CLUSTER_SOA = "Cluster.Local. 30 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5"
ROOT_SOA = ". 86400 IN SOA a.root-servers.net. nstld.verisign-grs.com. 1 1800 900 604800 3600"


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("respond", "expect"),
    [
        (
            saying(f"{NAME}. 30 IN A 172.20.4.222"),
            {"outcome": "answer", "addresses": (IPv4Address("172.20.4.222"),), "ttl_s": 30, "soa_owner": None},
        ),
        (
            saying(
                f"{NAME}. 30 IN CNAME One.Example.",
                "one.example. 20 IN CNAME two.example.",
                "two.example. 60 IN A 192.0.2.7",
                "unrelated.example. 60 IN A 192.0.2.8",
            ),
            {
                "outcome": "answer",
                "addresses": (IPv4Address("192.0.2.7"),),
                "aliases": ("one.example", "two.example"),
                "ttl_s": 20,
            },
        ),
        (
            saying(f"{NAME}. 30 IN CNAME outside.example."),
            {"outcome": "nodata", "addresses": (), "aliases": ("outside.example",)},
        ),
        (saying(authority=CLUSTER_SOA), {"outcome": "nodata", "soa_owner": "cluster.local", "ttl_s": 5}),
        (
            saying(rcode=dns.rcode.NXDOMAIN, authority=CLUSTER_SOA),
            {"outcome": "nxdomain", "soa_owner": "cluster.local"},
        ),
        (
            saying(rcode=dns.rcode.NXDOMAIN, authority=ROOT_SOA),
            {"outcome": "nxdomain", "soa_owner": ".", "ttl_s": 3600},
        ),
        (saying(rcode=dns.rcode.SERVFAIL), {"outcome": "servfail", "detail": "SERVFAIL"}),
        (saying(rcode=dns.rcode.NOTIMP), {"outcome": "servfail", "detail": "NOTIMP"}),
        (saying(rcode=dns.rcode.REFUSED), {"outcome": "refused-rcode"}),
        (
            saying(flags=dns.flags.TC),
            {
                "outcome": "answer",
                "truncated": True,
                "addresses": (),
                "detail": "truncated: the whole answer needs TCP",
            },
        ),
        (saying("other.example. 30 IN A 192.0.2.9"), {"outcome": "nodata", "addresses": ()}),
        (
            saying(f"{NAME}. 1 IN CNAME a.example.", f"a.example. 1 IN CNAME {NAME}."),
            {"outcome": "malformed"},
        ),
    ],
)
async def test_every_answer_has_its_outcome(
    transport: DnsTransport, respond: Respond, expect: dict[str, object]
) -> None:
    async with dns_server(respond) as port:
        answer = await ask(port, transport)
    assert {field: getattr(answer, field) for field in expect} == expect
    assert (answer.server, answer.name, answer.transport) == (LOOPBACK, NAME, transport)


def cut_in_the_middle_of_a_record(query: Message) -> list[bytes]:
    """Not every server, and hardly any box in between, ends a truncated answer where a record ends."""
    [whole] = saying(*(f"{NAME}. 30 IN A 172.20.4.{number}" for number in range(40)), flags=dns.flags.TC)(query)
    return [whole[:300]]


async def test_a_truncated_answer_may_end_anywhere() -> None:
    async with dns_server(cut_in_the_middle_of_a_record) as port:
        answer = await ask(port, "udp")
    assert (answer.outcome, answer.truncated) == ("answer", True)
    assert IPv4Address("172.20.4.0") in answer.addresses


def not_dns(_query: Message) -> list[bytes]:
    return [b"HTTP/1.1 400 Bad Request\r\n\r\n"]


def another_id(query: Message) -> list[bytes]:
    response = dns.message.make_response(query)
    response.id ^= 1
    return [response.to_wire()]


def another_question(query: Message) -> list[bytes]:
    forged = dns.message.make_query("bank.example.", "A", id=query.id)
    return [dns.message.make_response(forged).to_wire()]


def the_question_itself(query: Message) -> list[bytes]:
    return [query.to_wire()]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("respond", [not_dns, another_id, another_question, the_question_itself])
async def test_what_is_no_answer_to_our_question_is_malformed(transport: DnsTransport, respond: Respond) -> None:
    async with dns_server(respond) as port:
        answer = await ask(port, transport, timeout_s=SHORT)
    assert answer.outcome == "malformed"
    assert answer.detail


async def test_a_forged_datagram_does_not_keep_the_true_answer_out() -> None:
    true = saying(f"{NAME}. 30 IN A 172.20.4.222")
    async with dns_server(lambda query: [*another_id(query), *not_dns(query), *true(query)]) as port:
        answer = await ask(port, "udp")
    assert answer.addresses == (IPv4Address("172.20.4.222"),)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_silence_is_a_timeout(transport: DnsTransport) -> None:
    async with dns_server(lambda _query: []) as port:
        assert (await ask(port, transport, timeout_s=SHORT)).outcome == "timeout"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_nobody_listening_is_a_refusal_at_once(transport: DnsTransport) -> None:
    assert (await ask(closed_port(), transport)).outcome == "refused"


async def test_a_connection_cut_before_the_answer_is_malformed() -> None:
    async with serving(closing) as port:
        answer = await ask(port, "tcp")
    assert (answer.outcome, bool(answer.detail)) == ("malformed", True)


async def test_the_question_is_one_fully_qualified_name_with_edns() -> None:
    seen: list[Message] = []

    def note(query: Message) -> list[bytes]:
        seen.append(query)
        return saying()(query)

    async with dns_server(note) as port:
        await ask(port, "udp", "redis-abc-gns.default")
    (query,) = seen
    assert str(query.question[0]) == "redis-abc-gns.default. IN A"
    assert (query.edns, query.payload) == (0, 1232)
    assert query.flags & dns.flags.RD


@pytest.mark.parametrize("name", ["a" * 64, "a..b", ".".join(["a" * 60] * 5)])
async def test_what_can_be_no_name_is_rejected(name: str) -> None:
    with pytest.raises(Rejected, match="can be no DNS name"):
        await ask(53, "udp", name)


@pytest.mark.parametrize("protocol", ["UDP", "TCP"])
async def test_a_dns_port_can_be_probed_like_any_other(protocol: str) -> None:
    async with dns_server(saying(rcode=dns.rcode.REFUSED)) as port:
        answer = await NetworkProber(ProbeSettings()).connect(LOOPBACK, port, protocol, "dns", LONG)  # type: ignore[arg-type]
    assert (answer.outcome, answer.peer_says) == ("data", "DNS REFUSED")


async def test_a_closed_udp_port_refuses_a_connection_probe() -> None:
    answer = await NetworkProber(ProbeSettings()).connect(LOOPBACK, closed_port(), "UDP", "dns", LONG)
    assert answer.outcome == "refused"
