"""The life of a change, in memory: ask, plan, say yes, apply, prove; and every way it can go otherwise."""

import asyncio
from ipaddress import IPv4Address, IPv4Network

import pytest

from bot.model.commands import Expose, Unexpose
from bot.model.errors import Unreachable, UserError
from bot.model.resources import Address, Forwarder, Key
from tests.asking import ask, change, now, say_yes
from tests.memory import Fault
from tests.office import ADA, DANA, EVE, OMAR, Company
from tests.virtual import START

ROUTE = Key(kind="route", name="10.68.0.0/16")
FORWARDER = Key(kind="forwarder", name="default.svc.cluster.local")


async def test_expose_makes_everything_the_article_needs_and_proves_it() -> None:
    company = Company()
    done = await change(company.engine())
    assert done.state == "done"
    held = company.resources()
    assert len(held["fw"]) == 9
    assert held["dc1"][FORWARDER] == Forwarder(zone="default.svc.cluster.local", masters=(IPv4Address("10.68.0.2"),))
    dns_policy = held["fw"][Key(kind="policy", name="k8snet-qa-dns-dc1")]
    assert (dns_policy.source_interfaces, dns_policy.services) == (("dmz",), ("DNS",))


async def test_unexpose_leaves_no_trace() -> None:
    company = Company()
    engine = company.engine()
    await change(engine)
    gone = await change(engine, Unexpose(namespace="default"), "d2")
    assert gone.state == "done"
    assert company.resources() == {"fw": {}, "dc1": {}}


async def test_shared_objects_stay_while_another_exposure_needs_them() -> None:
    company = Company()
    engine = company.engine()
    await change(engine)
    await change(engine, Expose(namespace="monitoring"), "d2")
    await change(engine, Unexpose(namespace="default"), "d3")
    assert ROUTE in company.firewall.resources
    assert list(company.dns_server.resources) == [Key(kind="forwarder", name="monitoring.svc.cluster.local")]


async def test_what_was_made_by_hand_is_used_and_left_alone() -> None:
    company = Company()
    by_hand = Address(name="k8s_SERVICE_CIDR", network=IPv4Network("10.68.0.0/16"))
    company.firewall.resources[by_hand.key] = by_hand
    engine = company.engine()
    operation = await ask(engine)
    assert operation.plan is not None
    assert [found.key for found in operation.plan.found] == [by_hand.key]
    await say_yes(engine, operation)
    assert (await now(engine, operation)).state == "done"
    await change(engine, Unexpose(namespace="default"), "d2")
    assert company.resources() == {"fw": {by_hand.key: by_hand}, "dc1": {}}


async def test_something_else_under_our_name_is_a_conflict_that_changes_nothing() -> None:
    company = Company()
    other = Address(name="k8s_SERVICE_CIDR", network=IPv4Network("10.0.0.0/8"))
    company.firewall.resources[other.key] = other
    operation = await ask(company.engine())
    assert operation.state == "unplannable"
    assert "address k8s_SERVICE_CIDR on fw: exists with other content" in operation.entries[-1].reason
    assert not company.firewall.writes


async def test_doing_it_twice_finds_nothing_to_do() -> None:
    company = Company()
    engine = company.engine()
    await change(engine)
    again = await ask(engine, delivery="d2")
    assert again.state == "nothing-to-do"


async def test_the_same_delivery_twice_is_one_operation() -> None:
    engine = Company().engine()
    first, second = await asyncio.gather(ask(engine), ask(engine))
    assert first.id == second.id


@pytest.mark.parametrize("by", [DANA, EVE])
async def test_only_the_right_person_says_yes(by) -> None:
    company = Company()
    engine = company.engine()
    operation = await ask(engine)
    with pytest.raises(UserError, match="you need the role operator or admin"):
        await say_yes(engine, operation, by)
    assert not company.firewall.writes
    denied = (await engine.context.journal.world()).records[-1].entry
    assert (denied.kind, denied.actor) == ("denied", by)


