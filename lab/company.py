"""A small company in one process: the simulators, the simulated network between them, and bots beside it.

The bot is a real process that is given a configuration and nothing else. Nothing here knows how it works inside.
"""

import asyncio
import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from lab import windows_dns
from lab.breaking import Breaking
from lab.cluster import article as cluster_article
from lab.cluster.serving import Running as RunningCluster
from lab.cluster.serving import running as running_cluster
from lab.configuration import Places, bot_settings
from lab.fortigate import article as fortigate_article
from lab.fortigate.device import Device
from lab.fortigate.server import Server as RunningFortiGate
from lab.fortigate.server import running as running_fortigate
from lab.network.simulated import SimulatedNetwork
from lab.network.simulated_upstream import Upstream
from lab.network.socks import serving_socks
from lab.network.workloads import running_workloads
from lab.panel import Panel
from lab.slack.manifest import Manifest
from lab.slack.server import Running as RunningSlack
from lab.slack.server import running as running_slack
from lab.topology import ARTICLE, BOT, DNS_SERVER, PC

DNS_PORT, API_PORT = 53, 6443
MANIFEST = Path(__file__).parent.parent / "deploy/slack/manifest.yaml"
WINDOWS_USER = r"CORP\svc-k8snet"
BOT_START_S = 20.0
BOT_STOP_S = 10.0
LOOK_AGAIN_S = 0.05


Transport = Literal["socket", "http"]


@dataclass
class Company:
    """Everything that runs, and where the bot's configuration lies."""

    folder: Path
    firewall: RunningFortiGate
    dns: windows_dns.Running
    cluster: RunningCluster
    network: SimulatedNetwork
    slack: RunningSlack
    config: Path
    environ: dict[str, str]
    pc: tuple[str, int]  # a SOCKS5 server that stands where the office PC stands
    breaking: Breaking

    @asynccontextmanager
    async def bot(self) -> AsyncIterator["Bot"]:
        """A bot at work, as a process of its own; stopped at the end if it still lives."""
        bot = self.breaking.bot = Bot(self)
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

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

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

    async def _connected(self) -> None:
        """Until Slack's payloads reach it."""
        slack = self._company.slack.slack
        if (url := slack.delivery.request_url) is None:
            await slack.sockets.until_connected()
            return
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
            except ConnectionRefusedError:
                await asyncio.sleep(LOOK_AGAIN_S)  # another process's socket: nothing tells when it listens
            else:
                writer.close()
                return

    async def ended(self) -> int:
        """Its exit code, when it ends by itself."""
        assert self._process is not None, "it was not started"
        return await self._process.wait()

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


@asynccontextmanager
async def company(
    folder: Path, port: int = 0, transport: Transport = "socket", locale: str = "en"
) -> AsyncIterator[Company]:
    """The article's office with a fresh cluster, before anybody exposed anything. `folder` must exist.

    `transport` is how Slack reaches the bot; `locale` is what the bot and the page speak, en or zh-CN.

    Raises OSError when the page's port is taken.
    """
    firewall_token, cluster_token, password = (secrets.token_urlsafe(24) for _ in range(3))
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        device = Device.from_json(fortigate_article.state(firewall_token))
        firewall = await enter(running_fortigate(device))
        qa = await enter(running_cluster(cluster_article.cluster(cluster_token)))
        network = SimulatedNetwork(qa.cluster, device)
        stack.callback(device.subscribe(lambda _: network.poke()))
        await enter(running_workloads(network, qa.dns.address))
        windows = windows_dns.article_state()
        windows.accounts.append(windows_dns.Account(user=WINDOWS_USER, password=password))
        server = windows_dns.Server(windows, upstream=Upstream(network, DNS_SERVER))
        dns = await enter(windows_dns.running(server, ca_file=folder / "windows-ca.pem"))
        for protocol in ("udp", "tcp"):
            address = str(ARTICLE.host(DNS_SERVER).address)
            network.servers.attach(address, DNS_PORT, protocol, (dns.dns_host, dns.dns_port))
        network.servers.attach(str(ARTICLE.nodes[0].address), API_PORT, "tcp", qa.api.address)
        socks, pc = await enter(serving_socks(network, BOT)), await enter(serving_socks(network, PC))
        breaking = Breaking(firewall, server, network)
        panel = Panel(device, server, network, breaking)
        listen = f"127.0.0.1:{_free_port()}" if transport == "http" else None
        slack = await enter(
            running_slack(
                port=port,
                network=panel,
                manifest=Manifest.read(MANIFEST),
                request_url=listen and f"http://{listen}/slack/events",
                language=locale,
            )
        )
        breaking.slack = slack.slack
        firewall.write_ca(folder / "fortigate-ca.pem")
        qa.write_kubeconfig(folder / "qa.kubeconfig")
        settings = bot_settings(
            Places(
                journal=folder / "journal.db",
                slack_api=slack.api_url,
                fortigate=firewall.url,
                fortigate_ca=folder / "fortigate-ca.pem",
                windows=dns.wsman_url,
                windows_ca=folder / "windows-ca.pem",
                windows_user=WINDOWS_USER,
                kubeconfig=folder / "qa.kubeconfig",
                vantage=f"socks5://{socks[0]}:{socks[1]}",
                listen=listen,
                locale=locale,
            )
        )
        config = folder / "app.yaml"
        # JSON is YAML; nobody edits this one by hand.
        config.write_text(json.dumps(settings, indent=2))
        environ = {
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_APP_TOKEN": slack.app_token,
            "SLACK_SIGNING_SECRET": slack.signing_secret,
            "FORTIGATE_TOKEN": firewall_token,
            "WINRM_PASSWORD": password,
        }
        yield Company(folder, firewall, dns, qa, network, slack, config, environ, pc, breaking)


def _free_port() -> int:
    """A port that nobody listens on at this moment: whoever calls the bot has to know it before the bot starts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
