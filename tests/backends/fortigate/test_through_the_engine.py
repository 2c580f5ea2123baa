"""Exposures decided by the engine, written to a simulated firewall, and proven by that firewall's own packet rules."""

from typing import Any

import pytest

from bot.engine.checking.check import check
from bot.model.commands import Check, Expose, Unexpose
from bot.model.operation import Operation
from bot.model.site import CheckLimits, Site
from lab.fortigate import article
from lab.fortigate.device import Device
from lab.fortigate.server import Server
from tests.backends.fortigate.at_work import Work
from tests.contract.fortigate_subject import TOKEN, refs
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


async def test_a_vdom_in_policy_based_mode_ends_the_planning(work: Any) -> None:
    bot: Work = work()
    bot.device.update("system/settings", "", {"ngfw-mode": "policy-based"})
    before = bot.rows()
    operation = await bot.ask(Expose(namespace="default"))
    assert operation.state == "unplannable"
    assert str(operation.entries[-1]).count("policy-based NGFW mode") == 1
    assert bot.rows() == before


# --- zones


def zoned(version: str, **members: str) -> dict[str, Any]:
    """The article's firewall with interfaces in zones: every policy names the zone instead of its member."""
    state = article.state(TOKEN) | {"version": version}
    tables = state["vdoms"]["root"]
    zones = {interface: zone for zone, interface in members.items()}
    tables["system/zone"] = [{"name": z, "interface": [{"interface-name": i}]} for i, z in zones.items()]
    for row in tables["firewall/policy"]:
        for side in ("srcintf", "dstintf"):
            row[side] = refs(tuple(zones.get(item["name"], item["name"]) for item in row[side]))
    for row in tables["firewall/address"]:
        row.pop("associated-interface", None)
    return state


def behind_zones() -> Site:
    office = site(self_confirm=True)
    return office.model_copy(
        update={
            "offices": tuple(one.model_copy(update={"zone": "lan"}) for one in office.offices),
            "dns_servers": tuple(one.model_copy(update={"zone": "servers"}) for one in office.dns_servers),
            "clusters": tuple(one.model_copy(update={"zone": "test rooms"}) for one in office.clusters),
        }
    )


@pytest.mark.parametrize("version", ["v6.4.14", "v7.0.15", "v7.4.4", "v7.6.6"])
async def test_behind_zones_routes_name_the_interface_and_policies_the_zone(
    work: Any, server: Server, version: str
) -> None:
    server.device.load(zoned(version, lan="internal", servers="dmz", **{"test rooms": "Test"}))
    bot: Work = work(behind_zones())
    before = bot.rows()
    operation = await bot.change(Expose(namespace="default"))
    assert operation.state == "done", operation.entries[-1]
    sides = {row["name"]: (row["srcintf"][0]["name"], row["dstintf"][0]["name"])
             for row in bot.device.rows("firewall/policy") if row["name"].startswith("k8snet")}  # fmt: skip
    assert sides == {"k8snet-qa-hq": ("lan", "test rooms"), "k8snet-qa-dns-dc1": ("servers", "test rooms")}
    assert {row["device"] for row in bot.device.rows("router/static")} == {"wan1", "Test"}
    report = await check(bot.engine.context, Check(name="redis-abc-gns.default"), CheckLimits())
    assert report.verdict == "passed", report.findings
    assert (await bot.ask(Expose(namespace="default"))).state == "nothing-to-do"
    assert (await bot.change(Unexpose(namespace="default"))).state == "done"
    assert bot.rows() == before


async def test_a_zone_that_app_yaml_does_not_name_is_refused_with_the_line_to_add(work: Any, server: Server) -> None:
    server.device.load(zoned("v7.4.4", rooms="Test"))
    bot: Work = work()
    operation = await bot.ask(Expose(namespace="default"))
    assert operation.state == "unplannable"
    said = str(operation.entries[-1])
    assert said.count("interface Test is a member of zone rooms") == 1
    assert "write `zone: rooms` beside `interface: Test` in app.yaml" in said


async def test_a_misspelt_interface_is_named_once(work: Any) -> None:
    bot: Work = work(changed(interface="tset"))
    assert str((await bot.ask(Expose(namespace="default"))).entries[-1]).count("tset") == 1
