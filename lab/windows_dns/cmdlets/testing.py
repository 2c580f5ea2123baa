"""Test-DnsServer: does a master answer this server?"""

from __future__ import annotations

from datetime import timedelta

import dns.exception
import dns.message

from lab.windows_dns.powershell.command import Invocation
from lab.windows_dns.powershell.conversion import to_text
from lab.windows_dns.powershell.values import CimInstance

from .caller import Caller

_PATIENCE = 5.0


async def test_dns_server(run: Invocation, caller: Caller) -> None:
    """One object per address: `Success`, `NoResponse`, or `NotAuthoritative` when the zone is not known there."""
    run.interp.console.flush()
    for address in run["IPAddress"]:
        started = caller.server.clock.now()
        result = await _probe(caller, to_text(address), run["ZoneName"])
        spent = timedelta(seconds=int(caller.server.clock.now() - started))
        run.emit(
            CimInstance(
                "DnsServerValidity",
                [
                    ("IPAddress", address),
                    ("Result", result),
                    ("RoundTripTime", spent),
                    ("TcpTried", False),
                    ("UdpTried", True),
                ],
            )
        )


async def _probe(caller: Caller, address: str, zone: str | None) -> str:
    query = dns.message.make_query(f"{zone.rstrip('.')}." if zone else ".", "SOA" if zone else "NS")
    try:
        reply = await caller.server.upstream.udp(address, 53, query.to_wire(), _PATIENCE)
        if reply is None:
            return "NoResponse"
        response = dns.message.from_wire(reply)
    except (OSError, dns.exception.DNSException):
        return "NoResponse"
    if not query.is_response(response):
        return "NoResponse"
    return "Success" if response.rcode() in (0, 3) else "NotAuthoritative"


# The name is the cmdlet's; it is not a test of ours.
test_dns_server.__test__ = False  # type: ignore[attr-defined]
