"""A runspace pool and its pipelines: messages in, messages out, no transport."""

from __future__ import annotations

import asyncio
import logging
import uuid

from lab.windows_dns.clock import within
from lab.windows_dns.powershell.conversion import to_text
from lab.windows_dns.powershell.errors import ErrorRecord, ScriptError, Unsupported
from lab.windows_dns.powershell.values import PSArray
from lab.windows_dns.server import Server
from lab.windows_dns.state import Account
from lab.windows_dns.wsman import soap

from . import wire
from .configuration import SessionConfiguration

_log = logging.getLogger(__name__)
_NO_LANGUAGE = "The syntax is not supported by this runspace. This can occur if the runspace is in no-language mode."


class Mailbox:
    """What a client is to receive, for the pool or for one pipeline."""

    def __init__(self, server: Server) -> None:
        self._clock = server.clock
        self._data = b""
        self._changed = asyncio.Event()
        self.ended = False

    def put(self, data: bytes, *, end: bool = False) -> None:
        self._data += data
        self.ended = self.ended or end
        self._changed.set()

    async def take(self, timeout: float) -> bytes:
        """Everything so far. Raises the time-out fault when nothing comes in time."""
        self._changed.clear()
        if not self._data and not self.ended:
            try:
                await within(self._clock, timeout, self._changed.wait())
            except TimeoutError:
                raise soap.timed_out() from None
        data, self._data = self._data, b""
        return data


class Runspace:
    def __init__(
        self, server: Server, configuration: SessionConfiguration, account: Account, identity: str, idle_timeout: float
    ) -> None:
        self.id, self.account, self.idle_timeout = _guid(identity), account, idle_timeout
        self.used = server.clock.now()
        self.mailbox = Mailbox(server)
        self.pipelines: dict[str, Mailbox] = {}
        self._server, self._configuration = server, configuration
        self._incoming = wire.Reassembly()
        self._sent = 0
        self._running: dict[str, asyncio.Task[None]] = {}

    def open(self, creation: bytes) -> None:
        """Raises the schema fault unless the client introduces itself as it must."""
        if self._kinds(creation) != [wire.SESSION_CAPABILITY, wire.INIT_RUNSPACEPOOL]:
            raise soap.bad_schema()
        self._say(self.mailbox, None, wire.SESSION_CAPABILITY, wire.session_capability())
        self._say(self.mailbox, None, wire.APPLICATION_PRIVATE_DATA, wire.private_data())
        self._say(self.mailbox, None, wire.RUNSPACEPOOL_STATE, wire.pool_state(wire.OPENED))

    def _kinds(self, data: bytes) -> list[int]:
        try:
            return [message.kind for message in self._incoming.messages(data)]
        except wire.Malformed:
            raise soap.bad_schema() from None

    def start(self, pipeline: str, data: bytes) -> None:
        """Begin what a CREATE_PIPELINE message asks for; it must come in one piece."""
        try:
            messages = self._incoming.messages(data)
        except wire.Malformed:
            raise soap.bad_schema() from None
        if [message.kind for message in messages] != [wire.CREATE_PIPELINE]:
            raise soap.bad_schema()
        self.pipelines[pipeline] = Mailbox(self._server)
        self._running[pipeline] = asyncio.ensure_future(self._run(pipeline, messages[0].content))

    async def finished(self, pipeline: str) -> None:
        """Wait for the end of a pipeline, then forget it: its id is free again."""
        await asyncio.wait({self._running.pop(pipeline)})
        del self.pipelines[pipeline]

    async def stop(self, pipeline: str) -> None:
        task = self._running.pop(pipeline, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        for pipeline in list(self._running):
            await self.stop(pipeline)

    async def _run(self, pipeline: str, content: str) -> None:
        mailbox = self.pipelines[pipeline]
        state = wire.pipeline_state(wire.COMPLETED)
        try:
            for text in await self._result(content):
                self._say(mailbox, pipeline, wire.PIPELINE_OUTPUT, wire.output(text))
        except ScriptError as error:
            state = wire.pipeline_state(wire.FAILED, error.record)
        except Exception as error:
            # A gap of the simulator must not look like an answer of Windows.
            if not isinstance(error, Unsupported):
                _log.exception("the simulator failed in a call of %s", self.account.user)
            state = wire.pipeline_state(wire.FAILED, ErrorRecord(str(error), "SimulatorGap"))
        self._say(mailbox, pipeline, wire.PIPELINE_STATE, state)
        mailbox.put(b"", end=True)

    async def _result(self, content: str) -> list[str]:
        commands = wire.calls(content)
        if any(command.script for command in commands):
            raise ScriptError(ErrorRecord(_NO_LANGUAGE, "ScriptsNotAllowed", "InvalidData"), fatal=True)
        if len(commands) != 1:
            raise Unsupported("a pipeline of several commands")
        [command] = commands
        arguments = {
            name: PSArray(value) if isinstance(value, list) else value for name, value in command.arguments.items()
        }
        return [to_text(item) for item in await self._configuration.call(self._server, command.name, arguments)]

    def _say(self, mailbox: Mailbox, pipeline: str | None, kind: int, content: str) -> None:
        self._sent += 1
        mailbox.put(wire.packed(self._sent, kind, self.id, pipeline, content))


def _guid(text: str) -> str:
    """The client's own, or a new one, in upper case."""
    try:
        return str(uuid.UUID(text)).upper()
    except ValueError:
        return str(uuid.uuid4()).upper()