async def test_nobody_confirms_their_own_request_unless_the_cluster_allows_it() -> None:
    engine = Company().engine()
    operation = await ask(engine, by=OMAR)
    with pytest.raises(UserError, match="Somebody else must confirm"):
        await say_yes(engine, operation, OMAR)
    allowing = Company(self_confirm=True).engine()
    own = await ask(allowing, by=OMAR)
    await say_yes(allowing, own, OMAR)
    assert (await now(allowing, own)).state == "done"


async def test_a_person_without_a_role_cannot_even_ask() -> None:
    engine = Company().engine()
    with pytest.raises(UserError, match="To request you need the role developer or operator or admin"):
        await ask(engine, by=EVE)
    refused = (await engine.context.journal.world()).records[-1].entry
    assert (refused.kind, refused.allowed) == ("asked", False)


async def test_two_simultaneous_yeses_apply_once() -> None:
    company = Company()
    engine = company.engine()
    operation = await ask(engine)
    answers = await asyncio.gather(say_yes(engine, operation), say_yes(engine, operation, ADA), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["UserError", "str"]
    assert (await now(engine, operation)).state == "done"
    assert len(company.firewall.writes) == 9


async def test_two_bots_on_one_journal_apply_a_yes_once() -> None:
    company = Company()
    one, other = company.engine(instance="one"), company.engine(instance="other")
    operation = await ask(one)
    answers = await asyncio.gather(say_yes(one, operation), say_yes(other, operation, ADA), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["UserError", "str"]
    await one.context.env.idle()
    assert (await now(other, operation)).state == "done"
    assert len(company.firewall.writes) == 9


async def test_a_button_with_another_digest_does_nothing() -> None:
    company = Company()
    engine = company.engine()
    operation = await ask(engine)
    with pytest.raises(UserError, match="older version of the plan"):
        await engine.confirm(operation.id, "0" * 32, OMAR)
    with pytest.raises(UserError, match="older version of the plan"):
        await engine.confirm(operation.id, "", OMAR)
    with pytest.raises(UserError, match="do not know this change"):
        await engine.confirm("nosuchthing", "0" * 32, OMAR)


async def test_a_yes_to_a_world_that_changed_is_refused_with_the_difference_and_a_new_card() -> None:
    company = Company()
    engine = company.engine()
    operation = await ask(engine)
    meanwhile = Address(name="k8s_SERVICE_CIDR", network=IPv4Network("10.68.0.0/16"))
    company.firewall.resources[meanwhile.key] = meanwhile
    assert "A new card shows the fresh plan" in await say_yes(engine, operation)
    old = await now(engine, operation)
    assert old.state == "stale"
    assert old.entries[-1].differences == ("no longer needed: create address k8s_SERVICE_CIDR on fw",)
    new = (await engine.context.journal.world()).operations[old.successor]
    assert new.state == "awaiting"
    assert not company.firewall.writes
    await say_yes(engine, new)
    assert (await now(engine, new)).state == "done"


async def test_a_pod_that_moves_between_plan_and_yes_does_not_void_the_plan() -> None:
    company = Company()
    engine = company.engine()
    operation = await ask(engine)
    redis = company.cluster.now.services[0]
    moved = redis.endpoints[0].model_copy(update={"address": IPv4Address("172.20.5.5")})
    services = (redis.model_copy(update={"endpoints": (moved,)}), *company.cluster.now.services[1:])
    company.cluster.now = company.cluster.now.model_copy(update={"services": services})
    await say_yes(engine, operation)
    assert (await now(engine, operation)).state == "done"


async def test_a_plan_nobody_confirmed_expires() -> None:
    company = Company()
    engine = company.engine()
    operation = await ask(engine)
    await company.env.sleep(1801)
    with pytest.raises(UserError, match="has expired"):
        await say_yes(engine, operation)
    assert (await now(engine, operation)).state == "expired"
    assert operation.plan is not None
    assert operation.plan.expires_at > START


async def test_recovery_writes_down_that_a_plan_expired() -> None:
    company = Company()
    engine = company.engine()
    operation = await ask(engine)
    await company.env.sleep(1801)
    await engine.recover()
    assert (await now(engine, operation)).state == "expired"


async def test_a_cancelled_plan_cannot_be_confirmed() -> None:
    engine = Company().engine()
    operation = await ask(engine)
    await engine.cancel(operation.id, DANA)
    with pytest.raises(UserError, match=r"over \(cancelled\)"):
        await say_yes(engine, operation)


async def test_a_stranger_cannot_cancel() -> None:
    engine = Company().engine()
    operation = await ask(engine)
    with pytest.raises(UserError, match="you need the role"):
        await engine.cancel(operation.id, EVE)


async def test_a_change_that_cannot_be_proven_is_taken_back() -> None:
    company = Company()
    company.wire.cut = True
    back = await change(company.engine())
    assert back.state == "rolled-back"
    assert company.resources() == {"fw": {}, "dc1": {}}
    assert "not proven" in back.entries[-1].reason


@pytest.mark.parametrize("failing", range(1, 10))
async def test_a_refused_step_takes_back_what_was_written(failing: int) -> None:
    company = Company()
    company.firewall.fail("apply", Fault.REJECT, failing)
    back = await change(company.engine())
    assert back.state == "rolled-back"
    assert company.resources() == {"fw": {}, "dc1": {}}
    assert "the device said no" in back.entries[-1].reason


@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.LOSE_REQUEST, Fault.UNREACHABLE])
@pytest.mark.parametrize("lost", range(1, 10))
async def test_a_lost_answer_is_read_back_and_the_change_goes_on(lost: int, fault: Fault) -> None:
    company = Company()
    company.firewall.fail("apply", fault, lost)
    done = await change(company.engine())
    assert done.state == "done"
    assert len(company.firewall.writes) == 9


