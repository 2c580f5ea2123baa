"""Checks 33 to 35: what the server remembers, how long, and what it hears from other servers."""

import dns.rcode

from lab.windows_dns import Directory, VirtualClock
from tests.lab.windows_dns.clients import TEXT, address, lab, nxdomain, office_state
from tests.lab.windows_dns.forwarding import ADD, NAME, ZONE, forwarder, masters, office, soa_owner


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


async def test_show_cache() -> None:
    async with lab(office(forwarder("10.68.0.2")), upstream=masters(m2=address())) as dc:
        await dc.ask(NAME)
        shown = await dc.run('Show-DnsServerCache | % { "$($_.HostName) $($_.RecordType) $($_.RecordData)" }', TEXT)
        assert shown.lines == [f"{NAME}. A 10.68.0.50"]
