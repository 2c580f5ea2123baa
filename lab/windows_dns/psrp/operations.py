"""The operations of a PowerShell remoting endpoint: SOAP request in, SOAP response body out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Iterator
from xml.sax.saxutils import escape

from lab.windows_dns.server import Server
from lab.windows_dns.state import Account
from lab.windows_dns.wsman import soap

from .runspace import Mailbox, Runspace

PREFIX = "http://schemas.microsoft.com/powershell/"


class RemotingOperations:
    """`handle` returns the body of the response, or raises soap.Fault. Serves the server's session configurations."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._runspaces: dict[str, Runspace] = {}
        self._actions: dict[str, Callable[[soap.Request, Account], Awaitable[str]]] = {
            f"{soap.TRANSFER}/Create": self._create,
            f"{soap.TRANSFER}/Delete": self._delete,
            f"{soap.SHELL}/Command": self._command,
            f"{soap.SHELL}/Receive": self._receive,
            f"{soap.SHELL}/Signal": self._signal,
        }

    def __iter__(self) -> Iterator[Runspace]:
        """Runspaces that are open."""
        return iter(self._runspaces.values())

    async def close(self) -> None:
        for runspace in list(self._runspaces.values()):
            await self._drop(runspace)

    async def handle(self, request: soap.Request, account: Account) -> str:
        action = self._actions.get(request.action)
        if action is None:
            raise soap.bad_header("Action")
        return await action(request, account)

    async def ended(self, request: soap.Request, account: Account) -> None:
        """Wait for the end of the pipeline that a Command request has started, and forget it and what it said."""
        runspace = await self._find(request, account)
        line = request.find("CommandLine")
        assert line is not None
        await runspace.finished(line.get("CommandId", "").upper())

    async def _create(self, request: soap.Request, account: Account) -> str:
        configuration = self._server.endpoints.get(request.resource.removeprefix(PREFIX).lower())
        if configuration is None:
            raise soap.unknown_resource(request.resource)
        if not configuration.admits(account):
            raise soap.access_denied()
        shell, idle = request.find("Shell"), request.text("IdleTimeOut")
        if shell is None or request.options.get("protocolversion") is None:
            raise soap.bad_schema()
        timeout = soap.seconds(idle) if idle else self._server.settings.idle_timeout
        runspace = Runspace(self._server, configuration, account, shell.get("ShellId", ""), timeout)
        if runspace.id in self._runspaces:
            raise soap.bad_parameter()
        runspace.open(_decoded(request.text("creationXml")))
        self._runspaces[runspace.id] = runspace
        return (
            f"<x:ResourceCreated><a:Address>http://{self._server.fqdn}:5985/wsman</a:Address><a:ReferenceParameters>"
            f"<w:ResourceURI>{escape(request.resource)}</w:ResourceURI>"
            f'<w:SelectorSet><w:Selector Name="ShellId">{runspace.id}</w:Selector></w:SelectorSet>'
            "</a:ReferenceParameters></x:ResourceCreated>"
            f"<rsp:Shell><rsp:ShellId>{runspace.id}</rsp:ShellId>"
            f"<rsp:ResourceUri>{escape(request.resource)}</rsp:ResourceUri><rsp:Owner>{escape(account.user)}</rsp:Owner>"
            f"<rsp:IdleTimeOut>PT{timeout:.3f}S</rsp:IdleTimeOut><rsp:InputStreams>stdin pr</rsp:InputStreams>"
            "<rsp:OutputStreams>stdout</rsp:OutputStreams></rsp:Shell>"
        )

    async def _find(self, request: soap.Request, account: Account) -> Runspace:
        now = self._server.clock.now()
        for idle in [each for each in self._runspaces.values() if each.used + each.idle_timeout <= now]:
            await self._drop(idle)
        runspace = self._runspaces.get(request.shell_id.upper())
        if runspace is None or runspace.account.user.lower() != account.user.lower():
            raise soap.shell_missing(request.shell_id)
        runspace.used = now
        return runspace

    async def _command(self, request: soap.Request, account: Account) -> str:
        runspace = await self._find(request, account)
        line = request.find("CommandLine")
        if line is None:
            raise soap.bad_schema()
        pipeline = line.get("CommandId", "").upper()
        if not pipeline or pipeline in runspace.pipelines:
            raise soap.bad_parameter()
        runspace.start(pipeline, _decoded(request.text("Arguments")))
        return f"<rsp:CommandResponse><rsp:CommandId>{pipeline}</rsp:CommandId></rsp:CommandResponse>"

    async def _receive(self, request: soap.Request, account: Account) -> str:
        runspace = await self._find(request, account)
        stream = request.find("DesiredStream")
        pipeline = stream.get("CommandId", "").upper() if stream is not None else ""
        mailbox: Mailbox | None = runspace.pipelines.get(pipeline) if pipeline else runspace.mailbox
        if mailbox is None:
            raise soap.command_missing()
        data = await mailbox.take(request.timeout)
        of = f' CommandId="{pipeline}"' if pipeline else ""
        state = ""
        if pipeline and mailbox.ended:
            state = f'<rsp:CommandState{of} State="{soap.SHELL}/CommandState/Done"/>'
        body = f'<rsp:Stream Name="stdout"{of}>{base64.b64encode(data).decode()}</rsp:Stream>'
        return f"<rsp:ReceiveResponse>{body}{state}</rsp:ReceiveResponse>"

    async def _signal(self, request: soap.Request, account: Account) -> str:
        runspace = await self._find(request, account)
        element = request.find("Signal")
        pipeline = element.get("CommandId", "").upper() if element is not None else ""
        if pipeline not in runspace.pipelines:
            raise soap.command_missing()
        await runspace.stop(pipeline)
        return "<rsp:SignalResponse/>"

    async def _delete(self, request: soap.Request, account: Account) -> str:
        await self._drop(await self._find(request, account))
        return ""

    async def _drop(self, runspace: Runspace) -> None:
        del self._runspaces[runspace.id]
        await runspace.close()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise soap.bad_parameter() from None
