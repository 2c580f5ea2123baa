"""The Bolt application and the connection pool to Slack."""

import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aiohttp
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot.model.errors import ConfigurationError, Rejected
from bot.model.wording import tr
from handlers.settings import SlackSettings
from handlers.web_api import TIMEOUT, call

log = logging.getLogger(__name__)


@asynccontextmanager
async def http_session() -> AsyncIterator[aiohttp.ClientSession]:
    """The one connection pool to Slack."""
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        yield session


async def bolt_app(settings: SlackSettings, client: AsyncWebClient) -> AsyncApp:
    """An app that knows who it is before its first request, so that no request waits for auth.test.

    Raises ConfigurationError for a refused token or another workspace's, Unreachable when Slack is away.
    """
    try:
        identity = await call("auth.test", client.auth_test())
    except Rejected as error:
        raise ConfigurationError(
            tr("slack.bot_token: {error}. Reinstall the app or give its current token.", error=error)
        ) from None
    if identity["team_id"] != settings.team:
        raise ConfigurationError(
            tr(
                "slack.bot_token belongs to workspace {theirs} ({name}), but slack.team is {ours}.",
                theirs=identity["team_id"],
                name=identity.get("team"),
                ours=settings.team,
            )
        )

    async def authorize(**_: Any) -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=None,
            team_id=identity["team_id"],
            bot_user_id=identity["user_id"],
            bot_id=identity.get("bot_id"),
            bot_token=settings.bot_token.get_secret_value(),
        )

    with _no_slack_environment():
        return AsyncApp(client=_tokenless(settings, client), authorize=authorize, logger=log)


@contextmanager
def _no_slack_environment() -> Iterator[None]:
    """Bolt reads SLACK_* variables by itself, and some of them switch it to another way of logging in."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("SLACK_")}
    try:
        yield
    finally:
        os.environ.update(hidden)


def _tokenless(settings: SlackSettings, client: AsyncWebClient) -> AsyncWebClient:
    """Bolt warns of a client that has a token of its own beside `authorize`."""
    return AsyncWebClient(
        base_url=settings.api_url,
        session=client.session,
        retry_handlers=client.retry_handlers,
        trust_env_in_session=False,
    )
