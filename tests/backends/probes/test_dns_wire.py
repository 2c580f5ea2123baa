"""The short way to read the plainest answers tells what the long way tells, or nothing."""

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
from hypothesis import given
from hypothesis import strategies as st

from backends.probes.dns import read, told
from backends.probes.dns_wire import mismatch, parsed, plain_addresses, question
from bot.model.probes import DnsAnswer
from tests.backends.probes.servers import LOOPBACK

NAME = "redis.default.svc.cluster.local."
OTHER = "other.default.svc.cluster.local."
SOA = "cluster.local. 30 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5"

addresses = st.ip_addresses(v=4).map(str)
records = st.lists(
    st.one_of(
        st.tuples(st.just(NAME), st.integers(0, 2**31 - 1), st.just("A"), addresses),
        st.tuples(st.just(OTHER), st.integers(0, 300), st.just("A"), addresses),
        st.tuples(st.just(NAME), st.integers(0, 300), st.just("CNAME"), st.just(OTHER)),
        st.tuples(st.just(NAME), st.integers(0, 300), st.just("AAAA"), st.just("2001:db8::1")),
        st.tuples(st.just(NAME), st.integers(0, 300), st.just("TXT"), st.just('"abc"')),
    ),
    max_size=5,
)


def answer(number: int, name: str, said: list[tuple[str, int, str, str]], rcode: int, flags: int, soa: bool) -> bytes:
    query = dns.message.make_query(name, "A", id=number, use_edns=number % 2 - 1)
    response = dns.message.make_response(query)
    response.set_rcode(dns.rcode.Rcode(rcode))
    response.flags |= dns.flags.Flag(flags)
    response.answer = [dns.rrset.from_text(owner, ttl, "IN", kind, data) for owner, ttl, kind, data in said]
    if soa:
        response.authority = [dns.rrset.from_text(*SOA.split(" ", 4))]
    return response.to_wire(max_size=65535)


def fields(found: dict[str, object]) -> DnsAnswer:
    return DnsAnswer(server=LOOPBACK, name=NAME, transport="udp", elapsed_ms=0, **found)  # type: ignore[arg-type]


@given(
    number=st.integers(0, 65535),
    said=records,
    rcode=st.sampled_from([0, 0, 0, 2, 3, 5]),
    flags=st.sampled_from([0, dns.flags.TC, dns.flags.AA]),
    soa=st.booleans(),
)
def test_it_tells_the_same_as_the_library(
    number: int, said: list[tuple[str, int, str, str]], rcode: int, flags: int, soa: bool
) -> None:
    asked = question(NAME)
    wire = answer(number, NAME, said, rcode, flags, soa)
    assert mismatch(asked, number, wire) == ""
    if plain_addresses(asked, wire) is not None:
        assert fields(told(asked, wire)) == fields(read(parsed(wire)))
        assert {kind for _, _, kind, _ in said} == {"A"}
        assert not soa


@given(wire=st.binary(min_size=12, max_size=120), cut=st.integers(0, 100))
def test_what_was_cut_or_made_up_is_never_told(wire: bytes, cut: int) -> None:
    asked = question(NAME)
    whole = answer(7, NAME, [(NAME, 30, "A", "10.68.0.9")], 0, 0, False)
    for one in (wire, whole[: max(12, len(whole) - 1 - cut)], whole + b"x"):
        plain = plain_addresses(asked, one)
        assert plain is None or fields(told(asked, one)) == fields(read(parsed(one)))


def test_the_usual_answer_takes_the_short_way() -> None:
    asked = question(NAME)
    for number in (6, 7):  # with EDNS and without
        wire = answer(number, NAME, [(NAME, 30, "A", "10.68.0.9"), (NAME, 5, "A", "10.68.0.8")], 0, 0, False)
        found = plain_addresses(asked, wire)
        assert found is not None
        assert [str(address) for address in found[0]] == ["10.68.0.9", "10.68.0.8"]
