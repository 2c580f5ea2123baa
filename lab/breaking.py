"""Things to break in the small company, and to mend again: the switches beside the chat, and what the tour does."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from lab.fortigate.server import Server as FortiGate
from lab.network.simulated import SimulatedNetwork
from lab.slack.core import Slack
from lab.slack.faults import Fault as SlackFault
from lab.topology import ARTICLE
from lab.windows_dns import Server as Windows
from lab.windows_dns.state import Zone

ROUTES, POLICIES = "router/static", "firewall/policy"
QUARANTINE = {
    "policyid": 50,
    "name": "quarantine",
    "srcintf": [{"name": "internal"}],
    "dstintf": [{"name": "Test"}],
    "srcaddr": [{"name": "all"}],
    "dstaddr": [{"name": "all"}],
    "action": "deny",
    "schedule": "always",
    "service": [{"name": "ALL"}],
}
OTHER_NODE = "172.16.1.107"
STALE = "redis-abc-gns.default.svc.cluster.local."
ROOT_SOA = "a.root-servers.net. nstld.verisign-grs.com. 2024010100 1800 900 604800 86400"
FOR_EVER = 10**9


class Process(Protocol):
    """The bot's process."""

    @property
    def alive(self) -> bool: ...

    async def start(self) -> None: ...

    async def kill(self) -> None: ...


@dataclass(frozen=True)
class Switch:
    """Something to break (True) and mend again; `broken` looks at the thing itself."""

    label: str
    broken: Callable[[], bool]
    turn: Callable[[bool], Awaitable[None]]


