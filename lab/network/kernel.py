"""The article's office in Linux network namespaces: real routes, real NAT, real programs, no way out.

    async with kernel_network() as net:
        await net.program_services(services, endpoint_slices)
        done = await net.run("pc", ["dig", "+short", "kubernetes.default.svc.cluster.local", "@10.68.0.2"])

Hosts are named as in `lab.topology`, plus ``firewall`` and the pods. The firewall forwards nothing
until it is programmed (`lab.network.kernel_firewall`).
"""

import asyncio
import json
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from lab.network import kernel_firewall_apply, kernel_layout, kernel_proxy
from lab.network.kernel_firewall import TABLE, Program
from lab.network.kernel_firewall_objects import Tables
from lab.network.kernel_layout import ARTICLE_PODS, FIREWALL, Pod
from lab.network.kernel_proxy import NodeRules, Object
from lab.network.kernel_requirements import missing, search_path
from lab.network.kernel_sandbox import Process, Sandbox
from lab.topology import ARTICLE, DNS_SERVER, Topology

CLOSED_FIREWALL = f"""
table ip {TABLE} {{
  chain forward {{
    type filter hook forward priority filter; policy drop;
  }}
}}
"""


class KernelUnavailable(RuntimeError):
    """No kernel network can be built on this machine; the message says what is missing."""


@asynccontextmanager
async def kernel_network(
    topology: Topology = ARTICLE, pods: Iterable[Pod] = ARTICLE_PODS
) -> AsyncIterator["KernelNetwork"]:
    """Build the network, and take everything down at the end, whatever happened.

    Raises `KernelUnavailable` where namespaces, ``ip`` or ``nft`` are missing.
    """
    reason = await asyncio.to_thread(missing)
    if reason is not None:
        raise KernelUnavailable(reason)
    sandbox = await Sandbox.start()
    try:
        network = KernelNetwork(sandbox, topology)
        await network.build(pods)
        yield network
    finally:
        await sandbox.close()


