"""A simulated domain controller with its WinRM listeners on the loopback, and targets that look at it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, Literal

import aiohttp
from pydantic import SecretStr

from backends.windows_dns.settings import WindowsDnsSettings
from backends.windows_dns.target import WindowsDns
from backends.windows_dns.winrm_shell import Clock
from bot.model.resources import Forwarder, Key, Resource
from bot.model.steps import Step
from lab.windows_dns import Account, Directory, RealClock, Running, Server, Upstream, Zone, article_state, running
from tests.backends.windows_dns.clock import DEADLINE_S, ManualClock

LOCAL_USER, DOMAIN_USER, PRINCIPAL = "k8snet", "CORP\\k8snet", "k8snet@corp.example"
PASSWORD = "Päss w0rd’$(x)"
ZONE = "default.svc.cluster.local"
KEY = Key(kind="forwarder", name=ZONE)
WISH = Forwarder(zone=ZONE, masters=(IPv4Address("10.68.0.10"),))
OTHER = Forwarder(
    zone=ZONE, masters=(IPv4Address("10.68.0.11"), IPv4Address("10.68.0.10")), timeout_s=5, recursion=True
)

Login = Literal[
    "basic over https", "ntlm over https", "ntlm over http", "basic over http",
    "credssp over https", "credssp over http", "certificate over https", "kerberos over https", "kerberos over http",
]  # fmt: skip
# Those that any server takes, without being set up for them.
LOGINS: tuple[Login, ...] = ("basic over https", "ntlm over https", "ntlm over http", "basic over http")


@dataclass(frozen=True)
class Office:
    """One machine with a listener for http and one for https."""

    server: Server
    http: Running
    https: Running

    def settings(self, login: Login = "basic over http", **changes: Any) -> WindowsDnsSettings:
        transport, _, scheme = login.partition(" over ")
        return WindowsDnsSettings(
            **{
                "type": "windows_dns",
                "endpoint": _reached((self.https if scheme == "https" else self.http).wsman_url, transport),
                "transport": transport,
                "user": {"basic": LOCAL_USER, "kerberos": PRINCIPAL}.get(transport, DOMAIN_USER),
                "password": SecretStr(PASSWORD),
                "ca_file": self.https.ca_file,
                "insecure_plain_text": login == "basic over http",
                "timeout_s": DEADLINE_S,
                **changes,
            }
        )

    def clock(self) -> ManualClock:
        """The engine's clock for a target: its short sleeps let the server's time pass."""
        return ManualClock(self.server.clock.now, self.server.clock.advance)

    def target(self, login: Login = "basic over http", clock: Clock | None = None, **changes: Any) -> WindowsDns:
        return WindowsDns("office-dns", self.settings(login, **changes), clock or self.clock())

    def zone(self, name: str = ZONE) -> Zone | None:
        return self.server.zones.get(name)

    async def called(self, cmdlet: str) -> None:
        """Wait until somebody has called the cmdlet."""
        while not any(call.cmdlet == cmdlet for call in self.server.calls):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)

    async def shells(self) -> int:
        """How many remote shells are open."""
        async with aiohttp.ClientSession() as session:
            urls = [f"{self.http.control_url}/shells", f"{self.https.control_url}/shells"]
            return sum([len(await (await session.get(url, ssl=False)).json()) for url in urls])

    def writes(self) -> list[str]:
        """The cmdlets that changed something, in order."""
        return [write.cmdlet for write in self.server.writes]


def _reached(url: str, transport: str) -> str:
    """Kerberos knows no addresses."""
    return url.replace("127.0.0.1", "localhost") if transport == "kerberos" else url


@asynccontextmanager
async def office(
    directory: Directory | None = None, hostname: str = "DC1", upstream: Upstream | None = None, **settings: Any
) -> AsyncIterator[Office]:
    state = article_state()
    state.settings = state.settings.model_copy(update=settings)
    state.settings.hostname = hostname
    state.settings.allow_unencrypted = True
    state.accounts += [Account(user=user, password=PASSWORD) for user in (LOCAL_USER, DOMAIN_USER)]
    clock = directory.clock if directory else RealClock()
    server = Server(state, clock=clock, upstream=upstream, directory=directory)
    async with running(server, tls=False) as http, running(server) as https:
        yield Office(server, http, https)


def step(before: Resource | None, after: Resource | None) -> Step:
    return Step(target="office-dns", before=before, after=after)
