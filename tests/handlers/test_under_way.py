"""Notes of checks under way: whose they are, and that they never stand in an answer's way."""

from dataclasses import replace
from datetime import datetime

import pytest

from bot.engine.engine import Engine
from bot.engine.presence import claim_name, holds_name, leave_name
from bot.model.commands import Check
from handlers.under_way import MOST, TOPIC, ChecksUnderWay, UnderWay
from tests.office import Company
from tests.virtual import VirtualEnv

CHECK = Check(name="redis-abc-gns.default")


class Meanwhile(VirtualEnv):
    """While somebody sleeps, a bot keeps its name."""

    def __init__(self, start: datetime, living: Engine) -> None:
        super().__init__(start)
        self._living = living

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        assert await holds_name(self._living.context)


def checks(engine: Engine) -> ChecksUnderWay:
    return ChecksUnderWay(engine.context)


async def begun(under_way: ChecksUnderWay, timestamp: str = "1.000001") -> UnderWay:
    check = under_way.began("C1", timestamp, CHECK)
    await under_way.note(check)
    return check


async def left(under_way: ChecksUnderWay) -> list[UnderWay]:
    return list({check: None async for check in under_way.left()})


async def test_the_next_life_of_the_bot_finds_a_check_that_was_left() -> None:
    company = Company()
    ours = checks(company.engine())
    kept, ended = await begun(ours), await begun(ours, "1.000002")
    await ours.forget(ended)
    assert await left(ours) == []
    assert await left(checks(company.engine())) == [kept]


async def test_a_bot_of_another_name_finds_it_when_the_first_has_stopped_or_was_killed() -> None:
    company = Company()
    first = company.engine(instance="first")
    await claim_name(first.context)
    kept = await begun(checks(first))
    second = checks(company.engine(instance="second"))
    assert [check async for check in second.left()] == [kept], "once, when the name has run out"
    await claim_name(first.context)
    await leave_name(first.context)
    assert [check async for check in second.left()] == [kept, kept], "at once"
    assert await holds_name(first.context), "nobody took the name"


async def test_a_bot_that_lives_is_left_alone() -> None:
    company = Company()
    first = company.engine(instance="first")
    await claim_name(first.context)
    await begun(checks(first))
    second = company.engine(instance="second").context
    company.env = Meanwhile(company.env.time, first)
    assert await left(ChecksUnderWay(replace(second, env=company.env))) == []


async def test_a_note_that_cannot_be_read_is_dropped() -> None:
    engine = Company().engine()
    await engine.context.notes.keep_note(TOPIC, '{"of": "another version"}')
    assert await left(checks(engine)) == []
    assert await engine.context.notes.notes(TOPIC) == []


async def test_no_life_leaves_more_than_so_many() -> None:
    company = Company()
    ours = checks(company.engine())
    begins = [await begun(ours, f"1.{number:06}") for number in range(MOST + 1)]
    await ours.forget(begins[0])
    later = await begun(ours, "2.000000")
    found = await left(checks(company.engine()))
    assert len(found) == MOST
    assert later in found


async def test_a_store_that_is_away_costs_the_note_only(caplog: pytest.LogCaptureFixture) -> None:
    engine = Company().engine()
    await engine.context.notes.close()  # type: ignore[attr-defined]  # the one in memory is
    ours = checks(engine)
    await ours.forget(await begun(ours))
    assert await left(ours) == []
    assert {record.levelname for record in caplog.records} == {"WARNING"}