class KernelNetwork:
    """A running network; made by `kernel_network`."""

    def __init__(self, sandbox: Sandbox, topology: Topology) -> None:
        self.sandbox = sandbox
        self.topology = topology
        self.pods: dict[str, Pod] = {}
        self._rules = {node.name: NodeRules() for node in topology.nodes}
        self._services: tuple[Sequence[Object], Sequence[Object]] = ((), ())
        self._rulesets: dict[str, str] = {}
        self._udp_flows: dict[str, set[tuple[str, ...]]] = {}
        self._news = asyncio.Condition()
        self._one_at_a_time = asyncio.Lock()

    async def build(self, pods: Iterable[Pod]) -> None:
        """Namespaces, cables, addresses, routes, then each node's rules; part of `kernel_network`."""
        parameters = kernel_layout.namespaces(self.topology)
        paths = await self.sandbox.create(list(parameters))
        for name, values in parameters.items():
            await self.sandbox.sysctl(name, values)
        await self._ip("", kernel_layout.links(self.topology, paths))
        await asyncio.gather(*(self._ip(name, batch) for name, batch in kernel_layout.inside(self.topology).items()))
        self._nodes_paths = {node.name: paths[node.name] for node in self.topology.nodes}
        for host in self.topology.hosts:
            self.set_resolver(host.name, str(self.topology.host(DNS_SERVER).address))
        await self.add_pods(pods)
        await self._nft(FIREWALL, CLOSED_FIREWALL)
        await self._program(self._rules)
        await self._links_up([*parameters, *self.pods])

    # -- programs and sockets

    async def spawn(self, host: str, argv: Sequence[str], **options: Any) -> Process:
        """Start a program on a host or in a pod; options and errors as in `Sandbox.spawn`."""
        return await self.sandbox.spawn(host, argv, **options)

    async def run(
        self, host: str, argv: Sequence[str], timeout: float = 30.0, **options: Any
    ) -> "subprocess.CompletedProcess[str]":
        """Run a program on a host or in a pod to its end; options and errors as in `Sandbox.run`."""
        return await self.sandbox.run(host, argv, timeout, **options)

    async def connect(
        self, host: str, address: str, port: int, *, source: str | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A TCP connection of this program that starts at *host*; errors as from `asyncio.open_connection`."""
        opened = await self.sandbox.socket(host)
        opened.setblocking(False)
        try:
            if source is not None:
                opened.bind((source, 0))
            await asyncio.get_running_loop().sock_connect(opened, (address, port))
        except BaseException:
            opened.close()
            raise
        return await asyncio.open_connection(sock=opened)

    async def listener(self, host: str, port: int, address: str = "0.0.0.0") -> socket.socket:
        """A TCP socket of this program that listens at *host*; port 0 lets the kernel choose."""
        opened = await self.sandbox.socket(host)
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((address, port))
        opened.listen()
        return opened

    async def datagram(self, host: str) -> socket.socket:
        """A non-blocking UDP socket of this program at *host*."""
        opened = await self.sandbox.socket(host, kind=socket.SOCK_DGRAM)
        opened.setblocking(False)
        return opened

    def set_resolver(self, host: str, server: str) -> None:
        """Programs started on *host* from now on resolve names through *server*, and through nothing else."""
        self.sandbox.overlay(
            host,
            {
                "/etc/resolv.conf": f"nameserver {server}\noptions timeout:2 attempts:2\n",
                "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
                "/etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {host}\n",
            },
        )

    # -- the cluster

    async def add_pods(self, pods: Iterable[Pod]) -> None:
        """Make pods' namespaces and plug them into their nodes."""
        new = list(pods)
        paths = {**self._nodes_paths, **await self.sandbox.create([pod.name for pod in new])}
        batches: dict[str, list[str]] = {}
        for pod in new:
            await self.sandbox.sysctl(pod.name, kernel_layout.BASE_SYSCTLS)
            self.set_resolver(pod.name, str(self.topology.kube_dns))
            for name, batch in kernel_layout.pod_inside(self.topology, pod).items():
                batches.setdefault(name, []).extend(batch)
        await self._ip("", [line for pod in new for line in kernel_layout.pod_links(self.topology, pod, paths)])
        await asyncio.gather(*(self._ip(name, batch) for name, batch in batches.items()))
        self.pods |= {pod.name: pod for pod in new}

    async def remove_pod(self, name: str) -> None:
        """End a pod's programs and take its address away."""
        pod = self.pods.pop(name)
        await self._signal([name], signal.SIGKILL)
        await self._ip(kernel_layout.node_of(self.topology, pod).name, [f"link del {kernel_layout.port(name)}"])
        await self.sandbox.remove(name)

    async def program_services(self, services: Sequence[Object], endpoint_slices: Sequence[Object]) -> None:
        """Give every node the rules that kube-proxy makes of these objects, as the cluster's API serves them.

        Like kube-proxy it also forgets UDP flows to endpoints that are gone (where ``conntrack`` is installed;
        otherwise a client that keeps its source port keeps asking a dead endpoint).
        """
        self._services = (services, endpoint_slices)
        await self._program(self._rules)
        if shutil.which("conntrack", path=search_path()):
            await asyncio.gather(*(self._forget_udp_flows(node) for node in self._rules))

    async def _forget_udp_flows(self, node: str) -> None:
        flows = kernel_proxy.udp_flows(*self._services, node)
        gone, self._udp_flows[node] = self._udp_flows.get(node, set()) - flows, flows
        for flow in gone:
            await self.sandbox.run(node, ["conntrack", "-D", "-p", "udp", *flow])

    async def programmed(self, wanted: Callable[[str], bool], within: float = 10.0) -> None:
        """Wait until every node's ruleset satisfies *wanted*; `TimeoutError` after *within* seconds."""
        async with asyncio.timeout(within), self._news:
            await self._news.wait_for(lambda: all(wanted(ruleset) for ruleset in self._rulesets.values()))

    async def change_node(self, node: str, **changes: Any) -> None:
        """Change fields of a node's `NodeRules`, e.g. ``masquerade=False``, ``loss=0.3``, ``running=False``."""
        rules = replace(self._rules[node], **changes)
        self._rules[node] = rules
        await self._program([node])

    async def change_nodes(self, **changes: Any) -> None:
        """`change_node` on every node."""
        for node, rules in self._rules.items():
            self._rules[node] = replace(rules, **changes)
        await self._program(self._rules)

    # -- the firewall

    async def program_firewall(
        self, tables: Tables, now: datetime | None = None, failed_monitors: Collection[str] = ()
    ) -> Program:
        """Make the firewall do what a FortiGate with this configuration does; see `kernel_firewall_apply.apply`."""
        return await kernel_firewall_apply.apply(
            self._run_firewall, tables, now or datetime.now().astimezone(), failed_monitors=failed_monitors
        )

    async def _run_firewall(self, argv: Sequence[str], stdin: str) -> "subprocess.CompletedProcess[str]":
        return await self.sandbox.run(FIREWALL, argv, stdin=stdin)

    # -- things that break

    async def ip_forward(self, host: str, enabled: bool) -> None:
        """Switch a router's forwarding."""
        await self.sandbox.sysctl(host, {"net.ipv4.ip_forward": int(enabled)})

    async def set_link(self, host: str, up: bool) -> None:
        """Pull a machine's or a pod's cable at the other end, or plug it in again."""
        if host in self.pods:
            namespace = kernel_layout.node_of(self.topology, self.pods[host]).name
        else:
            segment = self.topology.segment_of(self.topology.host(host).address)
            assert segment is not None
            namespace = kernel_layout.segment_namespace(segment.interface)
        await self._ip(namespace, [f"link set {kernel_layout.port(host)} {'up' if up else 'down'}"])
        if up:
            await self._links_up([namespace, host])

    async def kill_node(self, node: str) -> None:
        """Power off: its link is down, its programs and its pods' programs are gone. `restore` powers it on."""
        await self.set_link(node, up=False)
        await self._signal([node, *self.pods_of(node)], signal.SIGKILL)

    async def freeze(self, node: str) -> None:
        """A hung machine: the link stays up, nothing answers, its and its pods' programs stand still."""
        await self._signal([node, *self.pods_of(node)], signal.SIGSTOP)
        await self.change_node(node, frozen=True)

    async def restore(self, node: str) -> None:
        """A healthy node again, with all rules as at the start. Killed programs stay dead; start them again."""
        self._rules[node] = NodeRules()
        await self._program([node])
        await self.ip_forward(node, True)
        await self.set_link(node, up=True)
        await self._signal([node, *self.pods_of(node)], signal.SIGCONT)

    def pods_of(self, node: str) -> list[str]:
        """Names of the pods on a node."""
        cidr = self.topology.node(node).pod_cidr
        return [name for name, pod in self.pods.items() if pod.address in cidr]

    # -- how it is done

    async def _signal(self, namespaces: Iterable[str], number: signal.Signals) -> None:
        names = set(namespaces)
        for process in [each for each in self.sandbox.processes.values() if each.namespace in names]:
            await process.send_signal(number)
            if number == signal.SIGKILL:
                await process.wait()

    async def _program(self, nodes: Iterable[str]) -> None:
        async with self._one_at_a_time:  # what is asked for last must also be written last
            services, slices = self._services
            rulesets = {
                name: kernel_proxy.ruleset(
                    self._rules[name],
                    kernel_proxy.service_ports(services, slices, name),
                    self.topology.pod_network,
                    self.topology.node(name).pod_cidr,
                )
                for name in nodes
            }
            await asyncio.gather(*(self._nft(name, ruleset) for name, ruleset in rulesets.items()))
        async with self._news:
            self._rulesets |= rulesets
            self._news.notify_all()

    async def _links_up(self, namespaces: Iterable[str]) -> None:
        """Wait until the kernel has noticed every carrier; before, one end of a cable drops what is sent."""
        async with asyncio.timeout(10):
            await asyncio.gather(*(self._link_up(name) for name in namespaces))

    async def _link_up(self, namespace: str) -> None:
        while True:
            listed = await self.sandbox.run(namespace, ["ip", "-j", "link", "show", "up"], check=True)
            states = {row["operstate"] for row in json.loads(listed.stdout) if row}
            if states <= {"UP", "UNKNOWN"}:
                return

    async def _ip(self, namespace: str, batch: Iterable[str]) -> None:
        await self.sandbox.run(namespace, ["ip", "-batch", "-"], stdin="\n".join(batch) + "\n", check=True)

    async def _nft(self, namespace: str, ruleset: str) -> None:
        await self.sandbox.run(namespace, ["nft", "-f", "-"], stdin=ruleset, check=True)
