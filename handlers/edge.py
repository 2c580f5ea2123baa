"""Everything between Slack and the engine, put together once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.engine.engine import Engine
from bot.engine.ports import Env
from bot.model.errors import BotError
from handlers.announce import SlackAnnouncer
from handlers.app import bolt_app, http_session
from handlers.directory import SlackDirectory
from handlers.listeners import Listeners
from handlers.settings import Listen, SlackSettings
from handlers.signature import Verifier
from handlers.socket_mode import PING_INTERVAL_S, socket_mode
from handlers.web import EVENTS_PATH, SlackEndpoint, serving
from handlers.web_api import web_client

if TYPE_CHECKING:  # who is not scraped does not pay for it
    from handlers.metrics import Metrics


@dataclass(frozen=True)
class Edge:
    """`announcer` and `directory` are what the engine needs; `listening` is what needs the engine."""

    settings: SlackSettings
    app: AsyncApp
    client: AsyncWebClient
    session: aiohttp.ClientSession
    announcer: SlackAnnouncer
    directory: SlackDirectory
    env: Env
    ping_interval_s: float

    @asynccontextmanager
    async def listening(self, engine: Engine) -> AsyncIterator["Ears"]:
        """Slack's payloads reach the engine while inside.

        Raises ConfigurationError and Unreachable.
        """
        listeners = Listeners(self.settings, engine, self.client, self.session, self.env.spawn)
        listeners.register(self.app)
        self.env.spawn(listeners.homes.keep_current(), "home tabs")
        self.env.spawn(listeners.commands.put_right(), "checks cut short")
        if self.settings.mode == "socket":
            async with socket_mode(self.settings, self.app, self.env, self.ping_interval_s) as connection:
                yield Ears(None, lambda: connection.alive, listeners.dismissed)
            return
        assert self.settings.signing_secret is not None, "the settings demand it for this mode"
        verifier = Verifier(self.settings.signing_secret.get_secret_value(), lambda: self.env.now().timestamp())
        endpoint = SlackEndpoint(self.app, verifier)
        async with serving(self.settings.listen, web.post(EVENTS_PATH, endpoint.handle)) as port:
            yield Ears(port, lambda: True, listeners.dismissed)


@dataclass(frozen=True)
class Ears:
    """`port` is where Slack's requests are taken, None in Socket Mode; `alive` tells whether Slack can reach us.

    `dismissed` is set when the app was removed from the workspace.
    """

    port: int | None
    alive: Callable[[], bool]
    dismissed: asyncio.Event


@asynccontextmanager
async def slack_edge(
    settings: SlackSettings, groups: frozenset[str], env: Env, ping_interval_s: float = PING_INTERVAL_S
) -> AsyncIterator[Edge]:
    """Raises ConfigurationError for a refused token, Unreachable when Slack is away."""
    async with http_session() as session:
        client = web_client(settings, session)
        yield Edge(
            settings=settings,
            app=await bolt_app(settings, client),
            client=client,
            session=session,
            announcer=SlackAnnouncer(web_client(settings, session, patient=False), settings.audit_channel),
            directory=SlackDirectory(client, settings.team, groups, env.monotonic),
            env=env,
            ping_interval_s=ping_interval_s,
        )


@asynccontextmanager
async def health_served(
    listen: Listen, engine: Engine, ears: Ears, metrics: "Metrics | None" = None
) -> AsyncIterator[int]:
    """GET /healthz answers 200 or 503 with the reasons as JSON while inside; answers the port.

    With `metrics`, GET /metrics answers in Prometheus' text format, or 503 while the journal cannot be read.
    """

    async def answer(_: web.Request) -> web.StreamResponse:
        health = await engine.health(ears.alive())
        return web.json_response({"ok": health.ok, **health.model_dump(mode="json")}, status=200 if health.ok else 503)

    async def measured(_: web.Request) -> web.StreamResponse:
        assert metrics is not None
        try:
            measures = await engine.measures()
        except BotError as error:
            return web.Response(text=f"{error}\n", status=503)
        content = metrics.text(measures, ears.alive())
        return web.Response(body=content, headers={"Content-Type": metrics.content_type})

    routes = [web.get("/healthz", answer), *([web.get("/metrics", measured)] if metrics is not None else [])]
    async with serving(listen, *routes) as port:
        yield port
