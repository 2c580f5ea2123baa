"""Packet evaluation, one rule at a time."""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv4Address

import pytest

from lab.fortigate import article
from lab.fortigate.device import Device
from lab.fortigate.packets import ICMP, TCP, UDP, Packet, Reason

MONDAY_NOON = datetime(2025, 6, 16, 12)  # noqa: DTZ001 - the device's schedules know no time zone
POLICY = {
    "policyid": 50,
    "name": "tested",
    "srcintf": [{"name": "dmz"}],
    "dstintf": [{"name": "Test"}],
    "srcaddr": [{"name": "all"}],
    "dstaddr": [{"name": "all"}],
    "action": "accept",
    "schedule": "always",
    "service": [{"name": "ALL"}],
}


@pytest.fixture
def device() -> Device:
    device = Device.from_json(article.state("secret"))
    device.create("firewall/policy", POLICY)
    return device


def packet(source="172.16.2.3", destination="172.16.1.106", protocol=TCP, port=80, icmp_type=None):
    return Packet(IPv4Address(source), IPv4Address(destination), protocol, 40000, port, icmp_type)


def decides(device, what, now=MONDAY_NOON):
    """The policy that accepts, or 0."""
    verdict = device.forwarding().evaluate(what, "dmz", now)
    return verdict.policy_id if verdict.accepted else 0


@pytest.mark.parametrize(
    ("change", "inside", "outside"),
    [
        ({"srcaddr": [{"name": "dns-server"}]}, packet(), packet(source="172.16.2.4")),
        ({"srcaddr": [{"name": "dns-server"}], "srcaddr-negate": "enable"}, packet(source="172.16.2.4"), packet()),
        ({"dstaddr": [{"name": "node"}]}, packet(), packet(destination="172.16.1.107")),
        ({"dstaddr": [{"name": "node"}], "dstaddr-negate": "enable"}, packet(destination="172.16.1.107"), packet()),
        ({"service": [{"name": "HTTP"}]}, packet(), packet(port=81)),
        ({"service": [{"name": "HTTP"}], "service-negate": "enable"}, packet(port=81), packet()),
        ({"service": [{"name": "HTTP"}, {"name": "DNS"}]}, packet(protocol=UDP, port=53), packet(protocol=UDP)),
        ({"service": [{"name": "PING"}]}, packet(protocol=ICMP, icmp_type=8), packet(protocol=ICMP, icmp_type=13)),
        ({"service": [{"name": "high-source"}]}, packet(port=9000), packet(port=9001)),
        ({"dstaddr": [{"name": "range"}]}, packet(destination="172.16.1.20"), packet(destination="172.16.1.21")),
        ({"dstaddr": [{"name": "odd"}]}, packet(destination="172.16.1.3"), packet(destination="172.16.1.4")),
        ({"dstaddr": [{"name": "most"}]}, packet(destination="172.16.1.107"), packet()),
        ({"dstaddr": [{"name": "test-net"}]}, packet(), packet(destination="198.51.100.1")),
        ({"dstaddr": [{"name": "gmail.com"}], "dstaddr-negate": "enable"}, packet(), packet(source="172.16.0.1")),
    ],
)
def test_what_matches(device, change, inside, outside):
    device.create("firewall/address", {"name": "node", "subnet": "172.16.1.106/32"})
    device.create(
        "firewall/address", {"name": "range", "type": "iprange", "start-ip": "172.16.1.9", "end-ip": "172.16.1.20"}
    )
    device.create("firewall/address", {"name": "odd", "type": "wildcard", "wildcard": "172.16.1.1 255.255.255.1"})
    device.create("firewall/address", {"name": "test-net", "type": "interface-subnet", "interface": "Test"})
    excluding = {"member": [{"name": "test-servers"}], "exclude": "enable", "exclude-member": [{"name": "node"}]}
    device.create("firewall/addrgrp", {"name": "most", **excluding})
    device.create("firewall.service/custom", {"name": "high-source", "tcp-portrange": "9000:32768-65535 9001:1-1023"})
    device.update("firewall/policy", 50, change)
    assert decides(device, inside) == 50
    assert decides(device, outside) == 0


