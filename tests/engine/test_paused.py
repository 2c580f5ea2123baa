"""A bot that was asleep in the middle of a change (a suspended machine, a lost network) while another took its name."""

import asyncio
from datetime import timedelta

from bot.engine.presence import claim_name
from bot.engine.targets import MayGo, Outcome
from bot.model.commands import Expose
from bot.model.steps import Step
from tests.asking import ask, change, now, say_yes
from tests.memory import MemoryTarget
from tests.office import Company

ASLEEP = timedelta(seconds=20)


class Sleeper(MemoryTarget):
    """Whoever is about to send the fourth write falls asleep; the others do not."""

    def __init__(self) -> None:
        super().__init__("fw")
        self.asleep, self.awake = asyncio.Event(), asyncio.Event()

    async def apply(self, step: Step, may_go: MayGo | None = None) -> Outcome:
        if len(self.writes) == 3 and not self.asleep.is_set():
            self.asleep.set()
            await self.awake.wait()
        return await super().apply(step, may_go)


async def test_whoever_wakes_up_after_its_name_was_taken_sends_nothing_more() -> None:
    company = Company(firewall=Sleeper())
    firewall = company.firewall
    assert isinstance(firewall, Sleeper)
    first = company.engine()
    operation = await ask(first)
    await say_yes(first, operation)
    await firewall.asleep.wait()
    company.env.time += ASLEEP
    second = company.engine()
    await claim_name(second.context)
    await second.recover()
    assert (await now(second, operation)).state == "rolled-back"
    written = len(firewall.writes)
    firewall.awake.set()
    await first.context.env.idle()  # type: ignore[attr-defined]  # the virtual one
    assert len(firewall.writes) == written
    assert company.resources() == {"fw": {}, "dc1": {}}
    assert (await change(second, Expose(namespace="default"), "d2")).state == "done"
