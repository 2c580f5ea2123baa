"""Checks 32 to 36: the DNS side, in its own time, and Resolve-DnsName."""

import asyncio
import dataclasses
from typing import Any

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from windows_dns_lab import TEXT, Lab, Masters, address, client, drive, lab, nxdomain, office_state, rcode

from lab.windows_dns import (
    Directory,
    RealClock,
    Server,
    SocketUpstream,
    State,
    VirtualClock,
    Zone,
    running,
)

ZONE = "svc.cluster.local"
NAME = f"redis.default.{ZONE}"
ADD = "Add-DnsServerConditionalForwarderZone"


def office(*zones: Zone, **settings: Any) -> State:
    state = office_state(**settings)
    state.zones += zones
    return state


def forwarder(*masters: str, name: str = ZONE, **details: Any) -> Zone:
    return Zone(name=name, masters=list(masters), **details)


def masters(**table: Any) -> Masters:
    """Masters by the last byte of their address: `m2=…` is 10.68.0.2."""
    return Masters(VirtualClock(), {f"10.68.0.{name[1:]}": reply for name, reply in table.items()})


def soa_owner(response: dns.message.Message) -> str:
    return next(rrset.name.to_text() for rrset in response.authority)


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


async def test_check_33_a_negative_answer_outlives_the_new_forwarder() -> None:
    upstream = masters(m2=address())
    async with lab(office(), upstream=upstream) as dc:
        early = await dc.ask(NAME)
        assert (early.rcode(), soa_owner(early), early.authority[0].ttl) == (dns.rcode.NXDOMAIN, ".", 900)
        await dc.run(f"{ADD} {ZONE} 10.68.0.2")
        await dc.clock.advance(600)
        assert (await dc.ask(NAME)).rcode() == dns.rcode.NXDOMAIN
        assert (await dc.ask(f"fresh.default.{ZONE}")).answer
        await dc.run("Clear-DnsServerCache -Force")
        assert (await dc.ask(NAME)).answer


async def test_check_33_negative_answers_end_after_a_quarter_of_an_hour() -> None:
    async with lab(office(), upstream=masters(m2=address())) as dc:
        await dc.ask(NAME)
        await dc.run(f"{ADD} {ZONE} 10.68.0.2")
        await dc.clock.advance(899)
        assert (await dc.ask(NAME)).rcode() == dns.rcode.NXDOMAIN
        await dc.clock.advance(1)
        assert (await dc.ask(NAME)).answer


async def test_check_33_answers_age() -> None:
    upstream = masters(m2=address(ttl=30))
    async with lab(office(forwarder("10.68.0.2")), upstream=upstream) as dc:
        assert (await dc.ask(NAME)).answer[0].ttl == 30
        await dc.clock.advance(29)
        assert (await dc.ask(NAME)).answer[0].ttl == 1
        assert len(upstream.asked) == 1
        await dc.clock.advance(1)
        assert (await dc.ask(NAME)).answer[0].ttl == 30
        assert len(upstream.asked) == 2


async def test_check_33_a_missing_name_is_missing_for_every_type() -> None:
    upstream = masters(m2=nxdomain())
    async with lab(office(forwarder("10.68.0.2")), upstream=upstream) as dc:
        for rdtype in ("A", "AAAA", "SRV"):
            assert soa_owner(await dc.ask(NAME, rdtype)) == "cluster.local."
        assert len(upstream.asked) == 1


async def test_check_34_an_answer_outlives_its_forwarder() -> None:
    async with lab(office(forwarder("10.68.0.2")), upstream=masters(m2=address(ttl=300))) as dc:
        await dc.ask(NAME)
        await dc.run(f"Remove-DnsServerZone {ZONE} -Force")
        assert (await dc.ask(NAME)).answer
        await dc.clock.advance(300)
        assert (await dc.ask(NAME)).rcode() == dns.rcode.NXDOMAIN


async def test_check_35_directory_zones_arrive_later_and_files_never() -> None:
    directory = Directory(VirtualClock(), delay=210)
    second = office_state(hostname="DC2")
    async with lab(office(), directory=directory) as one, lab(second, directory=directory) as two:
        await one.run(f"{ADD} {ZONE} 10.68.0.2 -ReplicationScope Domain; {ADD} file.example 10.68.0.2")
        assert [row[1:] for row in directory.pending()] == [("DC2", ZONE)]
        await directory.clock.advance(209)
        assert (await two.error(f"Get-DnsServerZone {ZONE} -ErrorAction Stop"))["id"].startswith("WIN32 9601,")
        await directory.clock.advance(1)
        assert (await two.zone(ZONE))["masters"] == ["10.68.0.2"]
        await two.run(f"Set-DnsServerConditionalForwarderZone {ZONE} 10.68.0.3")
        assert (await one.zone(ZONE))["masters"] == ["10.68.0.2"]
        await directory.clock.advance(210)
        assert (await one.zone(ZONE))["masters"] == ["10.68.0.3"]
        await one.run(f"Remove-DnsServerZone {ZONE} -Force")
        await directory.clock.advance(210)
        assert two.server.zones.get(ZONE) is None
        assert two.server.zones.get("file.example") is None