@pytest.mark.parametrize(
    ("schedule", "moment", "active"),
    [
        ({"day": "monday", "start": "08:00", "end": "18:00"}, (16, 8, 0), True),
        ({"day": "monday", "start": "08:00", "end": "18:00"}, (16, 18, 0), False),
        ({"day": "tuesday", "start": "08:00", "end": "18:00"}, (16, 12, 0), False),
        ({"day": "monday", "start": "22:00", "end": "06:00"}, (16, 23, 0), True),
        ({"day": "monday", "start": "22:00", "end": "06:00"}, (17, 5, 59), True),
        ({"day": "monday", "start": "22:00", "end": "06:00"}, (16, 5, 0), False),
        ({"day": "monday"}, (16, 0, 0), True),
        ({"day": "none"}, (16, 12, 0), False),
    ],
)
def test_recurring_schedules(device, schedule, moment, active):
    device.create("firewall.schedule/recurring", {"name": "s", **schedule})
    device.update("firewall/policy", 50, {"schedule": "s"})
    now = datetime(2025, 6, *moment)  # noqa: DTZ001 - see above
    assert decides(device, packet(), now) == (50 if active else 0)


def test_one_time_schedules(device):
    window = {"start": "11:00 2025/06/16", "end": "12:00 2025/06/16"}
    device.create("firewall.schedule/onetime", {"name": "s", **window})
    device.update("firewall/policy", 50, {"schedule": "s"})
    assert decides(device, packet(), MONDAY_NOON.replace(hour=11)) == 50
    assert decides(device, packet(), MONDAY_NOON) == 0


def add_route(device, gateway, **more):
    route = {"dst": "172.20.0.0/16", "gateway": gateway, "device": "Test", **more}
    return device.create("router/static", route)


def hop(device, source="172.16.2.3"):
    return str(device.evaluate(packet(source, "172.20.4.222"), "dmz").next_hop)


def test_lower_priority_wins_and_both_are_listed(device):
    add_route(device, "172.16.1.106", priority=5)
    add_route(device, "172.16.1.107", priority=2)
    assert hop(device) == "172.16.1.107"
    assert len([r for r in device.forwarding().routing.routes if str(r.network) == "172.20.0.0/16"]) == 2


def test_equal_cost_routes_share_the_sources(device):
    add_route(device, "172.16.1.106")
    add_route(device, "172.16.1.107")
    hops = [hop(device, f"172.16.2.{number}") for number in range(1, 20)]
    assert set(hops) == {"172.16.1.106", "172.16.1.107"}
    assert hops == [hop(device, f"172.16.2.{number}") for number in range(1, 20)]


def test_reverse_path_check_is_loose_unless_strict(device):
    strange = packet(source="198.51.100.9")
    assert device.evaluate(strange, "wan1").reason is Reason.IMPLICIT_DENY
    assert device.evaluate(packet(source="172.16.0.9"), "wan1").reason is Reason.IMPLICIT_DENY
    assert device.evaluate(strange, "dmz").reason is Reason.REVERSE_PATH
    device.update("system/settings", "", {"strict-src-check": "enable"})
    assert device.evaluate(packet(source="172.16.0.9"), "wan1").reason is Reason.REVERSE_PATH
    assert device.evaluate(strange, "wan1").reason is Reason.IMPLICIT_DENY


def test_the_article_needs_routes_and_policies():
    """Before anything is done, the services' network leaks to the Internet and DNS is not allowed."""
    device = Device.from_json(article.state("secret"))
    service = packet("172.16.0.10", "10.68.0.50", port=6379)
    assert (device.evaluate(service, "internal").egress, device.evaluate(service, "internal").policy_id) == ("wan1", 7)
    query = packet("172.16.2.3", "10.68.0.2", UDP, 53)
    assert not device.evaluate(query, "dmz").accepted
    device.create("firewall/address", {"name": "services", "subnet": "10.68.0.0/16"})
    device.create("router/static", {"dst": "10.68.0.0/16", "gateway": "172.16.1.106", "device": "Test"})
    assert device.evaluate(service, "internal").reason is Reason.IMPLICIT_DENY
    between = {"srcintf": [{"name": "internal"}], "srcaddr": [{"name": "office"}], "dstaddr": [{"name": "services"}]}
    device.create("firewall/policy", {**POLICY, **between, "service": [{"name": "ALL_TCP"}]})
    verdict = device.evaluate(service, "internal")
    assert (verdict.policy_id, verdict.egress, str(verdict.next_hop)) == (50, "Test", "172.16.1.106")
    ping = packet("172.16.0.10", "10.68.0.50", ICMP, 0, icmp_type=8)
    assert device.evaluate(ping, "internal").reason is Reason.IMPLICIT_DENY
    assert not device.evaluate(query, "dmz").accepted
