"""A packet on its way through the firewall, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address
from typing import Literal

ICMP, TCP, UDP, SCTP = 1, 6, 17, 132


@dataclass(frozen=True, slots=True)
class Packet:
    """The header fields that decide; ports are 0 where the protocol has none."""

    source: IPv4Address
    destination: IPv4Address
    protocol: int = TCP
    source_port: int = 0
    destination_port: int = 0
    icmp_type: int | None = None
    icmp_code: int | None = None

    def reply(self) -> Packet:
        """The packet that an answer to this one would be."""
        return Packet(
            self.destination,
            self.source,
            self.protocol,
            self.destination_port,
            self.source_port,
            icmp_type=0 if self.icmp_type == 8 else self.icmp_type,
            icmp_code=self.icmp_code,
        )


class Reason(StrEnum):
    """Why a verdict is what it is."""

    POLICY = "policy"
    IMPLICIT_DENY = "implicit deny"
    INTRAZONE = "traffic inside a zone is allowed"
    SESSION = "belongs to a known session"
    NO_SESSION = "in the middle of a connection that the firewall never saw begin"
    LOCAL = "addressed to the firewall itself"
    LOCAL_REFUSED = "addressed to the firewall itself, access not allowed on this interface"
    NO_ROUTE = "no route to the destination"
    BLACKHOLE = "blackhole route"
    NO_SOURCE_ROUTE = "no route back to the source"
    REVERSE_PATH = "no route back to the source through the interface it came in by"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happens to a packet.

    `policy_id` is 0 for the implicit deny and None where no policy was consulted. `egress` is empty
    when the packet stays (local) or has no way out. `next_hop` is the destination itself on a
    connected network. `translated_source` is the new source address of a policy with NAT.
    """

    action: Literal["accept", "deny", "no-route"]
    reason: Reason
    policy_id: int | None = None
    ingress: str = ""
    egress: str = ""
    next_hop: IPv4Address | None = None
    translated_source: IPv4Address | None = None

    @property
    def accepted(self) -> bool:
        return self.action == "accept"
