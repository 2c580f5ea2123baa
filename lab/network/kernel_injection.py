"""Made-up packets into the legs of a firewall in the kernel, and what came out where.

For comparing `kernel_firewall` with other opinions about the same configuration: a bare firewall namespace with
one cable a leg, whose other ends are packet sockets of this program. Addresses need no machines behind them.
No answer is awaited for a time: after each batch, marker frames travel the same queues behind the packets, and
when they have arrived everything else has arrived too or never will.
"""

import asyncio
import os
import socket
import struct
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Self

from lab.network.kernel_layout import BASE_SYSCTLS, FIREWALL, FIREWALL_SYSCTLS, NEAR_INDEX
from lab.network.kernel_sandbox import Sandbox

IPV4_FRAME = 0x0800
MARKER_FRAME = 0x88B5
"""Ethernet type for local experiments (IEEE 802): nothing in the kernel looks at it."""
EVERY_FRAME = 3
MARKER_LEG = "markers"

ICMP, TCP, UDP = 1, 6, 17
BATCH = 40
"""Packets between two markers: few enough for the default receive buffer of a socket."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A packet to put in; fields that its protocol does not have are ignored."""

    leg: str
    source: IPv4Address
    destination: IPv4Address
    protocol: int
    source_port: int = 0
    destination_port: int = 0
    icmp_type: int = 8
    icmp_code: int = 0


@dataclass(frozen=True, slots=True)
class Emerged:
    """Where and how a packet came out."""

    leg: str
    source: IPv4Address
    """Differs from the probe's when it was translated."""
    next_hop: IPv4Address | None
    """The gateway it was sent to, when it is one of those announced to `Injection.gateways`."""


@asynccontextmanager
async def injection(names: Sequence[str]) -> AsyncIterator["Injection"]:
    """A firewall with these legs and nothing else; its addresses and rules are the caller's to set."""
    sandbox = await Sandbox.start()
    try:
        with ExitStack() as sockets:
            yield await Injection.build(sandbox, names, sockets)
    finally:
        await sandbox.close()


class Injection:
    """The packet sockets around one firewall; made by `injection`."""

    def __init__(self, sandbox: Sandbox, names: Sequence[str]) -> None:
        self._sandbox = sandbox
        self._macs = {name: bytes([2, 0, 0, 0, 0, number]) for number, name in enumerate((*names, MARKER_LEG))}
        self._gateways: dict[bytes, IPv4Address] = {}
        self._outside: dict[str, socket.socket] = {}
        self._inside: socket.socket

    @classmethod
    async def build(cls, sandbox: Sandbox, names: Sequence[str], sockets: ExitStack) -> Self:
        """Cables and sockets; part of `injection`."""
        made = cls(sandbox, names)
        paths = await sandbox.create([FIREWALL, *(_end(name) for name in made._macs)])
        await sandbox.sysctl(FIREWALL, FIREWALL_SYSCTLS)
        cables = []
        for number, (name, mac) in enumerate(made._macs.items()):
            await sandbox.sysctl(_end(name), BASE_SYSCTLS)
            cables.append(
                f"link add name {name} index {NEAR_INDEX + number} address {mac.hex(':')} "
                f"netns {paths[FIREWALL]} type veth peer name out netns {paths[_end(name)]}"
            )
        await _ip(sandbox, "", cables)
        for name in made._macs:
            await _ip(sandbox, _end(name), ["link set out up"])
        # Without ARP every packet leaves at once; only a gateway's entry gives it another Ethernet address.
        await _ip(sandbox, FIREWALL, ["link set lo up", *(f"link set {name} arp off up" for name in made._macs)])
        for name in made._macs:
            made._outside[name] = await _packet_socket(sandbox, _end(name), "out", EVERY_FRAME)
            sockets.enter_context(made._outside[name])
        made._inside = sockets.enter_context(await _packet_socket(sandbox, FIREWALL, MARKER_LEG, MARKER_FRAME))
        return made

    async def run(self, argv: Sequence[str], stdin: str = "") -> "subprocess.CompletedProcess[str]":
        """Run a command in the firewall; fits `kernel_firewall_apply`."""
        return await self._sandbox.run(FIREWALL, argv, stdin=stdin)

    async def gateways(self, by_leg: Mapping[str, Sequence[IPv4Address]]) -> None:
        """Make next hops recognisable: each gets an Ethernet address of its own. The legs must be up."""
        entries = []
        for name, addresses in by_leg.items():
            for address in addresses:
                mac = b"\x02\x01" + address.packed
                self._gateways[mac] = address
                entries.append(f"neigh replace {address} lladdr {mac.hex(':')} dev {name} nud permanent")
        await _ip(self._sandbox, FIREWALL, entries)

    async def send(self, probes: Sequence[Probe]) -> list[Emerged | None]:
        """Put packets in, in order; `None` where nothing came out."""
        results: list[Emerged | None] = []
        for start in range(0, len(probes), BATCH):
            results += await asyncio.to_thread(self._batch, probes[start : start + BATCH])
        return results

    def _batch(self, probes: Sequence[Probe]) -> list[Emerged | None]:
        results: list[Emerged | None] = [None] * len(probes)
        with _one_processor():
            for number, probe in enumerate(probes):
                self._outside[probe.leg].send(_ethernet(self._macs[probe.leg], IPV4_FRAME) + _packet(number, probe))
            working = self._mark()
        for leg in working:
            for frame in _frames_before_marker(self._outside[leg]):
                if (recognised := _recognise(frame)) is not None:
                    results[recognised] = Emerged(leg, IPv4Address(frame[26:30]), self._gateways.get(frame[:6]))
        return results

    def _mark(self) -> list[str]:
        """One marker in; when it has arrived, one out of every leg that works: those legs."""
        self._outside[MARKER_LEG].send(_ethernet(self._macs[MARKER_LEG], MARKER_FRAME) + bytes(46))
        self._inside.recv(100)
        working = []
        for name in self._macs.keys() - {MARKER_LEG}:
            with suppress(OSError):  # the leg is down
                self._inside.sendto(_ethernet(bytes(6), MARKER_FRAME) + bytes(46), (name, MARKER_FRAME))
                working.append(name)
        return working


