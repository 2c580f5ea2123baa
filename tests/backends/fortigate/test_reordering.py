"""A policy of ours that somebody moved below a deny is moved back: on a yes to exactly that move, or not at all."""

from dataclasses import dataclass
from typing import Any

import pytest

from bot.model.resources import Key, Position
from bot.model.steps import Step
from tests.backends.fortigate.conftest import Office, Open, step
from tests.backends.fortigate.objects import VERSIONS, deny, wishes
from tests.contract.fortigate_subject import refs

KEY = Key(kind="position", name="k8snet-qa-hq")
MOVES = "*/cmdb/firewall/policy/*"


async def hidden(office: Office, **changes: Any) -> Step:
    """Our policy 1000 behind a person's deny 50, and the step that a plan would have."""
    for wish in wishes():
        assert (await office.target.apply(step(None, wish))).kind == "applied"
    deny(office, **changes)
    office.device.move("firewall/policy", 1000, 50, after=True)
    return await the_move(office)


async def the_move(office: Office) -> Step:
    [one] = (await office.target.precedence(wishes())).values()
    assert one.better is not None
    return step(*one.better)


def order(office: Office) -> list[int]:
    return [row["policyid"] for row in office.device.rows("firewall/policy")]


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_move_is_read_back_and_has_nothing_left_to_do(office_with: Open, version: str) -> None:
    office = await office_with({"version": version})
    move = await hidden(office)
    assert (await office.target.apply(move)).kind == "applied"
    assert order(office)[-2:] == [1000, 50]
    writes = len(office.writes)
    assert (await office.target.apply(move)).kind == "already"
    assert len(office.writes) == writes
    [one] = (await office.target.precedence(wishes())).values()
    assert (one.better, one.hiding) == (None, ())


async def test_a_move_costs_one_write_and_three_looks_at_the_order(office: Office) -> None:
    move = await hidden(office)
    before = office.requests()
    await office.target.apply(move)
    assert office.requests() - before == 1 + 3


async def test_taken_back_the_policy_stands_behind_the_same_again(office: Office) -> None:
    move = await hidden(office)
    deny(office, 51, service=refs(("HTTP",)))
    office.device.move("firewall/policy", 1000, 51, after=True)
    move = await the_move(office)
    assert (await office.target.apply(move)).kind == "applied"
    assert order(office)[-3:] == [1000, 50, 51]
    assert (await office.target.apply(move.inverse())).kind == "applied"
    assert order(office)[-3:] == [50, 51, 1000]


async def test_what_denies_a_part_keeps_its_place_unless_it_stands_behind_what_denies_all(office: Office) -> None:
    await hidden(office)
    for number in (40, 60):
        deny(office, number, service=refs(("HTTP",)))
    office.device.move("firewall/policy", 40, 50, after=False)
    office.device.move("firewall/policy", 1000, 60, after=True)
    move = await the_move(office)
    assert (await office.target.apply(move)).kind == "applied"
    assert order(office)[-4:] == [40, 1000, 50, 60]
    [one] = (await office.target.precedence(wishes())).values()
    assert one.better is None


@pytest.mark.parametrize(
    "changes",
    [
        {"groups": refs(("contractors",))},
        {"users": refs(("somebody",))},
        {"fsso-groups": refs(("CN=CONTRACTORS",))},
        {"ztna-status": "enable"},
        {"scim-users": refs(("somebody",))},
        {"scim-groups": refs(("contractors",))},
        {"src-vendor-mac": [{"id": 5}]},
        {"sgt-check": "enable", "sgt": [{"id": 7}]},
        {"reputation-minimum": 4},
        {"tos": "0x10", "tos-mask": "0x10"},
        {"srcaddr": refs(("FABRIC_DEVICE",))},
        {"srcaddr": refs(("devices",))},
    ],
)
async def test_what_denies_only_some_people_or_machines_is_never_moved_past(
    office_with: Open, changes: dict[str, Any]
) -> None:
    """Its addresses are everything, and still it does not take all packets."""
    office = await office_with({"version": "v7.6.6"})
    office.device.create("firewall/addrgrp", {"name": "devices", "member": refs(("FABRIC_DEVICE",))})
    for wish in wishes():
        assert (await office.target.apply(step(None, wish))).kind == "applied"
    deny(office, **changes)
    office.device.move("firewall/policy", 1000, 50, after=True)
    [one] = (await office.target.precedence(wishes())).values()
    assert (one.better, one.hiding) == (None, ())
    assert "part of its traffic may be denied before it, by policy 50" in one.notes[0]


