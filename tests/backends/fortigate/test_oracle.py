"""The firewall's own word about a path."""

import asyncio
from ipaddress import IPv4Address

import pytest

from bot.engine.targets import Foresees, NumbersRows, PathOracle, Target, TrafficOracle
from bot.model.probes import PolicyAnswer
from bot.model.resources import Policy
from lab.fortigate import article
from lab.fortigate.packets import TCP, Packet
from tests.backends.fortigate.conftest import Office, Open, ours, step
from tests.backends.fortigate.objects import PODS, POLICY, ROUTE, VERSIONS
from tests.backends.fortigate.rounds import Rounds
from tests.contract.fortigate_subject import TOKEN

OFFICE_PC = IPv4Address("172.16.0.5")
NODE = ROUTE.gateway
POD = IPv4Address("10.68.0.7")


async def opened(office: Office, policy: Policy | None = None) -> None:
    """Pods known, route set, and a policy if one is given."""
    wishes = [ours(PODS), ours(ROUTE, 1000), *([] if policy is None else [ours(policy, 1000)])]
    outcomes = await office.target.apply_all([step(None, wish) for wish in wishes])
    assert {outcome.kind for outcome in outcomes} == {"applied"}


async def ask(office: Office, destination: IPv4Address = POD, port: int = 6379) -> PolicyAnswer:
    return await office.target.policy("internal", OFFICE_PC, destination, "TCP", port)


async def test_the_target_has_all_its_abilities(office: Office) -> None:
    target: Target = office.target
    assert isinstance(target, NumbersRows)
    assert isinstance(target, PathOracle)
    assert isinstance(target, TrafficOracle)
    assert isinstance(target, Foresees)


# --- routes


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_way_to_a_pod_leads_over_the_gateway(office_with: Open, version: str) -> None:
    office = await office_with({"version": version})
    await opened(office)
    answer = await office.target.route(POD)
    assert (answer.found, answer.interface, answer.gateway, answer.problem) == (True, "Test", NODE, "")


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_connected_network_has_no_gateway(office_with: Open, version: str) -> None:
    office = await office_with({"version": version})
    answer = await office.target.route(NODE)
    assert (answer.found, answer.interface, answer.gateway) == (True, "Test", None)


@pytest.mark.parametrize("version", VERSIONS)
async def test_without_any_route_none_is_found(office_with: Open, version: str) -> None:
    office = await office_with({"version": version})
    office.device.delete("router/static", 1)
    answer = await office.target.route(POD)
    assert (answer.found, answer.problem) == (False, "")


async def test_a_route_whose_link_is_down_is_not_found(office: Office) -> None:
    await opened(office)
    office.device.delete("router/static", 1)
    office.device.set_link("Test", up=False)
    assert (await office.target.route(POD)).found is False


# --- policies


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_allowed_packet_names_its_policy(office_with: Open, version: str) -> None:
    office = await office_with({"version": version})
    await opened(office, POLICY)
    answer = await ask(office)
    assert (answer.allowed, answer.policy, answer.problem) == (True, POLICY.name, "")


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_packet_that_no_policy_matches_meets_the_implicit_deny(office_with: Open, version: str) -> None:
    office = await office_with({"version": version})
    await opened(office)
    answer = await ask(office)
    assert (answer.allowed, answer.policy) == (False, "implicit deny")


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_denying_policy_is_a_no_with_its_name(office_with: Open, version: str) -> None:
    office = await office_with({"version": version})
    await opened(office, POLICY.model_copy(update={"action": "deny", "name": "keep-out"}))
    answer = await ask(office)
    assert (answer.allowed, answer.policy) == (False, "keep-out")


async def test_a_policy_without_a_name_goes_by_its_number(office: Office) -> None:
    await opened(office, POLICY)
    office.device.update("firewall/policy", 1000, {"name": ""})
    assert (await ask(office)).policy == "1000"


async def test_look_ups_that_end_at_the_same_policy_read_it_once(office_with: Open) -> None:
    rounds, asked, reading = Rounds(), 0, asyncio.Event()
    office = await office_with(
        rounds=rounds, arriving=lambda number: reading.set() if number == asked + 4 and asked else None
    )
    await opened(office, POLICY)
    asked = office.requests()
    rounds.left = [3, 2]  # three look-ups; one reading, and the question below that tells that they have come so far
    answers = asyncio.gather(*(ask(office, port=port) for port in (6379, 6380, 6381)))
    await reading.wait()
    assert (await office.target.route(POD)).found
    assert [answer.policy for answer in await answers] == [POLICY.name] * 3
    assert office.requests() == asked + 5
    rounds.left = None
    office.device.update("firewall/policy", 1000, {"action": "deny"})  # what has been read is not kept
    assert (await ask(office)).allowed is False


async def test_whoever_asks_beside_one_that_gives_up_gets_the_answer(office_with: Open) -> None:
    rounds, asked, reading = Rounds(), 0, asyncio.Event()
    office = await office_with(
        rounds=rounds, arriving=lambda number: reading.set() if number == asked + 3 and asked else None
    )
    await opened(office, POLICY)
    asked = office.requests()
    rounds.left = [2, 2]
    hasty, patient = asyncio.ensure_future(ask(office)), asyncio.ensure_future(ask(office, port=6380))
    await reading.wait()
    hasty.cancel()
    assert (await office.target.route(POD)).found
    assert (await patient).policy == POLICY.name
    with pytest.raises(asyncio.CancelledError):
        await hasty


