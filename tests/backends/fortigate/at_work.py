"""A bot at work on a simulated firewall: the engine, the real target, and packets by that firewall's own rules."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from bot.engine.engine import Engine
from bot.model.commands import Change
from bot.model.facts import Protocol
from bot.model.operation import Operation
from bot.model.people import Person
from bot.model.probes import ConnectAnswer, DnsAnswer, DnsTransport
from bot.model.resources import Forwarder, Key
from lab.fortigate.device import Device
from lab.fortigate.packets import TCP, UDP, Packet
from lab.fortigate.server import Server
from tests.asking import ask, now, say_yes
from tests.memory import MemoryTarget
from tests.office import DC1, KUBE_DNS, OMAR, StillCluster
from tests.virtual import VirtualEnv

PC = IPv4Address("172.16.0.5")
INTERNET = "wan1"  # where nobody has these networks
TABLES = ("firewall/address", "router/static", "firewall/policy")


class FirewallWire:
    """Implements Prober: a packet gets through when the simulated firewall lets it through, which counts it.

    What is sent to the networks of `lost` passes the firewall and is never answered; packets to those of `astray` never
    come to the firewall.
    """

    def __init__(self, device: Device, dns_server: MemoryTarget, cluster: StillCluster) -> None:
        self._device, self._dns_server, self._cluster = device, dns_server, cluster
        self._port = 50_000
        self.lost: list[IPv4Network] = []
        self.astray: list[IPv4Network] = []
        self.stands = PC  # where our own host stands

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
        if service is None:
            return answer("nxdomain").model_copy(update={"soa_owner": "cluster.local."})
        return answer("answer", service.cluster_ip or service.endpoints[0].address)

    async def connect(
        self, address: IPv4Address, port: int, protocol: Protocol, speak: str, timeout_s: float
    ) -> ConnectAnswer:
        works = self._passes(PC, address, port, "internal", protocol)
        return ConnectAnswer(
            address=address,
            port=port,
            protocol=protocol,
            outcome="data" if works else "timeout",
            source=self.stands if works else None,
            elapsed_ms=1,
        )

    def _passes(self, source: IPv4Address, to: IPv4Address, port: int, leg: str, protocol: Protocol) -> bool:
        if any(to in network for network in self.astray):
            return False
        self._port += 1
        packet = Packet(source, to, UDP if protocol == "UDP" else TCP, self._port, port)
        verdict = self._device.forward(packet, leg)
        if not verdict.accepted or verdict.egress == INTERNET or any(to in network for network in self.lost):
            return False
        self._device.forward(packet.reply(), opens=False)
        return True


@dataclass
class Work:
    """A bot at work on a simulated firewall."""

    server: Server
    engine: Engine
    env: VirtualEnv
    wire: FirewallWire
    cluster: StillCluster
    asked: int = 0

    @property
    def device(self) -> Device:
        return self.server.device

    def rows(self) -> dict[str, Any]:
        return {table: self.device.rows(table) for table in TABLES}

    def policies(self) -> list[str]:
        return [row["name"] for row in self.device.rows("firewall/policy")]

    async def ask(self, command: Change, actor: Person = OMAR) -> Operation:
        self.asked += 1
        return await ask(self.engine, command, actor, f"d{self.asked}")

    async def change(self, command: Change) -> Operation:
        """Ask, say yes, and wait for the end."""
        return await self.confirm(await self.ask(command))

    async def confirm(self, operation: Operation) -> Operation:
        """Say yes to what was planned, and wait for the end."""
        await say_yes(self.engine, operation)
        return await now(self.engine, operation)
