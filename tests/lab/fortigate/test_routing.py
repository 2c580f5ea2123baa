"""Checks 36 to 39: which routes are active and which one is taken."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from lab.fortigate.packets import TCP, Packet

IPV4 = "/api/v2/monitor/router/ipv4"
PODS = {"dst": "172.20.0.0/16", "gateway": "172.16.1.106", "device": "Test"}


async def active(lab, network="172.20.0.0/16"):
    rows = (await lab.get(f"{IPV4}?ip_mask={network}")).json()["results"]
    return [(row["gateway"], row["interface"]) for row in rows]


async def test_check_36_connected_and_usable_static_routes_are_active(lab):
    rows = (await lab.get(IPV4)).json()["results"]
    assert [(row["ip_mask"], row["type"], row["gateway"]) for row in rows] == [
        ("0.0.0.0/0", "static", "192.0.2.1"),
        ("172.16.0.0/24", "connect", "0.0.0.0"),
        ("172.16.1.0/24", "connect", "0.0.0.0"),
        ("172.16.2.0/24", "connect", "0.0.0.0"),
        ("192.0.2.0/30", "connect", "0.0.0.0"),
    ]
    await lab.created("router/static", PODS)
    assert await active(lab) == [("172.16.1.106", "Test")]
    await lab.put("router/static/2", {"gateway": "172.16.2.106"})
    assert await active(lab) == []
    await lab.put("router/static/2", {"gateway": "172.16.1.107", "status": "disable"})
    assert await active(lab) == []


async def test_check_36_filters_and_paging(lab):
    names = {row["interface"] for row in (await lab.get(f"{IPV4}?type=connect")).json()["results"]}
    assert names == {"internal", "Test", "dmz", "wan1"}
    both = (await lab.get(f"{IPV4}?interface=Test&type=static&operator=or")).json()["results"]
    assert [row["ip_mask"] for row in both] == ["0.0.0.0/0", "172.16.1.0/24"]
    page = (await lab.get(f"{IPV4}?start=1&count=2")).json()["results"]
    assert [row["ip_mask"] for row in page] == ["172.16.0.0/24", "172.16.1.0/24"]


async def test_check_37_lower_distance_replaces_and_equal_cost_adds(lab):
    await lab.created("router/static", PODS)
    await lab.created("router/static", {**PODS, "gateway": "172.16.1.107", "distance": 20})
    assert await active(lab) == [("172.16.1.106", "Test")]
    await lab.put("router/static/3", {"distance": 5})
    assert await active(lab) == [("172.16.1.107", "Test")]
    await lab.put("router/static/3", {"distance": 10})
    assert await active(lab) == [("172.16.1.106", "Test"), ("172.16.1.107", "Test")]
    statistics = (await lab.get("/api/v2/monitor/router/statistics")).json()["results"]
    assert statistics == {"total_lines": 7, "total_lines_ipv4": 7, "total_lines_ipv6": 0}


FROM_OFFICE = {"input-device": [{"name": "internal"}], "src": [{"subnet": "172.16.0.0/255.255.255.0"}],
               "dstaddr": [{"name": "pods"}], "gateway": "192.0.2.1", "output-device": "wan1"}  # fmt: skip


async def test_a_policy_route_goes_before_the_routing_table_and_is_not_in_it(lab):
    """Its columns are the vendor's; that the route look-up does not show it follows from there being another for it."""
    await lab.created("firewall/address", {"name": "pods", "subnet": "172.20.0.0/16"})
    await lab.created("router/static", PODS)
    office, dmz = (Packet(IPv4Address(text), IPv4Address("172.20.4.222"), TCP, 1024, 6379)
                   for text in ("172.16.0.10", "172.16.2.3"))  # fmt: skip
    assert lab.device.evaluate(office).egress == "Test"
    assert await lab.created("router/policy", FROM_OFFICE) == 1
    assert (lab.device.evaluate(office).egress, lab.device.evaluate(dmz).egress) == ("wan1", "Test")
    shown = (await lab.get("/api/v2/monitor/router/lookup?destination=172.20.4.222")).json()["results"]
    assert shown["interface"] == "Test"
    assert await active(lab) == [("172.16.1.106", "Test")]
    assert await lab.created("router/policy", {**FROM_OFFICE, "action": "deny", "protocol": 6, "start-port": 6379,
                                               "end-port": 6379}) == 2  # fmt: skip
    await lab.put("router/policy/2?action=move&before=1")
    assert lab.device.evaluate(office).egress == "Test"
    await lab.put("router/policy/2", {"status": "disable"})
    assert lab.device.evaluate(office).egress == "wan1"
    await lab.control("POST", "links", {"interface": "wan1", "up": False})
    assert lab.device.evaluate(office).egress == "Test"


