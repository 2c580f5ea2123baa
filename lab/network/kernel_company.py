"""The whole company in the kernel network: firewall, Windows DNS, cluster, redis, echo and Slack as real programs.

    async with company() as lab:
        bot = await lab.net.spawn("bot", [...], env=lab.bot_environment())

Every simulator runs in its own machine's namespace and is reached only as the article's network allows. The test
driver outside has `Company.controls`: ports on the machine's loopback that lead to the simulators' `/lab/` doors.
"""

import asyncio
import contextlib
import json
import secrets
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import aiohttp

from lab.cluster import article as cluster_article
from lab.cluster import canary
from lab.cluster.access import reader
from lab.cluster.resources import Json
from lab.fortigate import article as fortigate_article
from lab.network import kernel_coredns, kernel_echo
from lab.network.kernel import KernelNetwork, kernel_network
from lab.network.kernel_forward import forwarded
from lab.network.kernel_layout import FIREWALL, Pod
from lab.network.kernel_mirror import ENDPOINT_SLICES, SERVICES, Mirror
from lab.network.kernel_sandbox import Process
from lab.topology import ARTICLE, BOT, DNS_SERVER, Host, Segment, Topology

INTERNET = "internet"
TOPOLOGY = replace(
    ARTICLE,
    segments=(*ARTICLE.segments, Segment("wan1", IPv4Network("192.0.2.0/30"), IPv4Address("192.0.2.2"))),
    hosts=(*ARTICLE.hosts, Host(INTERNET, IPv4Address("192.0.2.1"))),
)
"""The article's network and a provider's router that swallows whatever is sent to it."""

CONTROL_PORT = 9000
PROXY_HEALTH = 10256
"""Where kube-proxy says on every node that it lives (``healthzBindAddress``)."""
READY_WITHIN = 30.0
"""Seconds within which every program must say that it is ready."""


class ProgramFailed(RuntimeError):
    """A program of the company ended or stayed silent instead of getting ready; the message has its words."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """Made up anew for every company."""

    fortigate: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    cluster: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    coredns: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    windows: str = field(default_factory=lambda: secrets.token_urlsafe(12), repr=False)


@dataclass(frozen=True, slots=True)
class Access:
    """What a program on the bot's host needs to know; all paths are readable by this user only."""

    fortigate_url: str
    fortigate_ca: Path
    windows_url: str
    windows_ca: Path
    windows_user: str
    cluster_url: str
    cluster_ca: Path
    kubeconfig: Path
    slack_url: str
    slack_tokens: Path
    """JSON: ``api_url``, ``bot_token``, ``app_token``, ``signing_secret``."""


@dataclass(frozen=True, slots=True)
class _Program:
    """Something that runs on a machine or in a pod, and is started again when its node comes back."""

    host: str
    argv: tuple[str, ...]
    ready: str
    env: Mapping[str, str]


