"""Checks 32 to 35: order of policies, lookups, hit counters, sessions."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from lab.fortigate.packets import ICMP, TCP, UDP, Packet, Reason

LOOKUP = "/api/v2/monitor/firewall/policy-lookup"
POLICY = {
    "name": "to-pods",
    "srcintf": [{"name": "internal"}],
    "dstintf": [{"name": "Test"}],
    "srcaddr": [{"name": "office"}],
    "dstaddr": [{"name": "pods"}],
    "action": "accept",
    "schedule": "always",
    "service": [{"name": "ALL_TCP"}],
}


@pytest.fixture
async def routed(lab):
    """The article's firewall with the pods' address and route, but no policy yet."""
    await lab.created("firewall/address", {"name": "pods", "subnet": "172.20.0.0/16"})
    await lab.created("router/static", {"dst": "172.20.0.0/16", "gateway": "172.16.1.106", "device": "Test"})
    return lab


async def lookup(lab, destination="172.20.4.222", port=6379, protocol="6", source="172.16.0.10", interface="internal"):
    query = f"srcintf={interface}&sourceip={source}&protocol={protocol}&dest={destination}&destport={port}"
    answer = await lab.get(f"{LOOKUP}?{query}")
    assert answer.status_code == 200
    return answer.json()["results"]


async def order(lab):
    return [row["policyid"] for row in await lab.rows("firewall/policy?format=policyid")]


async def test_check_32_new_policies_come_last_and_move_reorders(routed):
    lab = routed
    assert await lab.created("firewall/policy", POLICY) == 8
    assert await order(lab) == [1, 2, 3, 4, 5, 6, 7, 8]
    before = (await lab.get("firewall/policy")).json()["revision"]
    moved = (await lab.put("firewall/policy/8?action=move&before=3")).json()
    assert (moved["action"], moved["mkey"], moved["revision"]) == ("move", 8, before)
    assert "revision_changed" not in moved
    assert await order(lab) == [1, 2, 8, 3, 4, 5, 6, 7]
    await lab.put("firewall/policy/1?action=move&after=7")
    assert await order(lab) == [2, 8, 3, 4, 5, 6, 7, 1]
    assert (await lab.get("firewall/policy")).json()["revision"] != before


@pytest.mark.parametrize("query", ["before=99", "after=99", "", "before=3"])
async def test_check_32_move_without_a_neighbour_is_refused(lab, query):
    answer = await lab.put(f"firewall/policy/3?action=move&{query}")
    assert answer.status_code == 500
    assert await order(lab) == [1, 2, 3, 4, 5, 6, 7]


async def test_check_32_a_move_changes_nothing_but_the_order(lab):
    rows = {row["policyid"]: row for row in await lab.rows("firewall/policy")}
    await lab.put("firewall/policy/7?action=move&before=2")
    assert await order(lab) == [1, 7, 2, 3, 4, 5, 6]
    assert {row["policyid"]: row for row in await lab.rows("firewall/policy")} == rows
    assert (await lab.put("firewall/policy/7?action=move&before=2")).status_code == 200
    assert await order(lab) == [1, 7, 2, 3, 4, 5, 6]
    assert (await lab.put("firewall/policy/99?action=move&before=2")).status_code == 404


async def test_check_32_a_move_stays_in_its_vdom(start, state):
    interfaces = [
        {"name": "wifi", "ip": "192.0.2.65 255.255.255.192"},
        {"name": "shop", "ip": "192.0.2.1 255.255.255.192"},
    ]
    row = {**POLICY, "srcintf": [{"name": "wifi"}], "dstintf": [{"name": "shop"}]}
    everybody = {"srcaddr": [{"name": "all"}], "dstaddr": [{"name": "all"}]}
    policies = [{**row, **everybody, "name": f"guests-{number}", "policyid": number} for number in (1, 2, 3)]
    state["vdoms"]["guests"] = {"system/interface": interfaces, "firewall/policy": policies}
    state["api_users"][0]["vdom"] = ["root", "guests"]
    lab = await start()
    await lab.put("firewall/policy/3?action=move&before=1&vdom=guests")
    there = [row["policyid"] for row in await lab.rows("firewall/policy?vdom=guests")]
    assert (there, await order(lab)) == ([3, 1, 2], [1, 2, 3, 4, 5, 6, 7])
    assert (await lab.put("firewall/policy/3?action=move&before=7&vdom=guests")).status_code == 500


async def test_check_32_order_decides(routed):
    lab = routed
    await lab.created("firewall/policy", {**POLICY, "name": "deny", "action": "deny", "service": [{"name": "ALL"}]})
    await lab.created("firewall/policy", POLICY)
    assert (await lookup(lab))["policy_id"] == 8
    assert (await lookup(lab))["policy_action"] == "deny"
    await lab.put("firewall/policy/9?action=move&before=8")
    assert (await lookup(lab))["policy_id"] == 9


async def test_check_33_names_are_unique(routed):
    lab = routed
    await lab.created("firewall/policy", POLICY)
    assert (await lab.post("firewall/policy", POLICY)).json()["error"] == -5
    assert (await lab.put("firewall/policy/1", {"name": "to-pods"})).json()["error"] == -5
    await lab.created("firewall/policy", {**POLICY, "name": ""})
    await lab.created("firewall/policy", {**POLICY, "name": ""})


async def test_check_33_defaults_of_action_and_log(routed):
    lab = routed
    without_action = {name: value for name, value in POLICY.items() if name != "action"}
    await lab.created("firewall/policy", without_action)
    await lab.created("firewall/policy", {**POLICY, "name": "b"})
    denied, accepted = (await lab.rows("firewall/policy"))[-2:]
    assert (denied["action"], denied["logtraffic"]) == ("deny", "disable")
    assert (accepted["action"], accepted["logtraffic"]) == ("accept", "utm")
    refused = await lab.post("firewall/policy", {**without_action, "name": "c", "logtraffic": "utm"})
    assert refused.json()["error"] == -651


async def test_check_34_lookup_honours_interfaces_addresses_and_services(routed):
    lab = routed
    assert (await lookup(lab))["policy_id"] == 0
    await lab.created("firewall/addrgrp", {"name": "cluster", "member": [{"name": "pods"}]})
    await lab.created("firewall/policy", {**POLICY, "dstaddr": [{"name": "cluster"}]})
    assert await lookup(lab) == {
        "success": True,
        "policy_id": 8,
        "destip": "172.20.4.222",
        "match": True,
        "matched_policy_type": "policy",
        "policy_action": "accept",
        "sec_default_action": "deny",
        "dstintf": "Test",
    }
    assert (await lookup(lab, protocol="17"))["policy_id"] == 0
    assert (await lookup(lab, protocol="udp"))["policy_id"] == 0
    assert (await lookup(lab, protocol="TCP"))["policy_id"] == 8
    assert (await lookup(lab, source="172.16.2.3", interface="dmz"))["policy_id"] == 0
    await lab.put("firewall/policy/8", {"srcaddr": [{"name": "all"}], "srcintf": [{"name": "any"}]})
    assert (await lookup(lab, source="172.16.2.3", interface="dmz"))["policy_id"] == 8


@pytest.mark.parametrize(
    ("service", "protocol", "port", "found"),
    [
        ("ALL", "6", 1, True),
        ("ALL", "1", 0, True),
        ("ALL_TCP", "6", 65535, True),
        ("ALL_TCP", "1", 0, False),
        ("ALL_UDP", "17", 53, True),
        ("ALL_ICMP", "1", 0, True),
        ("DNS", "17", 53, True),
        ("DNS", "6", 53, True),
        ("DNS", "6", 54, False),
        ("HTTP", "6", 80, True),
        ("HTTPS", "6", 443, True),
        ("SSH", "6", 22, True),
        ("SSH", "17", 22, False),
        ("Web Access", "6", 443, True),
        ("Web Access", "6", 22, False),
        ("PING", "1", 0, True),
    ],
)
async def test_check_34_built_in_services(routed, service, protocol, port, found):
    lab = routed
    await lab.created("firewall/policy", {**POLICY, "service": [{"name": service}]})
    query = f"srcintf=internal&sourceip=172.16.0.10&protocol={protocol}&dest=172.20.0.9&destport={port}&icmptype=8"
    results = (await lab.get(f"{LOOKUP}?{query}")).json()["results"]
    assert results["policy_id"] == (8 if found else 0)


async def test_check_34_lookup_honours_status_schedule_and_expiry(routed, clock):
    lab = routed
    await lab.created("firewall/policy", POLICY)
    await lab.put("firewall/policy/8", {"status": "disable"})
    assert (await lookup(lab))["policy_id"] == 0
    await lab.put("firewall/policy/8", {"status": "enable"})
    days = "monday tuesday wednesday thursday friday"
    await lab.created(
        "firewall.schedule/recurring", {"name": "office-hours", "day": days, "start": "08:00", "end": "18:00"}
    )
    await lab.put("firewall/policy/8", {"schedule": "office-hours"})
    assert (await lookup(lab))["policy_id"] == 8
    clock.advance(6 * 3600)
    assert (await lookup(lab))["policy_id"] == 0
    assert (await lab.put("firewall/policy/8", {"policy-expiry": "enable"})).json()["error"] == -651
    expiring = {"schedule": "always", "policy-expiry": "enable", "policy-expiry-date": "2025-06-16 20:00:00"}
    await lab.put("firewall/policy/8", expiring)
    assert (await lookup(lab))["policy_id"] == 8
    clock.advance(2 * 3600)
    assert (await lookup(lab))["policy_id"] == 0


async def test_check_34_no_route_means_no_success(lab):
    await lab.put("router/static/1", {"status": "disable"})
    assert (await lookup(lab))["error_code"] == "error_unknown_route"
    answer = await lookup(lab, destination="172.16.1.106", source="198.51.100.9")
    assert (answer["success"], answer["error_code"]) == (False, "error_unknown_source_route")
    assert (await lookup(lab, interface="nowhere"))["error_code"] == "error_invalid_request"
    assert (await lookup(lab, source="me"))["error_code"] == "error_invalid_request"


async def test_check_34_old_firmware_says_less(start):
    lab = await start("v6.4.14")
    assert await lookup(lab, destination="172.16.1.106") == {
        "success": True,
        "policy_id": 1,
        "destip": "172.16.1.106",
    }


async def test_check_35_unused_rules_have_no_hit_count_and_traffic_raises_it(lab):
    async def counters():
        rows = (await lab.get("/api/v2/monitor/firewall/policy")).json()["results"]
        return {row["policyid"]: row for row in rows}

    before = await counters()
    assert set(before) == {0, 1, 2, 3, 4, 5, 6, 7}
    assert not any("hit_count" in row for row in before.values())
    for port in (80, 443):
        packet = {"source": "172.16.0.10", "destination": "172.16.1.106", "source_port": 4000, "destination_port": port}
        await lab.control("POST", "packet", {**packet, "count": True, "size": 100})
    denied = {"source": "172.16.2.3", "destination": "172.16.1.106", "protocol": UDP, "destination_port": 53}
    await lab.control("POST", "packet", {**denied, "count": True})
    after = await counters()
    assert (after[1]["hit_count"], after[1]["bytes"], after[1]["active_sessions"]) == (2, 200, 2)
    assert (after[0]["hit_count"], after[0]["active_sessions"]) == (1, 0)
    assert "hit_count" not in after[2]
    await lab.post("/api/v2/monitor/firewall/policy/clear_counters", {"policy": [1]})
    after = await counters()
    assert "hit_count" not in after[1]
    assert after[0]["hit_count"] == 1


def flow(port=6379, source="172.16.0.10", destination="172.16.1.106"):
    return Packet(IPv4Address(source), IPv4Address(destination), TCP, 40000, port)


async def test_sessions_are_listed_and_filtered(lab, clock):
    for port in (80, 443):
        lab.device.forward(flow(port), "internal")
    lab.device.forward(flow(80).reply(), "Test", opens=False, size=1500)
    clock.advance(5)
    path = "/api/v2/monitor/firewall/session"
    body = (await lab.get(f"{path}?count=20&summary=true&destport=80")).json()["results"]
    assert body["summary"] == {"matched_count": 1, "session_count": 2, "setup_rate": 0}
    [session] = body["details"]
    assert session["policyid"] == 1
    assert (session["srcintf"], session["dstintf"], session["duration"]) == ("internal", "Test", 5)
    assert (session["sentbyte"], session["rcvdbyte"]) == (64, 1500)
    assert (await lab.get(path)).status_code == 400
    await lab.post(f"{path}/close", {"pro": "tcp", "saddr": "172.16.0.10", "daddr": "172.16.1.106",
                                     "sport": 40000, "dport": 80})  # fmt: skip
    assert len((await lab.get(f"{path}?count=20")).json()["results"]["details"]) == 1
    clock.advance(4000)
    assert (await lab.get(f"{path}?count=20")).json()["results"]["details"] == []


async def test_sessions_have_other_names_in_new_firmware(start):
    lab = await start("v7.6.6")
    lab.device.forward(flow(), "internal")
    answer = await lab.get("/api/v2/monitor/firewall/sessions?count=20&dstport=6379&protocol=6")
    assert len(answer.json()["results"]["details"]) == 1
    old = await start("v7.4.4")
    assert (await old.get("/api/v2/monitor/firewall/sessions?count=20")).status_code == 404


async def test_answers_need_a_session_and_sessions_are_judged_again_after_changes(lab):
    device = lab.device
    stray = device.forward(flow().reply(), "Test", opens=False)
    assert (stray.action, stray.reason) == ("deny", Reason.NO_SESSION)
    assert device.forward(flow(), "internal").accepted
    assert device.forward(flow().reply(), "Test", opens=False).reason is Reason.SESSION
    await lab.put("firewall/policy/1", {"status": "disable"})
    assert device.forward(flow(), "internal", opens=False).reason is Reason.NO_SESSION
    assert not device.forward(flow().reply(), "Test", opens=False).accepted


async def test_nat_and_local_traffic(lab):
    out = lab.device.evaluate(flow(443, destination="198.51.100.7"), "internal")
    assert (out.policy_id, str(out.translated_source), str(out.next_hop)) == (7, "192.0.2.2", "192.0.2.1")
    own = Packet(IPv4Address("172.16.0.10"), IPv4Address("172.16.0.254"), ICMP, icmp_type=8)
    assert lab.device.evaluate(own, "internal").reason is Reason.LOCAL
    assert lab.device.evaluate(flow(23, destination="172.16.0.254"), "internal").reason is Reason.LOCAL_REFUSED


async def test_zones_stand_for_their_interfaces(lab):
    assert (await lab.post("system/zone", {"name": "z", "interface": [{"interface-name": "Test"}]})).json()[
        "error"
    ] == -23
    await lab.created("system/interface", {"name": "lab1", "ip": "192.0.2.65 255.255.255.192"})
    await lab.created("system/interface", {"name": "lab2", "ip": "192.0.2.129 255.255.255.192"})
    zone = {"name": "labs", "interface": [{"interface-name": "lab1"}, {"interface-name": "lab2"}]}
    await lab.created("system/zone", zone)
    policy = {**POLICY, "dstaddr": [{"name": "all"}], "dstintf": [{"name": "lab1"}]}
    assert (await lab.post("firewall/policy", policy)).json()["error"] == -651
    await lab.created("firewall/policy", {**policy, "dstintf": [{"name": "labs"}]})
    assert (await lookup(lab, destination="192.0.2.130"))["policy_id"] == 8
    inside = Packet(IPv4Address("192.0.2.70"), IPv4Address("192.0.2.130"), TCP, 1, 2)
    assert not lab.device.evaluate(inside).accepted
    await lab.put("system/zone/labs", {"intrazone": "allow"})
    assert lab.device.evaluate(inside).reason is Reason.INTRAZONE
    other = {"name": "more", "interface": [{"interface-name": "lab1"}]}
    assert (await lab.post("system/zone", other)).json()["error"] == -651
    available = (await lab.get("/api/v2/monitor/system/available-interfaces")).json()["results"]
    assert {row["name"]: row["valid_in_policy"] for row in available}["lab1"] is False