async def test_a_device_that_goes_silent_leaves_the_operation_to_a_person_who_can_resume() -> None:
    company = Company()
    engine = company.engine()
    operation = await ask(engine)
    company.firewall.fail("apply", Fault.LOSE_ANSWER, 3)
    company.silence_firewall(after_reads=1)
    await say_yes(engine, operation)
    stuck = await now(engine, operation)
    assert stuck.state == "stuck"
    assert "Whether address" in stuck.entries[-1].reason
    company.firewall.faults.clear()
    waiting = await ask(engine, Expose(namespace="monitoring"), delivery="d3")
    assert waiting.state == "awaiting"
    with pytest.raises(UserError, match="is being applied"):
        await say_yes(engine, waiting)
    await engine.resume(operation.id, OMAR)
    assert (await now(engine, operation)).state == "rolled-back"
    assert company.resources() == {"fw": {}, "dc1": {}}


async def test_a_device_that_is_away_at_the_click_leaves_the_plan_waiting() -> None:
    company = Company()
    engine = company.engine()
    operation = await ask(engine)
    company.firewall.fail("read", Fault.UNREACHABLE)
    with pytest.raises(Unreachable):
        await say_yes(engine, operation)
    assert (await now(engine, operation)).state == "awaiting"
    assert not company.firewall.writes


async def test_only_an_admin_takes_over_what_is_stuck() -> None:
    company = Company()
    engine = company.engine()
    operation = await ask(engine)
    company.firewall.fail("apply", Fault.LOSE_ANSWER)
    company.silence_firewall(after_reads=1)
    await say_yes(engine, operation)
    assert (await now(engine, operation)).state == "stuck"
    with pytest.raises(UserError, match="To administer you need the role admin"):
        await engine.release(operation.id, OMAR)
    await engine.release(operation.id, ADA)
    assert (await now(engine, operation)).state == "released"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (Expose(namespace="Default"), "cannot be a namespace"),
        (Expose(namespace="defualt"), "Did you mean default?"),
        (Unexpose(namespace="default"), "is not exposed by k8snet"),
        (Expose(namespace="default", office="berlin"), "There is no office berlin"),
    ],
)
async def test_a_wish_that_cannot_be_says_why_on_its_own_card(command: Expose | Unexpose, says: str) -> None:
    company = Company()
    operation = await ask(company.engine(), command)
    assert operation.state == "unplannable"
    assert says in operation.entries[-1].reason
    assert not company.firewall.writes


async def test_an_unknown_cluster_is_refused_before_anything_is_written_down() -> None:
    engine = Company().engine()
    with pytest.raises(UserError, match=r"There is no cluster qqa. Did you mean qa\?"):
        await ask(engine, Expose(namespace="default", cluster="qqa"))
    assert (await engine.context.journal.world()).seq == 0