class Company:
    """A running company; made by `company`."""

    def __init__(self, net: KernelNetwork, access: Access, secrets_: Secrets) -> None:
        self.net = net
        self.access = access
        self.secrets = secrets_
        self.controls: dict[str, str] = {}
        """Base URLs for the driver outside: ``fortigate``, ``windows_dns``, ``cluster``, ``slack``."""
        self._programs: list[tuple[_Program, Process]] = []
        self._drains: set[asyncio.Task[None]] = set()
        self._programmed = asyncio.Event()

    def bot_environment(self) -> dict[str, str]:
        """Secrets for a bot, as environment variables; everything else is in `access`."""
        tokens = json.loads(self.access.slack_tokens.read_text())
        return {
            "FORTIGATE_TOKEN": self.secrets.fortigate,
            "WINDOWS_DNS_PASSWORD": self.secrets.windows,
            "SLACK_BOT_TOKEN": tokens["bot_token"],
            "SLACK_APP_TOKEN": tokens["app_token"],
            "SLACK_SIGNING_SECRET": tokens["signing_secret"],
            "SLACK_API_URL": tokens["api_url"],
            "KUBECONFIG": str(self.access.kubeconfig),
        }

    async def control(self, simulator: str, method: str, path: str, body: Any = None) -> Any:
        """One request to a simulator's control endpoint, e.g. ``("cluster", "POST", "/lab/nodes/x/kill")``."""
        tls = ssl.create_default_context(cafile=self.access.windows_ca) if simulator == "windows_dns" else True
        connector = aiohttp.TCPConnector(ssl=tls, force_close=True)
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.request(method, self.controls[simulator] + path, json=body) as response,
        ):
            text = await response.text()
            if response.status >= 400:
                raise RuntimeError(f"{simulator}: {method} {path}: {response.status} {text}")
            return json.loads(text) if text else None

    async def kill_node(self, node: str) -> None:
        """Power a node off, for the network and for the cluster's controllers."""
        await self.control("cluster", "POST", f"/lab/nodes/{node}/kill")
        await self.net.kill_node(node)

    async def freeze_node(self, node: str) -> None:
        """Let a node hang: its link is up, nothing on it answers, its lease is renewed no more."""
        await self.control("cluster", "POST", f"/lab/nodes/{node}/freeze-lease")
        await self.net.freeze(node)

    async def revive_node(self, node: str) -> None:
        """Make a node healthy again, with the programs that were there."""
        await self.net.restore(node)
        places = {node, *self.net.pods_of(node)}
        dead = [(each, process) for each, process in self._programs if each.host in places]
        for each, process in dead:
            if process.returncode is not None:
                self._programs.remove((each, process))
        await self.start_all(each for each, process in dead if process.returncode is not None)
        await self.control("cluster", "POST", f"/lab/nodes/{node}/revive")

    # -- starting

    async def start_all(self, programs: Iterable[_Program]) -> None:
        """Start programs together and wait until each has said that it is ready."""
        await asyncio.gather(*(self._start(program) for program in programs))

    async def _start(self, program: _Program) -> None:
        process = await self.net.spawn(
            program.host, program.argv, env=program.env, stdout=subprocess.PIPE, cwd=str(_root())
        )
        self._programs.append((program, process))
        assert process.stdout is not None
        said: list[str] = []
        try:
            async with asyncio.timeout(READY_WITHIN):
                while line := (await process.stdout.readline()).decode(errors="replace"):
                    said.append(line)
                    if program.ready in line:
                        drain = asyncio.create_task(_drain(process.stdout, self.net.sandbox.directory, program))
                        self._drains.add(drain)
                        drain.add_done_callback(self._drains.discard)
                        return
        except TimeoutError:
            said.append("(nothing more)")
        await process.kill()
        raise ProgramFailed(f"{' '.join(program.argv)} on {program.host}: {''.join(said).strip() or 'said nothing'}")

    async def follow_services(self, server: str) -> None:
        """kube-proxy's part, for all nodes at once: program the kernel whenever the API says something new."""
        changed = asyncio.Event()
        tls = ssl.create_default_context(cafile=self.access.cluster_ca)
        headers = {"Authorization": f"Bearer {self.secrets.coredns}"}
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls), headers=headers) as session,
            asyncio.TaskGroup() as tasks,
        ):
            mirror = Mirror(session, server, (SERVICES, ENDPOINT_SLICES), lambda _: changed.set())
            tasks.create_task(mirror.run())
            while True:
                await changed.wait()
                changed.clear()
                if mirror.synchronised:
                    services, slices = (list(mirror.objects[path].values()) for path in (SERVICES, ENDPOINT_SLICES))
                    await self.net.program_services(services, slices)
                    self._programmed.set()

    async def services_programmed(self, following: "asyncio.Task[None]") -> None:
        """Returns when every node has had its first rules; raises what ended `follow_services` before."""
        waiting = asyncio.create_task(self._programmed.wait())
        await asyncio.wait([waiting, following], timeout=READY_WITHIN, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if following.done():
            await following
        if not self._programmed.is_set():
            raise ProgramFailed(f"the cluster's API has shown no services within {READY_WITHIN:g} s")

    async def close(self) -> None:
        """Give up the programs' output; ending them is the network's part."""
        for drain in self._drains:
            drain.cancel()
        await asyncio.gather(*self._drains, return_exceptions=True)


@asynccontextmanager
async def company(*, slack_port: int = 0, canaries: bool = False) -> AsyncIterator[Company]:
    """Build the network and start everybody; takes some seconds. All ends with the context.

    *slack_port* is the port of the machine's loopback where the workspace's page appears (0: any). With *canaries*,
    `deploy/kubernetes/canary.yaml` has been applied to the cluster.
    """
    more = canary.objects(TOPOLOGY) if canaries else []
    objects = [*cluster_article.objects(TOPOLOGY), *more]
    endpoints = pod_endpoints(objects, TOPOLOGY)
    pods = [Pod(name, address) for name, (address, _) in endpoints.items()]
    async with AsyncExitStack() as stack:
        net = await stack.enter_async_context(kernel_network(TOPOLOGY, pods))
        made = Company(net, _access(net, net.sandbox.directory), Secrets())
        stack.push_async_callback(made.close)
        _write_states(made, more)
        control_plane = next(node for node in TOPOLOGY.nodes if node.control_plane)
        await made.start_all(
            [
                *_servers(made, str(control_plane.address), control_plane.name),
                *(program for name, (_, ports) in endpoints.items() for program in _pod_programs(name, ports)),
                *(_echo(node.name, [f"http:{PROXY_HEALTH}"]) for node in TOPOLOGY.nodes),
            ]
        )
        await _open_controls(made, stack, control_plane.name, slack_port)
        api = await stack.enter_async_context(forwarded(net, control_plane.name, str(control_plane.address), 6443))
        following = asyncio.create_task(made.follow_services(f"https://localhost:{api}"))
        stack.push_async_callback(_cancelled, following)
        await made.services_programmed(following)
        await made.start_all(
            _coredns(made, name, str(address))
            for name, (address, ports) in endpoints.items()
            if ("domain", 53) in ports
        )
        yield made


def _access(net: KernelNetwork, directory: Path) -> Access:
    legs = {segment.interface: segment.gateway for segment in net.topology.segments}
    dns = net.topology.host(DNS_SERVER).address
    api = next(node.address for node in net.topology.nodes if node.control_plane)
    return Access(
        fortigate_url=f"https://{legs['internal']}",
        fortigate_ca=directory / "fortigate-ca.pem",
        windows_url=f"https://{dns}:5986/wsman",
        windows_ca=directory / "windows-ca.pem",
        windows_user="CORP\\svc-k8snet",
        cluster_url=f"https://{api}:6443",
        cluster_ca=directory / "cluster-ca.pem",
        kubeconfig=directory / "kubeconfig",
        slack_url="http://127.0.0.1:8091",
        slack_tokens=directory / "slack.json",
    )


def _write_states(made: Company, more: Sequence[Json]) -> None:
    """The simulators' initial states, as files that only this user can read: they contain tokens."""
    firewall = fortigate_article.state(made.secrets.fortigate)
    firewall["api_users"][0]["trusthost"] = [f"{made.net.topology.host(BOT).address}/32"]
    coredns = reader(made.secrets.coredns, "system:serviceaccount:kube-system:coredns")
    cluster = cluster_article.cluster(made.secrets.cluster, accounts=(coredns,), topology=made.net.topology, more=more)
    for name, state in (("fortigate.json", firewall), ("cluster.json", cluster.dump())):
        path = made.net.sandbox.directory / name
        path.touch(mode=0o600)
        path.write_text(json.dumps(state))


def _servers(made: Company, api: str, api_host: str) -> list[_Program]:
    directory, access = made.net.sandbox.directory, made.access
    dns = str(made.net.topology.host(DNS_SERVER).address)
    leg = access.fortigate_url.removeprefix("https://")
    python = (sys.executable, "-m")
    return [
        _Program(
            FIREWALL,
            (*python, "lab.network.kernel_fortigate", "--load", str(directory / "fortigate.json"), "--listen",
             f"{leg}:443", "--control", str(CONTROL_PORT), "--ca-out", str(access.fortigate_ca)),
            "ready at", {},
        ),
        _Program(
            DNS_SERVER,
            (*python, "lab.windows_dns", "--listen", f"{dns}:5986", "--dns", f"{dns}:53", "--source", dns,
             "--ca-out", str(access.windows_ca), "--user", access.windows_user, "--password-env", "LAB_PASSWORD"),
            "windows_dns ready", {"LAB_PASSWORD": made.secrets.windows},
        ),
        _Program(
            api_host,
            (*python, "lab.cluster", "--load", str(directory / "cluster.json"), "--listen", f"{api}:6443", "--dns",
             "127.0.0.1:1054", "--control", f"127.0.0.1:{CONTROL_PORT}", "--kubeconfig-out",
             str(access.kubeconfig), "--ca-out", str(access.cluster_ca)),
            "cluster ready", {},
        ),
        _Program(
            BOT,
            (*python, "lab.slack", "--listen", access.slack_url.removeprefix("http://"), "--tokens-out",
             str(access.slack_tokens)),
            "ready: page", {},
        ),
    ]  # fmt: skip


def _coredns(made: Company, pod: str, address: str) -> _Program:
    access = made.access
    argv = (sys.executable, "-m", "lab.network.kernel_coredns", "--api", access.cluster_url, "--ca",
            str(access.cluster_ca), "--listen", f"{address}:53")  # fmt: skip
    return _Program(pod, argv, "CoreDNS ready", {kernel_coredns.TOKEN_VARIABLE: made.secrets.coredns})


def _pod_programs(pod: str, ports: Sequence[tuple[str, int]]) -> list[_Program]:
    """A real redis where the service says redis, an echo for HTTP and UDP echo; other ports stay closed."""
    programs = []
    echo = [f"{'udp' if kind == 'echo' else 'http'}:{port}" for kind, port in ports if kind in ("http", "echo")]
    if echo:
        programs.append(_echo(pod, echo))
    for kind, port in ports:
        if kind == "redis":
            argv = ("redis-server", "--port", str(port), "--bind", "0.0.0.0", "--protected-mode", "no",
                    "--save", "", "--appendonly", "no")  # fmt: skip
            programs.append(_Program(pod, argv, "Ready to accept connections", {}))
    return programs


def _echo(host: str, ports: Sequence[str]) -> _Program:
    return _Program(host, (sys.executable, "-I", "-S", kernel_echo.__file__, host, *ports), "ready", {})


def pod_endpoints(
    objects: Sequence[Mapping[str, Any]], topology: Topology
) -> dict[str, tuple[IPv4Address, list[tuple[str, int]]]]:
    """Pods by name: the address and, for each port, what is spoken there.

    Where namespaces or services give several pods one name, all but the first also bear their address. A pod of
    several services is one pod.
    """
    found: dict[str, tuple[IPv4Address, list[tuple[str, int]]]] = {}
    for piece in (each for each in objects if each["kind"] == "EndpointSlice"):
        ports = [(port.get("appProtocol") or "", port["port"]) for port in piece["ports"]]
        for endpoint in piece["endpoints"]:
            address = IPv4Address(endpoint["addresses"][0])
            if address in topology.pod_network:
                name = endpoint["targetRef"]["name"]
                known = found.get(name)
                if known is not None and known[0] == address:
                    known[1].extend(port for port in ports if port not in known[1])
                else:
                    found[f"{name}-{address}" if known else name] = (address, list(ports))
    return found


async def _open_controls(made: Company, stack: AsyncExitStack, api_host: str, slack_port: int) -> None:
    dns = str(made.net.topology.host(DNS_SERVER).address)
    leg = made.access.fortigate_url.removeprefix("https://")
    for name, scheme, listen, place in (
        ("fortigate", "http", 0, (FIREWALL, leg, CONTROL_PORT)),
        ("windows_dns", "https", 0, (DNS_SERVER, dns, 5986)),
        ("cluster", "http", 0, (api_host, "127.0.0.1", CONTROL_PORT)),
        ("slack", "http", slack_port, (BOT, "127.0.0.1", 8091)),
    ):
        port = await stack.enter_async_context(forwarded(made.net, *place, source="127.0.0.1", listen=listen))
        made.controls[name] = f"{scheme}://localhost:{port}"


async def _drain(stdout: asyncio.StreamReader, directory: Path, program: _Program) -> None:
    """Keep what a program says in a log file, so that it never waits for a reader."""
    with (directory / f"{program.host}.log").open("ab", buffering=0) as log:
        while chunk := await stdout.read(4096):
            log.write(chunk)


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _root() -> Path:
    """Where ``python -m lab...`` finds the package also when it is not installed."""
    return Path(__file__).resolve().parents[2]