@pytest.mark.parametrize(
    "only",
    [
        {"users": [{"name": "ana"}]},
        {"groups": [{"name": "staff"}]},
        {"internet-service-id": [{"id": 65536}]},
        {"internet-service-custom": [{"name": "ours"}]},
        {"internet-service-fortiguard": [{"name": "Zoom"}]},
    ],
)
async def test_a_policy_route_for_others_takes_no_packet_of_nobody(start, only):
    """Whoever sends packets here has not logged in, and sends them to no service of the vendor's lists."""
    lab = await start("v7.6.6")
    await lab.created("router/static", PODS)
    packet = Packet(IPv4Address("172.16.0.10"), IPv4Address("172.20.4.222"), TCP, 1024, 6379)
    everything = {name: value for name, value in FROM_OFFICE.items() if name != "dstaddr"}
    assert await lab.created("router/policy", {**everything, **only}) == 1
    assert lab.device.evaluate(packet).egress == "Test"
    await lab.put("router/policy/1", {name: [] for name in only})
    assert lab.device.evaluate(packet).egress == "wan1"


@pytest.mark.parametrize(
    "change", [{"src": [{"subnet": "somewhere"}]}, {"gateway": "0.0.0.0", "output-device": ""}, {"output-device": "x"}]
)
async def test_a_policy_route_without_a_way_or_a_network_is_refused(lab, change):
    await lab.created("firewall/address", {"name": "pods", "subnet": "172.20.0.0/16"})
    assert (await lab.post("router/policy", {**FROM_OFFICE, **change})).status_code == 500


async def test_check_37_interface_down_withdraws_and_up_restores(lab):
    await lab.created("router/static", PODS)
    await lab.control("POST", "links", {"interface": "Test", "up": False})
    assert await active(lab) == []
    assert await active(lab, "172.16.1.0/24") == []
    interface = (await lab.get("/api/v2/monitor/system/interface")).json()["results"]["Test"]
    assert interface["link"] is False
    await lab.control("POST", "links", {"interface": "Test", "up": True})
    assert await active(lab) == [("172.16.1.106", "Test")]
    await lab.put("system/interface/Test", {"status": "down"})
    assert await active(lab) == []
    assert (await lab.rows("router/static/2"))[0]["status"] == "enable"


async def test_check_38_only_a_failed_link_monitor_withdraws(lab):
    # Nothing answers at .106 here, and the route is active all the same.
    await lab.created("router/static", PODS)
    await lab.created("router/static", {**PODS, "dst": "10.68.0.0/16", "link-monitor-exempt": "enable"})
    await lab.created("router/static", {**PODS, "dst": "10.99.0.0/16", "gateway": "172.16.1.107"})
    monitor = {"name": "gw", "srcintf": "Test", "gateway-ip": "172.16.1.106", "server": [{"address": "172.16.1.106"}]}
    await lab.created("system/link-monitor", monitor)
    assert await active(lab) == [("172.16.1.106", "Test")]
    await lab.control("POST", "links", {"link_monitor": "gw", "alive": False})
    assert await active(lab) == []
    assert await active(lab, "10.68.0.0/16") == [("172.16.1.106", "Test")]
    assert await active(lab, "10.99.0.0/16") == [("172.16.1.107", "Test")]
    status = (await lab.get("/api/v2/monitor/system/link-monitor")).json()["results"]["gw"]["Test"]["status"]
    assert status == "down"
    await lab.put("system/link-monitor/gw", {"update-static-route": "disable"})
    assert await active(lab) == [("172.16.1.106", "Test")]


async def test_check_39_lookup_takes_the_longest_prefix(lab):
    await lab.created("router/static", PODS)
    await lab.created("router/static", {"dst": "172.20.4.0/24", "gateway": "172.16.2.9", "device": "dmz"})
    path = "/api/v2/monitor/router/lookup?destination="
    found = (await lab.get(path + "172.20.4.222")).json()["results"]
    assert found == {"success": True, "network": "172.20.4.0/24", "gateway": "172.16.2.9", "interface": "dmz"}
    assert (await lab.get(path + "172.20.5.1")).json()["results"]["interface"] == "Test"
    assert (await lab.get(path + "10.68.0.2")).json()["results"]["network"] == "0.0.0.0/0"
    await lab.delete("router/static/1")
    assert (await lab.get(path + "10.68.0.2")).json()["results"] == {"success": False}
    assert (await lab.get(path + "nowhere")).status_code == 400


async def test_check_39_new_firmware_answers_with_entries(start):
    lab = await start("v7.6.6")
    found = (await lab.get("/api/v2/monitor/router/lookup?destination=172.16.1.106")).json()["results"]
    assert found["success"] is True
    assert [(row["ip_mask"], row["interface"]) for row in found["entries"]] == [("172.16.1.0/24", "Test")]


async def test_routes_to_address_objects_need_permission_of_the_object(lab):
    await lab.created("firewall/address", {"name": "pods", "subnet": "172.20.0.0/16"})
    route = {"dstaddr": "pods", "gateway": "172.16.1.106", "device": "Test"}
    assert (await lab.post("router/static", route)).json()["error"] == -651
    await lab.put("firewall/address/pods", {"allow-routing": "enable"})
    await lab.created("router/static", route)
    assert await active(lab) == [("172.16.1.106", "Test")]


@pytest.mark.parametrize("destination", ["10.68.0.0/16"])
async def test_blackhole_routes_swallow(lab, destination):
    await lab.created("router/static", {"dst": destination, "blackhole": "enable", "distance": 254})
    assert await active(lab, destination) == [("0.0.0.0", "Null")]
    verdict = await lab.control("POST", "packet", {"source": "172.16.0.10", "destination": "10.68.0.2"})
    assert (verdict["action"], verdict["reason"]) == ("no-route", "blackhole route")
