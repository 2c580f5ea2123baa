"""Stop the bot at every moment of an answered incident, start it again, and look: one move, never half of one."""

import contextlib

from bot.engine.announcing import Outbox
from bot.engine.presence import claim_name
from bot.model.errors import BotError
from tests.crash.reaper import Dead, Reaper, mortal_engine
from tests.engine.watched import ADDRESS, NEXT, Watched, dead, watched
from tests.office import ADA, OLGA


async def asked() -> Watched:
    """A dead gateway, and on-call has been told."""
    office = await watched()
    await dead(office)
    await Outbox(office.engine.context).flush()
    return office


async def answered(office: Watched, reaper: Reaper) -> None:
    """One click; the bot works until it rests or dies."""
    incident = await office.asked()
    engine = mortal_engine(office.company, reaper)
    await claim_name(engine.context)
    with contextlib.suppress(Dead, BotError):
        await engine.fail_over(incident.id, incident.version, NEXT, OLGA)
    await office.company.env.idle()


async def revived(office: Watched) -> None:
    """A new life. Whoever finds buttons still there presses them: the card's, or those of the incident."""
    office.engine = office.company.engine()
    await claim_name(office.engine.context)
    for _ in range(3):
        await office.engine.recover()
        await office.company.env.idle()
    for move in await office.moves():
        if move.state == "awaiting" and move.plan is not None:
            await office.engine.confirm(move.id, move.plan.digest, ADA)
            await office.company.env.idle()
    incident = await office.asked()
    if incident.state == "open":
        await office.click(incident, ADA)


async def test_at_whatever_moment_it_dies_the_routes_move_once_and_together() -> None:
    reaper = Reaper(None)
    await answered(await asked(), reaper)
    total = reaper.count
    assert total > 15
    for fatal in range(1, total + 1):
        office = await asked()
        before = len(office.company.firewall.writes)
        await answered(office, Reaper(fatal))
        await revived(office)
        where = f"moment {fatal} of {total}"
        assert office.gateways() == {ADDRESS[NEXT]}, where
        assert (await office.asked()).state == "resolved", where
        assert [move.state for move in await office.moves()].count("done") == 1, where
        assert len(office.company.firewall.writes) == before + 2, where
        await Outbox(office.engine.context).flush()
        assert office.company.wall.incidents[(await office.asked()).id].state == "resolved", where
        assert office.company.wall.alarms == 1, where
