"""Policy routes lead traffic away before any static route is looked at: plans and checks say so."""

from ipaddress import IPv4Address
from typing import Any

import pytest

from bot.engine.checking.check import check
from bot.model.commands import Check, Expose
from bot.model.diagnosis import Report
from bot.model.probes import Packet
from bot.model.site import CheckLimits
from tests.backends.fortigate.at_work import Work
from tests.backends.fortigate.conftest import Office, Open
from tests.backends.fortigate.objects import VERSIONS, wishes
from tests.contract.fortigate_subject import refs

PODS = "10.68.0.0/16"
EXPOSE = Expose(namespace="default")


def policy_route(office: Office | Work, number: int = 3, **changes: Any) -> None:
    """A person's: everything that comes from the office goes to the internet."""
    row = {
        "seq-num": number, "input-device": refs(("internal",)), "src": [{"subnet": "172.16.0.0/255.255.255.0"}],
        "gateway": "192.0.2.1", "output-device": "wan1",
    }  # fmt: skip
    office.device.create("router/policy", {**row, **changes})


async def told(office: Office) -> tuple[tuple[str, ...], tuple[str, ...]]:
    [one] = (await office.target.precedence(wishes())).values()
    return one.hiding, one.notes


# --- in a plan


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_policy_route_for_everything_is_named_with_its_way(office_with: Open, version: str) -> None:
    office = await office_with({"version": version})
    assert await told(office) == ((), ())
    policy_route(office)
    assert await told(office) == (
        (
            "Policy k8snet-qa-hq: policy route 3 sends all of its traffic via 192.0.2.1 on wan1 before the static "
            "routes are looked at. If that is not meant, put one before it that stops policy routing (deny) for these "
            "networks.",
        ),
        (),
    )


ALL, PART, NONE = "sends all of its traffic", "part of its traffic may be sent another way", None
CASES: dict[str, tuple[dict[str, Any], str | None]] = {
    "switched off": ({"status": "disable"}, NONE),
    "from another interface": ({"input-device": refs(("dmz",))}, NONE),
    "not from another interface": ({"input-device": refs(("dmz",)), "input-device-negate": "enable"}, ALL),
    "from anywhere": ({"input-device": [], "src": []}, ALL),
    "a part of the office": ({"src": [{"subnet": "172.16.0.128/25"}]}, PART),
    "another source": ({"src": [{"subnet": "172.16.9.0/24"}]}, NONE),
    "all but the office": ({"src-negate": "enable"}, NONE),
    "the office by name": ({"src": [], "srcaddr": refs(("office",))}, ALL),
    "to the pods": ({"dst": [{"subnet": PODS}]}, ALL),
    "to a larger network by name": ({"dstaddr": refs(("group",))}, ALL),
    "to something else": ({"dst": [{"subnet": "198.51.100.0/24"}]}, NONE),
    "to all but the pods": ({"dst": [{"subnet": PODS}], "dst-negate": "enable"}, NONE),
    "to all but something else": ({"dst": [{"subnet": "198.51.100.0/24"}], "dst-negate": "enable"}, ALL),
    "to a name": ({"dstaddr": refs(("gmail.com",))}, PART),
    "web only": ({"protocol": 6, "start-port": 443, "end-port": 443}, PART),
    "all of TCP": ({"protocol": 6}, ALL),
    "another protocol": ({"protocol": 17}, NONE),
    "some source ports": ({"protocol": 6, "start-source-port": 1024, "end-source-port": 2048}, PART),
    "to the gateway itself": ({"gateway": "172.16.1.67", "output-device": "Test"}, NONE),
    "to another node": ({"gateway": "172.16.1.68", "output-device": "Test"}, ALL),
    "a service on the internet": ({"internet-service-id": [{"id": 65536}]}, NONE),
    "a service on the internet by its name": ({"internet-service-fortiguard": refs(("Zoom",))}, NONE),
    "for some people": ({"users": refs(("ana",))}, PART),
    "for some groups": ({"groups": refs(("staff",))}, PART),
    "by type of service": ({"tos": "0x10", "tos-mask": "0x10"}, PART),
}


@pytest.mark.parametrize("case", CASES)
async def test_how_much_a_policy_route_leads_away_is_told_as_far_as_it_is_known(office_with: Open, case: str) -> None:
    office = await office_with({"version": "v7.6.6"})
    changes, words = CASES[case]
    office.device.create("firewall/address", {"name": "larger", "subnet": "10.64.0.0/10"})
    office.device.create("firewall/addrgrp", {"name": "group", "member": refs(("larger", "test-servers"))})
    policy_route(office, **changes)
    hiding, notes = await told(office)
    assert [words in text for text in (*hiding, *notes) if words] == ([True] if words else [])
    assert (len(hiding), len(notes)) == ((1, 0) if words is ALL else (0, 1) if words is PART else (0, 0))


async def test_one_that_stops_policy_routing_before_it_leaves_the_routes_in_force(office: Office) -> None:
    policy_route(office)
    policy_route(office, 4, action="deny", dst=[{"subnet": PODS}], gateway="0.0.0.0", **{"output-device": ""})
    assert len((await told(office))[0]) == 1
    office.device.move("router/policy", 4, 3, after=False)
    assert await told(office) == ((), ())


