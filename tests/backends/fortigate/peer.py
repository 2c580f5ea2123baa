"""An HTTPS peer that does to a connection whatever a test says, byte for byte."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trustme

from tests.streams import served


@dataclass
class Request:
    """A request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Behave = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Peer:
    """Answers each request with `behave`; `never` is for behaviours that wait for ever."""

    behave: Behave
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    never: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            while True:
                request = await _request(reader)
                async with self.arrived:
                    self.requests.append(request)
                    self.arrived.notify_all()
                await self.behave(request, writer)
                await writer.drain()
                if writer.is_closing():
                    break
        writer.transport.abort()


async def _request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    return Request(method, target, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


@asynccontextmanager
async def peer(behave: Behave, certificate: trustme.LeafCert) -> AsyncIterator[Peer]:
    """A peer on a port of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    made = Peer(behave)
    async with served(made.serve, context) as made.port:
        yield made


def http(status: int, body: bytes | str, content_type: str = "application/json", **headers: str) -> bytes:
    """A whole HTTP answer."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {content_type}", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


def envelope(table: str, method: str = "GET", **changes: Any) -> str:
    """What FortiOS wraps around results."""
    path, _, name = table.partition("/")
    data = {
        "http_method": method, "revision": "28ba", "results": [], "vdom": "root", "path": path,
        "name": name.partition("/")[0], "status": "success", "http_status": 200, "serial": "FGVM02TM20001791",
        "version": "v7.4.4", "build": 2662,
    }  # fmt: skip
    return json.dumps({**data, **changes})


def always(answer: bytes) -> Behave:
    """The same answer to everything."""

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    return behave
