"""What a plan learns from the firewall before anything is written."""

from ipaddress import IPv4Address
from typing import Any

import pytest

from bot.model.resources import AddressGroup, Resource
from lab.fortigate import article
from tests.backends.fortigate.conftest import Office, Open, ours, step
from tests.backends.fortigate.objects import PODS, POLICY, VERSIONS, deny, wishes
from tests.contract.fortigate_subject import TOKEN, refs


async def seen(office: Office, *of: Resource) -> tuple[list[str], list[str]]:
    """Obstacles and warnings, as a plan that makes or changes these would have them."""
    foresight = await office.target.foresee(of or wishes())
    before = (await office.target.precedence(of or wishes())).values()
    obstacles = [*foresight.obstacles, *(text for one in before for text in one.obstacles)]
    return obstacles, [*foresight.warnings, *(text for one in before for text in (*one.hiding, *one.notes))]


# --- names with nothing behind them


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_plan_with_nothing_wrong_hears_nothing(office_with: Open, version: str) -> None:
    office = await office_with({"version": version})
    assert await seen(office) == ([], [])
    assert await seen(office, ours(PODS)) == ([], [])
    assert office.writes == []


@pytest.mark.parametrize(
    ("policy", "route", "words"),
    [
        ({"source_interfaces": ("intrenal",)}, {}, "neither an interface nor a zone intrenal in VDOM root"),
        ({"destination_interfaces": ("Test", "port9")}, {}, "neither an interface nor a zone port9"),
        ({}, {"device": "port9"}, "no interface port9 in VDOM root"),
        ({"destination_interfaces": ("tset",)}, {"device": "tset"}, "no interface tset in VDOM root"),
        ({"services": ("DNS", "ALL-TCP")}, {}, "no service ALL-TCP"),
        ({"schedule": "weekdays"}, {}, "no schedule weekdays"),
    ],
)
async def test_a_name_that_the_firewall_does_not_know_is_an_obstacle(
    office: Office, policy: dict[str, Any], route: dict[str, Any], words: str
) -> None:
    obstacles, _ = await seen(office, *wishes(policy, route))
    assert len(obstacles) == 1
    assert words in obstacles[0]


async def test_an_interface_of_another_vdom_is_not_there(office_with: Open) -> None:
    """The device lists the interfaces of all VDOMs, whichever is asked, and takes none of another in a policy."""
    state = article.state(TOKEN)
    state["vdoms"]["lab"] = {"system/interface": [{"name": "port9"}]}
    office = await office_with(state)
    obstacles, _ = await seen(office, *wishes({"source_interfaces": ("port9",)}))
    assert len(obstacles) == 1
    assert "neither an interface nor a zone port9 in VDOM root" in obstacles[0]


async def test_groups_zones_and_schedules_of_every_kind_count(office: Office) -> None:
    office.device.create("firewall.service/group", {"name": "office-services", "member": refs(("DNS", "HTTP"))})
    office.device.create(
        "firewall.schedule/onetime", {"name": "migration", "start": "08:00 2026/01/01", "end": "18:00 2036/01/01"}
    )
    office.device.create("system/interface", {"name": "lan9"})
    office.device.create("system/zone", {"name": "rooms", "interface": [{"interface-name": "lan9"}]})
    known = {
        "services": ("office-services",),
        "schedule": "migration",
        "source_interfaces": ("rooms",),
        "destination_interfaces": ("virtual-wan-link",),
    }
    assert await seen(office, *wishes(known)) == ([], [])


async def test_a_member_of_a_zone_is_an_obstacle_for_policies(office: Office) -> None:
    office.device.create("system/interface", {"name": "lan9"})
    office.device.create("system/zone", {"name": "rooms", "interface": [{"interface-name": "lan9"}]})
    obstacles, _ = await seen(office, *wishes({"source_interfaces": ("lan9",)}))
    assert len(obstacles) == 1
    assert "lan9 is a member of zone rooms" in obstacles[0]
    assert "write `zone: rooms` beside `interface: lan9`" in obstacles[0]


async def test_a_zone_is_no_way_for_a_route(office: Office) -> None:
    office.device.create("system/zone", {"name": "rooms"})
    obstacles, _ = await seen(office, *wishes({}, {"device": "rooms"}))
    assert len(obstacles) == 1
    assert "rooms is a zone, and a route needs one interface" in obstacles[0]


async def test_a_route_that_leaves_outside_the_opened_zone_is_an_obstacle(office: Office) -> None:
    office.device.create("system/interface", {"name": "lan9", "ip": "172.16.1.1 255.255.255.0"})
    office.device.create("system/zone", {"name": "rooms", "interface": [{"interface-name": "lan9"}]})
    opened = {"destination_interfaces": ("rooms",)}
    assert await seen(office, *wishes(opened, {"device": "lan9"})) == ([], [])
    obstacles, _ = await seen(office, *wishes(opened))
    assert len(obstacles) == 1
    assert "interface Test is no member of zone rooms" in obstacles[0]


