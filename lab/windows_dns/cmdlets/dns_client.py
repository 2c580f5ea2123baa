"""Resolve-DnsName: the resolver of the machine itself, with the error ids that scripts look at."""

from __future__ import annotations

import re
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from lab.windows_dns.clock import within
from lab.windows_dns.powershell.binding import Parameter
from lab.windows_dns.powershell.command import Cmdlet, Invocation, cmdlet
from lab.windows_dns.powershell.conversion import convert, to_text
from lab.windows_dns.powershell.errors import ErrorRecord, Unsupported
from lab.windows_dns.powershell.values import EnumValue, PSArray, PSObject
from lab.windows_dns.server import CmdletCall

from .caller import Caller, caller_of

_ID = "Microsoft.DnsClient.Commands.ResolveDnsName"
_TYPES = ("A", "NS", "CNAME", "SOA", "PTR", "MX", "TXT", "AAAA", "SRV", "ANY", "ALL", "A_AAAA", "UNKNOWN")
_SECTIONS = ("Question", "Answer", "Authority", "Additional")
_QUICK = 3.0
# What records of one type have and others have not.
_OF_SOME_RECORDS = frozenset(
    {
        "ipaddress", "address", "ip4address", "ip6address", "namehost", "primaryserver", "nameadministrator",
        "serialnumber", "timetozonerefresh", "timetozonefailureretry", "timetoexpiration", "defaultttl", "nametarget",
        "priority", "weight", "port", "nameexchange", "preference", "strings", "data",
    }
)  # fmt: skip
_OUTCOMES = {
    "name_error": ("DNS_ERROR_RCODE_NAME_ERROR", "ResourceUnavailable", 9003),
    "server_failure": ("RCODE_SERVER_FAILURE", "ResourceUnavailable", 9002),
    "refused": ("DNS_ERROR_RCODE_REFUSED", "ResourceUnavailable", 9005),
    "timeout": ("ERROR_TIMEOUT", "OperationTimeout", 1460),
    "bad_name": ("DNS_ERROR_INVALID_NAME_CHAR", "ResourceUnavailable", 9560),
}


class _Failed(Exception):
    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


async def _resolve(run: Invocation) -> None:
    caller = caller_of(run)
    caller.server.calls.append(
        CmdletCall(caller.account.user, run.cmdlet.name, {"Name": run["Name"], "Type": run["Type"]})
    )
    if unknown := [name for name in ("CacheOnly", "LlmnrOnly", "LlmnrNetbiosOnly", "NetbiosFallback") if run[name]]:
        raise Unsupported(f"-{unknown[0]} of Resolve-DnsName")
    run.interp.console.flush()
    try:
        for record in await _search(run, caller):
            run.emit(record)
    except _Failed as failed:
        run.error(_error(run, caller, failed.outcome))


def _error(run: Invocation, caller: Caller, outcome: str) -> ErrorRecord:
    error_id, category, code = _OUTCOMES[outcome]
    return ErrorRecord(
        caller.say(outcome, name=run["Name"]),
        f"{error_id},{_ID}",
        category,
        run["Name"],
        "System.ComponentModel.Win32Exception",
        "Resolve-DnsName",
        "String",
        code,
    )


async def _search(run: Invocation, caller: Caller) -> list[PSObject]:
    """The name itself when it has a dot or ends with one; otherwise with each suffix of the search list first."""
    name = run["Name"]
    if re.search(r"[\s\\/:*?\"<>|]", name) or ".." in name or not name:
        raise _Failed("bad_name")
    suffixes = caller.server.settings.suffixes
    candidates = [name] if "." in name else [*(f"{name}.{suffix}" for suffix in suffixes), name]
    for candidate in candidates[:-1]:
        try:
            return await _lookup(run, caller, candidate)
        except _Failed as failed:
            if failed.outcome != "name_error":
                raise
    return await _lookup(run, caller, candidates[-1])


async def _lookup(run: Invocation, caller: Caller, name: str) -> list[PSObject]:
    wanted = (run["Type"] or "A_AAAA").upper()
    types = ["A", "AAAA"] if wanted in ("A_AAAA", "UNKNOWN") else ["ANY" if wanted == "ALL" else wanted]
    found: list[PSObject] = []
    negative: list[PSObject] = []
    for rdtype in types:
        response = await _ask(run, caller, name, rdtype)
        found += [record for rrset in response.answer for record in _records(rrset, "Answer")]
        if not response.answer:
            negative += [record for rrset in response.authority for record in _records(rrset, "Authority")]
    # An empty answer is not an error: the SOA of the zone comes back in the authority section.
    return found or negative[:1]


