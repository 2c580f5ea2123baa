"""A mistake of ours, or an answer that no adapter foresaw: people are told, and nothing is tried for ever."""

import contextlib
from collections.abc import Sequence

import pytest

from bot.engine.announcing import Outbox
from bot.engine.ports import Stored
from bot.engine.targets import MayGo, Outcome
from bot.model.errors import Rejected
from bot.model.facts import ClusterFacts
from bot.model.steps import Step
from tests.asking import ask, known, now, say_yes
from tests.memory import MemoryTarget
from tests.memory_store import MemoryStore
from tests.office import OMAR, Company, StillCluster


class Unforeseen(StillCluster):
    async def facts(self) -> ClusterFacts:
        raise KeyError("what no reader should raise")


class OddFirewall(MemoryTarget):
    """Answers its fifth write with something that the adapter was not written for."""

    odd = True

    async def apply(self, step: Step, may_go: MayGo | None = None) -> Outcome:
        if self.odd and len(self.writes) == 4:
            raise KeyError("what no adapter should raise")
        return await super().apply(step, may_go)


async def test_a_plan_that_ends_in_a_mistake_of_ours_says_so_on_its_card(caplog: pytest.LogCaptureFixture) -> None:
    company = Company()
    company.cluster = Unforeseen()
    operation = await ask(company.engine())
    assert operation.state == "unplannable"
    reason = operation.entries[-1].reason  # type: ignore[union-attr]
    assert reason.startswith("Something went wrong inside k8snet; the log has it as error ")
    assert reason.split()[-1].rstrip(".") in caplog.text
    assert "what no reader should raise" in caplog.text


async def test_a_change_that_stumbles_over_the_same_again_and_again_waits_for_a_person() -> None:
    company = Company(firewall=OddFirewall("fw"))
    engine = company.engine()
    operation = await ask(engine)
    await say_yes(engine, operation)
    for _ in range(5):
        await company.env.idle()
        await engine.recover()
    stuck = await now(engine, operation)
    assert stuck.state == "stuck"
    assert "Something went wrong inside k8snet" in stuck.entries[-1].reason  # type: ignore[union-attr]
    assert isinstance(company.firewall, OddFirewall)
    company.firewall.odd = False
    await engine.resume(operation.id, OMAR)
    assert (await now(engine, operation)).state == "rolled-back"
    assert company.resources() == {"fw": {}, "dc1": {}}


class Forbidden(MemoryStore):
    """Refuses one read: its file was not ours to read for a moment."""

    refusals = 0

    async def read(self, stream: str, after: int = 0) -> Sequence[Stored]:
        if self.refusals:
            self.refusals -= 1
            if not self.refusals:
                raise Rejected("store", "cannot read the journal")
        return await super().read(stream, after)


@pytest.mark.parametrize("nth", [1, 2, 3])
async def test_a_refusal_of_the_store_is_none_of_the_chat(nth: int) -> None:
    company = Company()
    store = Forbidden(company.clock, company.contents)
    engine = company.engine(store)
    operation = await ask(engine)
    outbox = Outbox(engine.context)
    store.refusals = nth
    for _ in range(3):
        with contextlib.suppress(Rejected):
            await outbox.flush()
    assert company.wall.shown[operation.id].state == "awaiting"
    message = (await known(engine, operation.id)).message
    assert message is not None
    assert message.id == f"m-{operation.id}"