async def test_a_route_that_would_stay_unused_is_a_warning(office: Office) -> None:
    _, warnings = await seen(office, *wishes({}, {"gateway": IPv4Address("172.16.7.1")}))
    assert len(warnings) == 1
    assert "172.16.7.1 is not in the network 172.16.1.0/24 of interface Test" in warnings[0]


async def test_an_interface_that_is_switched_off_is_a_warning(office: Office) -> None:
    office.device.update("system/interface", "Test", {"status": "down"})
    assert await seen(office) == ([], ["Interface Test of the firewall is switched off."])


# --- policies in the way


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_denying_policy_for_everything_is_named(office_with: Open, version: str) -> None:
    office = await office_with({"version": version})
    deny(office)
    obstacles, warnings = await seen(office)
    assert obstacles == []
    assert len(warnings) == 1
    assert "Policy k8snet-qa-hq: policy 50 (deny-50), which denies, stands before it and matches all" in warnings[0]
    assert "firewalls.office-fw.before_policy" in warnings[0]


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_denies_another_protocol_is_nothing_to_warn_of_on_any_release(
    office_with: Open, version: str
) -> None:
    """7.6 has another word for services with ports."""
    office = await office_with({"version": version})
    deny(office, service=refs(("ALL_UDP", "PING")))
    assert await seen(office) == ([], [])


async def test_a_policy_with_a_name_in_another_encoding_is_judged_like_any(office: Office) -> None:
    """The device tells a name as a terminal once sent it, and then its answer is no UTF-8."""
    name = "拒绝".encode("gbk").decode(errors="surrogateescape")
    deny(office, name=name, comments=name)
    _, warnings = await seen(office)
    assert len(warnings) == 1
    assert "which denies, stands before it and matches all of its traffic" in warnings[0]


ALL, PART, NONE = (
    "matches all of its traffic",
    "part of its traffic may be denied before it, by policy 50 (deny-50)",
    None,
)
CASES: dict[str, tuple[dict[str, Any], str | None]] = {
    "switched off": ({"status": "disable"}, NONE),
    "other way": ({"srcintf": refs(("Test",)), "dstintf": refs(("internal",))}, NONE),
    "other sources": ({"srcaddr": refs(("dmz-servers",))}, NONE),
    "other destinations": ({"dstaddr": refs(("test-servers",))}, NONE),
    "all but others": ({"dstaddr": refs(("test-servers",)), "dstaddr-negate": "enable"}, PART),
    "our interfaces": ({"srcintf": refs(("internal", "dmz")), "dstintf": refs(("Test",))}, ALL),
    "a larger network": ({"dstaddr": refs(("larger",))}, ALL),
    "a part of the network": ({"dstaddr": refs(("smaller",))}, PART),
    "a group with it": ({"dstaddr": refs(("group",))}, ALL),
    "a range": ({"dstaddr": refs(("range",))}, PART),
    "a name": ({"dstaddr": refs(("gmail.com",))}, PART),
    "another port": ({"service": refs(("HTTP",))}, PART),
    "another protocol": ({"service": refs(("ALL_UDP", "PING"))}, NONE),
    "one of two protocols": ({"service": refs(("DNS",))}, PART),
    "our service": ({"service": refs(("ALL_TCP", "PING"))}, ALL),
    "a service group": ({"service": refs(("Web Access",))}, PART),
    "all but one service": ({"service": refs(("HTTP",)), "service-negate": "enable"}, PART),
    "by the clock": ({"schedule": "none"}, PART),
}


@pytest.mark.parametrize("case", CASES)
async def test_how_much_a_denying_policy_stops_is_told_as_far_as_it_is_known(office: Office, case: str) -> None:
    changes, words = CASES[case]
    office.device.create("firewall/address", {"name": "larger", "subnet": "10.64.0.0/10"})
    office.device.create("firewall/address", {"name": "smaller", "subnet": "10.68.3.0/24"})
    office.device.create("firewall/address", {"name": "range", "type": "iprange", "start-ip": "10.68.0.1",
                                              "end-ip": "10.68.0.9"})  # fmt: skip
    office.device.create("firewall/addrgrp", {"name": "inner", "member": refs(("larger",))})
    office.device.create("firewall/addrgrp", {"name": "group", "member": refs(("inner", "test-servers"))})
    deny(office, **changes)
    _, warnings = await seen(office)
    if words is None:
        assert warnings == []
    else:
        assert len(warnings) == 1
        assert words in warnings[0]


async def test_only_what_stands_before_counts(office_with: Open) -> None:
    office = await office_with(before_policy="deny-50")
    deny(office)
    assert await seen(office) == ([], [])
    deny(office, 40)
    office.device.move("firewall/policy", 40, 50, after=False)
    _, warnings = await seen(office)
    assert len(warnings) == 1
    assert "policy 40 (deny-40)" in warnings[0]


