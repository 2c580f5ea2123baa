"""A simulated FortiGate and targets that talk to it over TLS."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backends.fortigate.target import FortiGate
from bot.model.resources import Resource, marked
from bot.model.steps import Step
from lab.fortigate import article
from lab.fortigate.audit import Entry
from lab.fortigate.device import Device
from lab.fortigate.server import Latency, Server, running
from tests.backends.fortigate.clock import ManualClock
from tests.backends.fortigate.rounds import Rounds
from tests.contract.fortigate_subject import TOKEN, settings


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
