"""A FortiGate's rows as routes and rules: the translation, and what the kernel then does with packets."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from lab.network.kernel import KernelNetwork, kernel_network
from lab.network.kernel_article import Tables, article_tables, policy
from lab.network.kernel_firewall import program
from lab.network.kernel_firewall_apply import apply, counters, routes
from lab.network.kernel_firewall_objects import LAST, Objects, complement, intersection, union
from lab.network.kernel_firewall_routes import Hop, active_routes, legs
from lab.network.kernel_firewall_schedules import in_force
from lab.network.kernel_injection import Probe, injection
from lab.network.kernel_requirements import missing

kernel = [
    pytest.mark.kernel,
    pytest.mark.skipif(missing() is not None, reason=f"no kernel network here: {missing()}"),
]
NOON = datetime(2026, 3, 4, 12, 0)  # noqa: DTZ001 - the device's own time, a Wednesday
PC, POD = IPv4Address("172.16.0.10"), IPv4Address("172.20.4.222")


# -- the translation


def test_set_arithmetic_agrees_with_membership() -> None:
    dice = random.Random(1)
    for _ in range(200):
        left, right = (
            union((start, start + dice.randint(0, 9)) for start in dice.sample(range(60), dice.randint(0, 5)))
            for _ in range(2)
        )
        for number in (*range(75), LAST):
            inside = [any(a <= number <= b for a, b in each) for each in (left, right)]
            assert any(a <= number <= b for a, b in complement(left)) is not inside[0]
            assert any(a <= number <= b for a, b in intersection(left, right)) is all(inside)


@pytest.mark.parametrize(
    ("row", "first", "last", "count"),
    [
        ({"subnet": "10.68.0.0 255.255.0.0"}, "10.68.0.0", "10.68.255.255", 1),
        ({"subnet": "10.68.1.5/32"}, "10.68.1.5", "10.68.1.5", 1),
        ({}, "0.0.0.0", "255.255.255.255", 1),
        ({"type": "iprange", "start-ip": "10.0.0.3", "end-ip": "10.0.0.9"}, "10.0.0.3", "10.0.0.9", 1),
        ({"type": "wildcard", "wildcard": "10.1.0.0 255.0.255.0"}, "10.0.0.0", "10.255.0.255", 256),
        ({"type": "dynamic", "list": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.8/30"}]}, "10.0.0.1", "10.0.0.11", 2),
    ],
)
def test_addresses_become_intervals(row: dict[str, Any], first: str, last: str, count: int) -> None:
    found = Objects({"firewall/address": [{"name": "it", **row}]}).addresses(["it"])
    assert (IPv4Address(found[0][0]), IPv4Address(found[-1][1]), len(found)) == (
        IPv4Address(first),
        IPv4Address(last),
        count,
    )


def test_what_cannot_be_expressed_matches_nothing_and_is_said() -> None:
    tables = {"firewall/address": [{"name": "site", "type": "fqdn", "fqdn": "redis.example"}]}
    objects = Objects(tables)
    assert objects.addresses(["site", "nobody"]) == ()
    assert objects.services(["nothing"]) == []
    assert ["site" in objects.problems[0], "nobody" in objects.problems[1], "nothing" in objects.problems[2]] == [
        True
    ] * 3


@pytest.mark.parametrize(
    ("schedule", "when", "expected"),
    [
        ({"day": "wednesday", "start": "08:00", "end": "18:00"}, "2026-03-04T12:00", True),
        ({"day": "wednesday", "start": "08:00", "end": "18:00"}, "2026-03-04T18:00", False),
        ({"day": "thursday", "start": "08:00", "end": "18:00"}, "2026-03-04T12:00", False),
        ({"day": "tuesday", "start": "22:00", "end": "06:00"}, "2026-03-04T05:59", True),
        ({"day": "wednesday", "start": "22:00", "end": "06:00"}, "2026-03-04T05:59", False),
        ({"day": "wednesday"}, "2026-03-04T23:59", True),
        ({"day": "none"}, "2026-03-04T12:00", False),
    ],
)
def test_schedules(schedule: dict[str, str], when: str, expected: bool) -> None:
    tables = {"firewall.schedule/recurring": [{"name": "it", **schedule}]}
    assert in_force({"schedule": "it"}, tables, datetime.fromisoformat(when), []) is expected


def test_an_expired_policy_is_out_of_force() -> None:
    row = {"schedule": "always", "policy-expiry": "enable", "policy-expiry-date": "2026-03-04 12:00:00"}
    assert in_force(row, {}, datetime.fromisoformat("2026-03-04T11:59:59"), [])
    assert not in_force(row, {}, NOON, [])


def static(number: int, gateway: str = "172.16.1.106", device: str = "Test", **more: Any) -> dict[str, Any]:
    return {"seq-num": number, "dst": "10.68.0.0 255.255.0.0", "gateway": gateway, "device": device, **more}


@pytest.mark.parametrize(
    ("rows", "gateways"),
    [
        ([static(1)], ["172.16.1.106"]),
        ([static(1, status="disable")], []),
        ([static(1, gateway="172.16.9.1")], []),
        ([static(1, device="wan1")], []),
        ([static(1), static(2, gateway="172.16.1.107", distance=20)], ["172.16.1.106"]),
        ([static(1), static(2, gateway="172.16.1.107", priority=9)], ["172.16.1.106"]),
        ([static(1), static(2, gateway="172.16.1.107")], ["172.16.1.106", "172.16.1.107"]),
        ([static(1, distance=20), {"seq-num": 2, "dst": "10.68.0.0/16", "blackhole": "enable"}], ["0.0.0.0"]),
        ([static(1, dst="172.16.2.0 255.255.255.0")], []),
    ],
)
def test_only_active_routes_count(rows: list[dict[str, Any]], gateways: list[str]) -> None:
    tables = {**article_tables(), "router/static": rows}
    found = active_routes(tables, legs(tables))
    assert [str(hop.gateway) for route in found for hop in route.hops] == gateways


def test_a_route_through_an_interface_that_is_down_is_out() -> None:
    tables = article_tables()
    tables["system/interface"][1]["status"] = "down"
    assert active_routes(tables, legs(tables)) == ()
    assert active_routes(article_tables(), legs(article_tables(), carrier=["internal", "dmz"])) == ()


def test_a_failed_link_monitor_withdraws_the_routes_of_its_gateway() -> None:
    tables: Tables = {**article_tables(), "router/static": [static(1), static(2, gateway="172.16.1.107", distance=20)]}
    tables["system/link-monitor"] = [{"name": "m", "srcintf": "Test", "gateway-ip": "172.16.1.106"}]
    (route,) = active_routes(tables, legs(tables), failed_monitors=["m"])
    assert [str(hop.gateway) for hop in route.hops] == ["172.16.1.107"]
    tables["router/static"][0]["link-monitor-exempt"] = "enable"
    (route,) = active_routes(tables, legs(tables), failed_monitors=["m"])
    assert [str(hop.gateway) for hop in route.hops] == ["172.16.1.106"]


def test_the_same_rows_always_give_the_same_text() -> None:
    assert program(article_tables(), NOON) == program(article_tables(), NOON)


# -- the kernel


class TestPackets:
    """Single packets, injected into the legs."""

    pytestmark = kernel

    async def test_programming_twice_changes_nothing_and_keeps_counters(self) -> None:
        async with injection(["internal", "Test", "dmz"]) as bench:
            await apply(bench.run, article_tables(), NOON)
            await bench.send([Probe("internal", PC, POD, 6, 1000, 6379)])
            before = await bench.run(["nft", "list", "ruleset"])
            await apply(bench.run, article_tables(), NOON)
            after = await bench.run(["nft", "list", "ruleset"])
            assert before.stdout == after.stdout
            assert (await counters(bench.run))[101].hits == 1

    async def test_a_deleted_policy_takes_its_counters_along(self) -> None:
        async with injection(["internal", "Test", "dmz"]) as bench:
            await apply(bench.run, article_tables(), NOON)
            tables = article_tables()
            del tables["firewall/policy"][1]
            await apply(bench.run, tables, NOON)
            assert set(await counters(bench.run)) == {0, 100}

    async def test_routes_follow_the_rows_and_only_they_change(self) -> None:
        async with injection(["internal", "Test", "dmz"]) as bench:
            tables = article_tables()
            await apply(bench.run, tables, NOON)
            tables["router/static"][0]["gateway"] = "172.16.1.108"
            tables["router/static"][1] = {"seq-num": 12, "dst": "10.99.0.0/16", "blackhole": "enable"}
            await apply(bench.run, tables, NOON)
            assert await routes(bench.run) == {
                IPv4Network("10.68.0.0/16"): (Hop("Test", IPv4Address("172.16.1.108")),),
                IPv4Network("10.99.0.0/16"): (Hop("", IPv4Address("0.0.0.0")),),
            }

    async def test_an_interface_that_is_down_passes_nothing_and_comes_back(self) -> None:
        probe = Probe("internal", PC, POD, 6, 1000, 6379)
        async with injection(["internal", "Test", "dmz"]) as bench:
            tables = article_tables()
            tables["system/interface"][1]["status"] = "down"
            await apply(bench.run, tables, NOON)
            assert await bench.send([probe]) == [None]
            await apply(bench.run, article_tables(), NOON)
            (emerged,) = await bench.send([probe])
            assert emerged is not None
            assert emerged.leg == "Test"

    async def test_translation_hides_the_source(self) -> None:
        tables = article_tables()
        tables["firewall/policy"][1]["nat"] = "enable"
        async with injection(["internal", "Test", "dmz"]) as bench:
            await apply(bench.run, tables, NOON)
            (emerged,) = await bench.send([Probe("internal", PC, POD, 6, 1000, 6379)])
            assert emerged is not None
            assert str(emerged.source) == "172.16.1.254"

    async def test_equal_routes_are_chosen_by_source_address(self) -> None:
        hops = [IPv4Address("172.16.1.106"), IPv4Address("172.16.1.107")]
        tables = article_tables()
        tables["router/static"].append({**tables["router/static"][1], "seq-num": 12, "gateway": str(hops[1])})
        probes = [
            Probe("internal", IPv4Address(f"172.16.0.{host}"), POD, 6, 1000 + port, 6379)
            for host in range(1, 65)
            for port in range(3)
        ]
        async with injection(["internal", "Test", "dmz"]) as bench:
            await apply(bench.run, tables, NOON)
            await bench.gateways({"Test": hops})
            taken: dict[IPv4Address, set[IPv4Address | None]] = {}
            for probe, emerged in zip(probes, await bench.send(probes), strict=True):
                assert emerged is not None
                taken.setdefault(probe.source, set()).add(emerged.next_hop)
        assert all(len(each) == 1 for each in taken.values())
        assert {hop for each in taken.values() for hop in each} == set(hops)


class TestConnections:
    """Connections through the article's network."""

    pytestmark = kernel

    @pytest.fixture
    async def net(self) -> AsyncIterator[KernelNetwork]:
        async with kernel_network() as network:
            await network.program_firewall(article_tables())

            talking: set[asyncio.Task[None]] = set()

            async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                me = asyncio.current_task()
                assert me is not None
                talking.add(me)
                try:
                    while line := await reader.readline():
                        writer.write(line)
                except (ConnectionError, asyncio.CancelledError):
                    pass  # the client is gone, or its farewell was stopped by the firewall
                finally:
                    writer.transport.abort()

            server = await asyncio.start_server(echo, sock=await network.listener("redis-abc-gns-0", 6379))
            yield network
            server.close()
            for task in talking:
                task.cancel()
            await asyncio.gather(*talking)
            await asyncio.sleep(0)

    async def alive(self, connection: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> bool:
        reader, writer = connection
        writer.write(b"hello\n")
        try:
            async with asyncio.timeout(0.7):
                return await reader.readline() == b"hello\n"
        except TimeoutError:
            return False

    async def test_connections_live_on_when_rules_are_replaced_and_end_with_their_policy(
        self, net: KernelNetwork
    ) -> None:
        connection = await net.connect("pc", str(POD), 6379)
        assert await self.alive(connection)
        more = article_tables()
        more["firewall/policy"].insert(0, policy(1, "all", "all", "HTTP"))
        await net.program_firewall(more)
        assert await self.alive(connection)
        less = article_tables()
        del less["firewall/policy"][1]
        await net.program_firewall(less)
        assert not await self.alive(connection)
        await net.program_firewall(more)
        assert not await self.alive(connection), "the firewall has forgotten the session"
        connection[1].transport.abort()

    async def test_a_policy_that_checks_new_sessions_only_spares_old_ones(self, net: KernelNetwork) -> None:
        tables = article_tables()
        tables["firewall/policy"][1]["firewall-session-dirty"] = "check-new"
        await net.program_firewall(tables)
        connection = await net.connect("pc", str(POD), 6379)
        tables["firewall/policy"][1]["status"] = "disable"
        await net.program_firewall(tables)
        assert await self.alive(connection)
        connection[1].transport.abort()

    async def test_a_denial_that_answers_is_a_refusal(self, net: KernelNetwork) -> None:
        tables = article_tables()
        tables["firewall/policy"].insert(
            0, policy(1, "all", "all", "ALL", action="deny", **{"send-deny-packet": "enable"})
        )
        await net.program_firewall(tables)
        with pytest.raises(ConnectionRefusedError):
            await net.connect("pc", str(POD), 6379)

    async def test_the_firewall_answers_itself_only_where_it_is_allowed(self, net: KernelNetwork) -> None:
        tables = article_tables()
        tables["system/interface"][0]["allowaccess"] = "ping"
        await net.program_firewall(tables)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await net.connect("pc", "172.16.0.254", 443)
        with pytest.raises(ConnectionRefusedError):
            await net.connect("dns", "172.16.2.254", 443)