class Breaking:
    """Every switch by its id. The bot and the workspace come later than the rest: see `bot` and `slack`."""

    def __init__(self, firewall: FortiGate, windows: Windows, network: SimulatedNetwork) -> None:
        self.bot: Process | None = None
        self.slack: Slack | None = None
        self._firewall, self._windows, self._network = firewall, windows, network
        self._dead: set[str] = set()
        self._dropped: list[Zone] = []
        self._edited: dict[int, str] = {}
        self._left_stale = False

    def switches(self) -> dict[str, Switch]:
        """By id, in the order in which packets meet them."""
        gateway = ARTICLE.gateway_node
        found = {
            "gateway": Switch(f"Kill the gateway {gateway}", lambda: gateway in self._dead, self.gateway),
            "forwarding": Switch("Turn off ip_forward on the gateway", self._not_forwarding, self.forwarding),
            "forwarder": Switch("Drop the forwarder on dc1", self._forwarder_dropped, self.forwarder),
            "cache": Switch("Leave a stale answer in dc1's cache", self._stale, self.cache),
            "dns": Switch("Stop the DNS service on dc1", self._dns_stopped, self.dns),
            "winrm": Switch("Let WinRM hang on dc1", lambda: bool(self._windows.faults.rules), self.winrm),
            "deny": Switch("Put a deny policy on top", self._quarantined, self.deny),
            "edit": Switch("Somebody edits a route by hand", self._hand_edited, self.edit),
            "fortigate": Switch("Let the firewall answer 500", self._answers_500, self.fortigate),
        }
        if self.slack is not None:
            found["slack"] = Switch("Slack is down", self._slack_down, self.slack_down)
        if self.bot is not None:
            found["bot"] = Switch("Kill the bot (off: start it again)", self._bot_dead, self.kill_bot)
        return found

    async def gateway(self, on: bool) -> None:
        node = ARTICLE.gateway_node
        if on:
            self._network.kill_node(node)
            self._dead.add(node)
        else:
            self._network.revive_node(node)
            self._dead.discard(node)

    def dead(self, node: str) -> bool:
        """Whether that machine is switched off."""
        return node in self._dead

    async def forwarding(self, on: bool) -> None:
        self._network.node(ARTICLE.gateway_node).ip_forward = not on

    def _not_forwarding(self) -> bool:
        return not self._network.node(ARTICLE.gateway_node).ip_forward

    async def forwarder(self, on: bool) -> None:
        """Conditional forwarders vanish; mending puts back those that nobody has made anew meanwhile."""
        zones = self._windows.zones
        if on:
            self._dropped = [zone for zone in zones if zone.type == "Forwarder"]
            for zone in self._dropped:
                zones.remove(zone.name)
            return
        for zone in self._missing():
            zones.put(zone)
        self._dropped = []

    def _missing(self) -> list[Zone]:
        there = {zone.name for zone in self._windows.zones}
        return [zone for zone in self._dropped if zone.name not in there]

    def _forwarder_dropped(self) -> bool:
        return bool(self._missing())

    async def cache(self, on: bool) -> None:
        """Somebody asked before there was a forwarder, and dc1 remembers the root's no."""
        self._left_stale = on
        self._windows.cache.clear()
        if on:
            soa = dns.rrset.from_text(".", 900, "IN", "SOA", ROOT_SOA)
            name = dns.name.from_text(STALE)
            self._windows.cache.put_negative(name, dns.rdatatype.A, dns.rcode.NXDOMAIN, soa)

    def _stale(self) -> bool:
        """While there is no forwarder, the root's no is no stale answer but the right one."""
        return self._left_stale and any(
            name == STALE and kind == "NXDOMAIN" for name, kind, _, _ in self._windows.cache.view()
        )

    async def dns(self, on: bool) -> None:
        self._windows.settings.dns_service = "stopped" if on else "running"

    def _dns_stopped(self) -> bool:
        return self._windows.settings.dns_service != "running"

    async def winrm(self, on: bool) -> None:
        if on:
            self._windows.faults.add("hang_before", count=FOR_EVER)
        else:
            self._windows.faults.clear()

    async def deny(self, on: bool) -> None:
        device, number = self._firewall.device, QUARANTINE["policyid"]
        there = number in self._order()
        if not on and there:
            device.delete(POLICIES, number)
        elif on and not there:
            device.create(POLICIES, QUARANTINE)
        if on and not self._quarantined():
            device.move(POLICIES, number, self._order()[0], after=False)

    def _quarantined(self) -> bool:
        """On top it denies; below ours, where an exposure may have moved it, it does no harm."""
        return self._order()[:1] == [QUARANTINE["policyid"]]

    def _order(self) -> list[Any]:
        return [row["policyid"] for row in self._firewall.device.rows(POLICIES)]

    async def edit(self, on: bool) -> None:
        """The routes to the cluster point elsewhere, as if a colleague had tried something and forgotten it."""
        device = self._firewall.device
        if on:
            self._edited = {row["seq-num"]: row["gateway"] for row in self._routes() if row["gateway"] != OTHER_NODE}
            for number in self._edited:
                device.update(ROUTES, number, {"gateway": OTHER_NODE})
            return
        for row in self._routes():
            if row["seq-num"] in self._edited and row["gateway"] == OTHER_NODE:
                device.update(ROUTES, row["seq-num"], {"gateway": self._edited[row["seq-num"]]})
        self._edited = {}

    def _routes(self) -> list[dict[str, Any]]:
        return [row for row in self._firewall.device.rows(ROUTES) if row["device"] == "Test"]

    def _hand_edited(self) -> bool:
        return any(row["seq-num"] in self._edited and row["gateway"] == OTHER_NODE for row in self._routes())

    async def fortigate(self, on: bool) -> None:
        if on:
            self._firewall.faults.arm("status", count=None, options={"code": 500})
        else:
            self._firewall.faults.clear()

    def _answers_500(self) -> bool:
        return bool(self._firewall.faults.armed)

    async def slack_down(self, on: bool) -> None:
        """No call is answered, no connection stays; the page itself goes on."""
        assert self.slack is not None
        if not on:
            self.slack.faults.clear()
            return
        self.slack.faults.add(SlackFault(where="api", kind="status", status=503, times=0))
        self.slack.faults.add(SlackFault(where="handshake", status=503, times=0))
        for connection in list(self.slack.sockets.connections):
            await self.slack.sockets.disturb(connection, "reset")

    def _slack_down(self) -> bool:
        return self.slack is not None and bool(self.slack.faults.waiting)

    async def kill_bot(self, on: bool) -> None:
        assert self.bot is not None
        if on:
            await self.bot.kill()
        elif not self.bot.alive:
            await self.bot.start()

    def _bot_dead(self) -> bool:
        return self.bot is not None and not self.bot.alive