async def test_what_a_move_overrules_is_said(office: Office) -> None:
    await hidden(office)
    deny(office, 60, service=refs(("HTTP",)))
    office.device.move("firewall/policy", 1000, 60, after=True)
    [one] = (await office.target.precedence(wishes())).values()
    [words] = one.moving
    assert "moved before policy 50 (deny-50), policy 60 (deny-60)" in words
    assert "on purpose" in words


@pytest.mark.parametrize(
    "changes",
    [
        {"service": refs(("HTTP",))},
        {"status": "disable"},
        {"srcintf": refs(("dmz",))},
        {"action": "accept", "srcintf": refs(("internal",)), "dstintf": refs(("Test",))},
    ],
    ids=["a part", "switched off", "other interfaces", "accepting"],
)
async def test_nothing_is_moved_where_nothing_hides_it_whole(office: Office, changes: dict[str, Any]) -> None:
    for wish in wishes():
        assert (await office.target.apply(step(None, wish))).kind == "applied"
    deny(office, **changes)
    office.device.move("firewall/policy", 1000, 50, after=True)
    [one] = (await office.target.precedence(wishes())).values()
    assert (one.better, one.moving) == (None, ())


async def test_a_policy_belongs_before_the_anchor_whatever_that_does(office_with: Open) -> None:
    office = await office_with(before_policy="accept-50")
    accepting = {"name": "accept-50", "action": "accept", "srcintf": refs(("dmz",)), "dstintf": refs(("wan1",))}
    deny(office, **accepting)
    for wish in wishes():
        assert (await office.target.apply(step(None, wish))).kind == "applied"
    office.device.move("firewall/policy", 1000, 50, after=True)
    move = await the_move(office)
    assert (await office.target.apply(move)).kind == "applied"
    assert order(office)[-2:] == [1000, 50]


# --- the world is not as planned


async def refused(office: Office, move: Step, words: str) -> None:
    before, writes = order(office), len(office.writes)
    outcome = await office.target.apply(move)
    assert outcome.kind == "refused"
    assert words in outcome.detail
    assert (order(office), len(office.writes)) == (before, writes)


async def test_no_move_past_a_deny_that_the_plan_did_not_see(office: Office) -> None:
    move = await hidden(office)
    deny(office, 60, service=refs(("HTTP",)))
    office.device.move("firewall/policy", 60, 1000, after=False)
    await refused(office, move, "stands behind 50 (deny-50), 60 (deny-60), and stood behind 50 (deny-50)")


async def test_no_move_after_somebody_changed_the_order(office: Office) -> None:
    await hidden(office)
    deny(office, 60, service=refs(("HTTP",)))
    office.device.move("firewall/policy", 1000, 60, after=True)
    move = await the_move(office)
    office.device.move("firewall/policy", 60, 50, after=False)
    await refused(office, move, "stood behind 50 (deny-50), 60 (deny-60)")


async def test_no_move_when_the_other_policy_is_gone_and_nothing_hides_ours(office: Office) -> None:
    move = await hidden(office)
    office.device.delete("firewall/policy", 50)
    before = order(office)
    assert (await office.target.apply(move)).kind == "already"
    assert order(office) == before


async def test_no_move_when_the_other_policy_was_edited(office: Office) -> None:
    """What denied everything denies a part now: to go before it would be another change."""
    move = await hidden(office)
    office.device.update("firewall/policy", 50, {"service": refs(("HTTP",))})
    await refused(office, move, "was edited since the plan was made")


async def test_no_move_of_a_policy_that_is_no_longer_ours(office: Office) -> None:
    move = await hidden(office)
    office.device.update("firewall/policy", 1000, {"comments": "mine now"})
    await refused(office, move, "made by hand")


async def test_no_move_of_a_policy_that_is_gone(office: Office) -> None:
    move = await hidden(office)
    office.device.delete("firewall/policy", 1000)
    await refused(office, move, "is gone")


