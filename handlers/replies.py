"""The answer that only the person who asked sees."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.engine.ports import Env
from bot.model.wording import tr
from handlers.text import clip
from handlers.views.answers import View, sentence_view
from handlers.views.blocks import sendable
from handlers.web_api import SYSTEM, WAITING

log = logging.getLogger(__name__)

SILENT_S = 4.0
Answer = TypeVar("Answer")
SLACKS_HOST = "hooks.slack.com"


class Reply(Protocol):
    """Where to tell one person something. Never raises: what was asked is in the journal all the same."""

    async def tell(self, view: View) -> bool:
        """Whether it was taken."""
        ...


class UrlReply:
    """Through the response URL of a command or click. Works in channels the bot is not in; at most five times."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._webhook = AsyncWebhookClient(url, session=session, retry_handlers=[WAITING])

    async def tell(self, view: View) -> bool:
        text, blocks = sendable(*view)
        try:
            answer = await self._webhook.send(
                text=text, blocks=blocks, response_type="ephemeral", replace_original=False, unfurl_links=False
            )
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("%s took no answer for a person: %s", SYSTEM, type(error).__name__)
            return False
        if answer.status_code != 200:
            log.warning("%s refused an answer for a person: %s", SYSTEM, clip(answer.body, 200))
        return answer.status_code == 200


class NoReply:
    """A payload without any way to answer."""

    async def tell(self, view: View) -> bool:
        log.info("nowhere to say: %s", view[0])
        return False


def url_reply(session: aiohttp.ClientSession, url: Any, api_url: str) -> Reply:
    """A response URL is used only when it leads to Slack (or to the same host as `api_url`, in the lab)."""
    if isinstance(url, str) and urlsplit(url).hostname in (SLACKS_HOST, urlsplit(api_url).hostname):
        return UrlReply(session, url)
    return NoReply()


async def told_to_wait(work: Coroutine[Any, Any, Answer], reply: Reply, env: Env) -> Answer:
    """What comes of the work; when a device keeps us waiting for it, the person hears of that meanwhile."""
    notice = asyncio.ensure_future(_notice(reply, env))
    try:
        return await work
    finally:
        notice.cancel()
        await asyncio.gather(notice, return_exceptions=True)


async def _notice(reply: Reply, env: Env) -> None:
    await env.sleep(SILENT_S)
    await reply.tell(sentence_view(tr("Something takes its time to answer; I go on waiting for it.")))
