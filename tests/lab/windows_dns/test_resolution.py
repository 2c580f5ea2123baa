"""Check 32: who answers a question, in what time, and how answers travel."""

import asyncio
import dataclasses
from typing import Any

import dns.asyncquery
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rrset
import pytest

from lab.windows_dns import RealClock, Server, SocketUpstream, State, VirtualClock, Zone, running
from tests.lab.windows_dns.clients import Lab, Masters, address, client, drive, lab, rcode
from tests.lab.windows_dns.forwarding import NAME, ZONE, forwarder, masters, office, soa_owner


async def test_check_32_hosted_zones_answer_themselves() -> None:
    async with lab() as dc:
        found = await dc.ask("INTRANET.corp.example")
        assert [rrset.rdtype.name for rrset in found.answer] == ["CNAME", "A"]
        assert found.flags & dns.flags.AA
        assert (await dc.ask("nobody.corp.example")).rcode() == dns.rcode.NXDOMAIN
        nodata = await dc.ask("dc1.corp.example", "AAAA")
        assert (nodata.rcode(), nodata.answer, soa_owner(nodata)) == (dns.rcode.NOERROR, [], "corp.example.")


@pytest.mark.parametrize(
    ("name", "master"),
    [
        ("redis.default.svc.cluster.local", "10.68.0.2"),
        ("svc.cluster.local", "10.68.0.2"),
        ("other.cluster.local", "10.68.0.1"),
        ("xsvc.cluster.local", "10.68.0.1"),
        ("a.team.SVC.Cluster.Local", "10.68.0.3"),
    ],
)
async def test_check_32_the_longest_suffix_forwards(name: str, master: str) -> None:
    upstream = masters(m1=address(), m2=address(), m3=address())
    zones = [
        forwarder("10.68.0.1", name="cluster.local"),
        forwarder("10.68.0.2"),
        forwarder("10.68.0.3", name=f"team.{ZONE}"),
    ]
    async with lab(office(*zones), upstream=upstream) as dc:
        assert (await dc.ask(name)).rcode() == dns.rcode.NOERROR
        assert [server for _, server in upstream.times()] == [master]


async def test_check_32_a_hosted_parent_keeps_an_undelegated_child() -> None:
    upstream = masters(m2=address())
    child = forwarder("10.68.0.2", name="k8s.corp.example")
    state = office(child)
    async with lab(state, upstream=upstream) as dc:
        assert (await dc.ask("redis.k8s.corp.example")).rcode() == dns.rcode.NXDOMAIN
    corp = next(zone for zone in state.zones if zone.name == "corp.example")
    corp.records = [*corp.records, "k8s 3600 NS dc1.corp.example."]
    async with lab(state, upstream=upstream) as dc:
        assert (await dc.ask("redis.k8s.corp.example")).answer


async def test_check_32_queries_to_masters_ask_for_recursion() -> None:
    seen: list[dns.message.Message] = []

    def remember(query: dns.message.Message, response: dns.message.Message) -> None:
        seen.append(query)

    async with lab(office(forwarder("10.68.0.2")), upstream=masters(m2=remember)) as dc:
        await dc.ask(NAME)
        assert seen[0].flags & dns.flags.RD
        assert (seen[0].edns, seen[0].payload) == (0, 4000)


@pytest.mark.parametrize(
    ("timeout", "tried", "ends"),
    [
        (5, [0, 5.5], 11.5),
        (2, [0, 2.5, 5.5], 8.5),
        (3, [0, 3.5, 7.5], 11.5),
        (0, [0, 0.5, 1.5], 2.5),
        (15, [0], 15.5),
    ],
)
async def test_check_32_masters_in_order_after_t_and_t_plus_one(timeout: int, tried: list[float], ends: float) -> None:
    upstream = masters()
    silent = forwarder("10.68.0.7", "10.68.0.5", "10.68.0.6", timeout=timeout)
    async with lab(office(silent), upstream=upstream) as dc:
        assert (await dc.ask(NAME)).rcode() == dns.rcode.SERVFAIL
        assert dc.clock.now() == ends
        order = ["10.68.0.7", "10.68.0.5", "10.68.0.6"]
        assert upstream.times() == list(zip(tried, order, strict=False))