async def _ask(run: Invocation, caller: Caller, name: str, rdtype: str) -> dns.message.Message:
    try:
        qname = dns.name.from_text(name if name.endswith(".") else f"{name}.")
    except (dns.exception.DNSException, UnicodeError):
        raise _Failed("bad_name") from None
    query = dns.message.make_query(qname, rdtype)
    if run["NoRecursion"]:
        query.flags &= ~dns.flags.RD
    response = await _first_reply(run, caller, query)
    outcome = {dns.rcode.NOERROR: None, dns.rcode.NXDOMAIN: "name_error", dns.rcode.REFUSED: "refused"}
    failure = outcome.get(response.rcode(), "server_failure")
    if failure:
        raise _Failed(failure)
    return response


async def _first_reply(run: Invocation, caller: Caller, query: dns.message.Message) -> dns.message.Message:
    settings = caller.server.settings
    patience = _QUICK if run["QuickTimeout"] else settings.client_timeout
    for server in run["Server"] or settings.addresses[:1]:
        reply = await _exchange(run, caller, to_text(server), query, patience)
        if reply is not None:
            return reply
    raise _Failed("timeout")


async def _exchange(
    run: Invocation, caller: Caller, server: str, query: dns.message.Message, patience: float
) -> dns.message.Message | None:
    machine = caller.server
    own = {"localhost", machine.settings.hostname.lower(), machine.fqdn.lower(), *machine.settings.addresses}
    if server.lower() in own:
        try:
            return await within(machine.clock, patience, machine.respond(query))
        except TimeoutError:
            return None
    ask = machine.upstream.tcp if run["TcpOnly"] else machine.upstream.udp
    try:
        wire = await ask(server, 53, query.to_wire(), patience)
        if wire is None:
            return None
        response = dns.message.from_wire(wire)
        if response.flags & dns.flags.TC:
            wire = await machine.upstream.tcp(server, 53, query.to_wire(), patience)
            response = dns.message.from_wire(wire) if wire else response
    except (OSError, dns.exception.DNSException):
        return None
    return response if query.is_response(response) else None


def _records(rrset: dns.rrset.RRset, section: str) -> list[PSObject]:
    kind = dns.rdatatype.to_text(rrset.rdtype)
    made = []
    for rdata in rrset:
        properties: list[tuple[str, Any]] = [
            ("Name", rrset.name.to_text(omit_final_dot=True)),
            ("Type", EnumValue(int(rrset.rdtype), kind)),
            ("QueryType", EnumValue(int(rrset.rdtype), kind)),
            ("CharacterSet", EnumValue(1, "Unicode")),
            ("Section", EnumValue(_SECTIONS.index(section), section)),
            ("DataLength", len(rdata.to_wire() or b"")),
            ("TTL", rrset.ttl),
            *_data(kind, rdata),
        ]
        made.append(PSObject(properties, f"Microsoft.DnsClient.Commands.DnsRecord_{kind}", _OF_SOME_RECORDS))
    return made


def _data(kind: str, rdata: Any) -> list[tuple[str, Any]]:
    def host(name: dns.name.Name) -> str:
        return name.to_text(omit_final_dot=True)

    if kind in ("A", "AAAA"):
        address = to_text(convert(rdata.address, "ipaddress"))
        return [("IPAddress", address), ("Address", address), ("IP4Address" if kind == "A" else "IP6Address", address)]
    if kind in ("CNAME", "NS", "PTR"):
        return [("NameHost", host(rdata.target))]
    if kind == "SOA":
        return [
            ("PrimaryServer", host(rdata.mname)),
            ("NameAdministrator", host(rdata.rname)),
            ("SerialNumber", rdata.serial),
            ("TimeToZoneRefresh", rdata.refresh),
            ("TimeToZoneFailureRetry", rdata.retry),
            ("TimeToExpiration", rdata.expire),
            ("DefaultTTL", rdata.minimum),
        ]
    if kind == "SRV":
        return [
            ("NameTarget", host(rdata.target)),
            ("Priority", rdata.priority),
            ("Weight", rdata.weight),
            ("Port", rdata.port),
        ]
    if kind == "MX":
        return [("NameExchange", host(rdata.exchange)), ("Preference", rdata.preference)]
    if kind == "TXT":
        return [("Strings", PSArray(text.decode("utf-8", "replace") for text in rdata.strings))]
    return [("Data", rdata.to_text())]


P = Parameter
DNS_CLIENT: tuple[Cmdlet, ...] = (
    cmdlet(
        "Resolve-DnsName",
        _resolve,
        P("Name", "string", mandatory=True, position=0, from_property=True, from_value=True),
        P("Type", "string", position=1, allowed=_TYPES),
        P("Server", "string[]"),
        *(
            P(name, "switch")
            for name in (
                "DnsOnly",
                "CacheOnly",
                "DnssecOk",
                "DnssecCd",
                "NoHostsFile",
                "LlmnrNetbiosOnly",
                "LlmnrFallback",
                "LlmnrOnly",
                "NetbiosFallback",
                "NoIdn",
                "NoRecursion",
                "QuickTimeout",
                "TcpOnly",
            )
        ),
        module="DnsClient",
        per_object=True,
    ),
)
