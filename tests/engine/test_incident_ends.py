"""An incident that is over stays over, whatever is clicked on cards that somebody still sees."""

import pytest

from bot.model.errors import UserError
from tests.engine.watched import HOST, dead, watched
from tests.memory import Fault
from tests.office import ADA, EVE, OLGA


@pytest.mark.parametrize("button", ["cancel", "resume", "release"])
async def test_a_refused_click_on_the_old_card_does_not_open_a_resolved_incident_again(button: str) -> None:
    office = await watched()
    await dead(office)
    await office.click(await office.asked(), OLGA)
    (move,) = await office.moves()
    assert (await office.asked()).state == "resolved"
    with pytest.raises(UserError):
        await getattr(office.engine, button)(move.id, EVE)
    assert (await office.asked()).state == "resolved"


async def test_nor_one_that_ended_by_itself_after_a_move_that_failed() -> None:
    office = await watched()
    await dead(office)
    office.company.firewall.fail("apply", Fault.REJECT)
    await office.click(await office.asked(), OLGA)
    (move,) = await office.moves()
    assert move.state == "rolled-back"
    office.company.wire.dead.discard(HOST)
    await office.rounds(10)
    assert (await office.asked()).state == "withdrawn"
    with pytest.raises(UserError):
        await office.engine.cancel(move.id, EVE)
    assert (await office.asked()).state == "withdrawn"


async def test_a_stranger_s_click_changes_no_button_of_a_lasting_one() -> None:
    office = await watched()
    await dead(office)
    office.company.firewall.fail("apply", Fault.REJECT)
    await office.click(await office.asked(), OLGA)
    (move,) = await office.moves()
    before = await office.asked()
    with pytest.raises(UserError):
        await office.engine.cancel(move.id, EVE)
    assert (await office.asked()).version == before.version
    await office.click(before, ADA)
