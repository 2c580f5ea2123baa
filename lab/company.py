"""A small company in one process: the simulators, the simulated network between them, and bots beside it.

The bot is a real process that is given a configuration and nothing else. Nothing here knows how it works inside.
"""

import asyncio
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import cluster, windows_dns
from lab.cluster import article as cluster_article
from lab.fortigate import article as fortigate_article
from lab.fortigate.device import Device
from lab.fortigate.server import Server as RunningFortiGate
from lab.fortigate.server import running as running_fortigate
from lab.network.simulated import SimulatedNetwork
from lab.network.socks import serving_socks
from lab.network.topology import ARTICLE, BOT, DNS_SERVER, PC
from lab.network.workloads import running_workloads
from lab.panel import Panel
from lab.slack import people
from lab.slack.manifest import Manifest
from lab.slack.model import TEAM
from lab.slack.server import Running as RunningSlack
from lab.slack.server import running as running_slack

DNS_PORT = 53
MANIFEST = Path(__file__).parent.parent / "deploy/slack/manifest.yaml"
WINDOWS_USER = r"CORP\svc-k8snet"
BOT_START_S = 20.0
BOT_STOP_S = 10.0


@dataclass
class Company:
    """Everything that runs, and where the bot's configuration lies."""

    folder: Path
    firewall: RunningFortiGate
    dns: windows_dns.Running
    cluster: cluster.Running
    network: SimulatedNetwork
    slack: RunningSlack
    config: Path
    environ: dict[str, str]
    pc: tuple[str, int]  # a SOCKS5 server that stands where the office PC stands

    @asynccontextmanager
    async def bot(self) -> AsyncIterator["Bot"]:
        """A bot at work, as a process of its own; stopped at the end if it still lives."""
        bot = Bot(self)
        await bot.start()
        try:
            yield bot
        finally:
            await bot.stop()


class Bot:
    """One bot process, to be stopped, killed and started again."""

    def __init__(self, company: Company) -> None:
        self._company = company
        self._process: asyncio.subprocess.Process | None = None
        self.log = company.folder / "bot.log"

    async def start(self) -> None:
        """Start it and wait until it is connected. RuntimeError with its last words when it ends instead."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "bot",
                "run",
                "--config",
                str(self._company.config),
                env={**os.environ, **self._company.environ},
                stdout=log,
                stderr=log,
            )
        connected = asyncio.ensure_future(self._connected())
        ended = asyncio.ensure_future(self._process.wait())
        try:
            await asyncio.wait((connected, ended), timeout=BOT_START_S, return_when=asyncio.FIRST_COMPLETED)
            if not connected.done():
                raise RuntimeError(f"the bot did not start; its log ends with:\n{self.last_words()}")
        finally:
            for waiting in (connected, ended):
                waiting.cancel()

    async def stop(self) -> None:
        """Ask it to stop, and insist when it does not."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), BOT_STOP_S)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End it without warning, as a power failure would."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()

    def last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    async def _connected(self) -> None:
        while not self._company.slack.slack.sockets.connections:  # noqa: ASYNC110  # another process connects
            await asyncio.sleep(0.05)


@asynccontextmanager
async def company(folder: Path, port: int = 0) -> AsyncIterator[Company]:
    """The article's office with a fresh cluster, before anybody exposed anything. `folder` must exist.

    Raises OSError when the page's port is taken.
    """
    firewall_token, cluster_token, password = (secrets.token_urlsafe(24) for _ in range(3))
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        device = Device.from_json(fortigate_article.state(firewall_token))
        firewall = await enter(running_fortigate(device))
        qa = await enter(cluster.running(cluster_article.cluster(cluster_token)))
        network = SimulatedNetwork(qa.cluster, device)
        await enter(running_workloads(network, qa.dns.address))
        windows = windows_dns.article_state()
        windows.accounts.append(windows_dns.Account(user=WINDOWS_USER, password=password))
        server = windows_dns.Server(windows, upstream=network.upstream(DNS_SERVER))
        dns = await enter(windows_dns.running(server, ca_file=folder / "windows-ca.pem"))
        for protocol in ("udp", "tcp"):
            address = str(ARTICLE.host(DNS_SERVER).address)
            network.servers.attach(address, DNS_PORT, protocol, (dns.dns_host, dns.dns_port))
        socks, pc = await enter(serving_socks(network, BOT)), await enter(serving_socks(network, PC))
        panel = Panel(device, server, network)
        slack = await enter(running_slack(port=port, network=panel, manifest=Manifest.read(MANIFEST)))
        firewall.write_ca(folder / "fortigate-ca.pem")
        qa.write_kubeconfig(folder / "qa.kubeconfig")
        config = folder / "app.yaml"
        # JSON is YAML; nobody edits this one by hand.
        config.write_text(json.dumps(_settings(folder, firewall, dns, slack, socks), indent=2))
        environ = {
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_APP_TOKEN": slack.app_token,
            "FORTIGATE_TOKEN": firewall_token,
            "WINRM_PASSWORD": password,
        }
        yield Company(folder, firewall, dns, qa, network, slack, config, environ, pc)


def _settings(
    folder: Path,
    firewall: RunningFortiGate,
    dns: windows_dns.Running,
    slack: RunningSlack,
    socks: tuple[str, int],
) -> dict[str, Any]:
    """The repository's app.yaml with the lab's addresses, people and short waits."""
    return {
        "instance": "lab",
        "slack": {
            "team": TEAM,
            "bot_token": {"env": "SLACK_BOT_TOKEN"},
            "app_token": {"env": "SLACK_APP_TOKEN"},
            "audit_channel": people.AUDIT,
            "api_url": slack.api_url,
        },
        "store": {"url": f"sqlite:///{folder / 'journal.db'}"},
        "firewalls": {
            "fw": {
                "type": "fortigate",
                "url": firewall.url,
                "token": {"env": "FORTIGATE_TOKEN"},
                "tls": {"ca_file": str(folder / "fortigate-ca.pem")},
            }
        },
        "dns_servers": {
            "dc1": {
                "address": str(ARTICLE.host(DNS_SERVER).address),
                "interface": ARTICLE.segment_of(ARTICLE.host(DNS_SERVER).address).interface,  # type: ignore[union-attr]
                "server": {
                    "type": "windows_dns",
                    "endpoint": dns.wsman_url,
                    "user": WINDOWS_USER,
                    "password": {"env": "WINRM_PASSWORD"},
                    "ca_file": str(dns.ca_file),
                },
            }
        },
        "offices": {
            "hq": {
                "interface": "internal",
                "networks": {"office-hq": str(ARTICLE.segment("internal").network)},
                "dns_servers": ["dc1"],
            }
        },
        "clusters": {
            "qa": {
                "kubernetes": {
                    "kubeconfig": str(folder / "qa.kubeconfig"),
                    "pod_networks": [str(ARTICLE.pod_network)],
                },
                "firewall": "fw",
                "interface": "Test",
                "gateway": ARTICLE.gateway_node,
                "service_object": "k8s_SERVICE_CIDR",
                "pod_object": "k8s_POD_CIDR",
                "self_confirm": True,
            }
        },
        "roles": [
            {"role": "developer", "users": [f"{TEAM}/{people.DANA}"]},
            {"role": "operator", "groups": [people.OPERATORS]},
            {"role": "oncall", "groups": [people.ON_CALL]},
            {"role": "admin", "groups": [people.ADMINS]},
        ],
        "probes": {"vantage": f"socks5://{socks[0]}:{socks[1]}"},
    }
