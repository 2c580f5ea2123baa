"""One firewall: its configuration per VDOM, its links, its sessions; no network access of its own."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, Literal

from lab.fortigate import tables
from lab.fortigate.attributes import Key, Row
from lab.fortigate.clock import Clock
from lab.fortigate.configuration import SINGLE, Configuration
from lab.fortigate.errors import NotAllowed
from lab.fortigate.forwarding import Forwarding
from lab.fortigate.packets import TCP, Packet, Reason, Verdict
from lab.fortigate.profile import RELEASES, Profile
from lab.fortigate.routing import Links
from lab.fortigate.sessions import Session, Sessions
from lab.fortigate.table import Table, catalogue

State = dict[str, Any]
Action = Literal["create", "update", "delete", "move", "load", "link"]


@dataclass(frozen=True)
class Change:
    """What subscribers are told. After a load or a commit of many writes, `table` and `key` are empty."""

    vdom: str
    table: str
    key: Key
    action: Action


@dataclass(frozen=True)
class Unit:
    """One physical member of a cluster."""

    serial: str
    hostname: str
    priority: int = 128


class Device:
    """The firewall that a REST server, a packet network and tests share. Not thread-safe: one event loop."""

    def __init__(self, state: State | None = None, *, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self._listeners: list[Callable[[Change], None]] = []
        self._links: dict[str, Links] = {}
        self._forwarding: dict[str, Forwarding] = {}
        self._sessions: dict[str, Sessions] = {}
        self.generation = 0
        self.profile: Profile
        self.tables: dict[str, Table]
        self.shared: Configuration
        self.vdoms: dict[str, Configuration]
        self.units: list[Unit]
        self._adopt(state or {})

    @classmethod
    def from_json(cls, state: State, *, clock: Clock | None = None) -> Device:
        """A device in the given state. Raises `ValueError` saying which part of the state is wrong."""
        return cls(state, clock=clock)

    def load(self, state: State) -> None:
        """Replace everything by another state; on `ValueError` the old one stays."""
        self._adopt(state)
        self._changed(Change("", "", SINGLE, "load"))

    def to_json(self) -> State:
        """The state from which `from_json` makes an equal device. It contains the tokens."""
        shared = copy.deepcopy(self.shared.dump())
        profiles = shared.pop("system/accprofile", [])
        users = shared.pop("system/api-user", [])
        shared.pop("system/vdom", None)
        state: State = {
            "version": self.profile.release,
            "build": self.build,
            "serial": self.unit.serial,
            "hostname": self.hostname,
            "api_users": [_user_to_json(row) for row in users],
            "accprofiles": profiles,
            "vdoms": {name: copy.deepcopy(vdom.dump()) for name, vdom in self.vdoms.items()},
        }
        if shared:
            state["global"] = shared
        if len(self.units) > 1:
            state["units"] = [vars(unit) for unit in self.units]
        return state

    # Identity

    @property
    def unit(self) -> Unit:
        """The cluster member that is primary now."""
        return self.units[0]

    @property
    def hostname(self) -> str:
        return str(self.shared.rows("system/global")[SINGLE].get("hostname") or self.unit.hostname)

    @property
    def management_vdom(self) -> str:
        return "root" if "root" in self.vdoms else next(iter(self.vdoms))

    def failover(self) -> None:
        """Make the next cluster member primary: another serial, the same configuration and tokens."""
        if len(self.units) < 2:
            raise NotAllowed("a single unit cannot fail over: give the state several `units`")
        self.units = [*self.units[1:], self.units[0]]

    # Reading

    def configuration(self, vdom: str, table: str) -> Configuration:
        """Where a table of that name is kept: in the VDOM or, for global tables, the device."""
        return self.shared if self.tables[table].global_scope else self.vdoms[vdom]

    def rows(self, table: str, vdom: str = "root") -> list[Row]:
        """The rows of a table as a REST read returns them (defaults filled in), in table order."""
        definition = self.tables[table]
        return [definition.render(row) for row in self.configuration(vdom, table).rows(table).values()]

    # Writing

    def create(self, table: str, body: Row, vdom: str = "root") -> Key:
        key = self.configuration(vdom, table).create(table, body)
        self._changed(Change(vdom, table, key, "create"))
        return key

    def update(self, table: str, key: Key, body: Row, vdom: str = "root") -> bool:
        changed = self.configuration(vdom, table).update(table, key, body)
        if changed:
            self._changed(Change(vdom, table, key, "update"))
        return changed

    def delete(self, table: str, key: Key, vdom: str = "root") -> None:
        self.configuration(vdom, table).delete(table, key)
        self._changed(Change(vdom, table, key, "delete"))

    def move(self, table: str, key: Key, neighbour: Key, *, after: bool, vdom: str = "root") -> bool:
        moved = self.configuration(vdom, table).move(table, key, neighbour, after=after)
        if moved:
            self._changed(Change(vdom, table, key, "move"))
        return moved

    def restore(self, table: str, key: Key, row: Row | None, position: int, vdom: str = "root") -> None:
        """Put a row back to an earlier state, unchecked, as a device does that forgets a write."""
        self.configuration(vdom, table).restore(table, key, row, position)
        self._changed(Change(vdom, table, key, "delete" if row is None else "update"))

    def replace(self, vdom: str, configuration: Configuration) -> None:
        """Put a configuration made elsewhere (a committed transaction) in the place of a VDOM's."""
        self.vdoms[vdom] = configuration
        self._changed(Change(vdom, "", SINGLE, "load"))

    @contextmanager
    def nothing_lasts(self) -> Iterator[None]:
        """Within this context writes seem to succeed; at its end they never happened."""
        vdoms, shared, listeners = self.vdoms, self.shared, self._listeners
        self.vdoms = {name: vdom.copy() for name, vdom in vdoms.items()}
        self.shared, self._listeners = shared.copy(), []
        try:
            yield
        finally:
            self.vdoms, self.shared, self._listeners = vdoms, shared, listeners
            self._forwarding.clear()

    def subscribe(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` after each effective change of configuration or links; returns the way to stop that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # Links

    def links(self, vdom: str = "root") -> Links:
        return self._links.get(vdom, Links())

    def set_link(self, interface: str, *, up: bool, vdom: str = "root") -> None:
        """Plug or unplug the cable of an interface; its administrative status stays."""
        old = self.links(vdom)
        self._set_links(vdom, Links(_with(old.down, interface, not up), old.failed_monitors), interface)

    def set_link_monitor(self, name: str, *, alive: bool, vdom: str = "root") -> None:
        """Let the probes of a link monitor succeed or fail."""
        old = self.links(vdom)
        self._set_links(vdom, Links(old.down, _with(old.failed_monitors, name, not alive)), name)

    # Packets

    def forwarding(self, vdom: str = "root") -> Forwarding:
        """The compiled packet evaluation; kept until the configuration or a link changes."""
        if vdom not in self._forwarding:
            contents = self.vdoms[vdom].contents
            rows = {name: list(item.rows.values()) for name, item in contents.items()}
            self._forwarding[vdom] = Forwarding(rows, self.links(vdom))
        return self._forwarding[vdom]

    def sessions(self, vdom: str = "root") -> Sessions:
        return self._sessions.setdefault(vdom, Sessions())

    def evaluate(self, packet: Packet, ingress: str | None = None, vdom: str = "root") -> Verdict:
        """What would happen to the first packet of a flow; nothing is counted or remembered."""
        return self.forwarding(vdom).evaluate(packet, ingress, self.clock.local_time())

    def forward(
        self,
        packet: Packet,
        ingress: str | None = None,
        *,
        opens: bool = True,
        size: int = 64,
        vdom: str = "root",
    ) -> Verdict:
        """What happens to a packet, sessions considered; it is counted.

        `opens` is whether the packet may begin a flow: false for a TCP segment that is not the first
        SYN. A session is judged again after every change of the configuration.
        """
        now = self.clock.now()
        session = self.sessions(vdom).find(packet, now)
        if session is not None and session.generation != self.generation:
            again = self.evaluate(session.packet, session.verdict.ingress, vdom)
            if again.accepted:
                session.generation = self.generation
            else:
                self.sessions(vdom).close(session)
                session = None
        if session is not None:
            verdict = self._within(session, packet, ingress, vdom)
        elif packet.protocol == TCP and not opens:
            verdict = Verdict("deny", Reason.NO_SESSION, ingress=ingress or "")
        else:
            verdict = self.evaluate(packet, ingress, vdom)
        self.saw(packet, verdict, size=size, vdom=vdom)
        return verdict

    def saw(self, packet: Packet, verdict: Verdict, *, size: int = 64, vdom: str = "root") -> None:
        """Take a packet of `size` bytes into the sessions and hit counters."""
        self.sessions(vdom).saw(packet, verdict, size, self.generation, self.clock.now())

    def _within(self, session: Session, packet: Packet, ingress: str | None, vdom: str) -> Verdict:
        policy = session.verdict.policy_id
        forth = packet.destination == session.packet.destination
        entry = session.verdict.ingress if forth else None
        hop = self._kept_hop(session, packet, vdom) or self.forwarding(vdom).next_hop(packet, entry)
        if hop is None:
            return Verdict("no-route", Reason.NO_ROUTE, policy, ingress or "")
        return Verdict("accept", Reason.SESSION, policy, ingress or "", *hop)

    def _kept_hop(self, session: Session, packet: Packet, vdom: str) -> tuple[str, IPv4Address] | None:
        """Where a flow went in the beginning, if its interface keeps flows there when routes change."""
        first = session.verdict
        row = self.vdoms[vdom].get("system/interface", first.egress) or {}
        kept = row.get("preserve-session-route") == "enable" and first.egress not in self.links(vdom).down
        forth = packet.destination == session.packet.destination
        return (first.egress, first.next_hop) if kept and forth and first.next_hop is not None else None

    # Inside

    def _adopt(self, state: State) -> None:
        release = state.get("version", RELEASES["7.4"][0])
        profile = Profile(release)
        known = catalogue(tables.ALL, profile.version)
        shared = _shared(state, known, profile)
        vdoms = {}
        for name, contents in (state.get("vdoms") or {"root": {}}).items():
            vdoms[name] = Configuration(_scope(known, False), uuid.uuid4().hex, profile.missing_reference)
            try:
                vdoms[name].load(contents)
            except ValueError as error:
                raise ValueError(f"vdoms.{name}: {error}") from error
        self.profile, self.tables, self.shared, self.vdoms = profile, known, shared, vdoms
        self.build = state.get("build", dict(RELEASES.values()).get(release, 0))
        serial, hostname = state.get("serial", "FGVMEV0000000001"), state.get("hostname", "fortigate")
        self.units = [Unit(**unit) for unit in state.get("units", ())] or [Unit(serial, hostname)]
        self._links.clear()
        self._sessions.clear()
        self._forwarding.clear()

    def _set_links(self, vdom: str, links: Links, name: str) -> None:
        if links != self.links(vdom):
            self._links[vdom] = links
            self._changed(Change(vdom, "", name, "link"))

    def _changed(self, change: Change) -> None:
        self.generation += 1
        self._forwarding.clear()
        for listener in list(self._listeners):
            listener(change)


def _with(names: frozenset[str], name: str, present: bool) -> frozenset[str]:
    return names | {name} if present else names - {name}


def _scope(known: dict[str, Table], global_scope: bool) -> dict[str, Table]:
    return {name: table for name, table in known.items() if table.global_scope is global_scope}


def _shared(state: State, known: dict[str, Table], profile: Profile) -> Configuration:
    shared = Configuration(_scope(known, True), uuid.uuid4().hex, profile.missing_reference)
    settings = {"system/global": [{}]} | state.get("global", {})
    settings["system/global"] = [{"hostname": state.get("hostname", "fortigate")} | settings["system/global"][0]]
    settings["system/vdom"] = [{"name": name} for name in state.get("vdoms") or {"root": {}}]
    settings["system/accprofile"] = state.get("accprofiles", [])
    settings["system/api-user"] = [_user_from_json(user) for user in state.get("api_users", ())]
    shared.load(settings)
    return shared


def _user_from_json(user: State) -> Row:
    trusted = [
        {"id": index, "ipv4-trusthost": value} if ":" not in value
        else {"id": index, "type": "ipv6-trusthost", "ipv6-trusthost": value}
        for index, value in enumerate(user.get("trusthost", ()), 1)
    ]  # fmt: skip
    return {
        "name": user["name"],
        "api-key": user.get("token", ""),
        "accprofile": user.get("accprofile", ""),
        "vdom": [{"name": name} for name in user.get("vdom", ())],
        "trusthost": trusted,
    }


def _user_to_json(row: Row) -> State:
    return {
        "name": row["name"],
        "token": row.get("api-key", ""),
        "accprofile": row.get("accprofile", ""),
        "vdom": [member["name"] for member in row.get("vdom", ())],
        "trusthost": [_trusted(item) for item in row.get("trusthost", ())],
    }


def _trusted(item: Row) -> str:
    if item.get("type") == "ipv6-trusthost":
        return str(item["ipv6-trusthost"])
    address, mask = item.get("ipv4-trusthost", "0.0.0.0 0.0.0.0").split()
    return f"{address}/{bin(int.from_bytes(bytes(map(int, mask.split('.'))))).count('1')}"
