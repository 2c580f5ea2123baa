"""A workspace with a clock that stands still, and a person in it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import httpx
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from lab.slack.clock import Clock
from lab.slack.driver import Driver, driving
from lab.slack.server import Running, running
from lab.slack.workspace import Workspace

from .apps import BoltApp, bolt_app, web_client

if TYPE_CHECKING:
    from .pages import Open

PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK honours proxies even for loopback."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def clock() -> Clock:
    """Starts now, because Bolt checks the age of signatures on the real clock."""
    return Clock(float(int(time.time())), frozen=True)


@pytest.fixture
async def lab(clock: Clock) -> AsyncIterator[Running]:
    async with running(Workspace(clock=clock)) as one:
        yield one


@pytest.fixture
async def slack(lab: Running) -> AsyncIterator[Driver]:
    async with driving(lab.page_url) as driver:
        yield driver


@pytest.fixture
async def client(lab: Running) -> AsyncIterator[AsyncWebClient]:
    async with web_client(lab) as one:
        yield one


@pytest.fixture
async def bolt(lab: Running) -> AsyncIterator[BoltApp]:
    async with bolt_app(lab) as one:
        yield one


@pytest.fixture
async def http(lab: Running) -> AsyncIterator[httpx.AsyncClient]:
    """Bare calls with the bot's token."""
    headers = {"Authorization": f"Bearer {lab.bot_token}"}
    async with httpx.AsyncClient(base_url=lab.slack.base_url, headers=headers, trust_env=False, timeout=20) as one:
        yield one


@pytest.fixture
async def visit() -> AsyncIterator[Open]:
    from .pages import visits  # here: without a browser only the tests that want one are skipped

    async with visits() as opening:
        yield opening
