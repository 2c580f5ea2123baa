"""Shells, the commands that run in them, and their quotas."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping

from lab.windows_dns.clock import within
from lab.windows_dns.cmdlets.caller import Caller
from lab.windows_dns.powershell.console import Console
from lab.windows_dns.process import CREATE_PROCESS_LIMIT, run_line
from lab.windows_dns.server import Server
from lab.windows_dns.state import Account

from . import soap


class RemoteCommand:
    """One process. What it prints becomes visible in whole pieces; see Console."""

    def __init__(self, line: str, shell: Shell, server: Server) -> None:
        self.id = str(uuid.uuid4()).upper()
        self.exit_code: int | None = None
        self.signalled = self.collected = False
        self._pending: list[tuple[str, bytes]] = []
        self._visible: list[tuple[str, bytes]] = []
        self._changed = asyncio.Event()
        self._clock, self._piece = server.clock, server.settings.output_piece
        self.console = Console(
            server.clock, self._write, self._flush, codepage=shell.codepage, environment=shell.environment
        )
        self._task = asyncio.ensure_future(self._run(line, Caller(server, shell.account)))

    async def _run(self, line: str, caller: Caller) -> None:
        code = 1
        try:
            code = await run_line(line, self.console, caller)
        finally:
            self._flush()
            self.exit_code = code
            self._changed.set()

    def _write(self, stream: str, data: bytes) -> None:
        self._pending.append((stream, data))

    def _flush(self) -> None:
        for stream, data in self._merged():
            # Pieces end anywhere, inside a character too; only the CLIXML marker is always one of its own.
            step = len(data) if data == b"#< CLIXML\r\n" else self._piece
            self._visible += [(stream, data[at : at + step]) for at in range(0, len(data), max(step, 1))]
        self._pending = []
        if self._visible:
            self._changed.set()

    def _merged(self) -> list[tuple[str, bytes]]:
        merged: list[tuple[str, bytes]] = []
        for stream, data in self._pending:
            if merged and merged[-1][0] == stream and not merged[-1][1].startswith(b"#< CLIXML"):
                merged[-1] = (stream, merged[-1][1] + data)
            else:
                merged.append((stream, data))
        return merged

    async def receive(self, timeout: float) -> tuple[list[tuple[str, bytes]], int | None]:
        """Output so far and the exit code if there is one. Raises the time-out fault when nothing comes in time."""
        self._changed.clear()
        if not self._visible and self.exit_code is None:
            try:
                await within(self._clock, timeout, self._changed.wait())
            except TimeoutError:
                raise soap.timed_out() from None
        output, self._visible = self._visible, []
        self.collected = self.exit_code is not None
        return output, self.exit_code

    async def finished(self) -> None:
        await asyncio.wait({self._task})

    async def kill(self) -> None:
        self.signalled = True
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


class Shell:
    def __init__(
        self, account: Account, codepage: int, environment: Mapping[str, str], idle_timeout: float, now: float
    ) -> None:
        self.id = str(uuid.uuid4()).upper()
        self.account, self.codepage, self.environment = account, codepage, dict(environment)
        self.idle_timeout, self.created, self.used = idle_timeout, now, now
        self.commands: dict[str, RemoteCommand] = {}


class Shells:
    """All shells of one service. Idle ones are dropped when somebody next looks."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._shells: dict[str, Shell] = {}

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._shells.values())

    async def create(
        self, account: Account, codepage: int, environment: Mapping[str, str], idle_timeout: float | None
    ) -> Shell:
        settings, now = self._server.settings, self._server.clock.now()
        await self.expire()
        if not account.shell:
            raise soap.access_denied()
        mine = [shell for shell in self._shells.values() if shell.account.user == account.user]
        if len(mine) >= settings.max_shells_per_user:
            raise soap.too_many_shells(settings.max_shells_per_user)
        shell = Shell(account, codepage, environment, idle_timeout or settings.idle_timeout, now)
        self._shells[shell.id] = shell
        return shell

    async def find(self, shell_id: str, account: Account) -> Shell:
        """The shell, marked as used just now. Somebody else's shell does not exist."""
        await self.expire()
        shell = self._shells.get(shell_id.upper())
        if shell is None or shell.account.user.lower() != account.user.lower():
            raise soap.shell_missing(shell_id)
        shell.used = self._server.clock.now()
        return shell

    def start(self, shell: Shell, line: str) -> RemoteCommand:
        if len(line) > CREATE_PROCESS_LIMIT:
            raise soap.line_too_long()
        limit = self._server.settings.max_operations_per_user
        mine = [each for each in self._shells.values() if each.account.user == shell.account.user]
        open_operations = sum(not command.signalled for each in mine for command in each.commands.values())
        if open_operations >= limit:
            raise soap.too_many_operations(limit)
        command = RemoteCommand(line, shell, self._server)
        shell.commands[command.id] = command
        return command

    async def delete(self, shell: Shell) -> None:
        del self._shells[shell.id]
        for command in shell.commands.values():
            await command.kill()

    async def expire(self) -> None:
        now = self._server.clock.now()
        for shell in [each for each in self._shells.values() if each.used + each.idle_timeout <= now]:
            await self.delete(shell)

    async def close(self) -> None:
        for shell in list(self._shells.values()):
            await self.delete(shell)
