"""A simulated FortiGate and targets that talk to it over TLS."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from backends.fortigate.client import Client
from backends.fortigate.target import FortiGate
from bot.engine.context import Context
from bot.engine.engine import Engine
from bot.engine.journal import Journal
from bot.engine.samples import Samples
from bot.model.resources import Resource, marked
from bot.model.site import Site
from bot.model.steps import Step
from lab.fortigate import article
from lab.fortigate.audit import Entry
from lab.fortigate.device import Device
from lab.fortigate.server import Latency, Server, running
from tests.backends.fortigate.at_work import FirewallWire, Work
from tests.backends.fortigate.calls import Start
from tests.backends.fortigate.calls import settings as to_peer
from tests.backends.fortigate.clock import ManualClock
from tests.backends.fortigate.peer import Behave, Peer, peer
from tests.backends.fortigate.rounds import Rounds
from tests.contract.fortigate_subject import TOKEN, settings
from tests.memory import MemoryTarget
from tests.memory_store import MemoryStore
from tests.office import GRANTS, Book, StillCluster, Wall, site
from tests.virtual import VirtualEnv


@dataclass
class Office:
    """The article's firewall and a target for it."""

    server: Server
    target: FortiGate
    clock: ManualClock
    requests: Callable[[], int]
    """How many requests have arrived so far."""

    @property
    def device(self) -> Device:
        return self.server.device

    @property
    def writes(self) -> list[Entry]:
        return self.server.api.audit

    def row(self, table: str, key: str, value: object) -> dict[str, Any]:
        """The one row of the table whose column has this value, as the device keeps it."""
        [row] = [row for row in self.device.rows(table) if row[key] == value]
        return row


Open = Callable[..., Awaitable[Office]]


@pytest.fixture
async def office_with(tmp_path: Path) -> AsyncIterator[Open]:
    """Starts the office; keyword `state` changes the device, `arriving` is called before each request is answered,
    `rounds` makes it wait for others, all others are settings of the target."""
    async with AsyncExitStack() as stack:

        async def opened(
            state: dict[str, Any] | None = None,
            arriving: Callable[[int], None] = lambda _: None,
            rounds: Rounds | None = None,
            **changes: Any,
        ) -> Office:
            requests = 0

            async def arrived(_: float) -> None:
                nonlocal requests
                requests += 1
                arriving(requests)
                if rounds is not None:
                    await rounds.complete()

            device = Device.from_json({**article.state(TOKEN), **(state or {})})
            # A latency makes the server call `sleep` before each answer, which is where a test can step in.
            server = await stack.enter_async_context(running(device, latency=Latency(1.0, 1.0), sleep=arrived))
            clock = ManualClock()
            target = FortiGate("office-fw", settings(server, tmp_path, **changes), clock)
            stack.push_async_callback(target.close)
            return Office(server, target, clock, lambda: requests)

        yield opened


@pytest.fixture
async def office(office_with: Open) -> AsyncIterator[Office]:
    """The office; at its end nobody may have tried to delete a table or to write row 0."""
    made = await office_with()
    yield made
    assert [entry for entry in made.writes if entry.alarm] == []


def step(before: Resource | None, after: Resource | None) -> Step:
    return Step(target="office-fw", before=before, after=after)


def ours(resource: Resource, row: int | None = None, operation: str = "op1") -> Resource:
    """As a plan would have it."""
    if row is not None:
        resource = resource.model_copy(update={"row": row})
    return marked(resource, "qa", operation)


# --- a whole bot


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running(Device.from_json(article.state(TOKEN))) as server:
        yield server


@pytest.fixture
async def work(server: Server, tmp_path: Path) -> AsyncIterator[Any]:
    opened: list[FortiGate] = []

    def start(office: Site | None = None, **changes: Any) -> Work:
        env, cluster, dns_server = VirtualEnv(), StillCluster(), MemoryTarget("dc1", keeps_marks=False)
        firewall = FortiGate("fw", settings(server, tmp_path, **changes), env)
        opened.append(firewall)
        wire = FirewallWire(server.device, dns_server, cluster)
        context = Context(
            site=office or site(self_confirm=True),
            grants=GRANTS,
            targets={"fw": firewall, "dc1": dns_server},
            clusters={"qa": cluster},
            prober=wire,
            directory=Book(),
            announcer=Wall(),
            journal=Journal(MemoryStore(env.now)),
            samples=Samples(MemoryStore(env.now)),
            notes=MemoryStore(env.now),
            env=env,
            vantage="the test",
            instance="bot",
            process="bot-1",
        )
        return Work(server, Engine(context), env, wire, cluster)

    yield start
    for firewall in opened:
        await firewall.close()


# --- a client and its peer


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def certificate(ca: trustme.CA) -> trustme.LeafCert:
    return ca.issue_cert("127.0.0.1")


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> Path:
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def start(certificate: trustme.LeafCert, ca_file: Path, clock: ManualClock) -> Start:
    """A client and the peer it talks to."""

    @asynccontextmanager
    async def started(behave: Behave, **changes: Any) -> AsyncIterator[tuple[Client, Peer]]:
        async with peer(behave, certificate) as made:
            client = Client("office-fw", to_peer(made.url, **{"tls": {"ca_file": ca_file}, **changes}), clock)
            try:
                yield client, made
            finally:
                await client.close()

    return started
