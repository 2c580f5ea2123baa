"""What firewall services stand for, as far as it matters whether two of them have packets in common. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from backends.fortigate.wire import ServiceRow
from bot.model.wording import tr

_ANY_PORT = (0, 65535)
_NAMES = {1: "icmp", 6: "tcp", 17: "udp", 132: "sctp"}
Part = tuple[str | None, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Traffic:
    """IP protocols and destination ports of packets; the protocol None means every one."""

    parts: frozenset[Part]

    @property
    def everything(self) -> bool:
        return any(protocol is None for protocol, _ in self.parts)

    @classmethod
    def of(cls, row: ServiceRow) -> Self | None:
        """None for what is more than protocols and ports. Source ports are left out: that only widens it."""
        try:
            return cls(frozenset(_parts(row)))
        except ValueError:
            return None


def overlaps(one: Traffic | None, other: Traffic | None) -> bool:
    """Whether some packet may belong to both; yes when one of them is not known."""
    if one is None or other is None:
        return True
    return any(
        (protocol is None or other_protocol is None or protocol == other_protocol)
        and low <= other_high
        and other_low <= high
        for protocol, (low, high) in one.parts
        for other_protocol, (other_low, other_high) in other.parts
    )


def _parts(row: ServiceRow) -> Iterator[Part]:
    match row.protocol:
        case "IP":
            number = row.protocol_number
            yield (_NAMES.get(number, str(number)) if number else None), _ANY_PORT
        case "ICMP":
            yield "icmp", _ANY_PORT
        case "TCP/UDP/SCTP" | "TCP/UDP/UDP-Lite/SCTP":  # as 7.6 calls it; nothing of ours speaks UDP-Lite
            ranges = {"tcp": row.tcp_portrange, "udp": row.udp_portrange, "sctp": row.sctp_portrange}
            for protocol, text in ranges.items():
                for item in text.split():
                    yield protocol, _ports(item)
        case _:
            raise ValueError(tr("{protocol} is not of the kind that has ports", protocol=row.protocol))


def _ports(item: str) -> tuple[int, int]:
    """`80`, `80-90` or `80-90:1024-65535`, where the second range is that of the sources. Raises ValueError."""
    low, _, high = item.partition(":")[0].partition("-")
    return int(low), int(high or low)
