"""The article's office in this process, made to be broken: simulators and network, without chat and without a bot.

`office` is the one on the simulated network; `lab.corpus.kernel_office` has the one in the kernel.
"""

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import windows_dns
from lab.cluster import article as cluster_article
from lab.cluster.clock import HandClock
from lab.cluster.model import Cluster
from lab.cluster.serving import Running as RunningCluster
from lab.cluster.serving import running as running_cluster
from lab.configuration import Places, bot_settings
from lab.corpus.ground import Ground
from lab.corpus.simulated_ground import SimulatedGround
from lab.fortigate import article as fortigate_article
from lab.fortigate.device import Device
from lab.fortigate.server import Server as RunningFortiGate
from lab.fortigate.server import running as running_fortigate
from lab.network.simulated import SimulatedNetwork
from lab.network.simulated_upstream import Upstream
from lab.network.simulated_walk import Timing
from lab.network.socks import serving_socks
from lab.network.workloads import running_workloads
from lab.topology import ARTICLE, BOT, DNS_SERVER

NO_CHAT = "http://127.0.0.1:9/api/"

DNS_PORT, API_PORT = 53, 6443
OPERATOR = "U0CORPUS01"
WINDOWS_USER = r"CORP\svc-k8snet"
NEIGHBOUR_S = 0.15
"""Until a router says that a neighbour is not there: three seconds in life, which nobody needs to wait for here."""


@dataclass
class State:
    """What the devices hold, to begin again from: an office in which the namespace is exposed."""

    firewall: dict[str, Any]
    dns: dict[str, Any]
    journal: bytes


@dataclass
class Office:
    """Everything that can be broken, and where a bot's configuration for it lies."""

    folder: Path
    device: Device
    firewall: RunningFortiGate
    dns: windows_dns.Server
    cluster: Cluster
    running_cluster: RunningCluster
    ground: Ground
    clock: HandClock
    config: Path
    environ: dict[str, str]

    def state(self) -> State:
        """The state of now, for `office(…, state)`."""
        return State(self.device.to_json(), self.dns.to_json(), (self.folder / "journal.db").read_bytes())


@asynccontextmanager
async def office(folder: Path, state: State | None = None) -> AsyncIterator[Office]:
    """The article's office; from a state, or before anybody exposed anything. `folder` must exist and be empty."""
    firewall_token, cluster_token, password = (secrets.token_urlsafe(24) for _ in range(3))
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        device = Device.from_json(firewall_state(state, firewall_token))
        firewall = await enter(running_fortigate(device))
        clock = HandClock()
        qa = await enter(running_cluster(cluster_article.cluster(cluster_token, clock=clock)))
        network = SimulatedNetwork(qa.cluster, device, timing=Timing(neighbour=NEIGHBOUR_S))
        stack.callback(device.subscribe(lambda _: network.poke()))
        await enter(running_workloads(network, qa.dns.address))
        server = windows_dns.Server(dns_state(state, password), upstream=Upstream(network, DNS_SERVER))
        dns = await enter(windows_dns.running(server, ca_file=folder / "windows-ca.pem"))
        for protocol in ("udp", "tcp"):
            network.servers.attach(
                str(ARTICLE.host(DNS_SERVER).address), DNS_PORT, protocol, (dns.dns_host, dns.dns_port)
            )
        network.servers.attach(str(ARTICLE.nodes[0].address), API_PORT, "tcp", qa.api.address)
        door, extras = await enter(AsyncExitStack()), await enter(AsyncExitStack())
        socks = await door.enter_async_context(serving_socks(network, BOT))
        firewall.write_ca(folder / "fortigate-ca.pem")
        qa.write_kubeconfig(folder / "qa.kubeconfig")
        if state is not None:
            (folder / "journal.db").write_bytes(state.journal)
        places = Places(
            journal=folder / "journal.db",
            slack_api=NO_CHAT,
            fortigate=firewall.url,
            fortigate_ca=folder / "fortigate-ca.pem",
            windows=dns.wsman_url,
            windows_ca=folder / "windows-ca.pem",
            windows_user=WINDOWS_USER,
            kubeconfig=folder / "qa.kubeconfig",
            vantage=f"socks5://{socks[0]}:{socks[1]}",
        )
        ground = SimulatedGround(network, qa, door, extras)
        config = configured(folder, places)
        yield Office(
            folder, device, firewall, server, qa.cluster, qa, ground, clock, config, environ(firewall_token, password)
        )


def environ(firewall_token: str, password: str) -> dict[str, str]:
    """The secrets of a bot for an office, as environment variables."""
    return {
        "SLACK_BOT_TOKEN": "xoxb-none",
        "SLACK_APP_TOKEN": "xapp-none",
        "FORTIGATE_TOKEN": firewall_token,
        "WINRM_PASSWORD": password,
    }


def configured(folder: Path, places: Places) -> Path:
    """Write the lab's configuration with short patience, and with somebody who may change things without a chat."""
    settings = bot_settings(places)
    settings["roles"].append({"role": "admin", "users": [f"{settings['slack']['team']}/{OPERATOR}"]})
    settings["firewalls"]["fw"] |= {"connect_timeout_s": 2, "request_timeout_s": 3}
    settings["clusters"]["qa"]["kubernetes"] |= {"connect_timeout_s": 2, "read_timeout_s": 5, "deadline_s": 6}
    settings["probes"]["greeting_s"] = 0.3
    path = folder / "app.yaml"
    path.write_text(json.dumps(settings))  # JSON is YAML
    return path


def firewall_state(state: State | None, token: str, **user: Any) -> dict[str, Any]:
    """The firewall's state for this token; `user` changes more fields of its API user."""
    firewall = state.firewall if state else fortigate_article.state(token)
    return firewall | {"api_users": [one | {"token": token, **user} for one in firewall["api_users"]]}


def dns_state(state: State | None, password: str) -> windows_dns.State:
    """The DNS server's state, with one account of this password."""
    windows = windows_dns.State.from_json(state.dns) if state else windows_dns.article_state()
    windows.accounts[:] = [windows_dns.Account(user=WINDOWS_USER, password=password)]
    return windows
