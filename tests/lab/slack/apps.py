"""The client sides that the simulator is tried with: the real SDK and Bolt, a bare socket, a bare HTTP endpoint."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
import pytest
import websockets
from aiohttp import web
from slack_bolt.adapter.socket_mode.websockets import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from lab.slack.server import Running

BUTTON = {"type": "button", "action_id": "go", "value": "p-1", "text": {"type": "plain_text", "text": "Apply"}}


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def actions(*elements: dict[str, Any], block_id: str = "plan") -> dict[str, Any]:
    return {"type": "actions", "block_id": block_id, "elements": list(elements or (BUTTON,))}


def modal(**fields: Any) -> dict[str, Any]:
    return {"type": "modal", "title": {"type": "plain_text", "text": "Form"}, "blocks": [section("text")], **fields}


def field_block(element: dict[str, Any], block_id: str, **more: Any) -> dict[str, Any]:
    label = {"type": "plain_text", "text": block_id.title()}
    return {"type": "input", "block_id": block_id, "label": label, "element": element, **more}


@asynccontextmanager
async def web_client(running: Running, **options: Any) -> AsyncIterator[AsyncWebClient]:
    """The SDK's client on one shared connection pool; without retries unless asked for."""
    options.setdefault("retry_handlers", [])
    async with aiohttp.ClientSession() as session:
        yield AsyncWebClient(token=running.bot_token, base_url=running.api_url, session=session, **options)


@dataclass
class BoltApp:
    """A Bolt app in Socket Mode, and a queue into which its listeners put what they saw."""

    app: AsyncApp
    handler: AsyncSocketModeHandler
    seen: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)

    def keep(self, register: Callable[..., Any], *args: Any, **ack: Any) -> None:
        """Register a listener that acknowledges with these arguments and keeps the payload."""

        @register(*args)
        async def listener(ack: Any, body: dict[str, Any]) -> None:
            await ack(**acknowledgement)
            await self.seen.put(body)

        acknowledgement = ack


@asynccontextmanager
async def bolt_app(running: Running) -> AsyncIterator[BoltApp]:
    """Connected through the websockets handler, as a program would be."""
    async with web_client(running) as client:
        app = AsyncApp(client=client)
        handler = AsyncSocketModeHandler(app, running.app_token, ping_interval=0.05)
        before = len(running.slack.sockets.connections)
        await handler.connect_async()
        await running.slack.sockets.until_connected(before + 1)
        try:
            yield BoltApp(app, handler)
        finally:
            await handler.close_async()


@dataclass
class RawSocket:
    """A Socket Mode connection that does nothing by itself."""

    ws: Any
    hello: dict[str, Any]

    async def receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(await self.ws.recv())
        return message

    async def ack(self, envelope: dict[str, Any], payload: Any = None) -> None:
        answer = {"envelope_id": envelope["envelope_id"]} | ({} if payload is None else {"payload": payload})
        await self.ws.send(json.dumps(answer))


async def ticket_url(running: Running) -> str:
    async with web_client(running) as client:
        answer = await client.apps_connections_open(app_token=running.app_token)
        return str(answer["url"])


@asynccontextmanager
async def raw_socket(running: Running, **options: Any) -> AsyncIterator[RawSocket]:
    options.setdefault("ping_interval", None)
    async with websockets.connect(await ticket_url(running), proxy=None, **options) as ws:
        yield RawSocket(ws, json.loads(await ws.recv()))


@dataclass
class Delivered:
    """One request as it arrived, byte for byte."""

    headers: dict[str, str]
    body: bytes

    @property
    def fields(self) -> list[tuple[str, str]]:
        return parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=True)

    @property
    def payload(self) -> dict[str, Any]:
        """The command's fields, or the JSON of an interaction or event."""
        if self.headers["Content-Type"] == "application/json":
            return json.loads(self.body)
        fields = dict(self.fields)
        return json.loads(fields["payload"]) if "payload" in fields else fields


@dataclass
class Endpoint:
    """A request URL. `answer` may be exchanged; by default it is an empty 200."""

    url: str = ""
    answer: Callable[[Delivered], web.Response] = lambda _: web.Response()
    arrived: asyncio.Queue[Delivered] = field(default_factory=asyncio.Queue)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.title(): value for name, value in request.headers.items()}
        delivered = Delivered(headers, await request.read())
        await self.arrived.put(delivered)
        return self.answer(delivered)


@asynccontextmanager
async def serving(app: web.Application, path: str) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}{path}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def endpoint() -> AsyncIterator[Endpoint]:
    made = Endpoint()
    app = web.Application()
    app.add_routes([web.post("/slack/events", made.handle)])
    async with serving(app, "/slack/events") as url:
        made.url = url
        yield made


async def refusal(call: Any) -> dict[str, Any]:
    """What the Web API answers when it refuses."""
    with pytest.raises(SlackApiError) as caught:
        await call
    data: dict[str, Any] = caught.value.response.data
    return data
