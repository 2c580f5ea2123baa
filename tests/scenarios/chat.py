"""The real Slack edge – Bolt, SDK, Socket Mode – between the simulated workspace and an engine in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bot.engine.engine import Engine
from bot.engine.journal import Journal
from bot.engine.samples import Samples
from bot.env import RealEnv
from bot.model.people import Grant, Person
from bot.model.site import WatchSite
from handlers.edge import Ears, slack_edge
from handlers.settings import SlackSettings
from handlers.web import EVENTS_PATH
from lab.slack import people
from lab.slack.driver import Driver, driving
from lab.slack.manifest import Manifest
from lab.slack.model import TEAM
from lab.slack.server import Running, running
from tests.engine.watched import watched_facts
from tests.memory_store import MemoryStore
from tests.office import Company

RULES = WatchSite(
    channel=people.NET_OPS, oncall=(people.ON_CALL,), fallback=(people.OPERATORS,), interval_s=0.05, timeout_s=0.05
)
PING_INTERVAL_S = 0.2  # so that a lost connection is noticed while a test waits
MANIFEST = Path(__file__).parent.parent.parent / "deploy/slack/manifest.yaml"
GRANTS = (
    Grant(role="developer", people=frozenset({Person(team=TEAM, user=people.DANA)}), clusters=("*",)),
    Grant(role="operator", groups=frozenset({people.OPERATORS}), clusters=("*",)),
    Grant(role="oncall", groups=frozenset({people.ON_CALL}), clusters=("*",)),
    Grant(role="admin", groups=frozenset({people.ADMINS}), clusters=("*",)),
)


@dataclass
class Chat:
    """A workspace, a bot at work in it, and a person at the keyboard."""

    slack: Driver
    workspace: Running
    company: Company
    engine: Engine
    ears: Ears

    async def updates(self) -> list[dict[str, Any]]:
        """Every change of a message in net-ops, oldest first, as the transcript has it."""
        return [
            entry
            for entry in await self.slack.transcript()
            if entry["name"] == "chat.update" and entry["request"]["channel"] == people.NET_OPS
        ]


async def eventually(truth: Callable[[], Awaitable[bool]], timeout: float = 20) -> None:
    """Look again and again until it is so. TimeoutError after these real seconds."""
    async with asyncio.timeout(timeout):
        while not await truth():  # noqa: ASYNC110  # other processes' and libraries' states have no event of ours
            await asyncio.sleep(0.02)


@asynccontextmanager
async def workspace() -> AsyncIterator[Running]:
    async with running(manifest=Manifest.read(MANIFEST)) as slack:
        yield slack


def settings_for(slack: Running, transport: str) -> SlackSettings:
    """A bot's Slack settings in this workspace; in HTTP mode it listens on any free port."""
    secrets = (
        {"app_token": SecretStr(slack.app_token)}
        if transport == "socket"
        else {"signing_secret": SecretStr(slack.signing_secret), "listen": "127.0.0.1:0"}
    )
    return SlackSettings(
        mode=transport,
        team=TEAM,
        bot_token=SecretStr(slack.bot_token),
        audit_channel=people.AUDIT,
        api_url=slack.api_url,
        **secrets,
    )


@asynccontextmanager
async def bot_in(slack: Running, company: Company, transport: str = "socket") -> AsyncIterator[tuple[Engine, Ears]]:
    """A bot that lives as long as the context; the company's journal and devices outlive it."""
    env = RealEnv()
    groups = frozenset({people.OPERATORS, people.ON_CALL, people.ADMINS})
    async with slack_edge(settings_for(slack, transport), groups, env, PING_INTERVAL_S) as edge:
        template = company.engine().context
        context = replace(
            template,
            grants=GRANTS,
            directory=edge.directory,
            announcer=edge.announcer,
            journal=Journal(MemoryStore(env.now, company.contents)),
            samples=Samples(MemoryStore(env.now, company.contents)),
            notes=MemoryStore(env.now, company.contents),
            env=env,
            instance="scenario",
            process=env.new_id(),
        )
        engine = Engine(context)
        await engine.start()
        try:
            async with edge.listening(engine) as ears:
                slack.slack.delivery.request_url = ears.port and f"http://127.0.0.1:{ears.port}{EVENTS_PATH}"
                yield engine, ears
        finally:
            await env.stop()
            await engine.stop()


@asynccontextmanager
async def chat(
    transport: str = "socket", self_confirm: bool = False, channels: frozenset[str] = frozenset()
) -> AsyncIterator[Chat]:
    async with chat_in(Company(self_confirm, channels), transport) as room:
        yield room


@asynccontextmanager
async def chat_in(company: Company, transport: str) -> AsyncIterator[Chat]:
    async with (
        workspace() as slack,
        bot_in(slack, company, transport) as (engine, ears),
        driving(slack.page_url) as driver,
    ):
        yield Chat(driver, slack, company, engine, ears)


@asynccontextmanager
async def watched_chat(transport: str) -> AsyncIterator[Chat]:
    """A watched company with namespace `default` exposed, and the chat in front of it."""
    company = Company(self_confirm=True, watch=RULES)
    company.cluster.now = watched_facts()
    async with chat_in(company, transport) as room:
        await room.slack.say("/k8snet expose default")
        await room.slack.until(contains="waits for a yes")
        await room.slack.click("Confirm")
        await room.slack.until(contains="applied and proven")
        yield room


async def expose_asked(room: Chat, namespace: str = "default") -> None:
    """Dana asks, and the plan waits for a yes."""
    await room.slack.say(f"/k8snet expose {namespace} because sprint 12", by="dana")
    await room.slack.until(contains=f"expose {namespace} because sprint 12\nPlan: waits for a yes")


def made_long(room: Chat) -> None:
    """So many office networks that their plan cannot be shown in one message."""
    office = room.company.site.offices[0]
    for number in range(80):
        office.networks[f"office-branch-{number:02}"] = type(office.networks["office-hq"])(
            (int(IPv4Address("172.18.0.0")) + number * 256, 24)
        )


async def home(room: Chat, by: str, containing: str) -> dict[str, Any]:
    """This person's Home tab once it says that."""

    async def says() -> bool:
        view = await room.slack.home(by=by)
        return view is not None and containing in view["plain"]

    await eventually(says)
    view = await room.slack.home(by=by)
    assert view is not None
    return view
