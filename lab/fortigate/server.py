"""The firewall on the network: HTTPS, latency, faults."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from aiohttp import web

from lab.cutting import cut, transports
from lab.fortigate.api import Api
from lab.fortigate.call import Call, html
from lab.fortigate.control import control_routes
from lab.fortigate.device import Device
from lab.fortigate.faults import Faults
from lab.fortigate.misbehaviour import BEHAVIOURS, Exchange, Memory, recall, respond

MAX_BODY = 32 * 1024 * 1024
Sleep = Callable[[float], Awaitable[None]]


@dataclass
class Latency:
    """Delay before each answer, between `low` and `high` seconds, and once per connection."""

    low: float = 0.0
    high: float = 0.0
    connection: float = 0.0

    def draw(self) -> float:
        return random.uniform(self.low, self.high)


class Server:
    """A running simulator. `url` has no trailing slash; `ca_pem` is what clients must trust."""

    def __init__(self, device: Device, host: str, ca: trustme.CA, sleep: Sleep) -> None:
        self.device = device
        self.api = Api(device)
        self.faults = Faults()
        self.latency = Latency()
        self.host = host
        self.port = 0
        self.control_port: int | None = None
        self.http_port: int | None = None
        self.ca_pem = ca.cert_pem.bytes().decode()
        self._sleep = sleep
        self._memories: list[Memory] = []
        self._released = asyncio.Event()
        self._known_connections: set[object] = set()
        self._ssl = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert(host, "localhost").configure_cert(self._ssl)
        self._runner: web.AppRunner | None = None
        self._opened: socket.socket | None = None
        self._site: web.BaseSite | None = None

    @property
    def url(self) -> str:
        return f"https://{self.host}:{self.port}"

    @property
    def control_url(self) -> str:
        """Where `/lab/...` is served: the API's own port, or plain HTTP on the separate control port."""
        return self.url if self.control_port is None else f"http://{self.host}:{self.control_port}"

    def write_ca(self, path: Path) -> Path:
        path.write_text(self.ca_pem)
        return path

    async def listen(self) -> None:
        """Accept connections (again), on the same port as before."""
        if self._site is None and self._runner is not None:
            if self._opened is not None:
                self._site, self._opened = web.SockSite(self._runner, self._opened, ssl_context=self._ssl), None
            else:
                self._site = web.TCPSite(self._runner, self.host, self.port, ssl_context=self._ssl)
            await self._site.start()
            self.port = bound_port(self._runner)

    async def stop_listening(self) -> None:
        """Refuse new connections and drop the present ones, like a host that went away."""
        if self._site is not None:
            site, self._site = self._site, None
            await site.stop()
        self.drop_connections()

    def drop_connections(self) -> None:
        """Reset all connections to the API."""
        cut(transports(self._runner))

    def failover(self) -> None:
        """Let the next cluster member take over: connections break, the serial number changes."""
        self.device.failover()
        self.drop_connections()

    def clear_faults(self) -> None:
        """Disarm all faults and end the requests that hang because of them."""
        self.faults.clear()
        self._released.set()
        self._released = asyncio.Event()

    async def _start(
        self,
        stack: AsyncExitStack,
        control_port: int | None,
        http_port: int | None,
        port: int,
        opened: socket.socket | None,
    ) -> None:
        self.port = port
        self._opened = opened
        application = web.Application(client_max_size=MAX_BODY)
        if control_port is None:
            application.add_routes(control_routes(self))
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = await _serving(stack, application)
        await self.listen()
        if control_port is not None:
            control = web.Application(client_max_size=MAX_BODY)
            control.add_routes(control_routes(self))
            self.control_port = await self._plain(stack, control, control_port)
        if http_port is not None:
            plain = web.Application(client_max_size=MAX_BODY)
            plain.router.add_route("*", "/{path:.*}", self._handle)
            self.http_port = await self._plain(stack, plain, http_port)
        stack.callback(self.clear_faults)

    async def _plain(self, stack: AsyncExitStack, application: web.Application, port: int) -> int:
        runner = await _serving(stack, application)
        await web.TCPSite(runner, self.host, port).start()
        return bound_port(runner)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return respond(html(413))
        call = Call(
            request.method,
            request.raw_path,
            request.remote or "",
            {name.lower(): value for name, value in request.headers.items()},
            body,
            request.secure,
        )
        await self._delay(request)
        if (fault := self.faults.strike(call)) is not None:
            exchange = Exchange(request, call, fault, self.api, self._released, self._memories)
            return await BEHAVIOURS[fault.kind](exchange)
        answer = self.api.handle(call)
        if call.method == "GET" and self._memories:
            recall(self.api, self._memories, call)
        return respond(answer)

    async def _delay(self, request: web.Request) -> None:
        delay = self.latency.draw()
        if self._is_first(request):
            delay += self.latency.connection
        if delay > 0:
            await self._sleep(delay)

    def _is_first(self, request: web.Request) -> bool:
        """Whether this is the first request of its connection."""
        server = self._runner.server if self._runner else None
        alive: set[object] = set(server.connections) if server else set()
        known, self._known_connections = self._known_connections, alive
        return request.protocol not in known


async def _serving(stack: AsyncExitStack, application: web.Application) -> web.AppRunner:
    # Clients that give up do not stop what they asked for: the device goes on with it.
    runner = web.AppRunner(application, access_log=None, handler_cancellation=False, shutdown_timeout=1.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    return runner


def bound_port(runner: web.AppRunner) -> int:
    """The port of its one site."""
    [(_, port, *_)] = runner.addresses
    return int(port)


@asynccontextmanager
async def running(
    device: Device,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    control_port: int | None = None,
    http_port: int | None = None,
    latency: Latency | None = None,
    sleep: Sleep = asyncio.sleep,
    opened: socket.socket | None = None,
) -> AsyncIterator[Server]:
    """Serve a device until the context ends.

    Port 0 takes a free one. With `control_port` the control endpoint `/lab/...` has a port of its own
    (plain HTTP) instead of being served beside the API; it then still answers while the API is unreachable.
    `http_port` opens the plain HTTP port, where tokens are refused. `opened` is a TCP socket bound to that host and
    port already, for instance in a network namespace.
    """
    server = Server(device, host, trustme.CA(), sleep)
    server.latency = latency or Latency()
    async with AsyncExitStack() as stack:
        await server._start(stack, control_port, http_port, port, opened)
        yield server