ID = "Microsoft.DnsClient.Commands.ResolveDnsName"


@pytest.mark.parametrize(
    ("reply", "error_id", "category"),
    [
        (nxdomain(), "DNS_ERROR_RCODE_NAME_ERROR", "ResourceUnavailable"),
        (rcode(dns.rcode.SERVFAIL), "RCODE_SERVER_FAILURE", "ResourceUnavailable"),
    ],
)
async def test_check_36_failures_of_resolve_dnsname(reply: Any, error_id: str, category: str) -> None:
    async with lab(office(forwarder("10.68.0.2")), upstream=masters(m2=reply)) as dc:
        error = await dc.error(f"Resolve-DnsName {NAME}. -Server 127.0.0.1 -DnsOnly -ErrorAction Stop")
        assert (error["id"], error["category"]) == (f"{error_id},{ID}", category)
        assert error["target"] == f"{NAME}."


@pytest.mark.parametrize(("patience", "error_id"), [(10, "ERROR_TIMEOUT"), (12, "RCODE_SERVER_FAILURE")])
async def test_check_36_a_dead_master_is_a_timeout_or_a_failure(patience: float, error_id: str) -> None:
    state = office(forwarder("10.68.0.1", "10.68.0.2"), client_timeout=patience)
    async with lab(state, upstream=masters()) as dc:
        assert (await dc.error(f"Resolve-DnsName {NAME} -Type A -ErrorAction Stop"))["id"] == f"{error_id},{ID}"


async def test_check_36_answers() -> None:
    def records(query: dns.message.Message, response: dns.message.Message) -> None:
        name = query.question[0].name
        if name.to_text().startswith("alias"):
            response.answer.append(dns.rrset.from_text(name, 30, "IN", "CNAME", "target.svc.cluster.local."))
            name = dns.name.from_text("target.svc.cluster.local.")
        if query.question[0].rdtype == dns.rdatatype.A:
            response.answer.append(dns.rrset.from_text(name, 30, "IN", "A", "10.68.0.50"))
        elif query.question[0].rdtype == dns.rdatatype.AAAA:
            response.answer.append(dns.rrset.from_text(name, 30, "IN", "AAAA", "fd00::50"))
        else:
            response.authority.append(dns.rrset.from_text("cluster.local.", 30, "IN", "SOA", "ns.x. h.x. 1 2 3 4 30"))

    show = ' | % { "$($_.Section) $($_.Type) $($_.Name) $($_.IPAddress)$($_.NameHost) $($_.TTL)" }'
    async with lab(office(forwarder("10.68.0.2")), upstream=masters(m2=records)) as dc:
        pair = await dc.run(f"Resolve-DnsName {NAME}{show}")
        assert pair.lines == [f"Answer A {NAME} 10.68.0.50 30", f"Answer AAAA {NAME} fd00::50 30"]
        chain = await dc.run(f"Resolve-DnsName alias.{ZONE} -Type A{show}")
        assert chain.lines == [
            f"Answer CNAME alias.{ZONE} target.{ZONE} 30",
            f"Answer A target.{ZONE} 10.68.0.50 30",
        ]
        nodata = await dc.run(f"Resolve-DnsName {NAME} -Type TXT{show}")
        assert (nodata.lines, nodata.code) == (["Authority SOA cluster.local  30"], 0)


async def test_check_36_names_and_suffixes() -> None:
    async with lab(office(suffixes=["corp.example"])) as dc:
        assert (await dc.run("(Resolve-DnsName fileserver -Type A).Name")).lines == ["fileserver.corp.example"]
        assert (await dc.error("Resolve-DnsName 'a b' -ErrorAction Stop"))["id"] == f"DNS_ERROR_INVALID_NAME_CHAR,{ID}"
        assert "DNS_ERROR_RCODE_NAME_ERROR" in (await dc.error("Resolve-DnsName nobody. -ErrorAction Stop"))["id"]


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


async def test_show_cache() -> None:
    async with lab(office(forwarder("10.68.0.2")), upstream=masters(m2=address())) as dc:
        await dc.ask(NAME)
        shown = await dc.run('Show-DnsServerCache | % { "$($_.HostName) $($_.RecordType) $($_.RecordData)" }', TEXT)
        assert shown.lines == [f"{NAME}. A 10.68.0.50"]


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
