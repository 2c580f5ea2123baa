"""The workspace on a socket: start it in this process with `running(...)`, or alone with `python -m lab.slack`."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from lab.slack.control import Control
from lab.slack.core import Network, Slack, Tokens
from lab.slack.delivery import is_loopback, require_loopback
from lab.slack.endpoints import Endpoints
from lab.slack.manifest import Manifest
from lab.slack.workspace import Workspace

PAGE = Path(__file__).parent / "page"
MOST_BODY = 64 * 1024 * 1024
SAFE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Running:
    """A workspace that listens. The tokens are for the app under test; they never show in a repr."""

    slack: Slack
    page_url: str

    @property
    def api_url(self) -> str:
        return f"{self.slack.base_url}/api/"

    @property
    def bot_token(self) -> str:
        return self.slack.tokens.bot

    @property
    def app_token(self) -> str:
        return self.slack.tokens.app

    @property
    def signing_secret(self) -> str:
        return self.slack.tokens.signing_secret


@web.middleware
async def same_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Other sites open in the same browser must not act in this workspace, not even under a borrowed name."""
    here = f"{request.scheme}://{request.host}"
    foreign = request.headers.get("Origin", here) != here or not is_loopback(here)
    if foreign and request.path.startswith("/lab/"):
        raise web.HTTPForbidden(text="this page belongs to another site")
    return await handler(request)


def application(slack: Slack) -> web.Application:
    app = web.Application(middlewares=[same_origin], client_max_size=MOST_BODY)
    app.add_routes(Endpoints(slack).routes())
    app.add_routes(Control(slack).routes())

    async def page(request: web.Request) -> web.StreamResponse:
        name = request.match_info.get("name") or "index.html"
        path = PAGE / name
        if path.parent != PAGE or not path.is_file():
            raise web.HTTPNotFound(text=f"there is no {name}")
        return web.FileResponse(path, headers=SAFE_HEADERS)

    async def download(request: web.Request) -> web.Response:
        file = slack.workspace.state.files.get(request.match_info["file"])
        if file is None or not file.completed or file.content is None:
            raise web.HTTPNotFound(text="there is no such file")
        kind = file.mimetype if file.mimetype.startswith("image/") and "svg" not in file.mimetype else "text/plain"
        return web.Response(body=base64.b64decode(file.content), content_type=kind, headers=SAFE_HEADERS)

    app.add_routes([web.get("/", page), web.get("/page/{name}", page), web.get("/files/{file}", download)])
    return app


@asynccontextmanager
async def running(
    workspace: Workspace | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tokens: Tokens | None = None,
    manifest: Manifest | None = None,
    request_url: str | None = None,
    rate_limits: bool = False,
    network: Network | None = None,
    language: str = "en",
) -> AsyncIterator[Running]:
    """Serve a workspace on a loopback address until the block ends.

    With `request_url` payloads go there as signed HTTP requests, otherwise through Socket Mode. Port 0 means any.
    Raises ValueError for an address that is not on this machine, OSError when the port is taken.
    """
    require_loopback(f"http://{host}")
    slack = Slack(
        workspace or Workspace(),
        tokens=tokens,
        manifest=manifest,
        request_url=request_url,
        rate_limits=rate_limits,
        network=network,
        language=language,
    )
    runner = web.AppRunner(application(slack), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        address = runner.addresses[0]
        slack.base_url = f"http://{host}:{address[1]}"
        yield Running(slack, f"{slack.base_url}/")
    finally:
        slack.workspace.changed("stopped")
        await slack.close()
        await runner.cleanup()
        slack.workspace.observers.remove(slack.broadcast)
