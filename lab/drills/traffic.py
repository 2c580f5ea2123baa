"""What people on the office PC notice: a new connection every tenth of a second on every path, with data on it."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import dns.exception
import dns.message
import dns.rcode

from lab.network.kernel import KernelNetwork
from lab.topology import PC

EVERY_S, WITHIN_S = 0.1, 1.0
HTTP = b"GET / HTTP/1.0\r\n\r\n"


@dataclass(frozen=True)
class Path:
    """A place that new connections go to; nothing on the gateway node itself is needed there."""

    name: str
    address: str
    port: int
    words: bytes


PATHS = (
    Path("ClusterIP", "10.68.1.40", 80, HTTP),  # payments: a pod on node 06
    Path("pod IP", "172.20.4.222", 6379, b"PING\r\n"),  # the article's redis, on node 03
    Path("pod IP elsewhere", "172.20.2.40", 8080, HTTP),
)


NAMES = "names"  # asked of the office DNS server, which asks the cluster's: half of its pods may die with a node
DC1, QUESTION = "172.16.2.3", "n{number}.default.svc.cluster.local."


@dataclass
class Traffic:
    """Every attempt: when it began (monotonic seconds), where it went, whether data came back."""

    attempts: list[tuple[float, str, bool]] = field(default_factory=list)

    def outage_after(self, moment: float, only: str = "") -> float:
        """Seconds from the moment to the first attempt after which no data path (or the one named) failed any more."""
        failed = [
            at
            for at, path, good in self.attempts
            if at >= moment and not good and (path == only if only else path != NAMES)
        ]
        last = max(failed, default=None)
        return 0.0 if last is None else last + EVERY_S - moment

    def lost(self, since: float, until: float) -> int:
        """How many attempts began in between and got no data."""
        return sum(since <= at < until and not good for at, _, good in self.attempts)


@asynccontextmanager
async def traffic(net: KernelNetwork) -> AsyncIterator[Traffic]:
    """Connections until the context ends."""
    seen = Traffic()
    async with asyncio.TaskGroup() as tasks:
        calling = [tasks.create_task(_call(net, path, seen, tasks)) for path in PATHS]
        calling.append(tasks.create_task(_ask(net, seen, tasks)))
        try:
            yield seen
        finally:
            for task in calling:
                task.cancel()


async def _call(net: KernelNetwork, path: Path, seen: Traffic, tasks: asyncio.TaskGroup) -> None:
    while True:
        tasks.create_task(_attempt(net, path, seen))
        await asyncio.sleep(EVERY_S)


async def _attempt(net: KernelNetwork, path: Path, seen: Traffic) -> None:
    began, good, writer = time.monotonic(), False, None
    try:
        async with asyncio.timeout(WITHIN_S):
            reader, writer = await net.connect(PC, path.address, path.port)
            writer.write(path.words)
            good = bool(await reader.read(16))
    except (OSError, TimeoutError):
        pass  # that is what is counted
    finally:
        if writer is not None:
            writer.transport.abort()
        seen.attempts.append((began, path.name, good))


async def _ask(net: KernelNetwork, seen: Traffic, tasks: asyncio.TaskGroup) -> None:
    """Names that nobody has asked for: an answer from a cache would say nothing."""
    for number in itertools.count():
        tasks.create_task(_question(net, QUESTION.format(number=number), seen))
        await asyncio.sleep(EVERY_S)


async def _question(net: KernelNetwork, name: str, seen: Traffic) -> None:
    began, good, writer = time.monotonic(), False, None
    wire = dns.message.make_query(name, "A").to_wire()
    try:
        async with asyncio.timeout(WITHIN_S):
            reader, writer = await net.connect(PC, DC1, 53)
            writer.write(len(wire).to_bytes(2, "big") + wire)
            length = int.from_bytes(await reader.readexactly(2), "big")
            answer = dns.message.from_wire(await reader.readexactly(length))
            good = answer.rcode() == dns.rcode.NXDOMAIN and "cluster.local" in str(answer.authority)
    except (OSError, TimeoutError, EOFError, dns.exception.DNSException):
        pass  # that is what is counted
    finally:
        if writer is not None:
            writer.transport.abort()
        seen.attempts.append((began, NAMES, good))