async def test_check_32_a_dead_first_master_costs_its_time() -> None:
    async with lab(office(forwarder("10.68.0.1", "10.68.0.2")), upstream=masters(m2=address())) as dc:
        assert (await dc.ask(NAME)).answer
        assert dc.clock.now() == 5.5


@pytest.mark.parametrize("first", ["refused", rcode(dns.rcode.SERVFAIL), rcode(dns.rcode.REFUSED)])
async def test_check_32_a_refusal_moves_on_at_once(first: Any) -> None:
    upstream = masters(m1=first, m2=address())
    async with lab(office(forwarder("10.68.0.1", "10.68.0.2")), upstream=upstream) as dc:
        assert (await dc.ask(NAME)).answer
        assert upstream.times() == [(0, "10.68.0.1"), (0, "10.68.0.2")]


async def test_check_32_all_refused_is_servfail_at_once() -> None:
    async with lab(office(forwarder("10.68.0.1")), upstream=masters(m1="refused")) as dc:
        assert (await dc.ask(NAME)).rcode() == dns.rcode.SERVFAIL
        assert dc.clock.now() == 0


async def test_check_32_a_late_answer_of_the_first_master_counts() -> None:
    upstream = masters()

    class Late(Masters):
        async def udp(self, server: str, port: int, wire: bytes, timeout: float) -> bytes | None:
            await self.clock.sleep(6)
            return await super().udp(server, port, wire, timeout)

    late = Late(upstream.clock, {"10.68.0.1": address("10.68.0.51"), "10.68.0.2": address("10.68.0.52")})
    async with lab(office(forwarder("10.68.0.1", "10.68.0.2")), upstream=late) as dc:
        assert (await dc.ask(NAME)).answer[0][0].address == "10.68.0.51"
        assert dc.clock.now() == 6


@pytest.mark.parametrize(("recursion", "outcome"), [(True, dns.rcode.NXDOMAIN), (False, dns.rcode.SERVFAIL)])
async def test_check_32_fallback_to_the_root(recursion: bool, outcome: dns.rcode.Rcode) -> None:
    async with lab(office(forwarder("10.68.0.1", use_recursion=recursion)), upstream=masters()) as dc:
        response = await dc.ask(NAME)
        assert response.rcode() == outcome
        assert dc.clock.now() == 5.5
        if recursion:
            assert soa_owner(response) == "."


async def test_check_32_no_forwarder_and_no_internet() -> None:
    async with lab(office(root_hints="silent")) as dc:
        assert (await dc.ask(NAME)).rcode() == dns.rcode.SERVFAIL
        assert dc.clock.now() == 8


async def test_check_32_server_level_forwarders_come_after_zones() -> None:
    upstream = masters(m2=address("10.68.0.52"), m9=address("10.68.0.59"))
    async with lab(office(forwarder("10.68.0.2"), forwarders=["10.68.0.9"]), upstream=upstream) as dc:
        assert (await dc.ask(NAME)).answer[0][0].address == "10.68.0.52"
        assert (await dc.ask("www.example.net")).answer[0][0].address == "10.68.0.59"


def many(query: dns.message.Message, response: dns.message.Message) -> None:
    addresses = [f"172.20.{n // 200}.{n % 200 + 1}" for n in range(90)]
    response.answer.append(dns.rrset.from_text_list(query.question[0].name, 30, "IN", "A", addresses))


async def test_big_answers_are_truncated_and_come_whole_over_tcp() -> None:
    upstream = masters(m2=many)
    async with lab(office(forwarder("10.68.0.2")), upstream=upstream) as dc:
        small = await dc.ask(NAME)
        assert small.flags & dns.flags.TC
        assert len(small.to_wire()) <= 512
        whole = await dc.ask(NAME, tcp=True)
        assert len(whole.answer[0]) == 90
        roomy = await dc.ask(NAME, use_edns=0, payload=4096)
        assert not roomy.flags & dns.flags.TC
        assert len(roomy.answer[0]) == 90


