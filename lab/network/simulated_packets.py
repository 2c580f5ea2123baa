"""What travels in the simulated network, and the record of a journey."""

from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import IPv4Address
from typing import Any, Protocol

from lab.fortigate.packets import ICMP, TCP, UDP, Packet, Verdict

PROTOCOLS = {TCP: "tcp", UDP: "udp", ICMP: "icmp"}


class Signal(StrEnum):
    """The part of a TCP connection's life a packet stands for; `DATAGRAM` for everything that is not TCP."""

    SYN = "SYN"
    SYN_ACK = "SYN-ACK"
    ACK = "ACK"
    DATA = "DATA"
    RST = "RST"
    DATAGRAM = "datagram"


class Fate(StrEnum):
    """How a journey ends, as the wire shows it to the sender."""

    ARRIVED = "arrived"
    DROPPED = "dropped"
    """Silently: the sender hears nothing."""
    REFUSED = "refused"
    """ICMP port unreachable, or the destination's RST."""
    HOST_UNREACHABLE = "host unreachable"
    NET_UNREACHABLE = "net unreachable"


@dataclass(frozen=True, slots=True)
class Hop:
    """One station of a journey: what it was given and what it did."""

    station: str
    packet: Packet
    action: str

    def as_json(self) -> dict[str, Any]:
        return {"station": self.station, "packet": describe(self.packet), "action": self.action}


@dataclass(frozen=True, slots=True)
class Journey:
    """One packet from its sender to its end. `station` and `packet` are where and as what it arrived or stopped."""

    flow: int
    signal: Signal
    hops: tuple[Hop, ...]
    fate: Fate
    station: str
    packet: Packet
    delay: float = 0.0
    """Seconds until the sender hears of it: address resolution takes its time to fail."""

    @property
    def arrived(self) -> bool:
        return self.fate is Fate.ARRIVED

    def as_json(self) -> dict[str, Any]:
        """For pages and logs: plain values only."""
        return {
            "flow": self.flow,
            "signal": str(self.signal),
            "fate": str(self.fate),
            "station": self.station,
            "hops": [hop.as_json() for hop in self.hops],
        }


class Firewall(Protocol):
    """The firewall in the middle; `lab.fortigate.device.Device` is one."""

    def forward(self, packet: Packet, ingress: str | None = None, *, opens: bool = True, size: int = 64) -> Verdict:
        """Judge a packet, count it, and remember the flow. `opens`: whether it may begin one."""
        ...


def describe(packet: Packet) -> str:
    """``tcp 172.16.0.10:40001 -> 10.68.0.50:6379``."""
    protocol = PROTOCOLS.get(packet.protocol, str(packet.protocol))
    if packet.protocol == ICMP:
        return f"{protocol} {packet.source} -> {packet.destination}"
    source = f"{packet.source}:{packet.source_port}"
    return f"{protocol} {source} -> {packet.destination}:{packet.destination_port}"


def to_destination(packet: Packet, address: IPv4Address, port: int) -> Packet:
    """The packet after destination NAT."""
    return replace(packet, destination=address, destination_port=port)


def from_source(packet: Packet, address: IPv4Address) -> Packet:
    """The packet after source NAT; ports stay, they are unique in this network."""
    return replace(packet, source=address)
