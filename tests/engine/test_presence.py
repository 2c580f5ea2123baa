"""One bot a name: what a second process of the same name does, and what it waits for."""

from bot.engine.presence import TTL_S, claim_name, holds_name, leave_name
from tests.asking import change, now
from tests.office import Company


async def test_a_second_process_of_the_same_name_drives_nothing_while_the_first_lives() -> None:
    company = Company()
    first, second = company.engine(), company.engine()
    await claim_name(first.context)
    assert not await holds_name(second.context)
    waiting = await change(second)
    assert not company.firewall.writes
    await first.recover()
    assert (await now(first, waiting)).state == "done"


async def test_a_name_is_free_at_once_when_its_bot_stops_and_soon_when_it_dies() -> None:
    company = Company()
    first = company.engine()
    await claim_name(first.context)
    await leave_name(first.context)
    second = company.engine()
    assert await holds_name(second.context)
    third = company.engine()
    started = company.env.now()
    await claim_name(third.context)
    assert 0 < (company.env.now() - started).total_seconds() <= TTL_S + 2
