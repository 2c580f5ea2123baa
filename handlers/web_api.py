"""The Web API client, and what its errors mean for us."""

from collections.abc import Awaitable
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.model.errors import OutcomeUnknown, Rejected, Unreachable
from bot.model.wording import tr
from handlers.settings import SlackSettings

SYSTEM = "Slack"
DEFAULT_WAIT_S = 30
WAITING = AsyncRateLimitErrorRetryHandler(max_retry_count=2)  # what got a 429 was not done: it may come again
TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5)


def web_client(settings: SlackSettings, session: aiohttp.ClientSession, patient: bool = True) -> AsyncWebClient:
    """A client on one shared connection pool that retries nothing, or if `patient` a 429 once it may.

    slack-sdk's default would repeat a post whose answer got lost, and so show it twice.
    """
    return AsyncWebClient(
        token=settings.bot_token.get_secret_value(),
        base_url=settings.api_url,
        session=session,
        retry_handlers=[WAITING] if patient else [],
        trust_env_in_session=False,
    )


def _retry_after(answer: AsyncSlackResponse) -> int:
    """Whole seconds; Slack's documentation promises the header, a proxy in between may not know."""
    value = str(answer.headers.get("Retry-After") or answer.headers.get("retry-after") or "")
    return int(value) if value.isdecimal() else DEFAULT_WAIT_S


async def call(what: str, request: Awaitable[AsyncSlackResponse]) -> dict[str, Any]:
    """The answer of a Web API call. Raises Rejected for Slack's no, Unreachable, or OutcomeUnknown for silence."""
    try:
        response = await request
    except SlackApiError as error:
        answer = error.response
        said = answer.data if isinstance(answer.data, dict) else {}
        reason, status = said.get("error"), answer.status_code
        if status == 429:
            wait = _retry_after(answer)
            raise Unreachable(
                SYSTEM, tr("{what}: too many requests; it asks to wait {wait} s", what=what, wait=wait), wait
            ) from None
        if status >= 500 or reason in ("ratelimited", "internal_error", "fatal_error"):
            raise Unreachable(SYSTEM, f"{what}: {reason or status}") from None
        if not reason:  # a proxy's page, say: Slack gives a reason with every no
            raise OutcomeUnknown(
                SYSTEM, tr("{what}: no usable answer ({error})", what=what, error=f"HTTP {status}")
            ) from None
        needed = tr(" (needs scope {scope})", scope=said["needed"]) if said.get("needed") else ""
        raise Rejected(SYSTEM, f"{what}: {reason}{needed}") from None
    except aiohttp.ClientConnectorError as error:
        raise Unreachable(SYSTEM, tr("{what}: cannot connect ({reason})", what=what, reason=error.strerror)) from None
    except (aiohttp.ClientError, SlackClientError, TimeoutError, ValueError) as error:
        raise OutcomeUnknown(
            SYSTEM, tr("{what}: no usable answer ({error})", what=what, error=type(error).__name__)
        ) from None
    data = response.data
    return data if isinstance(data, dict) else {}
