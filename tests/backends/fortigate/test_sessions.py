"""Flows that lean on a gateway which is gone: counted, and cleared without touching anybody else's."""

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from backends.fortigate.sessions import _MOST_OF_A_POLICY
from bot.engine.targets import ClearsSessions
from lab.fortigate import article
from lab.fortigate.clock import Clock
from lab.fortigate.packets import TCP, UDP, Packet
from tests.backends.fortigate.conftest import Office, Open, ours, step
from tests.backends.fortigate.objects import PODS as CLUSTER
from tests.backends.fortigate.objects import POLICY, ROUTE, VERSIONS
from tests.contract.fortigate_subject import TOKEN

PODS, SERVICES = IPv4Network("10.68.0.0/17"), IPv4Network("10.68.128.0/17")
OLD, NEW = IPv4Address("172.16.1.67"), IPv4Address("172.16.1.68")
BOTH = POLICY.model_copy(update={"services": ("ALL_TCP", "ALL_UDP")})


def rights(**sysgrp: str) -> dict[str, Any]:
    """The assistant's profile with these rights in `sysgrp`."""
    [profile] = article.state(TOKEN)["accprofiles"]
    return {"accprofiles": [{**profile, "sysgrp": "custom", "sysgrp-permission": sysgrp}]}


MAY_CLEAR = rights(cfg="read-write")


async def exposed(open_office: Open, state: dict[str, Any] | None = None) -> tuple[Office, Clock]:
    """The office with a way into the cluster, and its firewall's clock."""
    office = await open_office({**MAY_CLEAR, **(state or {})})
    clock = office.device.clock = Clock(frozen_at=1_750_000_000.0)
    wishes = [ours(CLUSTER), ours(ROUTE, 1000), ours(BOTH, 1000)]
    outcomes = await office.target.apply_all([step(None, wish) for wish in wishes])
    assert {outcome.kind for outcome in outcomes} == {"applied"}
    return office, clock


def flow(destination: str, source_port: int = 50_000, protocol: int = TCP) -> Packet:
    return Packet(IPv4Address("172.16.0.5"), IPv4Address(destination), protocol, source_port, 6379)


def begin(office: Office, *packets: Packet) -> None:
    for packet in packets:
        assert office.device.forward(packet, "internal").accepted


def listed(office: Office) -> set[str]:
    """Destinations of the flows that the firewall follows."""
    return {str(session.packet.destination) for session in office.device.sessions().alive(office.device.clock.now())}


@pytest.mark.parametrize("version", VERSIONS)
async def test_open_flows_are_counted_for_each_network(office_with: Open, version: str) -> None:
    office, _ = await exposed(office_with, {"version": version})
    assert isinstance(office.target, ClearsSessions)
    begin(office, flow("10.68.0.7"), flow("10.68.0.7", 50_001), flow("10.68.128.9", protocol=UDP), flow("172.16.1.106"))
    answer = await office.target.open_sessions([POLICY.name], [PODS, SERVICES])
    assert (answer.count, answer.complete, answer.problem) == ({PODS: 2, SERVICES: 1}, True, "")


async def test_flows_that_somebody_began_are_left_out_when_asked_for(office_with: Open) -> None:
    office, _ = await exposed(office_with)
    begin(office, flow("10.68.0.7"), flow("10.68.0.7", 50_001))
    source = flow("10.68.0.7").source
    answer = await office.target.open_sessions([POLICY.name], [PODS], besides=IPv4Address(str(source)))
    assert answer.count == {PODS: 0}


@pytest.mark.parametrize("version", VERSIONS)
async def test_only_our_stale_flows_to_our_networks_are_cleared(office_with: Open, version: str) -> None:
    office, clock = await exposed(office_with, {"version": version})
    begin(office, flow("10.68.0.7"), flow("10.68.128.9"), flow("172.16.1.106"))
    clock.advance(60)
    begin(office, flow("10.68.0.8"))  # after the move, which was 30 s ago
    clock.advance(10)
    answer = await office.target.clear_sessions([POLICY.name, "office-to-test"], [PODS], older_than_s=30)
    assert (answer.cleared, answer.left, answer.problem) == (1, 0, "")
    assert listed(office) == {"10.68.0.8", "10.68.128.9", "172.16.1.106"}


