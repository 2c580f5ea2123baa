"""The bot's own HTTP side: Slack's requests where Socket Mode is not used, and /healthz."""

import json
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest

from bot.model.errors import Unreachable
from bot.model.wording import tr
from handlers.settings import Listen
from handlers.signature import Verifier

log = logging.getLogger(__name__)

EVENTS_PATH = "/slack/events"
MOST_BODY = 1024 * 1024


class SlackEndpoint:
    """Commands, interactions and events as signed requests, all on one path.

    The form is parsed here: Bolt takes any body that has the word "payload" somewhere for an interaction, and loses
    `/k8snet check payload-api.default`. Given the fields as if by Socket Mode, it parses nothing, and checks no
    signature either: that is done before.
    """

    def __init__(self, app: AsyncApp, verifier: Verifier) -> None:
        self._app, self._verifier = app, verifier

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        header = request.headers.get
        refusal = self._verifier.refusal(header("X-Slack-Request-Timestamp", ""), header("X-Slack-Signature", ""), raw)
        if refusal:
            log.warning("refused a request to %s: %s", EVENTS_PATH, refusal)
            raise web.HTTPUnauthorized(text="not believed to be from Slack")
        try:
            body = fields(raw, request.content_type)
        except ValueError:
            raise web.HTTPBadRequest(text="neither a form nor JSON") from None
        if body.get("type") == "url_verification":
            return web.json_response({"challenge": body.get("challenge", "")})
        if "ssl_check" in body:
            return web.Response()
        answer = await self._app.async_dispatch(AsyncBoltRequest(mode="socket_mode", body=body))
        return web.Response(
            status=answer.status, text=answer.body, content_type=answer.first_headers()["content-type"].split(";")[0]
        )


def fields(raw: bytes, content_type: str) -> dict[str, Any]:
    """The payload of a request: JSON, the JSON in a form's field `payload`, or the form itself. Raises ValueError."""
    text = raw.decode()
    if content_type != "application/json":
        form = dict(parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text)))
        if "payload" not in form:
            return form
        text = form["payload"]
    body = json.loads(text)
    if not isinstance(body, dict):
        raise ValueError("not an object")
    return body


@asynccontextmanager
async def serving(listen: Listen, *routes: web.RouteDef) -> AsyncIterator[int]:
    """Serve these routes while inside; answers the port. Raises Unreachable when the address is taken, or not ours."""
    app = web.Application(client_max_size=MOST_BODY)
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, listen.host, listen.port).start()
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)
            problem = tr("cannot listen there: {reason}", reason=reason)
            raise Unreachable(f"{listen.host}:{listen.port}", problem) from None
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
