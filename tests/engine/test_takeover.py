"""A bot that takes over waits until nothing its dead predecessor sent can land any more."""

from datetime import timedelta

import pytest

from bot.engine.presence import claim_name
from tests.asking import ask, now, say_yes
from tests.memory import SETTLE_S, Fault, SlowToSettle
from tests.office import Company


@pytest.mark.parametrize("at_work_s", [0, 40])
async def test_a_write_that_lands_late_is_seen_and_undone(at_work_s: float) -> None:
    """`at_work_s`: how long the dead one had been taking the steps of its last intent when it sent this one."""
    company = Company()
    company.dns_server = SlowToSettle("dc1", keeps_marks=False)
    company.wire.dns_server = company.dns_server
    first = company.engine()
    operation = await ask(first)
    assert operation.plan is not None
    late = operation.plan.steps[-1].after
    assert late is not None
    company.dns_server.fail("apply", Fault.HANG_BEFORE)
    await say_yes(first, operation)
    await company.dns_server.hanging.wait()
    company.env.time += timedelta(seconds=at_work_s)
    second = company.engine()
    started = company.env.now()
    await claim_name(second.context)
    sleep = second.context.env.sleep

    async def land_late(seconds: float) -> None:
        await sleep(seconds)
        if (company.env.now() - started).total_seconds() > SETTLE_S - 1:
            company.dns_server.resources[late.key] = late.model_copy(update={"mark": None})

    second.context.env.sleep = land_late  # type: ignore[method-assign]  # the world goes on while the bot waits
    await second.recover()
    assert (await now(second, operation)).state == "done"
    assert len(company.dns_server.resources) == 1
    company.dns_server.release()
    await first.context.env.idle()  # type: ignore[attr-defined]  # the virtual one
    assert len(company.dns_server.resources) == 1
