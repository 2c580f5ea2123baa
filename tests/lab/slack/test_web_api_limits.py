"""Checks 13 and 14: rate limits and faults."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncConnectionErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from lab.slack.clock import Clock
from lab.slack.driver import Driver
from lab.slack.people import NET_OPS, OMAR
from lab.slack.server import Running, running
from lab.slack.workspace import Workspace

from .apps import refusal, web_client


@pytest.fixture
async def limited(clock: Clock) -> Any:
    async with running(Workspace(clock=clock), rate_limits=True) as lab:
        yield lab


async def test_check_13_a_tier_is_a_minute_of_calls_that_refills(limited: Running, clock: Clock) -> None:
    async with web_client(limited) as client:
        for _ in range(20):
            await client.usergroups_list()
        with pytest.raises(SlackApiError) as caught:
            await client.usergroups_list()
        assert caught.value.response.status_code == 429
        assert caught.value.response["error"] == "ratelimited"
        assert int(caught.value.response.headers["Retry-After"]) == 3
        assert (await client.users_info(user=OMAR))["ok"], "another method has its own bucket"
        clock.advance(3)
        await client.usergroups_list()
        assert (await refusal(client.usergroups_list()))["error"] == "ratelimited"


async def test_check_13_posts_are_limited_by_channel(limited: Running, clock: Clock) -> None:
    async with web_client(limited) as client:
        for n in range(10):
            await client.chat_postMessage(channel=NET_OPS, text=str(n))
        assert (await refusal(client.chat_postMessage(channel=NET_OPS, text="too many")))["error"] == "ratelimited"
        assert (await client.chat_postMessage(channel=OMAR, text="another channel"))["ok"]
        clock.advance(1)
        assert (await client.chat_postMessage(channel=NET_OPS, text="later"))["ok"]
        limited.slack.limits.enabled = False
        for n in range(30):
            await client.chat_postMessage(channel=NET_OPS, text=str(n))


async def test_check_14_a_connection_closed_after_the_work_makes_the_sdk_post_twice(
    lab: Running, slack: Driver
) -> None:
    await slack.fault(method="chat.postMessage", kind="close_after")
    async with web_client(lab, retry_handlers=[AsyncConnectionErrorRetryHandler()]) as hasty:
        await hasty.chat_postMessage(channel=NET_OPS, text="twice")
    assert [message.text for message in await slack.messages()] == ["twice", "twice"]


async def test_check_14_a_connection_closed_before_the_work_leaves_nothing(
    client: AsyncWebClient, slack: Driver
) -> None:
    await slack.fault(method="chat.postMessage", kind="close_before")
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel=NET_OPS, text="never")
    assert await slack.messages() == []


async def test_check_14_statuses_pages_and_storms(client: AsyncWebClient, slack: Driver) -> None:
    await slack.fault(method="auth.test", kind="status", status=503)
    await slack.fault(method="auth.test", kind="html")
    await slack.fault(method="auth.test", kind="ratelimited", retry_after=30, times=2)
    with pytest.raises(SlackApiError) as caught:
        await client.auth_test()
    assert caught.value.response.status_code == 503
    with pytest.raises(SlackApiError):
        await client.auth_test()
    for _ in range(2):
        with pytest.raises(SlackApiError) as caught:
            await client.auth_test()
        assert caught.value.response.headers["Retry-After"] == "30"
    assert (await client.auth_test())["ok"]


async def test_check_14_slow_answers_come_when_the_clock_says_so(
    client: AsyncWebClient, slack: Driver, clock: Clock
) -> None:
    await slack.fault(method="chat.postMessage", kind="slow", seconds=20)
    posting = asyncio.ensure_future(client.chat_postMessage(channel=NET_OPS, text="slowly"))
    await clock.until_sleeping(20)
    assert await slack.messages() == []
    clock.advance(20)
    assert (await posting)["ok"]


async def test_check_14_faults_can_be_taken_back(client: AsyncWebClient, slack: Driver) -> None:
    await slack.fault(kind="status", status=500, times=0)
    with pytest.raises(SlackApiError):
        await client.auth_test()
    await slack.http.delete("/lab/faults")
    assert (await client.auth_test())["ok"]
