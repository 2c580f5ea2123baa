"""A policy of ours below a deny, as people meet it: in plans, behind a yes, in what a check says."""

from ipaddress import IPv4Network
from typing import Any

import pytest

from bot.engine.checking.check import check
from bot.model.commands import Check, Expose, Failover, Unexpose
from bot.model.diagnosis import Finding
from bot.model.operation import Operation
from bot.model.site import CheckLimits
from handlers.lines.plan import plan_lines
from tests.backends.fortigate.at_work import Work
from tests.contract.fortigate_subject import refs
from tests.office import OLGA, site

EXPOSE = Expose(namespace="default")


def wall(bot: Work, *ours: str) -> None:
    """A person's policy that denies everything, and these policies of ours moved behind it."""
    bot.device.create("firewall/policy", {
        "policyid": 50, "name": "no-clusters", "srcintf": refs(("any",)), "dstintf": refs(("any",)),
        "srcaddr": refs(("all",)), "dstaddr": refs(("all",)), "service": refs(("ALL",)), "schedule": "always",
    })  # fmt: skip
    for row in bot.device.rows("firewall/policy"):
        if row["name"] in ours:
            bot.device.move("firewall/policy", row["policyid"], 50, after=True)


def number(bot: Work, name: str = "k8snet-qa-hq") -> int:
    [found] = [row["policyid"] for row in bot.device.rows("firewall/policy") if row["name"] == name]
    return int(found)


def planned(operation: Operation) -> list[str]:
    assert operation.plan is not None, operation.entries[-1]
    return plan_lines(operation.plan)


async def test_exposing_again_moves_the_policy_back_and_proves_it(work: Any) -> None:
    bot: Work = work()
    assert (await bot.change(EXPOSE)).state == "done"
    wall(bot, "k8snet-qa-hq", "k8snet-qa-dns-dc1")
    again = await bot.change(EXPOSE)
    assert again.state == "done", again.entries[-1]
    moved = [line.strip() for line in planned(again) if "move policy" in line]
    assert moved == [
        f"~ move policy {number(bot, name)} ({name}) before policy 50 (no-clusters)"
        for name in ("k8snet-qa-dns-dc1", "k8snet-qa-hq")
    ]
    assert any(line.startswith("opens   office-hq") for line in planned(again))
    assert len([line for line in planned(again) if line.startswith("! ") and "on purpose" in line]) == 2
    assert not [line for line in planned(again) if "nothing would come through" in line]
    assert bot.policies()[-3:] == ["k8snet-qa-dns-dc1", "k8snet-qa-hq", "no-clusters"]
    assert (await bot.ask(EXPOSE)).state == "nothing-to-do"


async def test_a_move_leaves_nothing_to_take_back_when_the_exposure_ends(work: Any) -> None:
    bot: Work = work()
    before = bot.rows()
    await bot.change(EXPOSE)
    wall(bot, "k8snet-qa-hq")
    assert (await bot.change(EXPOSE)).state == "done"
    ended = await bot.change(Unexpose(namespace="default"))
    assert ended.state == "done", ended.entries[-1]
    assert not [line for line in planned(ended) if "move policy" in line]
    bot.device.delete("firewall/policy", 50)
    assert bot.rows() == before


async def test_a_change_that_is_not_proven_moves_the_policy_behind_the_deny_again(work: Any) -> None:
    bot: Work = work()
    await bot.change(EXPOSE)
    wall(bot, "k8snet-qa-hq")
    before = bot.rows()
    bot.wire.lost = [IPv4Network("10.68.0.0/16"), IPv4Network("172.20.0.0/16")]
    again = await bot.change(EXPOSE)
    assert again.state == "rolled-back", again.entries[-1]
    assert bot.rows() == before


@pytest.mark.parametrize("proven", [True, False])
async def test_a_policy_that_is_changed_is_moved_in_the_same_plan(work: Any, proven: bool) -> None:
    """Changed where nothing reaches it, it could not be proven, and never would be."""
    bot: Work = work()
    await bot.change(EXPOSE)
    wall(bot, "k8snet-qa-hq")
    office = site(self_confirm=True)
    wider = office.model_copy(update={"clusters": (office.clusters[0].model_copy(update={"services": ("ALL",)}),)})
    later: Work = work(wider)
    before = later.rows()
    later.wire.lost = [] if proven else [IPv4Network("10.68.0.0/16"), IPv4Network("172.20.0.0/16")]
    operation = await later.change(EXPOSE)
    assert [line.strip()[:6] for line in planned(operation) if line.startswith("  ~")] == ["~ poli", "~ move"]
    assert operation.state == ("done" if proven else "rolled-back"), operation.entries[-1]
    assert (later.rows() == before) == (not proven)
    assert (later.policies()[-1] == "no-clusters") == proven


