"""Faults of the kernel network: real rules, routes, cables and sockets."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from lab.cluster.listener import Handle
from lab.cluster.model import SERVICES, SLICES, Cluster
from lab.corpus import kernel_overlay
from lab.corpus.ground import NodeFault, Socket
from lab.corpus.kernel_servers import KernelServers
from lab.network.kernel import KernelNetwork
from lab.network.kernel_layout import FIREWALL, UPLINK
from lab.topology import BOT, Node
from lab.windows_dns import Running as RunningDns

_NO_ROUTER = "172.16.1.253"
_POLICY_TABLE = "network_policy"
_DNS_PORT = 53
_REVERSE_PATH = "net.ipv4.conf.all.rp_filter"

Undo = Callable[[], Awaitable[None]]


@dataclass
class KernelGround:
    """What it breaks is mended by `mend`, so that the same namespaces serve the next office."""

    net: KernelNetwork
    cluster: Cluster
    servers: KernelServers
    dns: RunningDns
    _undo: list[Undo] = field(default_factory=list)
    _overlaid: bool = False
    _still: bool = False
    """Whether kube-proxy has stopped following the API, on every node at once."""

    async def break_node(self, node: str, fault: NodeFault) -> None:
        if fault in _RULES:
            await self.net.change_node(node, **_RULES[fault])
            self._undo.append(lambda: self.net.restore(node))
        elif fault == "forwards nothing":
            await self.net.ip_forward(node, False)
            self._undo.append(lambda: self.net.ip_forward(node, True))
        elif fault == "service rules stand still":
            self._still = True
        elif fault == "kube-proxy hangs":
            self.servers.hung.add(node)
        elif fault == "no CNI routes":
            others = [one for one in self.net.topology.nodes if one.name != node]
            await self._routes(node, "del", others)
            self._undo.append(lambda: self._routes(node, "replace", others))
        elif fault == "other router":
            segment = self.net.topology.segment_of(self.net.topology.host(node).address)
            assert segment is not None
            await self._default_route(node, _NO_ROUTER)
            self._undo.append(lambda: self._default_route(node, str(segment.gateway)))
        else:
            await self._strict_reverse_path(node)

    async def kill_node(self, node: str) -> None:
        self.cluster.kill_node(node)
        await self._unplug(node)

    async def freeze_node(self, node: str) -> None:
        self.cluster.freeze_lease(node)
        await self.net.change_node(node, frozen=True)
        self._undo.append(lambda: self.net.restore(node))

    async def instead(self, programs: Collection[Socket], talk: Handle | None) -> None:
        for address, port in programs:
            await self.servers.replace(address, port, talk)

    async def police(self, pods: Collection[IPv4Address]) -> None:
        for node in self.net.topology.nodes:
            mine = ", ".join(sorted(str(pod) for pod in pods if pod in node.pod_cidr))
            if mine:
                rule = f"iifname {UPLINK} ip daddr {{ {mine} }} drop"
                chain = f"chain forward {{\ntype filter hook forward priority filter;\n{rule}\n}}"
                await self._nft(node.name, f"table ip {_POLICY_TABLE} {{\n{chain}\n}}")
                self._undo.append(self._without_policy(node.name))

    async def stop_dns_server(self) -> None:
        await self.dns.stop_dns()

    async def stop_coredns(self) -> None:
        await self.servers.stop_all(_DNS_PORT)

    async def cut_bot(self) -> None:
        await self._unplug(BOT)

    async def settle(self) -> None:
        if self._still:
            return
        store = self.cluster.store
        await self.net.program_services(list(store.objects(SERVICES)), list(store.objects(SLICES)))

    async def mend(self) -> None:
        """Undo everything, last first, and forget what machines remember of each other."""
        for segment in self.net.topology.segments:  # a cable has a carrier only when both of its ends are up
            await self._ip(FIREWALL, "link", "set", segment.interface, "up")
        while self._undo:
            await self._undo.pop()()
        machines = (FIREWALL, *(one.name for one in self.net.topology.machines()))
        for machine in machines:
            await self.net.run(machine, ["ip", "neigh", "flush", "all"])

    # -- how it is done

    async def _unplug(self, machine: str) -> None:
        await self.net.set_link(machine, up=False)
        self._undo.append(lambda: self.net.set_link(machine, up=True))

    async def _strict_reverse_path(self, node: str) -> None:
        """Harmless with host-gw, where the office's packets come in by the interface that answers leave by; so the
        nodes get an overlay first."""
        if not self._overlaid:
            self._overlaid = True
            for one in self.net.topology.nodes:
                await self._batch(one.name, "ip", kernel_overlay.ip_commands(self.net.topology, one))
                await self._batch(one.name, "bridge", kernel_overlay.bridge_commands(self.net.topology, one))
                self._undo.append(self._without_overlay(one))
        await self.net.sandbox.sysctl(node, {_REVERSE_PATH: 1})
        self._undo.append(lambda: self.net.sandbox.sysctl(node, {_REVERSE_PATH: 0}))

    def _without_overlay(self, node: Node) -> Undo:
        return lambda: self._batch(node.name, "ip", kernel_overlay.undoing(self.net.topology, node))

    async def _batch(self, node: str, program: str, commands: Iterable[str]) -> None:
        await self.net.run(node, [program, "-batch", "-"], stdin="\n".join(commands) + "\n", check=True)

    async def _routes(self, node: str, verb: str, others: Sequence[Node]) -> None:
        for other in others:
            await self._ip(node, "route", verb, str(other.pod_cidr), "via", str(other.address))

    async def _default_route(self, node: str, gateway: str) -> None:
        await self._ip(node, "route", "replace", "default", "via", gateway)

    async def _ip(self, node: str, *argv: str) -> None:
        await self.net.run(node, ["ip", *argv], check=True)

    async def _nft(self, node: str, ruleset: str) -> None:
        await self.net.run(node, ["nft", "-f", "-"], stdin=ruleset + "\n", check=True)

    def _without_policy(self, node: str) -> Undo:
        return lambda: self._nft(node, f"delete table ip {_POLICY_TABLE}")


_RULES: dict[NodeFault, dict[str, object]] = {
    "FORWARD drops": {"forward": "drop"},
    "no service rules": {"running": False},
    "no masquerade": {"masquerade": False},
    "INVALID dropped": {"invalid_drop": True},
}