async def test_no_move_where_there_are_too_many_denying_policies_to_judge(office: Office) -> None:
    move = await hidden(office)
    for number in range(100, 220):
        deny(office, number, srcaddr=refs(("dmz-servers",)))
    await refused(office, move, "it cannot be told what stands before it")
    [one] = (await office.target.precedence(wishes())).values()
    assert one.better is None


async def test_the_devices_own_reason_for_not_moving_is_told(office: Office) -> None:
    move = await hidden(office)
    office.server.faults.arm("error", method="PUT", path=MOVES, options={"code": -177})
    outcome = await office.target.apply(move)
    assert outcome.kind == "refused"
    assert "does not move a policy past one between other interfaces" in outcome.detail


async def test_no_move_past_what_came_after_the_look_that_was_made_ahead(office: Office) -> None:
    move = await hidden(office)
    await office.target.look_ahead([move])
    deny(office, 60, service=refs(("HTTP",)))
    office.device.move("firewall/policy", 60, 1000, after=False)
    await refused(office, move, "stood behind 50 (deny-50)")


async def test_no_move_past_what_came_while_other_steps_were_written(office_with: Open) -> None:
    """A plan that changes the policy and moves it: the order is looked at again between the two."""

    def arriving(number: int) -> None:
        if changes and len(office.writes) == written + 1 and 60 not in order(office):
            deny(office, 60, service=refs(("HTTP",)))
            office.device.move("firewall/policy", 60, 1000, after=False)

    changes = False
    office = await office_with(arriving=arriving)
    move = await hidden(office)
    now, then = wishes()[-1], wishes({"services": ("ALL",)})[-1]
    changes, written = True, len(office.writes)
    outcomes = await office.target.apply_all([step(now, then), move])
    assert [outcome.kind for outcome in outcomes] == ["applied", "refused"]
    assert order(office)[-3:] == [50, 60, 1000]
    assert len(office.writes) == written + 1


# --- faults of the call


@dataclass(frozen=True)
class Case:
    kind: str
    outcomes: tuple[str, ...]
    options: dict[str, Any]
    timeout_s: float = 20.0


CASES = {
    "refused": Case("error", ("refused",), {"code": -177}),
    "reset before effect": Case("refuse", ("unknown",), {}),
    "hang before effect": Case("hang-before", ("unknown",), {}, 0.5),
    "hang after effect": Case("hang-after", ("applied",), {}, 0.5),
    "lost answer": Case("lose-answer", ("applied",), {}),
    "applied twice": Case("apply-twice", ("applied", "already"), {"answer": "second"}),
    "no effect in spite of a yes": Case("no-effect", ("unknown",), {}),
    "500 without effect": Case("status", ("unknown",), {"code": 500}),
    "500 after effect": Case("status", ("applied",), {"code": 500, "effect": True}),
    "403 in the middle": Case("status", ("refused",), {"code": 403}),
}


@pytest.mark.parametrize("back", [False, True], ids=["there", "back"])
@pytest.mark.parametrize("fault", CASES)
async def test_the_outcome_of_a_move_is_what_the_order_says(office_with: Open, fault: str, back: bool) -> None:
    case = CASES[fault]
    office = await office_with(request_timeout_s=case.timeout_s)
    move = await hidden(office)
    if back:
        assert (await office.target.apply(move)).kind == "applied"
        move = move.inverse()
    office.server.faults.arm(case.kind, method="PUT", path=MOVES, options=case.options)
    outcome = await office.target.apply(move)
    assert outcome.kind in case.outcomes, outcome
    office.server.clear_faults()
    there = (await office.target.read([KEY]))[KEY]
    assert there == (move.after if outcome.kind in ("applied", "already") else move.before)


async def test_an_anchor_deleted_under_the_move_leaves_a_policy_that_nothing_hides(office_with: Open) -> None:
    """Between the look and the write: the device refuses, and what was wished for holds anyhow."""

    def arriving(number: int) -> None:
        if number == deleted_at:
            office.device.delete("firewall/policy", 50)

    deleted_at = -1
    office = await office_with(arriving=arriving)
    move = await hidden(office)
    deleted_at = office.requests() + 2
    assert (await office.target.apply(move)).kind == "already"
    there = (await office.target.read([KEY]))[KEY]
    assert isinstance(there, Position)
    assert there.behind == ()
