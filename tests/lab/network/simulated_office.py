"""The article's office on the simulated network, for the tests of that network."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from lab.cluster import article
from lab.cluster.clock import HandClock
from lab.cluster.serving import Running, running
from lab.fortigate.article import state
from lab.fortigate.device import Device
from lab.network.simulated import SimulatedNetwork, Trace
from lab.network.simulated_connection import Outcome
from lab.network.simulated_walk import Timing
from lab.network.workloads import running_workloads
from lab.topology import ARTICLE, Topology

GATEWAY = "k8s-qa-node-02"  # 172.16.1.106, owns 172.20.3.0/24
REMOTE = "k8s-qa-node-03"  # 172.16.1.107, carries the article's Redis
STANDBY = "k8s-qa-node-04"
GATEWAY_IP, REMOTE_IP, STANDBY_IP = "172.16.1.106", "172.16.1.107", "172.16.1.108"
REMOTE_POD, LOCAL_POD = "172.20.4.222", "172.20.3.23"  # both Redis
REDIS_SERVICE = "10.68.0.50"  # its endpoint is LOCAL_POD
REMOTE_SERVICE = "10.68.1.20"  # RabbitMQ, its endpoint runs on STANDBY
KUBE_DNS = "10.68.0.2"
PING = b"PING\r\n"
PONG = b"+PONG\r\n"
AMQP = b"AMQP\x00\x00\x09\x01"
_ROUTES = {10: "10.68.0.0 255.255.0.0", 11: "172.20.0.0 255.255.0.0"}


async def _never(seconds: float) -> None:
    """Time does not pass in these tests: who waits is woken by `SimulatedNetwork.poke`."""
    if seconds:
        await asyncio.Event().wait()


@dataclass
class Office:
    network: SimulatedNetwork
    firewall: Device
    cluster: Running

    def routes(self, gateway: str = GATEWAY_IP) -> None:
        for number, destination in _ROUTES.items():
            row = {"seq-num": number, "dst": destination, "gateway": gateway, "device": "Test"}
            self.firewall.create("router/static", row)

    def move_routes(self, gateway: str) -> None:
        for number in _ROUTES:
            self.firewall.update("router/static", number, {"gateway": gateway})

    def policy(self, number: int, interfaces: str, addresses: str, service: str, **more: object) -> None:
        source_interface, destination_interface = interfaces.split(" -> ")
        source, destination = addresses.split(" -> ")
        row = {
            "policyid": number,
            "name": f"test-{number}",
            "srcintf": [{"name": source_interface}],
            "dstintf": [{"name": destination_interface}],
            "srcaddr": [{"name": source}],
            "dstaddr": [{"name": destination}],
            "action": "accept",
            "schedule": "always",
            "service": [{"name": service}],
            **more,
        }
        self.firewall.create("firewall/policy", row)

    def article(self) -> None:
        """What the article does to the firewall: two addresses, two routes, two policies. Nothing for DNS."""
        for name, number in (("services", 10), ("pods", 11)):
            self.firewall.create("firewall/address", {"name": name, "subnet": _ROUTES[number]})
        self.routes()
        self.policy(100, "internal -> Test", "office -> services", "ALL_TCP")
        self.policy(101, "internal -> Test", "office -> pods", "ALL_TCP")

    async def talk(self, address: str, port: int, data: bytes, source: str = "pc") -> bytes | Outcome:
        """Connect and send; the first bytes that come back, or how it ended without any."""
        attempt = await self.network.connect(source, address, port)
        if attempt.connection is None or attempt.outcome is not Outcome.CONNECTED:
            if attempt.connection is not None:
                attempt.connection.abandon()
            return attempt.outcome
        async with piped(attempt.connection.run) as (reader, writer):
            writer.write(data)
            return await reader.read(4096)

    async def peer(self, address: str, port: int) -> str:
        """The client's address as the HTTP echo behind an address sees it."""
        answer = await self.talk(address, port, b"GET / HTTP/1.1\r\nHost: echo\r\n\r\n")
        assert isinstance(answer, bytes), answer
        return json.loads(answer.partition(b"\r\n\r\n")[2])["peer"]

    async def until(self, wanted: Callable[[Trace], bool]) -> Trace:
        """The next journey that is wanted."""
        found: asyncio.Future[Trace] = asyncio.get_running_loop().create_future()
        stop = self.network.on_trace(
            lambda trace: found.set_result(trace) if wanted(trace) and not found.done() else None
        )
        try:
            return await found
        finally:
            stop()


@asynccontextmanager
async def piped(run) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Client's streams whose other end is carried by a connection."""
    server_side: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    server = await asyncio.start_server(lambda *streams: server_side.put_nowait(streams), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    carrying = asyncio.create_task(run(*await server_side.get()))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        carrying.cancel()
        await asyncio.gather(carrying, return_exceptions=True)
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def office(topology: Topology = ARTICLE) -> AsyncIterator[Office]:
    async with running(article.cluster("token", topology=topology, clock=HandClock())) as served:
        firewall = Device(state("token"))
        network = SimulatedNetwork(
            served.cluster, firewall, topology=topology, timing=Timing(neighbour=0), sleep=_never
        )
        firewall.subscribe(lambda _: network.poke())
        async with running_workloads(network, served.dns.address):
            network.servers.attach("172.16.1.100", 6443, "tcp", served.api.address)
            yield Office(network, firewall, served)


def dns_over_tcp(wire: bytes) -> bytes:
    return struct.pack("!H", len(wire)) + wire
