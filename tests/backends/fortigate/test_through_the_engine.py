"""Exposures decided by the engine, written to a simulated firewall, and proven by that firewall's own packet rules."""

from typing import Any

import pytest

from bot.model.commands import Expose, Unexpose
from bot.model.operation import Operation
from bot.model.site import Site
from lab.fortigate.device import Device
from tests.backends.fortigate.at_work import Work
from tests.contract.fortigate_subject import refs
from tests.office import site

DENY = "no-clusters"


def shadow(device: Device) -> None:
    """A person's policy that keeps the office out of every cluster."""
    device.create("firewall/policy", {
        "policyid": 50, "name": DENY, "srcintf": refs(("internal",)), "dstintf": refs(("Test",)),
        "srcaddr": refs(("office",)), "dstaddr": refs(("all",)), "service": refs(("ALL",)), "schedule": "always",
    })  # fmt: skip


def warned(operation: Operation) -> list[str]:
    assert operation.plan is not None
    return [warning for warning in operation.plan.warnings if "stands before it" in warning]


async def test_expose_and_unexpose_leave_the_firewall_as_it_was(work: Any) -> None:
    bot: Work = work()
    before = bot.rows()
    assert (await bot.change(Expose(namespace="default"))).state == "done"
    assert (await bot.ask(Expose(namespace="default"))).state == "nothing-to-do"
    assert (await bot.change(Unexpose(namespace="default"))).state == "done"
    assert bot.rows() == before


async def test_a_denying_policy_in_the_way_is_foretold_and_the_change_is_taken_back(work: Any) -> None:
    """Nobody's deny is overruled unasked: the plan says what will happen, and the proof holds it to that."""
    bot: Work = work()
    shadow(bot.device)
    before = bot.rows()
    operation = await bot.change(Expose(namespace="default"))
    assert len(warned(operation)) == 1
    assert "Policy k8snet-qa-hq: policy 50 (no-clusters), which denies," in warned(operation)[0]
    assert "matches all of its traffic" in warned(operation)[0]
    assert operation.state == "rolled-back"
    assert bot.rows() == before


async def test_with_a_place_before_it_the_same_change_works(work: Any) -> None:
    bot: Work = work(before_policy=DENY)
    shadow(bot.device)
    before = bot.rows()
    operation = await bot.change(Expose(namespace="default"))
    assert warned(operation) == []
    assert operation.state == "done"
    assert bot.policies()[-3:] == ["k8snet-qa-dns-dc1", "k8snet-qa-hq", DENY]
    assert (await bot.ask(Expose(namespace="default"))).state == "nothing-to-do"
    assert (await bot.change(Unexpose(namespace="default"))).state == "done"
    assert bot.rows() == before


async def test_what_cannot_be_placed_is_taken_back_whole(work: Any) -> None:
    bot: Work = work(before_policy=DENY)
    shadow(bot.device)
    before = bot.rows()
    bot.server.faults.arm("error", method="PUT", path="*/cmdb/firewall/policy/*", options={"code": -177})
    operation = await bot.change(Expose(namespace="default"))
    assert operation.state == "rolled-back"
    assert bot.rows() == before


def changed(**values: Any) -> Site:
    office = site(self_confirm=True)
    cluster = office.clusters[0].model_copy(update=values)
    return office.model_copy(update={"clusters": (cluster,)})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"interface": "tset"}, "the firewall has no interface tset in VDOM root"),
        ({"services": ("ALL_TPC",)}, "the firewall has no service ALL_TPC"),
    ],
)
async def test_a_misspelt_name_in_app_yaml_ends_the_planning(work: Any, values: dict[str, Any], words: str) -> None:
    bot: Work = work(changed(**values))
    before = bot.rows()
    operation = await bot.ask(Expose(namespace="default"))
    assert operation.state == "unplannable"
    assert "No plan is possible, nothing was changed" in str(operation.entries[-1])
    assert words in str(operation.entries[-1])
    assert bot.rows() == before
