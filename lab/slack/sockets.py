"""Socket Mode, the server's side: tickets, connections, envelopes and their acknowledgements."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import uuid
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import WSCloseCode, WSMsgType, web

from lab.slack.clock import Clock
from lab.slack.faults import Faults
from lab.slack.model import Json
from lab.slack.people import APP_ID
from lab.slack.transcript import Transcript
from lab.slack.workspace import Workspace

ACK_SECONDS = 3.0
TICKET_SECONDS = 30.0
PING_SECONDS = 10.0
WARNING_SECONDS = 10.0
MOST_CONNECTIONS = 10


@dataclass(frozen=True)
class Answer:
    """What an app made of one payload. `reason` is a retry reason of the Events API when it failed."""

    outcome: Literal["ok", "operation_timeout", "dispatch_failed"]
    body: Any = None
    reason: str = ""
    retry: bool = True

    @property
    def ok(self) -> bool:
        return self.outcome == "ok"


@dataclass(eq=False)
class Connection:
    """One WebSocket of the app. A half-open one stays connected but neither answers pings nor reads."""

    number: int
    ws: web.WebSocketResponse
    request: web.Request
    half_open: bool = False
    draining: bool = False


@dataclass
class Sent:
    connection: Connection
    answered: asyncio.Future[Any]


@dataclass
class Sockets:
    """All connections of the app. Each payload goes to exactly one of them."""

    workspace: Workspace
    clock: Clock
    faults: Faults
    transcript: Transcript
    spread: Literal["round_robin", "random"] = "round_robin"
    foreign_acks: bool = True
    debug_host: str = "applink-lab"
    connections: list[Connection] = field(default_factory=list)
    tickets: dict[str, float] = field(default_factory=dict)
    sent: dict[str, Sent] = field(default_factory=dict)
    opened: int = 0
    turn: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def __post_init__(self) -> None:
        self.random = random.Random(self.workspace.state.seed)

    def ticket(self) -> str:
        """Single use, valid for half a minute of the lab's clock."""
        ticket = self.workspace.digest("ticket")
        self.tickets[ticket] = self.clock.now() + TICKET_SECONDS
        return ticket

    # one connection ----------------------------------------------------------------------------------------------

    async def accept(self, request: web.Request) -> web.StreamResponse:
        """The WebSocket endpoint `/link/?ticket=…&app_id=…`."""
        fault = self.faults.next("handshake")
        if fault:
            self.transcript.add("socket", "handshake refused", status=fault.status)
            return web.Response(status=fault.status, text="the lab was asked to refuse this handshake")
        expires = self.tickets.pop(request.query.get("ticket", ""), 0.0)
        if expires < self.clock.now():
            self.transcript.add("socket", "handshake refused", status=408, why="ticket used, expired or unknown")
            return web.Response(status=408, text="this ticket was used, has expired or never existed")
        ws = web.WebSocketResponse(autoping=False, autoclose=True)
        await ws.prepare(request)
        self.opened += 1
        connection = Connection(self.opened, ws, request)
        if len(self.connections) >= MOST_CONNECTIONS:
            await self.notice(connection, "too_many_websockets")
            await ws.close()
            return ws
        await self.serve(connection)
        return ws

    async def serve(self, connection: Connection) -> None:
        self.connections.append(connection)
        await self.announce()
        pinging = asyncio.ensure_future(self.ping(connection))
        try:
            await self.hello(connection)
            async for message in connection.ws:
                if connection.half_open:
                    continue
                if message.type is WSMsgType.PING:
                    await connection.ws.pong(message.data)
                elif message.type is WSMsgType.TEXT:
                    self.receive(connection, message.data)
        except ConnectionError:
            pass  # an abrupt end is one of the things the lab offers
        finally:
            pinging.cancel()
            await asyncio.gather(pinging, return_exceptions=True)
            if connection in self.connections:
                self.connections.remove(connection)
            self.transcript.add("socket", "closed", connection=connection.number)
            await self.announce()

    async def hello(self, connection: Connection) -> None:
        await connection.ws.send_json(
            {
                "type": "hello",
                "num_connections": len(self.connections),
                "debug_info": {
                    "host": self.debug_host,
                    "build_number": 54,
                    "started": "2026-01-01 00:00:00.000",
                    "approximate_connection_time": 18060,
                },
                "connection_info": {"app_id": APP_ID},
            }
        )
        self.transcript.add("socket", "hello", connection=connection.number, open=len(self.connections))

    async def ping(self, connection: Connection) -> None:
        while True:
            await self.clock.sleep(PING_SECONDS)
            if not connection.half_open and not connection.ws.closed:
                await connection.ws.ping(b"lab")

    def receive(self, connection: Connection, text: str) -> None:
        """Match an acknowledgement with its envelope."""
        try:
            data: Json = json.loads(text)
            envelope_id = data["envelope_id"]
        except (ValueError, KeyError, TypeError):
            self.transcript.add("socket", "not an acknowledgement", connection=connection.number, text=text)
            return
        sent = self.sent.get(envelope_id)
        if sent is None:
            verdict = "late, duplicate or unknown"
        elif sent.connection is not connection and not self.foreign_acks:
            verdict = "wrong connection"
        else:
            verdict = "accepted"
            del self.sent[envelope_id]
            sent.answered.set_result(data.get("payload"))
        self.transcript.add("ack", verdict, connection=connection.number, envelope=data)

    # sending -----------------------------------------------------------------------------------------------------

    def choose(self) -> Connection | None:
        live = [one for one in self.connections if not one.ws.closed and not one.draining]
        if not live:
            return None
        if self.spread == "random":
            return self.random.choice(live)
        self.turn += 1
        return live[(self.turn - 1) % len(live)]

    async def deliver(self, kind: str, payload: Json, *, accepts: bool, **retry: Any) -> Answer:
        """Send one envelope and wait for its acknowledgement for as long as Slack would."""
        connection = self.choose()
        if connection is None:
            self.transcript.add("envelope", kind, payload=payload, outcome="dispatch_failed", why="no connection")
            return Answer("dispatch_failed", reason="connection_failed")
        envelope_id = str(uuid.UUID(self.workspace.digest("envelope")[:32], version=4))
        envelope = {"envelope_id": envelope_id, "type": kind, "accepts_response_payload": accepts, **retry}
        waiting = Sent(connection, asyncio.get_running_loop().create_future())
        self.sent[envelope_id] = waiting
        began = self.clock.now()
        try:
            await connection.ws.send_json({**envelope, "payload": payload})
            body = await self.clock.within(ACK_SECONDS, waiting.answered)
            answer = Answer("ok", body)
        except TimeoutError:
            answer = Answer("operation_timeout", reason="timeout")
        except ConnectionError:
            answer = Answer("dispatch_failed", reason="connection_failed")
        finally:
            self.sent.pop(envelope_id, None)
        self.transcript.add(
            "envelope",
            kind,
            began,
            connection=connection.number,
            envelope=envelope,
            payload=payload,
            outcome=answer.outcome,
            answer=answer.body,
        )
        return answer

    # ending ------------------------------------------------------------------------------------------------------

    async def notice(self, connection: Connection, reason: str) -> None:
        self.transcript.add("socket", "disconnect", connection=connection.number, reason=reason)
        debug = {"host": self.debug_host}
        await connection.ws.send_json({"type": "disconnect", "reason": reason, "debug_info": debug})

    async def disturb(self, connection: Connection, how: str) -> None:
        """`warning` and `refresh_requested` close ten seconds later, `link_disabled` and `reset` at once."""
        if how == "half_open":
            connection.half_open = True
        elif how == "reset":
            self.transcript.add("socket", "reset", connection=connection.number)
            reset(connection)
        elif how == "link_disabled":
            connection.draining = True
            await self.notice(connection, how)
            await self.close(connection)
        elif how in ("warning", "refresh_requested"):
            connection.draining = how == "refresh_requested"
            await self.notice(connection, how)
            self.later(WARNING_SECONDS, connection)
        else:
            raise ValueError(f"no such disturbance: {how!r}")

    def later(self, seconds: float, connection: Connection) -> None:
        async def wait_and_close() -> None:
            await self.clock.sleep(seconds)
            await self.close(connection)

        task = asyncio.ensure_future(wait_and_close())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def close(self, connection: Connection, code: int = WSCloseCode.GOING_AWAY) -> None:
        if connection.half_open:
            reset(connection)
        elif not connection.ws.closed:
            await connection.ws.close(code=code)

    async def close_all(self) -> None:
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await asyncio.gather(*(self.close(one) for one in list(self.connections)))

    async def announce(self) -> None:
        self.workspace.changed("connections")
        async with self.changed:
            self.changed.notify_all()

    async def until_connected(self, count: int = 1) -> None:
        """Return once the app has at least this many connections."""
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.connections) >= count)


def reset(connection: Connection) -> None:
    """End the TCP connection with RST: no closing handshake, nothing flushed."""
    transport = connection.request.transport
    if transport is None:
        return
    raw = transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
