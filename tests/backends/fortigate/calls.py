"""Calls of a client to a peer that a test makes behave as it likes."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from pydantic import SecretStr

from backends.fortigate.client import Client
from backends.fortigate.settings import FortiGateSettings
from backends.fortigate.urls import RowUrl, TableUrl
from tests.backends.fortigate.peer import Peer, envelope, http

TOKEN = "planted-secret-4711"
TABLE = TableUrl("firewall/address")
ROW = RowUrl("firewall/address", "pods")
GOOD = http(200, envelope("firewall/address"))
HTML = "<!DOCTYPE HTML><html><head><title>Forbidden</title></head><body><h1>Forbidden</h1></body></html>"

Start = Callable[..., AbstractAsyncContextManager[tuple[Client, Peer]]]


def settings(url: str, **changes: Any) -> FortiGateSettings:
    data = {"type": "fortigate", "url": url, "token": SecretStr(TOKEN), "request_timeout_s": 20.0}
    return FortiGateSettings.model_validate({**data, **changes})


def yes() -> bool:
    return True


async def read(client: Client) -> Any:
    return await client.rows(TABLE, ())


async def write(client: Client) -> None:
    await client.create(TABLE, {"name": "pods"}, yes)
