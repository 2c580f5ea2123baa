"""A running cluster and the official client in front of it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from lab.cluster import article
from lab.cluster.access import Account
from lab.cluster.clock import HandClock
from lab.cluster.serving import Running, running
from tests.lab.cluster.clients import ADMIN, EVERYTHING, READER, Call, official


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def lab(clock: HandClock) -> AsyncIterator[Running]:
    admin = Account.load({"user": "admin", "token": ADMIN, "rules": [EVERYTHING]})
    async with running(article.cluster(READER, accounts=(admin,), clock=clock)) as served:
        yield served


@pytest.fixture
async def call(lab: Running, tmp_path: Path) -> AsyncIterator[Call]:
    """Call a method of the official client in a thread: ``await call(client.CoreV1Api, "list_node")``."""
    clients: dict[str, client.ApiClient] = {}

    async def request(api: type, method: str, *, token: str = READER, timeout: float = 10, **arguments: Any) -> Any:
        if token not in clients:
            clients[token] = official(lab, tmp_path, token)
        bound = getattr(api(clients[token]), method)
        return await asyncio.to_thread(bound, _request_timeout=timeout, **arguments)

    yield request
    for api_client in clients.values():
        api_client.rest_client.pool_manager.clear()
        api_client.close()
