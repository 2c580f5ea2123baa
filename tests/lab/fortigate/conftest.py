"""A simulated firewall per test, reached by a plain HTTP client over real HTTPS."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from lab.fortigate import article
from lab.fortigate.clock import Clock
from lab.fortigate.device import Device
from lab.fortigate.server import Server, running

TOKEN = "lab-token-of-the-tests"
CMDB = "/api/v2/cmdb/"
MONDAY_NOON = 1_750_075_200.0  # 2025-06-16 12:00 UTC


class Lab:
    """One running simulator and a client that carries the token."""

    def __init__(self, device: Device, server: Server, client: httpx.AsyncClient, stack: AsyncExitStack) -> None:
        self.device = device
        self.server = server
        self.client = client
        self._stack = stack

    async def new_client(self, **headers: str) -> httpx.AsyncClient:
        """Another client, without the token unless given."""
        trust = ssl.create_default_context(cadata=self.server.ca_pem)
        return await self._stack.enter_async_context(
            httpx.AsyncClient(base_url=self.server.url, verify=trust, headers=headers, timeout=10)
        )

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.client.get(_full(path), **more)

    async def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        return await self.client.post(_full(path), json=body, **more)

    async def put(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        return await self.client.put(_full(path), json=body, **more)

    async def delete(self, path: str, **more: Any) -> httpx.Response:
        return await self.client.delete(_full(path), **more)

    async def rows(self, path: str) -> list[dict[str, Any]]:
        answer = await self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()["results"]

    async def created(self, path: str, body: Any) -> Any:
        """The key of a row that must be creatable."""
        answer = await self.post(path, body)
        assert answer.status_code == 200, answer.text
        return answer.json()["mkey"]

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.client.request(method, f"{self.server.control_url}/lab/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def arm(self, kind: str, **parts: Any) -> None:
        await self.control("POST", "faults", {"kind": kind, **parts})


def _full(path: str) -> str:
    """`firewall/address` means the configuration table; anything with a leading slash is left alone."""
    return path if path.startswith("/") else CMDB + path


@pytest.fixture
def clock() -> Clock:
    return Clock(frozen_at=MONDAY_NOON)


@pytest.fixture
def state() -> dict[str, Any]:
    """The article's firewall, with an all-powerful API user."""
    return article.state(TOKEN, profile="super_admin")


@pytest.fixture
async def start(clock: Clock, state: dict[str, Any]) -> AsyncIterator[Callable[..., Any]]:
    """Start simulators; each stops at the end of the test."""
    async with AsyncExitStack() as stack:

        async def start(version: str = "v7.4.4", token: str = TOKEN, **options: Any) -> Lab:
            device = Device.from_json({**state, "version": version}, clock=clock)
            server = await stack.enter_async_context(running(device, **options))
            trust = ssl.create_default_context(cadata=server.ca_pem)
            client = await stack.enter_async_context(
                httpx.AsyncClient(
                    base_url=server.url, verify=trust, headers={"Authorization": f"Bearer {token}"}, timeout=10
                )
            )
            return Lab(device, server, client, stack)

        yield start


@pytest.fixture
async def lab(start: Callable[..., Any]) -> Lab:
    return await start()
