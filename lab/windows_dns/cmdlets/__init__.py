"""The cmdlets of the modules DnsServer and DnsClient, over one simulated server."""

from __future__ import annotations

from lab.windows_dns.powershell.command import Cmdlet
from lab.windows_dns.powershell.engine import ENGINE
from lab.windows_dns.server import Server

from .dns_client import DNS_CLIENT
from .dns_server import DNS_SERVER


def cmdlets_of(server: Server) -> tuple[Cmdlet, ...]:
    """What a session on this machine can call: without the role there is no DnsServer module."""
    return (*ENGINE, *DNS_CLIENT, *(DNS_SERVER if server.settings.dns_service != "absent" else ()))


def absent_from(server: Server) -> list[str]:
    """Commands that exist elsewhere but not on this machine."""
    return [each.name for each in DNS_SERVER] if server.settings.dns_service == "absent" else []
