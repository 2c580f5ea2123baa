"""A Windows DNS server, the simulated one: real client, NTLM with sealed messages."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.model.resources import Forwarder, Key, Resource
from lab.windows_dns import Zone
from tests.backends.windows_dns.jea import JEA, install
from tests.backends.windows_dns.simulated import OTHER, PASSWORD, WISH, Office, office
from tests.contract.subjects import Subject, Trouble

CHANGES = {"Add-DnsServerConditionalForwarderZone", "Set-DnsServerConditionalForwarderZone", "Remove-DnsServerZone"}
ENDLESS = 10_000


class WindowsDnsSubject(Subject):
    pairs = ((WISH, OTHER),)
    secret = PASSWORD

    def __init__(self, dc: Office, *, jea: bool = False) -> None:
        self.dc = dc
        self.target = dc.target("ntlm over http", **(JEA if jea else {}))
        # Answers before the write's own: of asking for the clock, and of opening a runspace.
        self._earlier = 3 if jea else 1

    async def put(self, resource: Resource) -> None:
        assert isinstance(resource, Forwarder)
        self.dc.server.act_as("somebody", "by hand")
        masters = [str(master) for master in resource.masters]
        zone = Zone(name=resource.zone, masters=masters, timeout=resource.timeout_s, use_recursion=resource.recursion)
        self.dc.server.zones.put(zone)

    async def drop(self, key: Key) -> None:
        self.dc.server.act_as("somebody", "by hand")
        self.dc.server.zones.remove(key.name)

    def writes(self) -> int:
        return sum(cmdlet in CHANGES for cmdlet in self.dc.writes())

    def trouble(self, trouble: Trouble) -> None:
        faults = self.dc.server.faults
        match trouble:
            case "unreachable":
                faults.add("drop", count=ENDLESS)
            case "refused":
                faults.add("error", "*-DnsServerConditionalForwarderZone", code=5)
            case "request lost":
                faults.add("drop", "Command", skip=1)  # the first one only asks for the clock
            case "answer lost":
                faults.add("lost_answer", "Receive", skip=self._earlier)

    def calm(self) -> None:
        self.dc.server.faults.clear()


@asynccontextmanager
async def windows_dns(_: Path) -> AsyncIterator[Subject]:
    async with office() as dc:
        yield WindowsDnsSubject(dc)


@asynccontextmanager
async def windows_dns_jea(_: Path) -> AsyncIterator[Subject]:
    async with office() as dc:
        install(dc)
        yield WindowsDnsSubject(dc, jea=True)
