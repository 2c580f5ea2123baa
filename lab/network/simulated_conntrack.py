"""Connection tracking as Linux does it, as far as it decides about packets: states and remembered translations."""

from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum

from lab.fortigate.packets import TCP, Packet
from lab.network.simulated_packets import Signal

_LIMIT = 8192
"""Flows remembered by one station; the oldest are forgotten first."""


class State(StrEnum):
    NEW = "NEW"
    ESTABLISHED = "ESTABLISHED"
    INVALID = "INVALID"


@dataclass(slots=True)
class Entry:
    """A flow: its first packet as it came, and as it left."""

    original: Packet
    translated: Packet
    replied: bool
    ingress: str = ""
    """The interface it began on, where that matters."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """What is known of a packet. `packet` has the flow's translation applied."""

    state: State
    packet: Packet
    reply: bool = False


class Conntrack:
    """One station's table.

    `loose`: whether a connection may be picked up in the middle (``nf_conntrack_tcp_loose``). An ACK after a SYN
    whose SYN-ACK was never seen here is INVALID, whatever `loose` says.
    """

    def __init__(self, *, loose: bool) -> None:
        self.loose = loose
        self._originals: OrderedDict[Packet, Entry] = OrderedDict()
        self._replies: dict[Packet, Entry] = {}

    def track(self, packet: Packet, signal: Signal) -> Tracked:
        """Classify a packet and translate it if its flow is known."""
        entry = self._originals.get(packet)
        if entry is not None:
            if packet.protocol == TCP and not entry.replied and signal is not Signal.SYN:
                return Tracked(State.INVALID, packet)
            return Tracked(State.ESTABLISHED if entry.replied else State.NEW, entry.translated)
        entry = self._replies.get(packet)
        if entry is not None:
            entry.replied = True
            return Tracked(State.ESTABLISHED, entry.original.reply(), reply=True)
        opens = packet.protocol != TCP or signal is Signal.SYN
        picked_up = self.loose and signal in (Signal.ACK, Signal.DATA)
        return Tracked(State.NEW if opens or picked_up else State.INVALID, packet)

    def knows(self, packet: Packet) -> bool:
        """Whether a packet belongs to a flow of either direction."""
        return packet in self._originals or packet in self._replies

    def ingress(self, packet: Packet) -> str:
        """The interface on which the flow of a client's packet began; empty when it is not known."""
        entry = self._originals.get(packet)
        return entry.ingress if entry else ""

    def remember(self, original: Packet, translated: Packet, signal: Signal, ingress: str = "") -> None:
        """Begin a flow; one picked up in the middle counts as established at once."""
        entry = Entry(original, translated, signal in (Signal.ACK, Signal.DATA), ingress)
        self._originals[original] = entry
        self._replies[translated.reply()] = entry
        if len(self._originals) > _LIMIT:
            _, oldest = self._originals.popitem(last=False)
            self._replies.pop(oldest.translated.reply(), None)

    def clear(self) -> None:
        """Forget everything, as a reboot does."""
        self._originals.clear()
        self._replies.clear()
