"""Connections that break, hang or never come about: what a read and a write make of them."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from backends.fortigate.client import Client
from bot.model.errors import OutcomeUnknown, Unreachable
from tests.backends.fortigate.calls import GOOD, ROW, TABLE, Start, read, settings, write, yes
from tests.backends.fortigate.clock import ManualClock
from tests.backends.fortigate.peer import Behave, Request, always


async def hang(_: Request, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def reset(_: Request, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def half_an_answer(_: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(GOOD[:-5])
    await writer.drain()
    writer.transport.abort()


async def half_an_answer_then_silence(_: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(GOOD[:-5])
    await writer.drain()
    await asyncio.Event().wait()


@pytest.mark.parametrize("behave", [reset, half_an_answer])
async def test_a_read_is_repeated_once_when_the_connection_breaks(start: Start, behave: Behave) -> None:
    async with start(behave) as (client, firewall):
        with pytest.raises(Unreachable):
            await read(client)
    assert len(firewall.requests) == 2


async def test_one_broken_connection_does_not_show_in_a_read(start: Start) -> None:
    behaviours = iter([reset, always(GOOD)])

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        await next(behaviours)(request, writer)

    async with start(behave) as (client, _):
        assert await read(client) == []


@pytest.mark.parametrize("behave", [hang, half_an_answer_then_silence])
async def test_a_read_ends_at_its_deadline_and_is_not_repeated(start: Start, behave: Behave) -> None:
    async with start(behave, request_timeout_s=0.2) as (client, firewall):
        with pytest.raises(Unreachable, match=r"within 0\.2 s"):
            await read(client)
    assert len(firewall.requests) == 1


async def test_an_answer_that_drips_ends_at_the_deadline_too(start: Start) -> None:
    async def drip(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)  # each byte well within any read deadline

    async with start(drip, request_timeout_s=0.2) as (client, _):
        with pytest.raises(Unreachable, match=r"within 0\.2 s"):
            await read(client)


@pytest.mark.parametrize("behave", [reset, half_an_answer, hang, half_an_answer_then_silence])
async def test_a_write_is_sent_once_and_its_outcome_is_unknown(start: Start, behave: Behave) -> None:
    async with start(behave, request_timeout_s=0.2) as (client, firewall):
        with pytest.raises(OutcomeUnknown):
            await write(client)
    assert [request.method for request in firewall.requests] == ["POST"]


@pytest.mark.parametrize(
    ("method", "send"),
    [
        ("POST", lambda client: client.create(TABLE, {}, yes)),
        ("PUT", lambda client: client.update(ROW, {}, yes)),
        ("DELETE", lambda client: client.delete(ROW, yes)),
    ],
)
async def test_a_write_that_breaks_an_open_connection_is_not_sent_over_a_new_one(
    start: Start, method: str, send: Callable[[Client], Awaitable[None]]
) -> None:
    behaviours = iter([always(GOOD), reset, always(GOOD)])

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        await next(behaviours)(request, writer)

    async with start(behave) as (client, firewall):
        await read(client)  # HTTP clients repeat what is idempotent when a connection that has served breaks
        with pytest.raises(OutcomeUnknown):
            await send(client)
    assert [request.method for request in firewall.requests] == ["GET", method]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that refuses connections for as long as the test runs."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.mark.parametrize("call", [read, write])
async def test_a_refused_connection_means_nothing_was_sent(
    closed_port: int, clock: ManualClock, call: Callable[[Client], Any]
) -> None:
    client = Client("office-fw", settings(f"https://127.0.0.1:{closed_port}"), clock)
    with pytest.raises(Unreachable, match="no connection"):
        await call(client)
    await client.close()


async def test_a_peer_that_speaks_no_tls_means_nothing_was_sent(clock: ManualClock) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    client = Client("office-fw", settings(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"), clock)
    with pytest.raises(Unreachable, match="TLS failed"):
        await write(client)
    await client.close()
    server.close()
    await server.wait_closed()


async def test_a_handshake_that_never_ends_means_nothing_was_sent(clock: ManualClock) -> None:
    done = asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = Client("office-fw", settings(url, connect_timeout_s=0.2), clock)
    with pytest.raises(Unreachable, match="nothing was sent"):
        await write(client)
    await client.close()
    done.set()
    server.close()
    await server.wait_closed()


async def test_a_write_whose_time_is_over_never_leaves(start: Start) -> None:
    async with start(always(GOOD)) as (client, firewall):
        await read(client)  # the connection is open and idle: nothing but the question remains
        with pytest.raises(Unreachable, match="time was over"):
            await client.create(TABLE, {"name": "pods"}, lambda: False)
        assert await read(client) == []
    assert [request.method for request in firewall.requests] == ["GET", "GET"]


async def test_the_next_request_does_not_wait_for_a_hanging_one_for_ever(start: Start) -> None:
    async with start(hang, request_timeout_s=0.2) as (client, _):
        results = await asyncio.gather(*(read(client) for _ in range(4)), return_exceptions=True)
    assert all(isinstance(result, Unreachable) for result in results)
