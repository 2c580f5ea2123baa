"""The cost of a plan does not depend on how much the firewall holds."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from backends.fortigate.target import FortiGate
from bot.model.resources import Address, Key, Policy, Resource, Route
from lab.fortigate import article
from tests.backends.fortigate.conftest import Office, Open
from tests.backends.fortigate.relay import relay
from tests.contract.fortigate_subject import TOKEN, refs, settings

KEYS = [
    *(Key(kind="address", name=f"k8snet-{number}") for number in range(4)),
    *(Key(kind="route", name=f"10.{number}.0.0/16") for number in (68, 69)),
    *(Key(kind="policy", name=f"k8snet-{number}") for number in range(3)),
    Key(kind="address", name="bulk-4711"),
    Key(kind="policy", name="bulk-4711"),
]


NETWORK = Address(name="k8snet-0", network=IPv4Network("10.68.0.0/16"))
WISHES: list[Resource] = [
    NETWORK,
    Route(destination=NETWORK.network, gateway=IPv4Address("172.16.1.67"), device="Test", row=1000),
    Policy(
        name="k8snet-0",
        source_interfaces=("internal",),
        destination_interfaces=("Test",),
        sources=("office",),
        destinations=(NETWORK.name,),
        services=("ALL_TCP", "ALL_UDP"),
        row=1000,
    ),
]


def bulk() -> dict[str, Any]:
    """5,000 addresses, 2,000 routes, 10,000 policies, beside the article's own."""
    state = article.state(TOKEN)
    root = state["vdoms"]["root"]
    root["firewall/address"] += [
        {"name": f"bulk-{n}", "subnet": str(IPv4Network((int(IPv4Address("11.0.0.0")) + n * 256, 24)))}
        for n in range(5000)
    ]
    root["router/static"] += [
        {
            "seq-num": 10_000 + n,
            "dst": str(IPv4Network((int(IPv4Address("12.0.0.0")) + n * 256, 24))),
            "gateway": "172.16.1.67",
            "device": "Test",
        }
        for n in range(2000)
    ]
    root["firewall/policy"] += list(policies())
    return state


def policies() -> Iterator[dict[str, Any]]:
    for n in range(10_000):
        yield {
            "policyid": 10_000 + n, "name": f"bulk-{n}", "srcintf": refs(("internal",)), "dstintf": refs(("Test",)),
            "srcaddr": refs(("office",)), "dstaddr": refs((f"bulk-{n % 5000}",)), "service": refs(("ALL_TCP",)),
            "action": "accept", "schedule": "always",
        }  # fmt: skip


async def planning(office: Office, directory: Path) -> tuple[int, int, int]:
    """All that a plan of a first exposure reads: how many of KEYS were found, in how many requests, in how many bytes
    (TLS handshakes included)."""
    requests = office.requests()
    async with relay(office.server.port) as counted:
        target = FortiGate("office-fw", settings(office.server, directory, url=counted.url), office.clock)
        found = await target.read(KEYS)
        assert len(await target.free_rows("route", 2)) == 2
        assert len(await target.free_rows("policy", 3)) == 3
        assert (await target.foresee(WISHES)).obstacles == ()
        assert len(await target.precedence(WISHES)) == 1
        await target.close()
    return len(found), office.requests() - requests, counted.taken


async def test_a_plan_costs_the_same_on_a_full_firewall_as_on_an_empty_one(office_with: Open, tmp_path: Path) -> None:
    found, requests, size = await planning(await office_with(), tmp_path)
    assert (found, requests) == (0, 14)
    found, requests, size_there = await planning(await office_with(bulk()), tmp_path)
    assert (found, requests) == (2, 14)
    assert size_there < size + 4000  # the two that were found
    assert size_there <= 200_000


async def test_denying_policies_cost_only_so_much(office_with: Open, tmp_path: Path) -> None:
    """The worst case that is looked at: nearly as many as that, each with names of its own."""
    state = bulk()
    root = state["vdoms"]["root"]
    root["firewall/addrgrp"] = [
        {"name": f"group-{n}", "member": refs(tuple(f"bulk-{m}" for m in range(n, n + 20)))} for n in range(45)
    ]
    root["firewall/policy"] += [
        {
            "policyid": 30_000 + n, "name": f"deny-{n}", "srcintf": refs(("any",)), "dstintf": refs(("any",)),
            "srcaddr": refs((f"bulk-{n}",)), "dstaddr": refs((f"group-{n % 45}",)), "service": refs(("SMB", "RDP")),
            "action": "deny", "schedule": "always",
        }
        for n in range(50)
    ]  # fmt: skip
    _, requests, size = await planning(await office_with(state), tmp_path)
    assert requests <= 20
    assert size <= 200_000


async def test_many_keys_are_asked_for_in_few_requests(office_with: Open) -> None:
    office = await office_with(bulk())
    keys = [Key(kind="address", name=f"bulk-{number}") for number in range(600)]
    assert set(await office.target.read(keys)) == set(keys)
    assert office.requests() <= 8
