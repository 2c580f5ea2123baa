"""An office whose DNS servers are simulated Windows machines, reached by the real client and asked by real probes.

Firewall and cluster are the ones in memory. A question that a DNS server forwards gets through to kube-dns when the
firewall holds the route and that server's own policy.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import IPv4Address
from typing import Any

import dns.message
import dns.rcode
import dns.rrset

from backends.probes.prober import NetworkProber
from backends.probes.settings import ProbeSettings
from backends.windows_dns.target import WindowsDns
from bot.engine.engine import Engine
from bot.model.journal import Verified
from bot.model.operation import Operation
from bot.model.probes import DnsAnswer
from bot.model.site import DnsServer
from lab.windows_dns import Directory
from tests.backends.windows_dns.clock import ManualClock
from tests.backends.windows_dns.simulated import Office, office
from tests.office import DC1, KUBE_DNS, Company, Wire

LOOPBACK = IPv4Address("127.0.0.1")
ADDRESSES = {"dc1": DC1, "dc2": IPv4Address("172.16.2.4")}


class KubeDns:
    """The way from one DNS server to kube-dns (the simulator's `Upstream`)."""

    def __init__(self, company: Company, server: str) -> None:
        self._company, self._policy = company, f"k8snet-qa-dns-{server}"

    async def udp(self, server: str, port: int, wire: bytes, timeout: float) -> bytes | None:
        wall = self._company.wire
        if server != str(KUBE_DNS) or not wall._open("10.68.0.0/16", self._policy):
            return None
        query = dns.message.from_wire(wire)
        return self._answer(query).to_wire()

    tcp = udp

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        reply = dns.message.make_response(query, recursion_available=True)
        name = query.question[0].name
        host, namespace = name.to_text().split(".")[:2]
        facts = self._company.cluster.now
        service = facts.service(namespace, host)
        if service is not None:
            address = service.cluster_ip or service.endpoints[0].address
            reply.answer.append(dns.rrset.from_text(name, 5, "IN", "A", str(address)))
        else:
            if not (namespace == "svc" and host in facts.namespaces):
                reply.set_rcode(dns.rcode.NXDOMAIN)
            soa = "ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5"
            reply.authority.append(dns.rrset.from_text("cluster.local.", 5, "IN", "SOA", soa))
        return reply


class Probes(Wire):
    """Questions to the office's DNS servers are real; their clocks follow the bot's, which is virtual."""

    def __init__(self, company: Company, servers: Mapping[str, Office]) -> None:
        super().__init__(company.firewall, company.dns_server, company.cluster)
        self._company, self._servers, self._at = company, servers, company.env.monotonic()
        self._probers = {
            ADDRESSES[name]: NetworkProber(ProbeSettings(), dc.http.dns_port) for name, dc in servers.items()
        }

    async def dns(self, server: IPv4Address, name: str, *rest: Any) -> DnsAnswer:
        if server not in self._probers:
            return await super().dns(server, name, *rest)
        passed, self._at = self._company.env.monotonic() - self._at, self._company.env.monotonic()
        await next(iter(self._servers.values())).server.clock.advance(passed)
        return await self._probers[server].dns(LOOPBACK, name, *rest)


class WindowsOffice:
    """`engine` is the bot; `look_up` is anybody in the office."""

    def __init__(self, company: Company, engine: Engine, servers: Mapping[str, Office]) -> None:
        self.company, self.engine, self.servers = company, engine, servers

    async def look_up(self, name: str, server: str = "dc1") -> str:
        """The address, or the outcome with the owner of the zone that denies."""
        answer = await self.company.wire.dns(ADDRESSES[server], f"{name}.", "udp", 30.0)
        return str(answer.addresses[0]) if answer.addresses else f"{answer.outcome} {answer.soa_owner}"


@asynccontextmanager
async def windows_office(
    *names: str, replication_s: float | None = None, patience_s: int = 300, forgets: bool = False, **settings: Any
) -> AsyncIterator[WindowsOffice]:
    """Without `replication_s` each server is written to; with it, the others learn from the first, and their caches
    are cleared then if they can be (`forgets`)."""
    company = Company()
    async with AsyncExitStack() as stack:
        servers: dict[str, Office] = {}
        directory = None
        for name in names:
            dc = await stack.enter_async_context(office(directory, name.upper(), KubeDns(company, name)))
            servers[name] = dc
            if replication_s is not None and directory is None:
                directory = Directory(dc.server.clock, delay=replication_s)
                directory.join(dc.server)
                dc.server.directory = directory
        replicates = directory is not None
        _describe(company, names, patience_s if replicates else None, forgets)
        company.wire = Probes(company, servers)
        engine = company.engine()
        reached = names[:1] if replicates and not forgets else names
        for name in reached:
            settings = {"storage": "domain" if replicates else "file", **settings}
            target = _target(company, name, servers[name], **settings)
            stack.push_async_callback(target.close)
            engine.context.targets[name] = target  # type: ignore[index]
        yield WindowsOffice(company, engine, servers)


def _describe(company: Company, names: tuple[str, ...], patience_s: int | None, forgets: bool) -> None:
    servers = []
    for name in names:
        learns = patience_s is not None and name != names[0]
        servers.append(
            DnsServer(
                name=name,
                address=ADDRESSES[name],
                interface="dmz",
                address_object=f"dns-{name}",
                replica_of=names[0] if learns else None,
                replication_s=(patience_s or 0) if learns else 0,
                forgets=forgets and learns,
            )
        )
    [hq] = company.site.offices
    changes = {"dns_servers": tuple(servers), "offices": (hq.model_copy(update={"dns_servers": names}),)}
    company.site = company.site.model_copy(update=changes)


def _target(company: Company, name: str, dc: Office, **settings: Any) -> WindowsDns:
    # The engine's deadlines are moments of its own clock.
    clock = ManualClock(lambda: company.env.monotonic(), dc.server.clock.advance)
    return WindowsDns(name, dc.settings(**settings), clock)


def proof(operation: Operation) -> Verified:
    return next(entry for entry in operation.entries if isinstance(entry, Verified))
