"""Connections of an aiohttp server that end as if the machine behind them had gone."""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence

from aiohttp import web


def transports(runner: web.AppRunner | None) -> Sequence[asyncio.Transport]:
    """Those of every connection at this moment; a connection forgets its own when it is closed."""
    server = runner.server if runner else None
    return [one.transport for one in (server.connections if server else ()) if one.transport is not None]


def cut(some: Iterable[asyncio.Transport]) -> None:
    """Abort them, also those whose TLS still waits for the peer's farewell; a turn of the loop later they are gone."""
    for transport in some:
        # In some Pythons (Debian 12's 3.11.2) a TLS transport that was closed twice has lost what it would abort.
        with contextlib.suppress(AttributeError):
            transport.abort()