async def test_a_policy_that_is_there_stays_where_it_is(office: Office) -> None:
    for wish in wishes():
        assert (await office.target.apply_all([step(None, wish)]))[0].kind == "applied"
    deny(office)
    changed = ours(POLICY.model_copy(update={"services": ("ALL_UDP",)}), 1000)
    assert await seen(office, changed) == ([], [])
    office.device.move("firewall/policy", 1000, 50, after=True)
    _, warnings = await seen(office, changed)
    assert len(warnings) == 1


async def test_an_anchor_that_is_not_there_is_an_obstacle(office_with: Open) -> None:
    office = await office_with(before_policy="deny-everything")
    obstacles, _ = await seen(office)
    assert len(obstacles) == 1
    assert "there is no policy deny-everything" in obstacles[0]


async def test_with_very_many_denying_policies_the_plan_says_that_it_did_not_look(office: Office) -> None:
    for number in range(100, 220):
        deny(office, number, srcaddr=refs(("dmz-servers",)))
    requests = office.requests()
    obstacles, warnings = await seen(office)
    assert obstacles == []
    assert len(warnings) == 1
    assert "so many denying policies" in warnings[0]
    assert office.requests() - requests <= 9


async def test_groups_are_followed_only_so_far(office: Office) -> None:
    office.device.create("firewall/address", {"name": "deep", "subnet": "10.64.0.0/10"})
    inner = "deep"
    for depth in range(6):
        office.device.create("firewall/addrgrp", {"name": f"level-{depth}", "member": refs((inner,))})
        inner = f"level-{depth}"
    deny(office, dstaddr=refs((inner,)))
    _, warnings = await seen(office)
    assert len(warnings) == 1
    assert PART in warnings[0]


# --- what may not be read


async def test_missing_rights_are_warnings_that_name_them(office_with: Open) -> None:
    profile = {
        "name": "net-assistant", "fwgrp": "custom",
        "fwgrp-permission": {"address": "read-write", "policy": "read-write"},
        "netgrp": "custom", "netgrp-permission": {"route-cfg": "read-write"},
    }  # fmt: skip
    assert article.state(TOKEN)["accprofiles"][0]["name"] == profile["name"]
    office = await office_with({"accprofiles": [profile]})
    obstacles, warnings = await seen(office, *wishes({"schedule": "weekdays"}))
    assert obstacles == []
    told = " ".join(warnings)
    for right in ("netgrp.cfg read", "fwgrp.service read", "fwgrp.schedule read"):
        assert f"needs the right {right}" in told


async def test_a_group_among_the_wishes_is_known_without_asking(office: Office) -> None:
    deny(office, dstaddr=refs(("test-servers",)))
    group = AddressGroup(name="k8snet-qa", members=(PODS.name,))
    assert await seen(office, *wishes({"destinations": (group.name,)}), ours(group)) == ([], [])


async def test_many_denials_of_a_part_are_one_sentence_and_nothing_beside_a_full_one(office: Office) -> None:
    for number in range(50, 60):
        deny(office, number, service=refs(("HTTP",)))
    _, [warning] = await seen(office)
    assert "by policy 50 (deny-50), policy 51 (deny-51), policy 52 (deny-52) and 7 more. If that" in warning
    [one] = (await office.target.precedence(wishes())).values()
    assert (one.hiding, one.notes) == ((), (warning,))
    deny(office, 60)
    _, [warning] = await seen(office)
    assert "policy 60 (deny-60), which denies, stands before it and matches all" in warning
    [one] = (await office.target.precedence(wishes())).values()
    assert (one.hiding, one.notes) == ((warning,), ())


# --- another mode of the VDOM


@pytest.mark.parametrize("version", VERSIONS)
async def test_policy_based_mode_is_an_obstacle(office_with: Open, version: str) -> None:
    office = await office_with({"version": version})
    office.device.update("system/settings", "", {"ngfw-mode": "policy-based"})
    [obstacle], _ = await seen(office)
    assert "the VDOM is in policy-based NGFW mode" in obstacle
    assert "set ngfw-mode" in obstacle


# --- a configuration that the device keeps only when it is told to


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_firewall_that_does_not_save_by_itself_is_warned_of(office_with: Open, version: str) -> None:
    office = await office_with({"version": version})
    office.device.update("system/global", "", {"cfg-save": "manual"})
    _, [warning] = await seen(office)
    assert "forgets at its next restart" in warning
    assert "execute cfg save" in warning
    office.device.update("system/global", "", {"cfg-save": "revert", "cfg-revert-timeout": 900})
    _, [warning] = await seen(office)
    assert "restarts 900 s after a change" in warning
    office.device.update("system/global", "", {"cfg-save": "automatic"})
    assert await seen(office) == ([], [])


async def test_an_account_that_may_not_know_how_the_firewall_saves_is_told_nothing_of_it(office: Office) -> None:
    office.server.faults.arm("status", path="*/cmdb/system/global", options={"code": 403}, count=None)
    office.device.update("system/global", "", {"cfg-save": "manual"})
    assert await seen(office) == ([], [])
