"""The Socket Mode connection, and the watch that keeps it alive.

Of slack-sdk's clients this is the one built on `websockets`: it opens the new connection before it closes the old
one, and asks for a new address on every attempt. The one built on aiohttp knocks at a used address for ever.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from slack_bolt.adapter.socket_mode.websockets import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from websockets.exceptions import WebSocketException

from bot.engine.ports import Env
from bot.model.errors import ConfigurationError, Unreachable
from bot.model.wording import tr
from handlers.settings import SlackSettings
from handlers.web_api import SYSTEM

log = logging.getLogger(__name__)

PING_INTERVAL_S = 10.0
REFUSED = ("invalid_auth", "not_authed", "not_allowed_token_type", "account_inactive", "token_revoked", "token_expired")


class Connection:
    """One connection that is kept up. `alive` is what somebody at the other end has answered for."""

    def __init__(self, handler: AsyncSocketModeHandler, env: Env, interval_s: float) -> None:
        self._client, self._env, self._interval_s = handler.client, env, interval_s
        self._answered_at = env.monotonic()

    @property
    def alive(self) -> bool:
        """Whether Slack has answered a ping lately; a socket that is merely open may lead nowhere."""
        return self._env.monotonic() - self._answered_at <= 3 * self._interval_s

    async def watch(self) -> None:
        """Ping for as long as the bot lives, and connect anew when no answer comes."""
        while True:
            await self._env.sleep(self._interval_s)
            if await self._answers():
                self._answered_at = self._env.monotonic()
                continue
            log.warning("Slack does not answer on the socket; connecting anew")
            try:
                await self._client.connect_to_new_endpoint(force=True)
            except Exception as error:  # whatever it is, giving up would leave the bot deaf
                log.warning("connecting to Slack failed and will be tried again: %s", type(error).__name__)

    async def _answers(self) -> bool:
        session = self._client.current_session
        if session is None:
            return False
        try:
            async with asyncio.timeout(self._interval_s):
                await (await session.ping())
        except (WebSocketException, OSError, TimeoutError):
            return False
        return True


@asynccontextmanager
async def socket_mode(settings: SlackSettings, app: AsyncApp, env: Env, interval_s: float) -> AsyncIterator[Connection]:
    """Connected while inside. Raises ConfigurationError for a refused app token, Unreachable when Slack is away."""
    assert settings.app_token is not None, "the settings demand it for this mode"
    token = settings.app_token.get_secret_value()
    handler = AsyncSocketModeHandler(app, token, ping_interval=interval_s)
    watch: asyncio.Task[None] | None = None
    try:
        await _connect(handler)
        connection = Connection(handler, env, interval_s)
        watch = asyncio.create_task(connection.watch(), name="socket watch")
        yield connection
    finally:
        if watch is not None:  # it must not connect anew what is being closed
            watch.cancel()
            await asyncio.wait([watch])
        await handler.close_async()  # type: ignore[no-untyped-call]  # as Bolt ships it


async def _connect(handler: AsyncSocketModeHandler) -> None:
    try:
        await handler.connect_async()  # type: ignore[no-untyped-call]
    except SlackApiError as error:
        code = str(error.response.get("error"))
        if code in REFUSED:
            raise ConfigurationError(
                tr(
                    "slack.app_token: {system}: apps.connections.open: {code}. Give the app's "
                    "current xapp- token with connections:write.",
                    system=SYSTEM,
                    code=code,
                )
            ) from None
        raise Unreachable(SYSTEM, f"apps.connections.open: {code}") from None
    except (WebSocketException, aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise Unreachable(SYSTEM, tr("no socket connection ({error})", error=type(error).__name__)) from None
