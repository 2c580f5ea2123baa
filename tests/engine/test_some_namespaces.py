"""A role that was given for some namespaces: it counts for their changes, and for nothing that concerns all."""

from dataclasses import replace

import pytest

from bot.engine.engine import Engine
from bot.model.commands import Change, Drill, Failover
from bot.model.errors import UserError
from bot.model.people import Grant, Person
from tests.asking import ask, change, now, say_yes
from tests.engine.watched import dead, watched
from tests.memory import Fault
from tests.office import ADA, GRANTS, OLGA, OMAR, TEAM, Company

LENA, ADIL = (Person(team=TEAM, user=f"U0{name}0001") for name in ("LENA", "ADIL"))  # on-call and admin of one team
FOR_SOME = (
    Grant(role="oncall", people=frozenset({LENA}), clusters=("*",), namespaces=("monitoring",)),
    Grant(role="admin", people=frozenset({ADIL}), clusters=("*",), namespaces=("monitoring",)),
)


def granting(engine: Engine) -> Engine:
    return Engine(replace(engine.context, grants=(*GRANTS, *FOR_SOME)))


@pytest.mark.parametrize("who", [LENA, ADIL])
@pytest.mark.parametrize("command", [Failover(), Drill()])
async def test_they_do_not_move_the_routes_of_everybody(who: Person, command: Change) -> None:
    company = Company()
    engine = granting(company.engine())
    await change(engine)
    with pytest.raises(UserError, match="To fail over you need the role oncall or admin on cluster qa for all"):
        await ask(engine, command, by=who, delivery="d2")
    waiting = await ask(engine, Failover(), by=OLGA, delivery="d3")
    with pytest.raises(UserError, match="for all namespaces"):
        await say_yes(engine, waiting, who)
    assert (await now(engine, waiting)).state == "awaiting"


async def test_nor_do_they_answer_an_incident() -> None:
    office = await watched()
    await dead(office)
    office.engine = granting(office.engine)
    incident = await office.asked()
    for who in (LENA, ADIL):
        with pytest.raises(UserError, match="for all namespaces"):
            await office.click(incident, who)
        with pytest.raises(UserError, match="for all namespaces"):
            await office.engine.snooze(incident.id, who, planned=True)
        assert "for all namespaces" in await office.engine.why_not_answer(incident, who)
    assert not await office.moves()


async def test_an_admin_of_some_takes_over_only_what_concerns_them() -> None:
    company = Company()
    engine = granting(company.engine())
    operation = await ask(engine)
    company.firewall.fail("apply", Fault.LOSE_ANSWER)
    company.silence_firewall(after_reads=1)
    await say_yes(engine, operation, OMAR)
    assert (await now(engine, operation)).state == "stuck"
    with pytest.raises(UserError, match="for namespace default"):
        await engine.release(operation.id, ADIL)
    await engine.release(operation.id, ADA)
