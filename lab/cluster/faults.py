"""Misbehaviour on demand: what the API does instead of answering."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from typing import Literal, Self, get_args

from aiohttp import web

from lab.cluster.clock import Clock
from lab.cluster.resources import Json
from lab.cluster.status import internal_error, too_many_requests, too_old

Kind = Literal["error", "hang", "reset", "throttle", "garbage", "slow", "drip", "endless", "gone"]
KINDS: tuple[str, ...] = get_args(Kind)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Fault:
    """One rule of misbehaviour: the first that matches a request is played.

    error: 500 with a Status. hang: accept, never answer. reset: TCP RST. throttle: 429 with Retry-After.
    garbage: 200 with JSON that ends in the middle. slow: the right answer after `seconds`. drip: a body of which a byte
    comes now and then. endless: 500 with a body that has no end. gone: 410 with a Status.
    """

    kind: Kind
    path: str = "/"
    """Prefix of the request's path."""
    count: int | None = None
    """How many requests it plays for; None: until it is cleared."""
    seconds: int = 1
    """Delay of ``slow``, and Retry-After of ``throttle``."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; there are: {', '.join(KINDS)}")

    @classmethod
    def load(cls, document: Json) -> Self:
        """From JSON; `ValueError` says which field is missing or too much."""
        known = [field.name for field in fields(cls)]
        if unknown := sorted(set(document) - set(known)):
            raise ValueError(f"a fault has no field {unknown[0]!r}; there are: {', '.join(known)}")
        if "kind" not in document:
            raise ValueError(f"a fault needs a kind: {', '.join(KINDS)}")
        return cls(**document)


class Faults:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._released = asyncio.Event()
        self.active: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self.active.append(fault)

    def clear(self) -> None:
        """Behave again; requests that hang are dropped without an answer."""
        self._released.set()
        self._released = asyncio.Event()
        self.active.clear()

    def _take(self, path: str) -> Fault | None:
        for fault in self.active:
            if path.startswith(fault.path):
                if fault.count is not None:
                    fault.count -= 1
                    if fault.count == 0:
                        self.active.remove(fault)
                return fault
        return None

    async def play(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request, or misbehave if a fault matches it."""
        fault = self._take(request.path)
        if fault is None:
            return await handler(request)
        match fault.kind:
            case "error":
                raise internal_error()
            case "throttle":
                raise too_many_requests(fault.seconds)
            case "hang":
                await self._released.wait()
                return _reset(request)
            case "reset":
                return _reset(request)
            case "garbage":
                return web.Response(
                    body=b'{"kind":"List","apiVersion":"v1","items":[{"metadata":{"na', content_type="application/json"
                )
            case "drip":
                return await _streamed(request, 200, b" ", 0.05)
            case "endless":
                return await _streamed(request, 500, b" " * 65536, 0)
            case "gone":
                raise too_old(1, 2)
            case "slow":
                await self._clock.sleep(fault.seconds)
                return await handler(request)


async def _streamed(request: web.Request, status: int, piece: bytes, pause_s: float) -> web.StreamResponse:
    """One piece after another until the client has gone. A client waits for the announced length of each answer."""
    response = web.StreamResponse(status=status, headers={"Content-Type": "application/json"})
    response.content_length = 1 << 40
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            await response.write(piece)
            await asyncio.sleep(pause_s)
    return response


def _reset(request: web.Request) -> web.Response:
    """Close the connection with a TCP RST; the response returned is never sent."""
    if request.transport is not None:
        sock = request.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response()