async def test_a_truncated_master_is_asked_again_over_tcp() -> None:
    upstream = masters(m2=many)
    async with lab(office(forwarder("10.68.0.2"), edns_probes=False), upstream=upstream) as dc:
        assert len((await dc.ask(NAME, tcp=True)).answer[0]) == 90
        assert [transport for _, _, transport in upstream.asked] == ["udp", "tcp"]


async def test_a_cname_to_another_zone_is_followed() -> None:
    def external(query: dns.message.Message, response: dns.message.Message) -> None:
        response.answer.append(dns.rrset.from_text(query.question[0].name, 30, "IN", "CNAME", "dc1.corp.example."))

    async with lab(office(forwarder("10.68.0.2")), upstream=masters(m2=external)) as dc:
        response = await dc.ask(NAME)
        assert [rrset.rdtype.name for rrset in response.answer] == ["CNAME", "A"]


async def test_odd_questions(dc: Lab) -> None:
    assert (await dc.ask("corp.example", "AXFR", tcp=True)).rcode() == dns.rcode.REFUSED
    update = dns.message.make_query("corp.example", "SOA")
    update.set_opcode(dns.opcode.UPDATE)
    assert (
        await dns.asyncquery.udp(update, dc.up.dns_host, port=dc.up.dns_port, timeout=20)
    ).rcode() == dns.rcode.NOTIMP
    loop = asyncio.get_running_loop()
    reply: asyncio.Future[bytes] = loop.create_future()

    class Raw(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            reply.set_result(data)

    transport, _ = await loop.create_datagram_endpoint(Raw, remote_addr=(dc.up.dns_host, dc.up.dns_port))
    transport.sendto(b"\x12\x34" + b"\x01\x00\x00\x01" + b"\0" * 6 + b"\xff")
    response = dns.message.from_wire(await reply)
    assert (response.id, response.rcode()) == (0x1234, dns.rcode.FORMERR)
    transport.close()


async def test_real_sockets_to_a_real_master() -> None:
    """One simulated server forwards to another over UDP, and over TCP when the answer is big."""
    clock = RealClock()
    pods = [f"big 30 A 172.20.{n // 200}.{n % 200 + 1}" for n in range(400)]
    cluster = Zone(name=ZONE, type="Primary", records=["redis 30 A 10.68.0.50", *pods])
    kube_dns = Server(State(zones=[cluster]), clock=clock)
    async with running(kube_dns, tls=False) as up:
        routes = {"10.68.0.2": (up.dns_host, up.dns_port), "10.68.0.9": ("127.0.0.1", _closed_port())}
        upstream = SocketUpstream(clock, "127.0.0.1", routes)
        office_server = Server(office(forwarder("10.68.0.9", "10.68.0.2")), clock=clock, upstream=upstream)
        async with running(office_server, tls=False) as dc:
            for name, count in (("redis", 1), ("big", 400)):
                question = dns.message.make_query(f"{name}.{ZONE}", "A")
                reply = await dns.asyncquery.tcp(question, dc.dns_host, port=dc.dns_port, timeout=20)
                assert len(reply.answer[0]) == count


def _closed_port() -> int:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_state_travels_as_json() -> None:
    server = Server(office(forwarder("10.68.0.2")), clock=VirtualClock())
    again = Server.from_json(server.to_json(), clock=VirtualClock())
    assert again.to_json() == server.to_json()
    assert dataclasses.is_dataclass(type(again.writes)) is False
    with pytest.raises(ValueError, match="mastres"):
        State.from_json({"zones": [{"name": "x", "mastres": []}]})


async def test_many_questions_at_once() -> None:
    async with lab(office(forwarder("10.68.0.1", "10.68.0.2")), upstream=masters(m2=address())) as dc:
        asked = [dns.message.make_query(f"n{n}.{ZONE}", "A") for n in range(30)]
        work = asyncio.gather(
            *(dns.asyncquery.udp(each, dc.up.dns_host, port=dc.up.dns_port, timeout=20) for each in asked),
            _in_shell(dc),
        )
        replies = await drive(dc.clock, work)
        assert all(reply.answer for reply in replies[:-1])


async def _in_shell(dc: Lab) -> int:
    async with client(dc.up) as each:
        return (await each.run("'meanwhile'")).code
