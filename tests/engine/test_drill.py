"""A drill moves the routes to another node and back: on purpose, proven both times, and never into a fire."""

import pytest

from bot.engine.checking.known import known
from bot.model.commands import Change, Check, ClearDnsCache, Drill
from bot.model.journal import Measured, Verified
from bot.model.operation import Operation
from tests.asking import ask, change, now, say_yes
from tests.engine.watched import ADDRESS, GATEWAY, HOST, NEXT, RULES, Watched, dead, watched
from tests.memory import Fault
from tests.office import ADA, DANA, OLGA

DRILL = Drill(node="node-03", reason="we rehearse")


async def asked(office: Watched, command: Change = DRILL, delivery: str = "d1") -> Operation:
    return await ask(office.engine, command, OLGA, delivery)


async def drilled(office: Watched) -> Operation:
    return await change(office.engine, DRILL, "d1", OLGA, ADA)


async def test_the_routes_move_are_proven_come_back_and_are_proven_again() -> None:
    office = await watched()
    before = dict(office.firewall.resources)
    writes = len(office.firewall.writes)
    drill = await drilled(office)
    assert drill.state == "done"
    ways = [after.gateway for _, after in office.firewall.writes[writes:]]
    assert ways == [ADDRESS[NEXT], ADDRESS[NEXT], HOST, HOST]
    assert office.firewall.resources == before
    proofs = [entry for entry in drill.entries if isinstance(entry, Verified)]
    assert [proof.passed for proof in proofs] == [True, True]
    assert all(f"through {NEXT}" in result.what or "dc1" in result.what for result in proofs[0].results)
    assert all(f"through {GATEWAY}" in result.what or "dc1" in result.what for result in proofs[1].results)
    assert (await office.engine.context.journal.world()).intent("qa").gateway is None


async def test_what_new_connections_notice_is_measured_on_both_ways() -> None:
    office = await watched()
    there, back = [entry for entry in (await drilled(office)).entries if isinstance(entry, Measured)]
    assert there.failed == back.failed == 0
    assert there.attempts > 0


async def test_an_outage_on_the_way_there_is_in_the_result() -> None:
    office = await watched()
    office.company.wire.without_proxy.add(ADDRESS[NEXT])
    drill = await drilled(office)
    (measured,) = [entry for entry in drill.entries if isinstance(entry, Measured)]
    assert measured.outage_ms >= 1000
    assert 0 < measured.failed < measured.attempts


async def test_a_node_that_carries_nothing_is_left_at_once_and_that_is_said() -> None:
    office = await watched()
    office.company.wire.without_proxy.add(ADDRESS[NEXT])
    drill = await drilled(office)
    assert drill.state == "rolled-back"
    assert "not proven: data reaches a service address through k8s-qa-node-03" in drill.entries[-1].reason
    assert office.gateways() == {HOST}


async def test_a_return_that_cannot_be_proven_is_no_success() -> None:
    office = await watched()
    operation = await asked(office)
    office.firewall.fail("apply", Fault.HANG_BEFORE, nth=3)  # the first write of the way back
    await say_yes(office.engine, operation, ADA)
    await office.firewall.hanging.wait()
    office.company.wire.not_forwarding.add(HOST)
    office.firewall.release()
    drill = await now(office.engine, operation)
    assert drill.state == "rolled-back"
    assert "it is not proven that data passes there again" in drill.entries[-1].reason
    assert office.gateways() == {HOST}


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (Drill(node=GATEWAY), "carries the routes already; a drill moves them to another node and back"),
        (Drill(node="node-99"), "has no node node-99"),
    ],
)
async def test_a_drill_needs_another_node(command: Drill, says: str) -> None:
    office = await watched()
    operation = await asked(office, command)
    assert (operation.state, says in operation.entries[-1].reason) == ("unplannable", True)


async def test_without_a_name_the_best_candidate_is_drilled() -> None:
    office = await watched()
    operation = await asked(office, Drill())
    assert operation.plan is not None
    assert {step.after.gateway for step in operation.plan.steps} == {ADDRESS[NEXT]}


async def test_nobody_drills_during_an_incident() -> None:
    office = await watched()
    await dead(office)
    operation = await asked(office)
    assert operation.state == "unplannable"
    assert f"about {GATEWAY} is not over; a drill waits until it is" in operation.entries[-1].reason


async def test_a_yes_that_comes_after_an_incident_began_moves_nothing() -> None:
    office = await watched()
    operation = await asked(office)
    await dead(office)
    assert "nothing was done" in await say_yes(office.engine, operation, ADA)
    await office.company.env.idle()
    assert office.gateways() == {HOST}


async def test_nobody_drills_right_after_a_move() -> None:
    office = await watched()
    assert (await drilled(office)).state == "done"
    again = await asked(office, delivery="d2")
    assert again.state == "unplannable"
    assert "a drill waits until" in again.entries[-1].reason
    office.pass_time(RULES.hold_down_s + 1)
    assert (await asked(office, delivery="d3")).state == "awaiting"


async def test_developers_cannot_drill() -> None:
    office = await watched()
    with pytest.raises(Exception, match="you need the role oncall or admin"):
        await office.engine.request(DRILL, DANA, "C1", "d1")


async def test_the_watch_asks_nobody_during_a_drill_nor_after_it() -> None:
    office = await watched()
    await drilled(office)
    await office.rounds(20)
    assert await office.incident() is None


async def test_after_a_drill_a_check_without_the_cluster_s_word_knows_where_the_routes_were_before() -> None:
    office = await watched()
    await drilled(office)
    await change(office.engine, ClearDnsCache(namespace="default"), "d2")
    office.company.cluster.away = True
    engine = office.company.engine()
    report = await engine.check(Check(name="web-abc.default"))
    assert not [line for line in (*report.proof, *report.notes) if str(ADDRESS[NEXT]) in line]
    world = await engine.context.journal.world()
    assert "cache" not in {placed.resource.kind for placed in known(None, world, engine.context.cluster("qa")).written}
    assert known(None, world, engine.context.cluster("qa")).gateway_address == HOST
