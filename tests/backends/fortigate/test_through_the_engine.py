"""Exposures decided by the engine, written to a simulated firewall, and proven by that firewall's own packet rules."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from backends.fortigate.target import FortiGate
from bot.engine.context import Context
from bot.engine.engine import Engine
from bot.engine.journal import Journal
from bot.engine.samples import Samples
from bot.model.commands import Expose, Unexpose
from bot.model.facts import Protocol
from bot.model.operation import Operation
from bot.model.probes import ConnectAnswer, DnsAnswer, DnsTransport
from bot.model.resources import Forwarder, Key
from bot.model.site import Site
from lab.fortigate import article
from lab.fortigate.device import Device
from lab.fortigate.packets import TCP, UDP, Packet
from lab.fortigate.server import Server, running
from tests.contract.fortigate_subject import TOKEN, refs, settings
from tests.memory import MemoryTarget
from tests.memory_store import MemoryStore
from tests.office import DC1, GRANTS, KUBE_DNS, OMAR, Book, StillCluster, Wall, site
from tests.virtual import VirtualEnv

PC = IPv4Address("172.16.0.5")
DENY = "no-clusters"
TABLES = ("firewall/address", "router/static", "firewall/policy")


class FirewallWire:
    """Implements Prober: a packet gets through when the simulated firewall lets it through."""

    def __init__(self, device: Device, dns_server: MemoryTarget, cluster: StillCluster) -> None:
        self._device, self._dns_server, self._cluster = device, dns_server, cluster

    async def dns(self, server: IPv4Address, name: str, transport: DnsTransport, timeout_s: float) -> DnsAnswer:
        def answer(outcome: str, *addresses: IPv4Address) -> DnsAnswer:
            return DnsAnswer.model_validate(
                {"server": server, "name": name, "transport": transport, "outcome": outcome, "addresses": addresses,
                 "elapsed_ms": 1}
            )  # fmt: skip

        host, _, zone = name.rstrip(".").partition(".")
        key = Key(kind="forwarder", name=zone)
        if not isinstance(self._dns_server.resources.get(key), Forwarder):
            return answer("nxdomain")
        if not self._passes(DC1, KUBE_DNS, 53, "dmz", "UDP"):
            return answer("servfail")
        service = self._cluster.now.service(zone.partition(".")[0], host)
        assert service is not None
        return answer("answer", service.cluster_ip or service.endpoints[0].address)

    async def connect(
        self, address: IPv4Address, port: int, protocol: Protocol, speak: str, timeout_s: float
    ) -> ConnectAnswer:
        works = self._passes(PC, address, port, "internal", protocol)
        return ConnectAnswer(
            address=address, port=port, protocol=protocol, outcome="data" if works else "timeout", elapsed_ms=1
        )

    def _passes(self, source: IPv4Address, to: IPv4Address, port: int, leg: str, protocol: Protocol) -> bool:
        number = UDP if protocol == "UDP" else TCP
        return self._device.evaluate(Packet(source, to, number, 50_000, port), leg).accepted


@dataclass
class Work:
    """A bot at work on a simulated firewall."""

    server: Server
    engine: Engine
    env: VirtualEnv
    asked: int = 0

    @property
    def device(self) -> Device:
        return self.server.device

    def rows(self) -> dict[str, Any]:
        return {table: self.device.rows(table) for table in TABLES}

    def policies(self) -> list[str]:
        return [row["name"] for row in self.device.rows("firewall/policy")]

    async def ask(self, command: Expose | Unexpose) -> Operation:
        self.asked += 1
        identifier = await self.engine.request(command, OMAR, "C1", f"d{self.asked}")
        return await self._operation(identifier)

    async def change(self, command: Expose | Unexpose) -> Operation:
        """Ask, say yes, and wait for the end."""
        operation = await self.ask(command)
        assert operation.plan is not None, operation.entries[-1]
        await self.engine.confirm(operation.id, operation.plan.digest, OMAR)
        await self.env.idle()
        assert self.env.failures == []
        return await self._operation(operation.id)

    async def _operation(self, identifier: str) -> Operation:
        return (await self.engine.context.journal.world()).operations[identifier]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running(Device.from_json(article.state(TOKEN))) as server:
        yield server


@pytest.fixture
async def work(server: Server, tmp_path: Path) -> AsyncIterator[Any]:
    opened: list[FortiGate] = []

    def start(office: Site | None = None, **changes: Any) -> Work:
        env, cluster, dns_server = VirtualEnv(), StillCluster(), MemoryTarget("dc1", keeps_marks=False)
        firewall = FortiGate("fw", settings(server, tmp_path, **changes), env)
        opened.append(firewall)
        context = Context(
            site=office or site(self_confirm=True),
            grants=GRANTS,
            targets={"fw": firewall, "dc1": dns_server},
            clusters={"qa": cluster},
            prober=FirewallWire(server.device, dns_server, cluster),
            directory=Book(),
            announcer=Wall(),
            journal=Journal(MemoryStore(env.now)),
            samples=Samples(MemoryStore(env.now)),
            env=env,
            vantage="the test",
            instance="bot",
            process="bot-1",
        )
        return Work(server, Engine(context), env)

    yield start
    for firewall in opened:
        await firewall.close()


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
