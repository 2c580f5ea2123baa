"""Clocks that differ, and clocks that are set: only the store's decides, and none keeps anybody waiting for long."""

from datetime import timedelta

import pytest

from bot.engine.presence import claim_name
from bot.model.commands import ClearDnsCache
from bot.model.errors import UserError
from tests.asking import ask, change, now, say_yes
from tests.memory import SETTLE_S, Fault, SlowToSettle
from tests.memory_store import MemoryStore
from tests.office import Company

HOUR = timedelta(hours=1)


def with_store_clock(company: Company, ahead: timedelta) -> MemoryStore:
    """The store on another machine, whose clock is not the bot's."""
    return MemoryStore(lambda: company.env.time + ahead, company.contents)


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
async def test_a_plan_waits_as_long_as_it_should_whatever_the_bot_s_clock_says(ahead: timedelta) -> None:
    company = Company()
    engine = company.engine(with_store_clock(company, ahead))
    assert (await change(engine)).state == "done"
    waiting = await ask(engine, ClearDnsCache(namespace="default"), delivery="d2")
    await company.env.sleep(1801)
    with pytest.raises(UserError, match="has expired"):
        await say_yes(engine, waiting)


async def test_a_clock_that_was_set_back_makes_nobody_wait_longer_for_late_writes() -> None:
    company = Company()
    company.dns_server = SlowToSettle("dc1", keeps_marks=False)
    company.wire.dns_server = company.dns_server
    first = company.engine()
    operation = await ask(first)
    company.dns_server.fail("apply", Fault.HANG_BEFORE)
    await say_yes(first, operation)
    await company.dns_server.hanging.wait()
    company.contents.leases.clear()  # the store's own concern, see its contract
    second = company.engine(with_store_clock(company, -HOUR))
    await claim_name(second.context)
    started = second.context.env.monotonic()
    await second.recover()
    assert (await now(second, operation)).state == "rolled-back"
    assert second.context.env.monotonic() - started < SETTLE_S + 60
    company.dns_server.release()
    await first.context.env.idle()  # type: ignore[attr-defined]  # the virtual one
