"""The page in a browser, opened as somebody."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from lab.slack.server import Running
from tests.browser import chromium

Open = Callable[..., Awaitable[Any]]


@asynccontextmanager
async def visits() -> AsyncIterator[Open]:
    """Open the page as someone; every request and every script error of the page is watched."""
    async with chromium() as browser:
        wrong: list[str] = []

        async def open_page(lab: Running, by: str = "omar", channel: str = "net-ops", width: int = 1280) -> Any:
            page = await browser.new_page(viewport={"width": width, "height": 800})
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("request", lambda request: wrong.extend(outside(request.url)))
            await page.goto(f"{lab.page_url}?as={by}&channel={channel}")
            await page.wait_for_selector("body[data-ready]")
            return page

        yield open_page
    assert wrong == []


def outside(url: str) -> list[str]:
    return [] if urlsplit(url).hostname in ("127.0.0.1", None) else [f"request to {url}"]


def shown(page: Any) -> Any:
    return page.locator("#messages .message")
