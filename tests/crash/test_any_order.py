"""Two bots, people who ask, agree and refuse, devices and a store that fail, crashes and time: in any order at all.

Whatever happened, once the faults are gone: every change has ended, the devices hold exactly what the journal says is
ours, and what is exposed has nothing left to do.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from bot.engine.engine import Engine
from bot.engine.ports import Stored
from bot.engine.presence import claim_name, holds_name
from bot.model.commands import Change, ClearDnsCache, Drill, Expose, Failover, Unexpose
from bot.model.errors import BotError, OutcomeUnknown, Unreachable
from bot.model.operation import Operation
from tests.asking import ask
from tests.memory import Fault
from tests.memory_store import MemoryStore
from tests.office import ADA, DANA, EVE, OLGA, OMAR, Company

PEOPLE = (DANA, OMAR, ADA, ADA, EVE, OLGA)
WISHES: Sequence[Change] = (
    *(Expose(namespace=name) for name in ("default", "monitoring", "kube-system")),
    *(Unexpose(namespace=name) for name in ("default", "monitoring")),
    *(Failover(), Failover(node="node-02"), Drill(), ClearDnsCache(namespace="default")),
)
FAULTS = (Fault.UNREACHABLE, Fault.REJECT, Fault.LOSE_REQUEST, Fault.LOSE_ANSWER)
ACTS = 60


class Unreliable(MemoryStore):
    """Away now and then; of a write that got no answer nobody knows whether it took place."""

    def __init__(self, company: Company, chance: Random) -> None:
        super().__init__(company.clock, company.contents)
        self.chance, self.share = chance, 0.0

    async def append(self, stream: str, expected: int, body: str, *rest: Any, **more: Any) -> Stored | None:
        await asyncio.sleep(0)
        fate = self.chance.random()
        if fate < self.share:
            raise Unreachable("store", "no connection")
        if fate < 2 * self.share:
            raise OutcomeUnknown("store", "no answer")
        stored = await super().append(stream, expected, body, *rest, **more)
        if fate < 3 * self.share:
            raise OutcomeUnknown("store", "no answer")
        return stored

    async def read(self, stream: str, after: int = 0) -> Sequence[Stored]:
        await asyncio.sleep(0)
        if self.chance.random() < self.share:
            raise Unreachable("store", "no connection")
        return await super().read(stream, after)


class Simulation:
    """One company and its two bots; `act` does one thing at random."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.company = Company(self_confirm=self.chance.random() < 0.3)
        self.store = Unreliable(self.company, self.chance)
        self.store.share = self.chance.choice((0.0, 0.0, 0.01, 0.03))
        self.bots = {name: self.company.engine(self.store, instance=name) for name in ("a", "b")}
        self.asked = 0

    async def act(self) -> None:
        acts: Sequence[tuple[Callable[[], Awaitable[None]], int]] = (
            (self.wish, 8),
            (self.agree, 16),
            (self.refuse, 1),
            (self.resume, 2),
            (self.recover, 3),
            (self.wait, 2),
            (self.fail, 3),
            (self.crash, 1),
            (self.cut, 1),
        )
        [act] = self.chance.choices([one for one, _ in acts], [weight for _, weight in acts])
        with contextlib.suppress(BotError):  # somebody was told so
            await act()
        for _ in range(self.chance.choice((0, 3, 10, 30, 100))):
            await asyncio.sleep(0)
        await self.bear_names()

    @property
    def bot(self) -> Engine:
        return self.chance.choice(list(self.bots.values()))

    async def bear_names(self) -> None:
        for bot in self.bots.values():
            with contextlib.suppress(BotError):
                await holds_name(bot.context)

    async def operation(self, *states: str) -> Operation | None:
        world = await self.bot.context.journal.world()
        found = [one for one in world.operations.values() if one.plan and (not states or one.state in states)]
        return self.chance.choice(found[-4:]) if found else None

    async def wish(self) -> None:
        self.asked += 1
        await self.bot.request(self.chance.choice(WISHES), self.chance.choice(PEOPLE), "C1", f"d{self.asked}")

    async def agree(self) -> None:
        if (operation := await self.operation()) is not None and operation.plan is not None:
            await self.bot.confirm(operation.id, operation.plan.digest, self.chance.choice(PEOPLE))

    async def refuse(self) -> None:
        if (operation := await self.operation("awaiting")) is not None:
            await self.bot.cancel(operation.id, self.chance.choice(PEOPLE))

    async def resume(self) -> None:
        if (operation := await self.operation("stuck")) is not None:
            await self.bot.resume(operation.id, self.chance.choice(PEOPLE))

    async def recover(self) -> None:
        await self.bot.recover()

    async def wait(self) -> None:
        self.pass_time(self.chance.choice((1, 1, 5, 9, 30, 130, 2000)))

    async def fail(self) -> None:
        target = self.chance.choice((self.company.firewall, self.company.dns_server))
        target.fail(self.chance.choice(("apply", "read")), self.chance.choice(FAULTS), self.chance.randint(1, 6))

    async def crash(self) -> None:
        name = self.chance.choice(list(self.bots))
        await self.bots[name].context.env.stop()  # type: ignore[attr-defined]  # the virtual one
        self.bots[name] = self.company.engine(self.store, instance=name)
        self.pass_time(0)

    async def cut(self) -> None:
        self.company.wire.cut = self.chance.random() < 0.3

    def pass_time(self, seconds: float) -> None:
        """Of all clocks, which in between run ahead of each other a little."""
        envs = [bot.context.env for bot in self.bots.values()]
        now = max(env.now() for env in envs) + timedelta(seconds=seconds)
        for env in envs:
            env.time = now  # type: ignore[attr-defined]  # the virtual one

    async def end(self) -> Engine:
        """No more faults, and time enough; whoever may says that what is stuck be tried again."""
        self.store.share, self.company.wire.cut = 0.0, False
        for target in (self.company.firewall, self.company.dns_server):
            target.faults.clear()
        for seconds in (*(200,) * 10, 3000, 10):
            self.pass_time(seconds)
            for bot in self.bots.values():
                await claim_name(bot.context)
                await bot.recover()
                await bot.context.env.idle()  # type: ignore[attr-defined]  # the virtual one
                for person in (ADA, OMAR, OLGA):
                    stuck = await self.operation("stuck")
                    if stuck is not None:
                        await asyncio.gather(bot.resume(stuck.id, person), return_exceptions=True)
                        await bot.context.env.idle()  # type: ignore[attr-defined]  # the virtual one
                assert not bot.context.env.failures  # type: ignore[attr-defined]  # the virtual one
        return self.bots["a"]


@pytest.mark.parametrize("seed", range(400))
async def test_whatever_happens_journal_and_devices_agree_in_the_end(seed: int) -> None:
    simulation = Simulation(seed)
    await simulation.bear_names()
    for _ in range(ACTS):
        await simulation.act()
    engine, held = await simulation.end(), simulation.company.resources()
    world = await engine.context.journal.world()
    assert not [(one.id, one.state) for one in world.operations.values() if not one.final]
    there = {("fw", key) for key, one in held["fw"].items() if one.mark} | {("dc1", key) for key in held["dc1"]}
    assert set(world.owned("qa")) == there
    exposures = world.intent("qa").exposures
    for number, exposure in enumerate(exposures):
        again = await ask(engine, Expose(namespace=exposure.namespace), delivery=f"again{number}")
        assert again.state == "nothing-to-do", again.entries[-1]
    assert exposures or not there
    assert (await engine.audit()).problem == ""
