"""Loopback in the place of the office: a thousand services that answer, and a context that asks them.

Imports nothing of the lab, so that a process that runs this weighs what a bot weighs:

    python -m bench.check_loopback CONFIG SERVICES

prints the most memory, in MB, of a process that checks a namespace once. CONFIG and its secrets as for the bot.
"""

import asyncio
import multiprocessing
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

from backends.probes.prober import NetworkProber
from backends.probes.settings import ProbeSettings
from bot.app import terminal
from bot.engine.checking.check import check
from bot.engine.context import Context
from bot.engine.engine import Engine
from bot.engine.targets import Target
from bot.env import collect_garbage_late
from bot.model.commands import Check
from bot.model.facts import ClusterFacts, Endpoint, Node, Service, ServicePort
from bot.settings import load

NETWORK = IPv4Network("127.64.0.0/16")
"""On Linux every address of 127.0.0.0/8 is this host's: a thousand services need no configuration."""
DOMAIN = "cluster.local"


def address_of(number: int) -> IPv4Address:
    return NETWORK[number + 10]


class _Names(asyncio.DatagramProtocol):
    """Answers `svc-<n>.…` with that service's address, everything else as CoreDNS answers an unknown name."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        end = data.index(b"\0", 12)
        label = data[13 : 13 + data[12]]
        question = data[12 : end + 5]
        if label.startswith(b"svc-"):
            record = b"\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4" + address_of(int(label[4:])).packed
            self.transport.sendto(data[:2] + b"\x84\x00\0\1\0\1\0\0\0\0" + question + record, addr)
        else:
            zone = b"\x07cluster\x05local\0"
            soa = b"\x01n" + zone + b"\x01h" + zone + struct.pack("!IIIII", 1, 7200, 1800, 86400, 30)
            record = zone + b"\0\6\0\1\0\0\0\x1e" + struct.pack("!H", len(soa)) + soa
            self.transport.sendto(data[:2] + b"\x84\x03\0\1\0\0\0\1\0\0" + question + record, addr)


async def _pong(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        if await reader.readline():
            writer.write(b"+PONG\r\n")
            await reader.read()
    writer.close()


def _serve(ports: Connection) -> None:
    """A DNS server and a Redis in a process of their own: what is measured is the client."""

    async def work() -> None:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(_Names, local_addr=("127.0.0.1", 0))
        server = await asyncio.start_server(_pong, "0.0.0.0", 0, backlog=2048)
        ports.send((transport.get_extra_info("sockname")[1], server.sockets[0].getsockname()[1]))
        await asyncio.Event().wait()

    asyncio.run(work())


@contextmanager
def answering() -> Iterator[tuple[int, int]]:
    """The ports of the DNS server (UDP, on 127.0.0.1) and of the Redis (on every address of this host)."""
    near, far = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_serve, args=(far,), daemon=True)
    process.start()
    try:
        yield near.recv()
    finally:
        process.terminate()
        process.join()


def facts_of(services: int, port: int) -> ClusterFacts:
    redis = ServicePort(name="redis", protocol="TCP", port=port)
    endpoint = Endpoint(address=IPv4Address("127.65.0.9"), node="n1", hostname=None, ready=True, ports=(redis,))
    return ClusterFacts(
        cluster="qa",
        version="v1.34.0",
        nodes=(Node(name="k8s-qa-node-02", internal_ip=IPv4Address("127.0.0.1"), ready=True, schedulable=True),),
        namespaces=("default",),
        services=tuple(
            Service(
                namespace="default",
                name=f"svc-{number}",
                type="ClusterIP",
                cluster_ip=address_of(number),
                headless=False,
                external_name=None,
                publish_not_ready=False,
                internal_traffic_local=False,
                ports=(redis,),
                endpoints=(endpoint,),
            )
            for number in range(services)
        ),
        kube_dns=None,
        domain=DOMAIN,
        domain_source="bench",
        service_networks=(NETWORK,),
        service_networks_source="bench",
        pod_networks=(IPv4Network("127.65.0.0/16"),),
        pod_networks_source="bench",
    )


@dataclass
class Still:
    """`ClusterReader` that knows everything already."""

    known: ClusterFacts

    async def facts(self) -> ClusterFacts:
        return self.known

    async def close(self) -> None:
        """Nothing is open."""


def context_for(engine: Engine, services: int, dns_port: int, port: int) -> Context:
    """The engine's own context with loopback in the place of the office."""
    context = engine.context
    [place], [server] = context.site.offices, context.site.dns_servers
    loopback = place.model_copy(update={"networks": {"loopback": IPv4Network("127.0.0.0/8")}})
    here = server.model_copy(update={"address": IPv4Address("127.0.0.1")})
    site = context.site.model_copy(update={"offices": (loopback,), "dns_servers": (here,)})
    return replace(
        context,
        site=site,
        clusters={"qa": Still(facts_of(services, port))},
        targets={name: cast(Target, object()) for name in context.targets},
        prober=NetworkProber(ProbeSettings(), dns_port),
    )


async def bare(services: int, dns_port: int, port: int) -> None:
    """The least that one would write by hand with dnspython and asyncio, as many at a time as ours."""
    import dns.asyncquery
    import dns.message

    turns = asyncio.Semaphore(ProbeSettings().concurrency)

    async def one(number: int) -> None:
        async with turns:
            query = dns.message.make_query(f"svc-{number}.default.svc.{DOMAIN}.", "A", use_edns=0, payload=1232)
            answer = await dns.asyncquery.udp(query, "127.0.0.1", 3, dns_port)
            address = str(answer.answer[0][0].address)
        async with turns:
            reader, writer = await asyncio.open_connection(address, port)
            writer.write(b"PING\r\n")
            assert await reader.readline() == b"+PONG\r\n"
            writer.close()
            await writer.wait_closed()

    await asyncio.gather(*map(one, range(services)))


async def _weigh(config: Path, services: int) -> float:
    with answering() as (dns_port, port):
        async with terminal(load(config)) as engine:
            report = await check(context_for(engine, services, dns_port, port), Check(name="*.default"))
    assert report.verdict == "passed", report.summary
    return most_memory()


def most_memory() -> float:
    """Of this process so far, in MB. Not getrusage: a process inherits that figure from whoever started it."""
    status = Path("/proc/self/status").read_text()
    [kilobytes] = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(kilobytes) / 1024


if __name__ == "__main__":
    collect_garbage_late()  # as the bot does
    print(asyncio.run(_weigh(Path(sys.argv[1]), int(sys.argv[2]))))
