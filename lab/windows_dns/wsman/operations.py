"""The six operations of a remote shell: SOAP request in, SOAP response out."""

from __future__ import annotations

import base64
import binascii
import codecs
from collections.abc import Awaitable, Callable
from xml.sax.saxutils import escape

from lab.windows_dns.psrp.operations import PREFIX as REMOTING
from lab.windows_dns.psrp.operations import RemotingOperations
from lab.windows_dns.server import Server
from lab.windows_dns.state import Account

from . import soap
from .shells import RemoteCommand, Shell, Shells

_STATE = f"{soap.SHELL}/CommandState"


class Operations:
    """`handle` returns the whole envelope of the response, or raises soap.Fault."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.shells = Shells(server)
        self.remoting = RemotingOperations(server)
        self._actions: dict[str, Callable[[soap.Request, Account, str], Awaitable[str]]] = {
            f"{soap.TRANSFER}/Create": self._create,
            f"{soap.TRANSFER}/Delete": self._delete,
            f"{soap.SHELL}/Command": self._command,
            f"{soap.SHELL}/Send": self._send,
            f"{soap.SHELL}/Receive": self._receive,
            f"{soap.SHELL}/Signal": self._signal,
        }

    async def handle(self, request: soap.Request, account: Account, peer: str) -> bytes:
        if request.resource.startswith(REMOTING):
            body = await self.remoting.handle(request, account)
            return soap.envelope(f"{request.action}Response", body, request.message_id)
        if request.resource.rstrip("/") != soap.CMD:
            raise soap.unknown_resource(request.resource)
        action = self._actions.get(request.action)
        if action is None:
            raise soap.bad_header("Action")
        body = await action(request, account, peer)
        return soap.envelope(f"{request.action}Response", body, request.message_id)

    async def ended(self, request: soap.Request, account: Account) -> None:
        """Wait for the end of what a Command request has started, so that it can be started once more."""
        if request.resource.startswith(REMOTING):
            await self.remoting.ended(request, account)
            return
        shell = await self.shells.find(request.shell_id, account)
        await list(shell.commands.values())[-1].finished()

    async def _create(self, request: soap.Request, account: Account, peer: str) -> str:
        if request.find("Shell") is None:
            raise soap.bad_schema()
        environment = {
            each.get("Name", ""): each.text or ""
            for each in (request.body if request.body is not None else ()).iter()  # type: ignore[union-attr]
            if soap.local(each) == "Variable"
        }
        idle = request.text("IdleTimeOut")
        codepage = _codepage(request.options.get("WINRS_CODEPAGE", "437"))
        shell = await self.shells.create(account, codepage, environment, soap.seconds(idle) if idle else None)
        return _created(shell, peer, self._server)

    async def _command(self, request: soap.Request, account: Account, _peer: str) -> str:
        shell = await self.shells.find(request.shell_id, account)
        if request.find("Command") is None:
            raise soap.bad_schema()
        words = [request.text("Command")]
        if request.body is not None:
            words += [each.text or "" for each in request.body.iter() if soap.local(each) == "Arguments"]
        if request.options.get("WINRS_SKIP_CMD_SHELL", "FALSE").upper() == "TRUE":
            text = "The system cannot find the file specified. "
            raise soap.Fault(2147942402, "s:Receiver", "w:InternalError", text, provider="Shell cmd plugin")
        command = self.shells.start(shell, " ".join(words))
        return f"<rsp:CommandResponse><rsp:CommandId>{command.id}</rsp:CommandId></rsp:CommandResponse>"

    async def _find(self, request: soap.Request, account: Account, element: str) -> tuple[Shell, RemoteCommand]:
        shell = await self.shells.find(request.shell_id, account)
        found = request.find(element)
        command = shell.commands.get((found.get("CommandId", "") if found is not None else "").upper())
        if command is None or command.signalled:
            raise soap.command_missing()
        return shell, command

    async def _send(self, request: soap.Request, account: Account, _peer: str) -> str:
        _, command = await self._find(request, account, "Stream")
        stream = request.find("Stream")
        assert stream is not None
        try:
            data = base64.b64decode(stream.text or "", validate=True)
        except binascii.Error:
            raise soap.bad_parameter() from None
        command.console.stdin.feed(data, stream.get("End", "false").lower() == "true")
        return "<rsp:SendResponse/>"

    async def _receive(self, request: soap.Request, account: Account, _peer: str) -> str:
        shell, command = await self._find(request, account, "DesiredStream")
        if command.collected:
            raise soap.command_missing()
        output, code = await command.receive(request.timeout)
        shell.used = self._server.clock.now()
        name = f'CommandId="{command.id}"'
        streams = "".join(
            f'<rsp:Stream Name="{stream}" {name}>{base64.b64encode(data).decode()}</rsp:Stream>'
            for stream, data in output
        )
        if code is None:
            state = f'<rsp:CommandState {name} State="{_STATE}/Running"/>'
        else:
            streams += "".join(
                f'<rsp:Stream Name="{stream}" {name} End="true"></rsp:Stream>' for stream in ("stdout", "stderr")
            )
            state = (
                f'<rsp:CommandState {name} State="{_STATE}/Done">'
                f"<rsp:ExitCode>{code & 0xFFFFFFFF}</rsp:ExitCode></rsp:CommandState>"
            )
        return f"<rsp:ReceiveResponse>{streams}{state}</rsp:ReceiveResponse>"

    async def _signal(self, request: soap.Request, account: Account, _peer: str) -> str:
        shell = await self.shells.find(request.shell_id, account)
        element = request.find("Signal")
        command = shell.commands.get((element.get("CommandId", "") if element is not None else "").upper())
        if command is None:
            raise soap.command_missing()
        # Also right for a command that has ended or was signalled before: clean-up may come twice.
        await command.kill()
        return "<rsp:SignalResponse/>"

    async def _delete(self, request: soap.Request, account: Account, _peer: str) -> str:
        await self.shells.delete(await self.shells.find(request.shell_id, account))
        return ""


def _codepage(text: str) -> int:
    try:
        codecs.lookup("utf-8" if text == "65001" else f"cp{int(text)}")
    except (LookupError, ValueError):
        raise soap.bad_parameter() from None
    return int(text)


def _created(shell: Shell, peer: str, server: Server) -> str:
    created = (
        f"<x:ResourceCreated><a:Address>http://{server.fqdn}:5985/wsman</a:Address><a:ReferenceParameters>"
        f"<w:ResourceURI>{soap.CMD}</w:ResourceURI>"
        f'<w:SelectorSet><w:Selector Name="ShellId">{shell.id}</w:Selector></w:SelectorSet>'
        "</a:ReferenceParameters></x:ResourceCreated>"
    )
    if not server.settings.shell_details:
        return created
    return created + (
        f"<rsp:Shell><rsp:ShellId>{shell.id}</rsp:ShellId><rsp:ResourceUri>{soap.CMD}</rsp:ResourceUri>"
        f"<rsp:Owner>{escape(shell.account.user)}</rsp:Owner><rsp:ClientIP>{peer}</rsp:ClientIP>"
        f"<rsp:IdleTimeOut>PT{shell.idle_timeout:.3f}S</rsp:IdleTimeOut><rsp:InputStreams>stdin</rsp:InputStreams>"
        "<rsp:OutputStreams>stdout stderr</rsp:OutputStreams><rsp:ShellRunTime>P0DT0H0M0S</rsp:ShellRunTime>"
        "<rsp:ShellInactivity>P0DT0H0M0S</rsp:ShellInactivity></rsp:Shell>"
    )