async def test_the_interface_of_a_zone_counts_for_policies_of_the_zone(office: Office) -> None:
    office.device.create("system/interface", {"name": "lan9"})
    office.device.create("system/zone", {"name": "rooms", "interface": [{"interface-name": "lan9"}]})
    policy_route(office, **{"input-device": refs(("lan9",))})
    ours = wishes({"source_interfaces": ("rooms",)})
    [one] = (await office.target.precedence(ours)).values()
    assert "part of its traffic" in " ".join(one.notes)  # whoever else is in the zone, or "rooms" itself, is not known


async def test_without_the_right_a_plan_says_which_one(office_with: Open) -> None:
    office = await office_with()
    office.server.faults.arm("status", path="*/cmdb/router/policy", options={"code": 403}, count=None)
    hiding, [note] = await told(office)
    assert hiding == ()
    assert "The firewall could not be asked about policy routes" in note
    assert "needs the right netgrp.route-cfg read" in note


async def test_only_so_many_are_read(office: Office) -> None:
    for number in range(1, 141):
        policy_route(office, number, src=[{"subnet": "172.16.9.0/24"}])
    _, [note] = await told(office)
    assert "only the first 100 were looked at" in note


# --- single packets


async def taken(office: Office, port: int = 6379) -> bool | None:
    packet = Packet(
        interface="internal",
        source=IPv4Address("172.16.0.10"),
        destination=IPv4Address("10.68.0.20"),
        protocol="TCP",
        port=port,
    )
    [answer] = await office.target.detours([packet])
    assert answer.taken is not None or answer.problem
    return answer.taken


async def test_a_packet_is_taken_as_the_firewall_itself_would_take_it(office: Office) -> None:
    assert await taken(office) is False
    policy_route(office, protocol=6, **{"start-port": 6000, "end-port": 7000})
    assert (await taken(office), await taken(office, 80)) == (True, False)
    stops = {"action": "deny", "gateway": "0.0.0.0", "output-device": ""}
    policy_route(office, 4, dst=[{"subnet": "10.68.0.20/32"}], **stops)
    office.device.move("router/policy", 4, 3, after=False)
    assert await taken(office) is False
    policy_route(office, 5, srcaddr=refs(("gmail.com",)), src=[])
    office.device.move("router/policy", 5, 4, after=False)
    assert await taken(office) is None


async def test_a_packet_costs_one_request_where_there_are_no_names(office: Office) -> None:
    policy_route(office)
    await taken(office)
    before = office.requests()
    await taken(office)
    assert office.requests() - before == 1


# --- as a person sees it


async def checked(bot: Work) -> Report:
    return await check(bot.engine.context, Check(name="redis-abc-gns.default"), CheckLimits())


async def test_a_change_that_a_policy_route_makes_useless_is_foretold_and_taken_back(work: Any) -> None:
    bot: Work = work()
    policy_route(bot)
    operation = await bot.change(EXPOSE)
    assert operation.plan is not None
    assert [text for text in operation.plan.warnings if "policy route 3 sends all of its traffic" in text]
    assert operation.state == "rolled-back"


async def test_a_plan_with_nothing_to_do_tells_of_a_policy_route(work: Any) -> None:
    bot: Work = work()
    await bot.change(EXPOSE)
    policy_route(bot)
    again = await bot.ask(EXPOSE)
    assert again.plan is not None
    assert again.state == "nothing-to-do"
    [warning] = again.plan.warnings
    assert "policy route 3" in warning


async def test_a_check_names_the_policy_route_before_anything_it_causes(work: Any) -> None:
    bot: Work = work()
    await bot.change(EXPOSE)
    policy_route(bot)
    report = await checked(bot)
    assert (report.verdict, report.findings[0].code, report.findings[0].fix) == ("failed", "K8SNET-RT-07", None)
    assert "policy route 3" in report.findings[0].evidence[0]
    assert [one.code for one in report.findings] == ["K8SNET-RT-07"], "what follows from it accuses nobody"
    bot.device.delete("router/policy", 3)
    report = await checked(bot)
    assert (report.verdict, report.findings) == ("passed", ())


async def test_a_policy_route_for_the_nodes_alone_accuses_neither_itself_nor_the_gateway(work: Any) -> None:
    bot: Work = work()
    await bot.change(EXPOSE)
    policy_route(bot, dst=[{"subnet": "172.16.1.0/24"}])
    report = await checked(bot)
    assert not [one for one in report.findings if one.verdict == "failed"]


async def test_a_policy_route_that_leads_the_way_of_ours_is_no_finding(work: Any) -> None:
    bot: Work = work()
    await bot.change(EXPOSE)
    policy_route(bot, gateway="172.16.1.106", **{"output-device": "Test"})
    report = await checked(bot)
    assert (report.verdict, report.findings) == ("passed", ())


async def test_a_check_without_the_right_says_so_where_the_wire_does_not_prove_the_way(work: Any) -> None:
    bot: Work = work()
    await bot.change(EXPOSE)
    bot.server.faults.arm("status", path="*/cmdb/router/policy", options={"code": 403}, count=None)
    assert (await checked(bot)).verdict == "passed"
    bot.wire.stands = IPv4Address("192.0.2.77")  # not in the office: what passes there proves nothing for it
    report = await checked(bot)
    assert (report.verdict, report.findings[0].code) == ("undetermined", "K8SNET-RT-08")
    assert "netgrp.route-cfg read" in report.findings[0].evidence[0]
