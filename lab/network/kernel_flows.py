"""The kernel's connections as the sessions of a FortiGate: what policies of the namespace's firewall let through.

Connections carry the id of their policy as mark, see `kernel_firewall`; those without one go to the firewall itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Address

from lab.fortigate.packets import ICMP, SCTP, TCP, UDP, Packet, Reason, Verdict
from lab.fortigate.sessions import LIFETIMES, OTHER_LIFETIME, Session, Sessions, flow_key
from lab.network.kernel_firewall import ENDED

LISTING = ("cat", "/proc/net/nf_conntrack")
"""Tells more than conntrack(8) does: with `nf_conntrack_timestamp`, how old a connection is."""

_NUMBERS = {"tcp": TCP, "udp": UDP, "icmp": ICMP, "sctp": SCTP}
_FIELD = re.compile(r"([\w-]+)=(\S+)")

Command = Callable[[Sequence[str]], str]
"""Runs a command in the firewall's namespace and gives what it prints; nothing when it fails."""


class KernelSessions(Sessions):
    """Sessions that the kernel keeps. Counters are filled in by who reads the kernel's."""

    def __init__(self, command: Command) -> None:
        super().__init__()
        self._command = command

    def alive(self, now: float) -> list[Session]:
        return list(sessions(self._command(LISTING), now))

    def find(self, packet: Packet, now: float) -> Session | None:
        ways = {flow_key(packet), flow_key(packet.reply())}
        return next((session for session in self.alive(now) if flow_key(session.packet) in ways), None)

    def close(self, session: Session) -> None:
        self._command(forgetting(session.packet))

    def active(self, policy_id: int, now: float) -> int:
        return sum(session.verdict.policy_id == policy_id for session in self.alive(now))


def sessions(listing: str, now: float) -> Iterator[Session]:
    """From the kernel's list; connections that no policy let through, or that a change has ended, are left out."""
    for number, line in enumerate(listing.splitlines(), 1):
        words = line.split()
        fields = _FIELD.findall(line)
        mark = int(dict(fields).get("mark", 0))
        if len(words) < 5 or words[0] != "ipv4" or words[2] not in _NUMBERS or mark in (0, ENDED):
            continue
        values = {name: [value for one, value in fields if one == name] for name, _ in fields}
        yield _session(number, _NUMBERS[words[2]], int(words[4]), mark, values, now)


def _session(
    number: int, protocol: int, lifetime: float, policy: int, values: dict[str, list[str]], now: float
) -> Session:
    """Every value is there twice: of the first packet's way, and of the way back."""
    source, back = IPv4Address(values["src"][0]), IPv4Address(values["dst"][1])
    ports = (int(values.get(name, ["0"])[0]) for name in ("sport", "dport"))
    packets, octets = (list(map(int, values.get(name, ["0", "0"]))) for name in ("packets", "bytes"))
    return Session(
        number,
        Packet(source, IPv4Address(values["dst"][0]), protocol, *ports),
        Verdict("accept", Reason.POLICY, policy, translated_source=None if back == source else back),
        generation=0,
        begun=now - float(values.get("delta-time", ["0"])[0]),
        last=now + lifetime - LIFETIMES.get(protocol, OTHER_LIFETIME),
        sent_packets=packets[0],
        received_packets=packets[1],
        sent_bytes=octets[0],
        received_bytes=octets[1],
    )


def forgetting(packet: Packet) -> Sequence[str]:
    """The command that makes the kernel forget exactly this connection."""
    name = next(name for name, number in _NUMBERS.items() if number == packet.protocol)
    flow = ["-p", name, "-s", str(packet.source), "-d", str(packet.destination)]
    if packet.protocol != ICMP:
        flow += ["--sport", str(packet.source_port), "--dport", str(packet.destination_port)]
    return ["conntrack", "-D", *flow]
