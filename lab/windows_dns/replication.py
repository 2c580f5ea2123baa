"""Directory-integrated zones reach the other servers later; file-backed ones never do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .clock import Clock
from .state import Zone
from .zones import Change

if TYPE_CHECKING:
    from .server import Server


class Directory:
    """Several servers of one domain. `delay` is seconds from a write to its arrival: replication plus DNS polling."""

    def __init__(self, clock: Clock, delay: float = 0) -> None:
        self.clock, self.delay = clock, delay
        self.members: list[Server] = []
        self._pending: list[tuple[float, Server, str, Zone | None]] = []

    def join(self, server: Server) -> None:
        self.members.append(server)

    def publish(self, origin: Server, change: Change) -> None:
        """Queue what other servers have to learn from a change."""
        was = change.before is not None and change.before.ds_integrated
        now = change.after is not None and change.after.ds_integrated
        if not (was or now):
            return
        zone = change.after or change.before
        assert zone is not None
        due = self.clock.now() + self.delay
        for member in self.members:
            if member is not origin and member.settings.has_directory and _enlisted(member, zone):
                self._pending.append((due, member, zone.name, change.after if now else None))

    def deliver(self, member: Server) -> None:
        """Apply what is due for one server."""
        due = [each for each in self._pending if each[1] is member and each[0] <= self.clock.now()]
        self._pending = [each for each in self._pending if each not in due]
        for _, _, name, zone in due:
            if zone is None:
                member.zones.remove(name, replicated=True)
            else:
                member.zones.put(zone.model_copy(deep=True), replicated=True)

    def pending(self) -> list[tuple[float, str, str]]:
        """Seconds left, server, zone."""
        now = self.clock.now()
        return [(max(due - now, 0), member.settings.hostname, name) for due, member, name, _ in self._pending]


def _enlisted(member: Server, zone: Zone) -> bool:
    """Whether a server holds the partition of a zone: all hold the domain's own, some one that somebody made."""
    return zone.scope != "Custom" or zone.partition in member.settings.partitions
