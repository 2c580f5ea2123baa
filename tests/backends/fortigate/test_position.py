"""New policies go before the one that app.yaml names, or are not made at all."""

from typing import Any

import pytest

from bot.engine.targets import Outcome
from bot.model.resources import Resource
from tests.backends.fortigate.conftest import Office, Open, ours, step
from tests.backends.fortigate.objects import PODS, POLICY, VERSIONS
from tests.contract.fortigate_subject import refs

ANCHOR = "deny-everything"
MOVES = "*/cmdb/firewall/policy/*"


@pytest.fixture
async def office(office_with: Open) -> Office:
    office = await office_with(before_policy=ANCHOR)
    office.device.create("firewall/policy", {
        "policyid": 50, "name": ANCHOR, "srcintf": refs(("any",)), "dstintf": refs(("any",)),
        "srcaddr": refs(("all",)), "dstaddr": refs(("all",)), "service": refs(("ALL",)), "schedule": "always",
    })  # fmt: skip
    return office


def wishes() -> list[Resource]:
    second = POLICY.model_copy(update={"name": "k8snet-qa-dns", "services": ("DNS",)})
    return [ours(PODS), ours(POLICY, 1000), ours(second, 1001)]


async def make(office: Office) -> list[Outcome]:
    return list(await office.target.apply_all([step(None, wish) for wish in wishes()]))


def names(office: Office) -> list[str]:
    return [row["name"] for row in office.device.rows("firewall/policy")][7:]  # after the article's own


@pytest.mark.parametrize("version", VERSIONS)
async def test_new_policies_stand_before_the_anchor_in_their_order(office_with: Open, version: str) -> None:
    office = await office_with({"version": version}, before_policy="office-to-internet")
    assert {outcome.kind for outcome in await make(office)} == {"applied"}
    last = [row["name"] for row in office.device.rows("firewall/policy")][-3:]
    assert last == ["k8snet-qa-hq", "k8snet-qa-dns", "office-to-internet"]


async def test_placing_costs_one_write_a_policy_and_no_round_trip_more(office: Office) -> None:
    before = office.requests()
    await make(office)
    assert names(office) == ["k8snet-qa-hq", "k8snet-qa-dns", ANCHOR]
    # The release; side by side a look for each table and one for the anchor; three rows; two moves; read-backs of
    # addresses, of policies, and of their order.
    assert office.requests() - before == 1 + (2 + 1) + 3 + 2 + 3
    writes = len(office.writes)
    assert {outcome.kind for outcome in await make(office)} == {"already"}
    assert len(office.writes) == writes


async def test_without_the_anchor_nothing_is_made(office: Office) -> None:
    office.device.delete("firewall/policy", 50)
    outcomes = await make(office)
    assert [outcome.kind for outcome in outcomes] == ["skipped", "refused", "refused"]
    assert f"there is no policy {ANCHOR}" in outcomes[1].detail
    assert office.writes == []


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("refuse", {}),
        ("error", {"code": -177}),
        ("no-effect", {}),
        ("status", {"code": 500}),
    ],
)
async def test_a_policy_that_cannot_be_placed_is_taken_back(office: Office, kind: str, options: dict[str, Any]) -> None:
    office.server.faults.arm(kind, method="PUT", path=MOVES, options=options)
    outcomes = await make(office)
    assert [outcome.kind for outcome in outcomes][:2] == ["applied", "refused"]
    assert f"could not be put before policy {ANCHOR}" in outcomes[1].detail
    assert "removed again" in outcomes[1].detail
    assert "k8snet-qa-hq" not in names(office)


async def test_a_move_whose_answer_is_lost_counts_when_it_is_seen(office: Office) -> None:
    office.server.faults.arm("lose-answer", method="PUT", path=MOVES)
    assert {outcome.kind for outcome in await make(office)} == {"applied"}
    assert names(office) == ["k8snet-qa-hq", "k8snet-qa-dns", ANCHOR]


async def test_what_can_be_neither_placed_nor_taken_back_is_unknown(office: Office) -> None:
    office.server.faults.arm("error", method="PUT", path=MOVES, options={"code": -177})
    office.server.faults.arm("error", method="DELETE", path=MOVES, options={"code": -361})
    outcomes = await make(office)
    assert outcomes[1].kind == "unknown"
    assert "taking it back" in outcomes[1].detail
    assert "k8snet-qa-hq" in names(office)


async def test_a_policy_whose_place_somebody_changed_is_still_removed(office: Office) -> None:
    await make(office)
    office.device.move("firewall/policy", 1000, 50, after=True)
    outcomes = await office.target.apply_all([step(None, wish).inverse() for wish in reversed(wishes())])
    assert {outcome.kind for outcome in outcomes} == {"applied"}
    assert names(office) == [ANCHOR]
