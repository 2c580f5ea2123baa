"""Stands between a client and the control channel of a real Unbound, sees every line, and loses what it is told to.

It shows the daemon's own certificate and wants the client's, as the daemon does.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from tests.unbound_server import UnboundServer

Loss = Literal["connection", "request", "answer", "end of answer", "refusal", "silence"]
MAGIC = "UBCT1 "


class ControlProxy:
    """`lose` maps the first word of a command to what becomes of it, once; "connection" concerns every command."""

    def __init__(self, server: UnboundServer) -> None:
        self.server = server
        self.port = 0
        self.lose: dict[str, Loss] = {}
        self.closed = False
        self.commands: list[str] = []
        self.carried_out: list[str] = []
        self.silent = asyncio.Event()  # set while a command gets no answer

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    def writes(self) -> int:
        return sum(line.split()[0] in ("forward_add", "forward_remove") for line in self.carried_out)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["ControlProxy"]:
        listener = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context(ssl.PROTOCOL_TLS_SERVER))
        self.port = listener.sockets[0].getsockname()[1]
        async with listener:
            yield self

    def _context(self, side: int) -> ssl.SSLContext:
        home = self.server.home
        name = "server" if side == ssl.PROTOCOL_TLS_SERVER else "control"
        context = ssl.SSLContext(side)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(home / "unbound_server.pem")
        context.load_cert_chain(home / f"unbound_{name}.pem", home / f"unbound_{name}.key")
        return context

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError):
                await self._converse(reader, writer)
        finally:
            writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.closed:
            return
        line = (await reader.readline()).decode()
        command = line.removeprefix(MAGIC).strip()
        self.commands.append(command)
        loss = self.lose.pop(command.split()[0], None) if command else "request"
        if loss == "request":
            return
        if loss == "silence":
            self.silent.set()
            await reader.read()  # until the client gives up
            return
        # Incomplete as it is then, the daemon itself refuses it.
        answer = await self._forward(f"{MAGIC}{command.split()[0]}\n" if loss == "refusal" else line)
        if not answer.startswith(b"error"):
            self.carried_out.append(command)
        if loss == "answer":
            return
        writer.write(answer[:-1] if loss == "end of answer" else answer)
        writer.close()
        await writer.wait_closed()

    async def _forward(self, line: str) -> bytes:
        reader, writer = await asyncio.open_connection(
            self.server.address, self.server.control_port, ssl=self._context(ssl.PROTOCOL_TLS_CLIENT)
        )
        writer.write(line.encode())
        answer = b""
        while piece := await reader.read(65536):
            answer += piece
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return answer
