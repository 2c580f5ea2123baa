"""An answer to an incident is three records: wish, plan and yes. What others do in between counts."""

import pytest

from bot.engine.engine import Engine
from bot.model.errors import UserError
from tests.asking import known, say_yes
from tests.engine.watched import HOST, Watched, dead, watched
from tests.office import ADA, OLGA


async def replica(office: Watched) -> tuple[Engine, str]:
    """Another bot, and the operation that it sees last."""
    other = office.company.engine(instance="other")
    return other, list((await other.context.journal.world()).operations)[-1]


async def test_a_move_that_somebody_cancels_before_its_yes_is_written_moves_nothing() -> None:
    office = await watched()
    await dead(office)
    incident = await office.asked()

    async def cancel() -> None:
        other, operation = await replica(office)
        await other.cancel(operation, ADA)

    office.engine = office.company.engine(office.company.acting_after("planned", cancel))
    with pytest.raises(UserError, match=r"over \(cancelled\)"):
        await office.click(incident, OLGA)
    await office.company.env.idle()
    assert [move.state for move in await office.moves()] == ["cancelled"]
    assert office.gateways() == {HOST}


async def test_a_plan_that_another_bot_made_and_somebody_confirmed_is_not_replaced_under_way() -> None:
    office = await watched()
    await dead(office)
    incident = await office.asked()

    async def take_up() -> None:
        other, operation = await replica(office)
        await other.recover()
        await office.company.env.idle()
        await say_yes(other, await known(other, operation), ADA)

    office.engine = office.company.engine(office.company.acting_after("requested", take_up))
    with pytest.raises(UserError, match="Already confirmed"):
        await office.click(incident, OLGA)
    (move,) = await office.moves()
    assert move.confirmed_by == ADA
    assert [entry.kind for entry in move.entries].count("planned") == 1
