"""A connection between us and WinRM that fails at a chosen moment, before or after the request had its effect."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, Self

import aiohttp
from aiohttp import web

Action = Literal["Create", "Command", "Receive", "Signal", "Delete"]
ACTIONS: tuple[Action, ...] = ("Create", "Command", "Receive", "Signal", "Delete")

_ACTION = re.compile(rb"<a:Action[^>]*>[^<]*/(\w+)</a:Action>")
_HUGE = 5 * 1024 * 1024


@dataclass(frozen=True)
class Fault:
    """`reaches`: how often the request gets to the server. `answer`: what we see of the answer."""

    reaches: Literal[0, 1, 2]
    answer: str

    def __str__(self) -> str:
        return f"{self.answer}, request {('lost', 'carried out', 'carried out twice')[self.reaches]}"


FAULTS = (
    *(Fault(reaches, answer) for reaches in (0, 1) for answer in ("reset", "silence", "garbage", "500", "503")),
    *(Fault(0, answer) for answer in ("401", "403", "429")),
    *(Fault(1, answer) for answer in ("half", "truncated", "huge", "drip", "of another command")),
    Fault(2, "whole"),
)


@dataclass
class FaultProxy:
    """`seen` counts requests by action. `release` lets requests go on that are held back. `stuck`: somebody waits for
    an answer that does not come, or never ends."""

    upstream: str
    endpoint: str = ""
    seen: Counter[str] = field(default_factory=Counter)
    stuck: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    forwarded_late: asyncio.Event = field(default_factory=asyncio.Event)
    _runner: web.AppRunner | None = None
    _moved: asyncio.Condition = field(default_factory=asyncio.Condition)
    _armed: dict[tuple[str, int], Fault] = field(default_factory=dict)
    _held: tuple[str, int] | None = None
    _answers: dict[str, bytes] = field(default_factory=dict)

    def arm(self, fault: Fault, action: Action, skip: int = 0) -> None:
        """Let the fault hit the next request of that action, after `skip` more."""
        self._armed[action, self.seen[action] + skip + 1] = fault

    def hang_up(self) -> None:
        """End all connections, those included over which nothing is asked at the moment."""
        assert self._runner is not None
        assert self._runner.server is not None
        for connection in list(self._runner.server.connections):
            if connection.transport is not None:
                connection.transport.abort()

    def hold(self, action: Action, skip: int = 0) -> None:
        """Keep a request on the way until `release`."""
        self._held = (action, self.seen[action] + skip + 1)

    async def until(self, action: Action, count: int) -> None:
        """Wait until that many requests of an action have come."""
        async with self._moved:
            await self._moved.wait_for(lambda: self.seen[action] >= count)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        found = _ACTION.search(body)
        action = found[1].decode() if found else ""
        async with self._moved:
            self.seen[action] += 1
            self._moved.notify_all()
        moment = (action, self.seen[action])
        fault = self._armed.pop(moment, Fault(1, "whole"))
        if moment == self._held:
            self.stuck.set()
            await self.release.wait()
        earlier = self._answers.get(action)
        answer = web.Response(status=500)
        for _ in range(fault.reaches):
            answer = await self._forward(request, body)
        if moment == self._held:
            self.forwarded_late.set()
        assert isinstance(answer.body, bytes | None)
        self._answers.setdefault(action, answer.body or b"")
        return await self._spoilt(request, answer, fault.answer, earlier)

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        kept = {name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.upstream, data=body, headers=kept) as reply,
        ):
            copied = {
                name: reply.headers[name] for name in ("Content-Type", "WWW-Authenticate") if name in reply.headers
            }
            return web.Response(status=reply.status, body=await reply.read(), headers=copied)

    async def _spoilt(
        self, request: web.Request, answer: web.Response, how: str, earlier: bytes | None
    ) -> web.StreamResponse:
        body = answer.body or b""
        assert isinstance(body, bytes)
        match how:
            case "whole":
                return answer
            case "garbage":
                return web.Response(body=b"\x00\xff<not><xml")
            case "truncated":
                return web.Response(body=body[: len(body) * 2 // 3])
            case "huge":
                return web.Response(body=body + b" " * _HUGE)
            case "of another command":
                assert earlier is not None
                return web.Response(body=earlier)
            case "half" | "drip":
                return await self._slowly(request, body, how)
            case "silence":
                self.stuck.set()
                await self.release.wait()
            case "reset":
                pass
            case status:
                return web.Response(status=int(status), headers={"Retry-After": "1"})
        self._hang_up(request)
        return answer

    async def _slowly(self, request: web.Request, body: bytes, how: str) -> web.StreamResponse:
        answer = web.StreamResponse()
        answer.content_length = len(body)
        await answer.prepare(request)
        if how == "half":
            await answer.write(body[: len(body) // 2])
        self.stuck.set()
        while how == "drip" and request.transport is not None:
            await answer.write(b" ")
            await asyncio.sleep(0.02)  # the slowness itself, not a wait for anything
        self._hang_up(request)
        return answer

    @staticmethod
    def _hang_up(request: web.Request) -> None:
        if request.transport is not None:
            request.transport.abort()

    @classmethod
    @asynccontextmanager
    async def before(cls, upstream: str) -> AsyncIterator[Self]:
        """A proxy for the listener with that URL."""
        proxy = cls(upstream)
        app = web.Application(client_max_size=1024 * 1024)
        app.router.add_post("/wsman", proxy.handle)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        proxy._runner = runner
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            proxy.endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}/wsman"
            yield proxy
        finally:
            proxy.release.set()
            await runner.cleanup()