def _end(name: str) -> str:
    """Namespace at the other end of a leg's cable."""
    return f"beyond-{name}"


async def _ip(sandbox: Sandbox, namespace: str, batch: Sequence[str]) -> None:
    await sandbox.run(namespace, ["ip", "-batch", "-"], stdin="\n".join(batch) + "\n", check=True)


async def _packet_socket(sandbox: Sandbox, namespace: str, device: str, kind: int) -> socket.socket:
    opened = await sandbox.socket(namespace, socket.AF_PACKET, socket.SOCK_RAW)
    opened.bind((device, kind))
    opened.settimeout(10)
    return opened


@contextmanager
def _one_processor() -> Iterator[None]:
    """Each processor has a queue of its own for virtual cables; order holds within one of them only."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(allowed)[os.getpid() % len(allowed)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _frames_before_marker(opened: socket.socket) -> Iterator[bytes]:
    while True:
        frame, (_, kind, direction, *_) = opened.recvfrom(2048)
        if direction == socket.PACKET_OUTGOING:
            continue
        if kind == MARKER_FRAME:
            return
        yield frame


def _ethernet(destination: bytes, kind: int) -> bytes:
    return destination + bytes(6) + struct.pack("!H", kind)


def _packet(number: int, probe: Probe) -> bytes:
    """An IPv4 packet whose identification is the probe's number in its batch."""
    payload = _transport(probe)
    header = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), number + 1, 0, 64, probe.protocol, 0,
        probe.source.packed, probe.destination.packed,
    )  # fmt: skip
    return header[:10] + struct.pack("!H", _checksum(header)) + header[12:] + payload


def _transport(probe: Probe) -> bytes:
    if probe.protocol == ICMP:
        echo = struct.pack("!BBHHH", probe.icmp_type, probe.icmp_code, 0, probe.source_port, 1) + bytes(12)
        return echo[:2] + struct.pack("!H", _checksum(echo)) + echo[4:]
    ports = struct.pack("!HH", probe.source_port, probe.destination_port)
    pseudo = probe.source.packed + probe.destination.packed
    if probe.protocol == TCP:
        syn = ports + struct.pack("!IIBBHHH", 1, 0, 5 << 4, 2, 1024, 0, 0)
        total = _checksum(pseudo + struct.pack("!HH", TCP, len(syn)) + syn)
        return syn[:16] + struct.pack("!H", total) + syn[18:]
    if probe.protocol == UDP:
        return ports + struct.pack("!HH", 12, 0) + b"test"  # 0: no checksum
    return bytes(16)


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def _recognise(frame: bytes) -> int | None:
    """The probe's number, unless this is something that the firewall itself says."""
    (number,) = struct.unpack("!H", frame[18:20])
    forwarded = frame[22] == 63  # the time to live, one hop later
    return int(number) - 1 if forwarded and number else None