@pytest.mark.parametrize(
    ("fault", "options", "state"),
    [
        ("lose-answer", {}, "done"),
        ("status", {"code": 500, "effect": True}, "done"),
        ("apply-twice", {"answer": "second"}, "done"),
        ("error", {"code": -177}, "rolled-back"),
        ("status", {"code": 403}, "rolled-back"),
        ("no-effect", {}, "done"),  # the first time: it is tried again
        ("refuse", {}, "done"),
    ],
)
async def test_whatever_becomes_of_the_call_the_end_is_what_the_order_says(
    work: Any, fault: str, options: dict[str, Any], state: str
) -> None:
    bot: Work = work()
    await bot.change(EXPOSE)
    wall(bot, "k8snet-qa-hq")
    before = bot.rows()
    bot.server.faults.arm(fault, method="PUT", path="*/cmdb/firewall/policy/*", options=options, count=1)
    again = await bot.change(EXPOSE)
    assert again.state == state, again.entries[-1]
    assert (bot.rows() == before) == (state == "rolled-back")
    assert (bot.policies()[-1] == "no-clusters") == (state == "done")


async def test_a_yes_to_a_move_is_void_when_somebody_moved_it_back_already(work: Any) -> None:
    bot: Work = work()
    await bot.change(EXPOSE)
    wall(bot, "k8snet-qa-hq")
    operation = await bot.ask(EXPOSE)
    bot.device.move("firewall/policy", number(bot), 50, after=False)
    writes = len(bot.server.api.audit)
    later = await bot.confirm(operation)
    assert later.state == "stale"
    assert "no longer needed: change position of policy k8snet-qa-hq on fw" in str(later.entries[-1])
    assert len(bot.server.api.audit) == writes


async def test_a_yes_to_a_move_is_void_when_another_deny_came_between(work: Any) -> None:
    bot: Work = work()
    await bot.change(EXPOSE)
    wall(bot, "k8snet-qa-hq")
    operation = await bot.ask(EXPOSE)
    bot.device.create("firewall/policy", {
        "policyid": 60, "name": "quarantine", "srcintf": refs(("internal",)), "dstintf": refs(("any",)),
        "srcaddr": refs(("office",)), "dstaddr": refs(("all",)), "service": refs(("HTTP",)), "schedule": "always",
    })  # fmt: skip
    bot.device.move("firewall/policy", 60, 50, after=True)
    later = await bot.confirm(operation)
    assert later.state == "stale"
    assert "now different" in str(later.entries[-1])


async def test_a_policy_made_by_hand_is_not_moved(work: Any) -> None:
    bot: Work = work()
    await bot.change(EXPOSE)
    wall(bot, "k8snet-qa-hq")
    bot.device.update("firewall/policy", number(bot), {"comments": "ours"})
    again = await bot.ask(EXPOSE)
    assert again.plan is not None
    assert again.plan.steps == ()
    [warning] = again.plan.warnings
    assert "k8snet moves only what it made" in warning


async def test_a_failover_moves_no_policy_and_says_what_would(work: Any) -> None:
    bot: Work = work()
    await bot.change(EXPOSE)
    wall(bot, "k8snet-qa-hq")
    bot.device.update("firewall/policy", 50, {"dstaddr": refs(("k8s_POD_CIDR", "k8s_SERVICE_CIDR"))})
    operation = await bot.ask(Failover(cluster="qa"), OLGA)
    assert operation.plan is not None, operation.entries[-1]
    assert {step.key.kind for step in operation.plan.steps} == {"route"}
    assert any("expose the namespace again" in text for text in operation.plan.warnings)


# --- as a check sees it


async def diagnosed(bot: Work) -> Finding:
    report = await check(bot.engine.context, Check(name="redis-abc-gns.default"), CheckLimits())
    assert report.verdict == "failed"
    return report.findings[0]


async def test_a_check_offers_to_expose_again_where_that_mends_it(work: Any) -> None:
    bot: Work = work()
    await bot.change(EXPOSE)
    wall(bot, "k8snet-qa-hq")
    found = await diagnosed(bot)
    assert (found.code, found.fix) == ("K8SNET-POL-05", "expose")
    assert "no-clusters" in found.evidence[0]
    assert (await bot.change(EXPOSE)).state == "done"
    report = await check(bot.engine.context, Check(name="redis-abc-gns.default"), CheckLimits())
    assert report.verdict == "passed", report.findings


@pytest.mark.parametrize(
    ("denying", "ours"),
    [({"dstaddr": refs(("k8s_POD_CIDR",))}, {}), ({}, {"comments": "by hand"})],
    ids=["a part is denied", "ours is no longer ours"],
)
async def test_a_check_offers_no_move_that_would_not_be_made(
    work: Any, denying: dict[str, Any], ours: dict[str, Any]
) -> None:
    bot: Work = work()
    await bot.change(EXPOSE)
    wall(bot, "k8snet-qa-hq")
    bot.device.update("firewall/policy", 50, denying)
    bot.device.update("firewall/policy", number(bot), ours)
    found = await diagnosed(bot)
    assert (found.code, found.fix) == ("K8SNET-POL-02", None)
