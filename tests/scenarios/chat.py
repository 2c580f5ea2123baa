"""The real Slack edge – Bolt, SDK, Socket Mode – between the simulated workspace and an engine in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from bot.engine.context import Context
from bot.engine.engine import Engine
from bot.engine.journal import Journal
from bot.env import RealEnv
from bot.model.people import Grant, Person
from handlers.announce import SlackAnnouncer
from handlers.app import bolt_app, http_session, socket_mode, web_client
from handlers.directory import SlackDirectory
from handlers.listeners import Listeners
from handlers.settings import SlackSettings
from lab.slack import people
from lab.slack.driver import Driver, driving
from lab.slack.model import TEAM
from lab.slack.server import Running, running
from tests.memory_store import MemoryStore
from tests.office import Company

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


@asynccontextmanager
async def workspace() -> AsyncIterator[Running]:
    async with running() as slack:
        yield slack


@asynccontextmanager
async def bot_in(slack: Running, company: Company) -> AsyncIterator[Engine]:
    """A bot that lives as long as the context; the company's journal and devices outlive it."""
    settings = SlackSettings(
        team=TEAM,
        bot_token=SecretStr(slack.bot_token),
        app_token=SecretStr(slack.app_token),
        audit_channel=people.AUDIT,
        api_url=slack.api_url,
    )
    env = RealEnv()
    async with http_session() as session:
        client = web_client(settings, session)
        template = company.engine().context
        context = Context(
            site=template.site,
            grants=GRANTS,
            targets=template.targets,
            clusters=template.clusters,
            prober=template.prober,
            directory=SlackDirectory(
                client, TEAM, frozenset({people.OPERATORS, people.ON_CALL, people.ADMINS}), env.monotonic
            ),
            announcer=SlackAnnouncer(web_client(settings, session, patient=False), people.AUDIT),
            journal=Journal(MemoryStore(env.now, company.contents)),
            env=env,
            vantage="the test",
            instance="scenario",
            process=env.new_id(),
        )
        engine = Engine(context)
        app = await bolt_app(settings, client)
        Listeners(settings, engine, client, session, env.spawn).register(app)
        await engine.start()
        try:
            async with socket_mode(settings, app):
                yield engine
        finally:
            await env.stop()
            await engine.stop()


@asynccontextmanager
async def chat(self_confirm: bool = False, channels: frozenset[str] = frozenset()) -> AsyncIterator[Chat]:
    company = Company(self_confirm, channels)
    async with workspace() as slack, bot_in(slack, company) as engine, driving(slack.page_url) as driver:
        yield Chat(driver, slack, company, engine)
