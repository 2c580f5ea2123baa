"""Check 36: Resolve-DnsName, as somebody on the server uses it."""

from typing import Any

import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from tests.lab.windows_dns.clients import lab, nxdomain, rcode
from tests.lab.windows_dns.forwarding import NAME, ZONE, forwarder, masters, office

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
