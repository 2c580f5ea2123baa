"""Flows that passed the firewall, and what each policy has seen."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from lab.fortigate.packets import ICMP, TCP, UDP, Packet, Verdict

LIFETIMES = {TCP: 3600.0, UDP: 180.0, ICMP: 60.0}
"""Seconds after its last packet that a session is forgotten, by protocol."""
OTHER_LIFETIME = 600.0

FlowKey = tuple[int, IPv4Address, int, IPv4Address, int]


@dataclass
class Session:
    """One flow in both directions; times in seconds since 1970. `generation` is that of the configuration."""

    number: int
    packet: Packet
    verdict: Verdict
    generation: int
    begun: float
    last: float
    sent_bytes: int = 0
    sent_packets: int = 0
    received_bytes: int = 0
    received_packets: int = 0

    @property
    def expires(self) -> float:
        return self.last + LIFETIMES.get(self.packet.protocol, OTHER_LIFETIME)


@dataclass
class Counter:
    """What one policy has seen since the start or the last reset."""

    hit_count: int = 0
    packets: int = 0
    bytes: int = 0
    first_used: int = 0
    last_used: int = 0


def flow_key(packet: Packet) -> FlowKey:
    return (
        packet.protocol,
        packet.source,
        packet.source_port,
        packet.destination,
        packet.destination_port,
    )


class Sessions:
    """The session table and the policies' counters of one VDOM."""

    def __init__(self) -> None:
        self._sessions: dict[FlowKey, Session] = {}
        self._started = 0
        self.counters: dict[int, Counter] = {}

    def alive(self, now: float) -> list[Session]:
        """All unexpired sessions, the oldest first; expired ones are forgotten."""
        self._sessions = {key: s for key, s in self._sessions.items() if s.expires > now}
        return list(self._sessions.values())

    def find(self, packet: Packet, now: float) -> Session | None:
        """The session that a packet of either direction belongs to."""
        session = self._sessions.get(flow_key(packet)) or self._sessions.get(flow_key(packet.reply()))
        if session is not None and session.expires <= now:
            self.close(session)
            return None
        return session

    def close(self, session: Session) -> None:
        self._sessions.pop(flow_key(session.packet), None)

    def saw(self, packet: Packet, verdict: Verdict, size: int, generation: int, now: float) -> None:
        """Count a packet: on its session, or as the first of a new one if it was accepted."""
        session = self.find(packet, now)
        if session is None:
            if verdict.policy_id is not None:
                self._hit(verdict.policy_id, now)
            if verdict.accepted and verdict.policy_id is not None:
                self._started += 1
                session = Session(self._started, packet, verdict, generation, now, now)
                self._sessions[flow_key(packet)] = session
        if session is not None:
            session.last = now
            if flow_key(packet) == flow_key(session.packet):
                session.sent_packets += 1
                session.sent_bytes += size
            else:
                session.received_packets += 1
                session.received_bytes += size
        policy_id = session.verdict.policy_id if session else verdict.policy_id
        if policy_id is not None:
            self._count(policy_id, size, now)

    def active(self, policy_id: int, now: float) -> int:
        """How many sessions a policy has open."""
        return sum(1 for s in self._sessions.values() if s.verdict.policy_id == policy_id and s.expires > now)

    def reset(self, policy_ids: list[int] | None = None) -> None:
        """Forget the counters of some policies, or of all."""
        for policy_id in list(self.counters) if policy_ids is None else policy_ids:
            self.counters.pop(policy_id, None)

    def _hit(self, policy_id: int, now: float) -> None:
        counter = self.counters.setdefault(policy_id, Counter(first_used=int(now)))
        counter.hit_count += 1

    def _count(self, policy_id: int, size: int, now: float) -> None:
        counter = self.counters.setdefault(policy_id, Counter(first_used=int(now)))
        counter.packets += 1
        counter.bytes += size
        counter.last_used = int(now)
