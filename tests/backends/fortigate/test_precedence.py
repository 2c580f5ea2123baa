"""What stands before a policy: accepting policies that open the way already, and a place that was lost."""

from typing import Any

import pytest

from bot.engine.targets import OrdersPolicies
from bot.model.commands import Expose, Failover
from handlers.views.operation import operation_view
from lab.fortigate import article
from lab.fortigate.server import Server
from tests.backends.fortigate.at_work import Work
from tests.backends.fortigate.conftest import Office, Open, ours, step
from tests.backends.fortigate.objects import POLICY, VERSIONS, deny, wishes
from tests.contract.fortigate_subject import TOKEN, refs
from tests.office import OLGA

OPEN = "the way is open already"


def accept(office: Office, number: int = 50, **changes: Any) -> None:
    """A person's accepting policy at the end of the list: from the office to everything, unless told otherwise."""
    row = {
        "policyid": number, "name": f"accept-{number}", "srcintf": refs(("internal",)), "dstintf": refs(("Test",)),
        "srcaddr": refs(("office",)), "dstaddr": refs(("all",)), "service": refs(("ALL",)), "schedule": "always",
        "action": "accept",
    }  # fmt: skip
    office.device.create("firewall/policy", {**row, **changes})


async def told(office: Office) -> tuple[str, ...]:
    assert isinstance(office.target, OrdersPolicies)
    [one] = (await office.target.precedence(wishes())).values()
    assert (one.obstacles, one.hiding) == ((), ())
    return one.notes


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_accepting_policy_for_everything_is_named(office_with: Open, version: str) -> None:
    office = await office_with({"version": version})
    assert await told(office) == ()
    accept(office)
    assert await told(office) == (
        "Policy k8snet-qa-hq: policy 50 (accept-50), which accepts, stands before it and matches all of its traffic: "
        "the way is open already, and stays open when the exposure ends.",
    )


ALL, PART, NONE = "the way is open already", "part of its traffic may be accepted before it already, by policy 50", None
CASES: dict[str, tuple[dict[str, Any], str | None]] = {
    "switched off": ({"status": "disable"}, NONE),
    "other interfaces": ({"srcintf": refs(("dmz",))}, NONE),
    "from anywhere": ({"srcintf": refs(("any",)), "srcaddr": refs(("all",))}, ALL),
    "other sources": ({"srcaddr": refs(("dmz-servers",))}, NONE),
    "other destinations": ({"dstaddr": refs(("test-servers",))}, NONE),
    "the same network by another name": ({"dstaddr": refs(("same",))}, ALL),
    "a larger network": ({"dstaddr": refs(("test-servers", "larger"))}, ALL),
    "a group with it": ({"dstaddr": refs(("group",))}, ALL),
    "everything by another name": ({"dstaddr": refs(("world",))}, ALL),
    "one port": ({"service": refs(("HTTP",))}, PART),
    "by the clock": ({"schedule": "none"}, PART),
    "for some people": ({"groups": refs(("staff",))}, PART),
    "with address translation": ({"nat": "enable"}, "That policy hides the office's addresses (nat)."),
}


@pytest.mark.parametrize("case", CASES)
async def test_what_is_open_already_is_told_as_far_as_it_is_known(office: Office, case: str) -> None:
    changes, words = CASES[case]
    for name, subnet in (("same", "10.68.0.0/16"), ("larger", "10.64.0.0/10"), ("world", "0.0.0.0/0")):
        office.device.create("firewall/address", {"name": name, "subnet": subnet})
    office.device.create("firewall/addrgrp", {"name": "group", "member": refs(("larger", "test-servers"))})
    accept(office, **changes)
    notes = await told(office)
    assert len(notes) == (words is not None)
    assert words is None or words in notes[0]


async def test_several_that_take_a_part_are_one_sentence(office: Office) -> None:
    for number in range(50, 55):
        accept(office, number, service=refs(("HTTP",)))
    [note] = await told(office)
    assert note.endswith("by policy 50 (accept-50), policy 51 (accept-51), policy 52 (accept-52) and 2 more.")


async def test_what_stands_behind_the_place_of_a_new_policy_opens_nothing_before_it(office_with: Open) -> None:
    office = await office_with(before_policy="office-to-test")
    accept(office)
    assert await told(office) == ()
    office.device.move("firewall/policy", 50, 1, after=False)
    assert len(await told(office)) == 1


async def test_what_stands_behind_a_policy_that_is_there_or_is_ours_is_no_news(office: Office) -> None:
    outcomes = await office.target.apply_all([step(None, wish) for wish in wishes()])
    assert {outcome.kind for outcome in outcomes} == {"applied"}
    accept(office)
    assert await told(office) == ()
    twin = ours(POLICY.model_copy(update={"name": "k8snet-qa-twin"}), 1001, "op2")
    assert (await office.target.apply(step(None, twin))).kind == "applied"
    office.device.move("firewall/policy", 1001, 1000, after=False)
    assert await told(office) == ()