async def test_flows_of_a_policy_made_by_hand_are_counted_but_never_cleared(office_with: Open) -> None:
    office, clock = await exposed(office_with)
    begin(office, flow("172.16.1.106"))
    clock.advance(60)
    nodes = [IPv4Network("172.16.1.0/24")]
    assert (await office.target.open_sessions(["office-to-test"], nodes)).count == {nodes[0]: 1}
    assert (await office.target.clear_sessions(["office-to-test"], nodes, older_than_s=0)).cleared == 0
    assert listed(office) == {"172.16.1.106"}


async def test_a_flow_that_is_kept_at_the_old_gateway_moves_only_when_it_is_cleared(office_with: Open) -> None:
    office, clock = await exposed(office_with)
    office.device.update("system/interface", "Test", {"preserve-session-route": "enable"})
    begin(office, flow("10.68.0.7", protocol=UDP))
    moved = await office.target.apply(step(ours(ROUTE, 1000), ours(ROUTE.model_copy(update={"gateway": NEW}), 1000)))
    assert moved.kind == "applied"
    clock.advance(5)
    again = flow("10.68.0.7", protocol=UDP)
    assert office.device.forward(again, "internal").next_hop == OLD
    assert (await office.target.clear_sessions([POLICY.name], [PODS], older_than_s=1)).cleared == 1
    assert office.device.forward(again, "internal").next_hop == NEW


async def test_reading_alone_is_enough_to_count_and_not_to_clear(office_with: Open) -> None:
    office, clock = await exposed(office_with, rights(cfg="read"))
    begin(office, flow("10.68.0.7"))
    clock.advance(60)
    assert (await office.target.open_sessions([POLICY.name], [PODS])).count == {PODS: 1}
    answer = await office.target.clear_sessions([POLICY.name], [PODS], older_than_s=30)
    assert (answer.cleared, answer.left) == (0, 1)
    assert "needs the right sysgrp.cfg read-write" in answer.problem
    assert listed(office) == {"10.68.0.7"}


async def test_without_the_right_to_read_flows_nothing_can_be_told_or_cleared(office_with: Open) -> None:
    office, _ = await exposed(office_with, rights(mnt="read"))
    begin(office, flow("10.68.0.7"))
    counted = await office.target.open_sessions([POLICY.name], [PODS])
    cleared = await office.target.clear_sessions([POLICY.name], [PODS], older_than_s=0)
    assert (counted.count, cleared.cleared, cleared.left) == (None, 0, None)
    assert "needs the right sysgrp.cfg read" in counted.problem
    assert counted.problem == cleared.problem


async def test_what_could_not_be_cleared_is_told_from_the_list_and_not_from_the_answers(office_with: Open) -> None:
    """One order takes effect and its answer is lost, the next one fails inside the device, the last one works."""
    office, clock = await exposed(office_with)
    begin(office, flow("10.68.0.7"), flow("10.68.0.8"), flow("10.68.0.9"))
    clock.advance(60)
    office.server.faults.arm("lose-answer", method="POST", path="*/session/close", count=1)
    office.server.faults.arm("status", method="POST", path="*/session/close", count=1, after=1, options={"code": 503})
    answer = await office.target.clear_sessions([POLICY.name], [PODS], older_than_s=30)
    assert (answer.cleared, answer.left) == (2, 1)
    assert len(listed(office)) == 1


async def test_nothing_is_cleared_once_its_time_is_over(office_with: Open) -> None:
    office, clock = await exposed(office_with)
    begin(office, flow("10.68.0.7"))
    clock.advance(60)
    answer = await office.target.clear_sessions([POLICY.name], [PODS], 30, not_after=office.clock.monotonic() - 1)
    assert (answer.cleared, answer.left) == (0, 1)
    assert "its time was over" in answer.problem
    assert listed(office) == {"10.68.0.7"}


async def test_many_flows_are_read_in_pages(office_with: Open) -> None:
    office, _ = await exposed(office_with)
    begin(office, *(flow("10.68.0.7", port) for port in range(20_000, 22_500)))
    before = office.requests()
    answer = await office.target.open_sessions([POLICY.name], [PODS])
    assert (answer.count, answer.complete) == ({PODS: 2500}, True)
    assert office.requests() - before == 4  # the policy's number, and three pages
    begin(office, *(flow("10.68.0.7", port) for port in range(30_000, 30_000 + _MOST_OF_A_POLICY)))
    answer = await office.target.open_sessions([POLICY.name], [PODS])
    assert (answer.count, answer.complete) == ({PODS: _MOST_OF_A_POLICY}, False)
    cleared = await office.target.clear_sessions([POLICY.name], [PODS], older_than_s=60)
    assert (cleared.cleared, cleared.left) == (0, 0)
    assert "there are more" in cleared.problem  # and among those there may be stale ones