async def test_a_policy_that_is_gone_when_it_is_read_is_undetermined(office: Office) -> None:
    await opened(office, POLICY)
    office.server.faults.arm("not-found", method="GET", path="*/cmdb/firewall/policy")
    answer = await ask(office)
    assert (answer.allowed, answer.policy) == (None, "1000")
    assert "could not be read" in answer.problem


@pytest.mark.parametrize("version", VERSIONS)
async def test_without_a_route_the_answer_is_undetermined(office_with: Open, version: str) -> None:
    office = await office_with({"version": version})
    office.device.delete("router/static", 1)
    answer = await ask(office)
    assert answer.allowed is None
    assert "no route" in answer.problem


async def test_an_unknown_interface_is_undetermined(office: Office) -> None:
    answer = await office.target.policy("port99", OFFICE_PC, POD, "UDP", 53)
    assert answer.allowed is None
    assert "interface" in answer.problem


# --- rights and old firmware


async def test_missing_rights_are_an_answer_that_names_them(office_with: Open) -> None:
    profile = {"name": "net-assistant", "fwgrp": "custom", "fwgrp-permission": {"address": "read"}}
    assert article.state(TOKEN)["accprofiles"][0]["name"] == profile["name"]
    office = await office_with({"accprofiles": [profile]})
    route, policy = await office.target.route(POD), await ask(office)
    assert (route.found, policy.allowed) == (None, None)
    assert "needs the right netgrp.route-cfg read" in route.problem
    assert "needs the right fwgrp.policy read" in policy.problem


async def test_firmware_without_the_look_up_is_an_answer(office: Office) -> None:
    office.server.faults.arm("status", path="*/router/lookup", options={"code": 404})
    office.server.faults.arm("status", path="*/policy-lookup", options={"code": 404})
    route, policy = await office.target.route(POD), await ask(office)
    assert (route.found, policy.allowed) == (None, None)
    assert "FortiOS 7.4.4 has no router/lookup" in route.problem
    assert "FortiOS 7.4.4 has no firewall/policy-lookup" in policy.problem


# --- what has passed


async def passed(office: Office, answered: bool) -> None:
    """A flow from the office to a pod, with or without an answer."""
    packet = Packet(OFFICE_PC, POD, TCP, 50_000, 6379)
    verdict = office.device.evaluate(packet, "internal")
    assert verdict.accepted
    for one in (packet, packet.reply()) if answered else (packet,):
        office.device.saw(one, verdict)


@pytest.mark.parametrize("version", VERSIONS)
async def test_sessions_tell_whether_anything_came_back(office_with: Open, version: str) -> None:
    office = await office_with({"version": version})
    await opened(office, POLICY)
    assert (await office.target.sessions(POD, "TCP", 6379)).count == 0
    await passed(office, answered=False)
    answer = await office.target.sessions(POD, "TCP", 6379)
    assert (answer.count, answer.answered, answer.problem) == (1, 0, "")
    await passed(office, answered=True)
    answer = await office.target.sessions(POD, "TCP", 6379)
    assert (answer.count, answer.answered) == (1, 1)
    assert (await office.target.sessions(POD, "TCP", 6380)).count == 0
    assert (await office.target.sessions(POD, "UDP", 6379)).count == 0


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_policy_counts_what_it_let_begin(office_with: Open, version: str) -> None:
    office = await office_with({"version": version})
    await opened(office, POLICY)
    assert (await office.target.hits(POLICY.name)).hits == 0
    await passed(office, answered=True)
    answer = await office.target.hits(POLICY.name)
    assert (answer.hits, answer.problem) == (1, "")
    assert answer.last_used is not None
    assert "no policy nobody" in (await office.target.hits("nobody")).problem


@pytest.mark.parametrize("version", VERSIONS)
async def test_older_releases_count_one_of_many_policies_only_with_all_others(office_with: Open, version: str) -> None:
    office = await office_with({"version": version})
    await opened(office, POLICY)
    for number in range(2000, 2200):
        office.device.create("firewall/policy", {**office.row("firewall/policy", "policyid", 1), "policyid": number,
                                                 "name": f"other-{number}"})  # fmt: skip
    answer = await office.target.hits(POLICY.name)
    if version == "v7.6.6":
        assert (answer.hits, answer.problem) == (0, "")
    else:
        assert answer.hits is None
        assert "only at once" in answer.problem


async def test_missing_rights_for_counters_and_sessions_are_answers(office_with: Open) -> None:
    profile = {"name": "net-assistant", "fwgrp": "custom", "fwgrp-permission": {"address": "read"}}
    office = await office_with({"accprofiles": [profile], "version": "v7.6.6"})
    hits, sessions = await office.target.hits(POLICY.name), await office.target.sessions(POD, "TCP", 6379)
    assert (hits.hits, sessions.count) == (None, None)
    assert "needs the right fwgrp.policy read" in hits.problem
    assert "needs the right sysgrp.cfg read" in sessions.problem


async def test_a_counter_from_no_time_at_all_is_undetermined(office: Office) -> None:
    await opened(office, POLICY)
    await passed(office, answered=True)
    for counter in office.device.sessions().counters.values():
        counter.last_used = 10**18
    answer = await office.target.hits(POLICY.name)
    assert (answer.hits, answer.problem) == (None, "the firewall's counters came in a form that k8snet does not know")