async def test_a_zone_that_lets_its_members_reach_one_another_is_a_warning(office: Office) -> None:
    members = [{"interface-name": name} for name in ("lan8", "lan9")]
    for name in ("lan8", "lan9"):
        office.device.create("system/interface", {"name": name, "ip": "172.16.1.1 255.255.255.0"})
    office.device.create("system/zone", {"name": "rooms", "interface": members, "intrazone": "allow"})
    both = {"source_interfaces": ("rooms",), "destination_interfaces": ("rooms",)}
    foresight = await office.target.foresee(wishes(both, {"device": "lan9"}))
    assert foresight.obstacles == ()
    assert [text for text in foresight.warnings if "zone rooms" in text and "intrazone" in text]
    office.device.update("system/zone", "rooms", {"intrazone": "deny"})
    assert (await office.target.foresee(wishes(both, {"device": "lan9"}))).warnings == ()


# --- as a person sees it


def wall(bot: Work) -> None:
    """A person's policy that denies everything, in front of ours."""
    bot.device.create("firewall/policy", {
        "policyid": 50, "name": "no-clusters", "srcintf": refs(("any",)), "dstintf": refs(("any",)),
        "srcaddr": refs(("all",)), "dstaddr": refs(("all",)), "service": refs(("ALL",)), "schedule": "always",
    })  # fmt: skip


async def test_a_deny_behind_ours_is_no_news(work: Any) -> None:
    bot: Work = work()
    assert (await bot.change(Expose(namespace="default"))).state == "done"
    wall(bot)
    again = await bot.ask(Expose(namespace="default"))
    assert again.plan is not None
    assert (again.state, again.plan.warnings) == ("nothing-to-do", ())


async def test_a_plan_with_nothing_to_do_says_that_a_policy_made_by_hand_is_hidden_now(work: Any) -> None:
    """Nobody changed a field of it; somebody moved it below a deny. It is not ours to move back."""
    bot: Work = work()
    assert (await bot.change(Expose(namespace="default"))).state == "done"
    wall(bot)
    [ours] = [row["policyid"] for row in bot.device.rows("firewall/policy") if row["name"] == "k8snet-qa-hq"]
    bot.device.update("firewall/policy", ours, {"comments": "by hand"})
    bot.device.move("firewall/policy", ours, 50, after=True)
    again = await bot.ask(Expose(namespace="default"))
    assert again.plan is not None
    [warning] = again.plan.warnings
    assert (again.state, again.plan.steps) == ("nothing-to-do", ())
    assert "Policy k8snet-qa-hq: policy 50 (no-clusters), which denies, stands before it" in warning
    text, _ = operation_view(again)
    assert "policy 50 (no-clusters)" in text


async def test_a_policy_behind_the_one_that_it_belongs_before_is_told(office_with: Open) -> None:
    office = await office_with(before_policy="deny-50")
    deny(office, srcintf=refs(("dmz",)))
    assert {one.kind for one in await office.target.apply_all([step(None, wish) for wish in wishes()])} == {"applied"}
    office.device.move("firewall/policy", 1000, 50, after=True)
    [one] = (await office.target.precedence(wishes())).values()
    [text] = one.hiding
    assert "Policy k8snet-qa-hq stands behind deny-50, before which app.yaml puts it" in text
    assert "expose the namespace again" in text


async def test_a_failover_is_planned_with_what_hides_the_policies_it_does_not_touch(work: Any) -> None:
    bot: Work = work()
    assert (await bot.change(Expose(namespace="default"))).state == "done"
    wall(bot)
    [ours] = [row for row in bot.device.rows("firewall/policy") if row["name"] == "k8snet-qa-hq"]
    bot.device.update("firewall/policy", 50, {"dstaddr": ours["dstaddr"]})  # the nodes themselves can be reached
    bot.device.move("firewall/policy", 50, 1, after=False)
    operation = await bot.ask(Failover(cluster="qa"), OLGA)
    assert operation.plan is not None, operation.entries[-1]
    assert {step.key.kind for step in operation.plan.steps} == {"route"}
    assert [text for text in operation.plan.warnings if "no-clusters" in text]


async def test_a_way_that_is_open_already_is_said_in_the_plan(work: Any, server: Server) -> None:
    state = article.state(TOKEN)
    [first, *_] = state["vdoms"]["root"]["firewall/policy"]
    first["dstaddr"] = refs(("all",))
    server.device.load(state)
    bot: Work = work()
    operation = await bot.ask(Expose(namespace="default"))
    assert operation.plan is not None
    [warning] = [text for text in operation.plan.warnings if OPEN in text]
    assert "Policy k8snet-qa-hq: policy 1 (office-to-test), which accepts" in warning


async def test_more_names_for_larger_networks_than_can_be_asked_for_are_said(office: Office) -> None:
    """One request stays short; its answer is judged as far as it goes, and what matters most is in it."""
    office.device.create("firewall/address", {"name": "larger", "subnet": "10.64.0.0/10"})
    for number in range(60):
        name = f"{number} {'with blanks ' * 6}".strip()
        office.device.create("firewall/addrgrp", {"name": name, "member": refs(("larger",))})
    accept(office)
    cut, found = await told(office)
    assert "only the first ones were compared" in cut
    assert "policy 50 (accept-50), which accepts" in found


async def test_a_device_that_does_not_take_the_question_for_accepting_policies_still_tells_what_denies(
    office: Office,
) -> None:
    deny(office)
    office.server.faults.arm("status", path="*/cmdb/firewall/address", options={"code": 400}, count=1)
    [one] = (await office.target.precedence(wishes())).values()
    assert "policy 50 (deny-50), which denies, stands before it and matches all" in one.hiding[0]
    assert len(one.notes) == 1
    assert "could not be asked about policies that come before" in one.notes[0]
