"""Whether the bot does its work: what nobody has been told for a minute is a problem."""

from bot.model.commands import Expose
from tests.engine.watched import ADDRESS, GATEWAY, watched
from tests.office import DANA, Company


async def test_what_is_unsaid_for_a_minute_is_a_problem() -> None:
    company = Company()
    engine = company.engine()
    await engine.request(Expose(namespace="default"), DANA, "C1", "d1")
    await company.env.idle()
    assert (await engine.health(True)).ok
    await company.env.sleep(61)
    chat, audit = (await engine.health(True)).problems
    assert "the chat has not been told for 6" in chat
    assert "the audit channel has not been told for 6" in audit


async def test_an_incident_that_nobody_was_told_of_is_a_problem() -> None:
    office = await watched()
    office.company.wire.dead.add(ADDRESS[GATEWAY])
    await office.rounds(5)
    office.pass_time(61)
    assert any("the chat has not been told" in text for text in (await office.engine.health(True)).problems)
