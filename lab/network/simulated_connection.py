"""One TCP connection through the simulated network: real bytes, each chunk of which walks the path."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from lab.fortigate.packets import Packet
from lab.network.simulated_packets import Journey, Signal
from lab.network.simulated_servers import Stream

_CHUNK = 65536
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
"""Seconds between retransmissions: doubled from the first to the longest, as TCP does."""


class Outcome(StrEnum):
    """How an attempt to connect ends, as the client sees it."""

    CONNECTED = "connected"
    HANDSHAKE_ONLY = "handshake only"
    """The client is connected, and nothing it sends ever arrives."""
    SILENT = "silent"
    REFUSED = "refused"
    HOST_UNREACHABLE = "host unreachable"
    NET_UNREACHABLE = "net unreachable"


@dataclass(frozen=True, slots=True)
class Flow:
    """The two ends of a connection: what the client sends, and what arrives where."""

    number: int
    source: str
    sent: Packet
    station: str
    seen: Packet


Walk = Callable[[Packet, Signal, str, int], Journey]
Pause = Callable[[float], Awaitable[None]]
"""Wait for so many seconds, or less when something in the network has changed."""

_Direction = Literal["up", "down"]
_Carried = Literal["through", "lost", "reset"]


class Connection:
    """A connection between a client's streams and a server's."""

    def __init__(
        self,
        flow: Flow,
        server: Stream,
        walk: Walk,
        pause: Pause,
    ) -> None:
        self.flow = flow
        self._server = server
        self._walk = walk
        self._pause = pause
        self._client_ended = asyncio.Event()
        self._acknowledged = False

    def acknowledge(self) -> bool:
        """Send the handshake's last ACK; whether it arrived."""
        self._acknowledged = self._carry("up", Signal.ACK) == "through"
        return self._acknowledged

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry bytes both ways until both ends have closed, or the connection is reset. Closes both."""
        chunks: asyncio.Queue[bytes] = asyncio.Queue(maxsize=16)
        tasks = [
            asyncio.create_task(self._read(reader, chunks)),
            asyncio.create_task(self._up(chunks)),
            asyncio.create_task(self._down(writer)),
        ]
        try:
            await asyncio.gather(*tasks)
        except ConnectionError:
            reset(writer)
        finally:
            self.abandon()
            writer.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def abandon(self) -> None:
        self._server.abort()

    async def _read(self, reader: asyncio.StreamReader, chunks: "asyncio.Queue[bytes]") -> None:
        """Take in what the client sends, so that its end is noticed while the path is broken."""
        try:
            while chunk := await reader.read(_CHUNK):
                await chunks.put(chunk)
        finally:
            self._client_ended.set()
        await chunks.put(b"")

    async def _up(self, chunks: "asyncio.Queue[bytes]") -> None:
        while chunk := await chunks.get():
            await self._through("up")
            self._server.writer.write(chunk)
            await self._server.writer.drain()
        await self._through("up")
        with suppress(OSError):  # the server may have closed already
            self._server.writer.write_eof()

    async def _down(self, writer: asyncio.StreamWriter) -> None:
        if not self._acknowledged:
            await self._through("up", Signal.ACK)  # until the handshake is complete the server cannot send
        while chunk := await self._server.reader.read(_CHUNK):
            await self._through("down")
            writer.write(chunk)
            await writer.drain()
        await self._through("down")
        if writer.can_write_eof():
            with suppress(OSError):  # the client may have gone
                writer.write_eof()

    async def _through(self, direction: _Direction, signal: Signal = Signal.DATA) -> None:
        """Repeat a segment until it arrives. `ConnectionResetError` when the answer is a RST, or nobody waits."""
        pause = _FIRST_PAUSE
        while (carried := self._carry(direction, signal)) != "through":
            if carried == "reset" or self._client_ended.is_set():
                raise ConnectionResetError
            await self._wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _wait(self, seconds: float) -> None:
        """The pause before a retransmission; it ends early when the client goes away."""
        waits = [asyncio.ensure_future(self._pause(seconds)), asyncio.ensure_future(self._client_ended.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _carry(self, direction: _Direction, signal: Signal) -> _Carried:
        flow = self.flow
        if direction == "down":
            journey = self._walk(flow.seen.reply(), signal, flow.station, flow.number)
            return "through" if self._at_client(journey) else "lost"
        journey = self._walk(flow.sent, signal, flow.source, flow.number)
        if not journey.arrived:
            return "lost"
        if (journey.station, journey.packet) == (flow.station, flow.seen):
            return "through"
        # Another translation than the one the connection was opened with: whoever gets it knows no such connection.
        refusal = self._walk(journey.packet.reply(), Signal.RST, journey.station, flow.number)
        return "reset" if self._at_client(refusal) else "lost"

    def _at_client(self, journey: Journey) -> bool:
        """Whether a packet from the other end is one that the client takes for its connection's."""
        return journey.arrived and (journey.station, journey.packet) == (self.flow.source, self.flow.sent.reply())


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a real connection with a TCP RST."""
    sock = writer.get_extra_info("socket")
    still_open = sock is not None and sock.fileno() >= 0  # the other side may have reset it before
    if still_open and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
