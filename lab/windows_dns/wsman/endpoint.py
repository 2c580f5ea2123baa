"""The HTTP layer: authentication, sealed bodies, status codes, and faults that hit a request."""

from __future__ import annotations

import base64
import weakref
from dataclasses import dataclass

from aiohttp import web
from spnego.exceptions import SpnegoError

from lab.windows_dns.server import Server
from lab.windows_dns.state import Account

from . import soap
from .authentication import SEALED, Connection, NotSealed, UserFile, basic_credentials, negotiate_token
from .operations import Operations

_SOAP = "application/soap+xml;charset=UTF-8"
_SERVER = "Microsoft-HTTPAPI/2.0"


@dataclass
class Exchange:
    """One request on its way: who sent it, and whether its body was sealed."""

    account: Account
    connection: Connection
    body: bytes
    sealed: bool


class Endpoint:
    """Handles POST /wsman. Speaks the same on http and https, apart from what each of them allows."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.operations = Operations(server)
        self._users = UserFile(lambda: server.accounts, lambda: server.settings.hostname)
        # Authentication belongs to the TCP connection and ends with it.
        self._connections: weakref.WeakKeyDictionary[object, Connection] = weakref.WeakKeyDictionary()

    async def close(self) -> None:
        await self.operations.shells.close()
        await self.operations.remoting.close()
        self._users.close()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path.lower().rstrip("/") != "/wsman":
            return _plain(404)
        if request.method != "POST":
            return _plain(405)
        body = await request.read()
        authenticated = self._authenticate(request)
        if isinstance(authenticated, web.Response):
            return authenticated
        account, connection = authenticated
        if not body:
            return _plain(200)
        sealed = request.headers.get("Content-Type", "").lower().startswith("multipart/encrypted")
        if not sealed and not request.secure and not self._server.settings.allow_unencrypted:
            return _plain(500)
        if sealed:
            try:
                body = connection.unseal(body)
            except NotSealed:
                return _plain(400)
        return await self._answer(request, Exchange(account, connection, body, sealed))

    # Authentication

    def _authenticate(self, request: web.Request) -> tuple[Account, Connection] | web.Response:
        connection = self._connections.get(request.transport)
        if connection is None:
            connection = self._connections[request.transport] = Connection(self._users)
        header = request.headers.get("Authorization", "")
        if header:
            token = negotiate_token(header) if self._server.settings.auth_ntlm else None
            if token is not None:
                refused = self._negotiate(connection, token)
                if refused is not None:
                    return refused
            else:
                account = self._basic(request, header)
                return self._challenge() if account is None else (account, connection)
        account = self._server.account(connection.user) if connection.user else None
        return self._challenge() if account is None else (account, connection)

    def _negotiate(self, connection: Connection, token: bytes) -> web.Response | None:
        try:
            answer = connection.step(token)
        except (SpnegoError, ValueError):
            return self._challenge()
        if connection.user is not None:
            return None
        scheme = f"Negotiate {base64.b64encode(answer or b'').decode()}"
        return _plain(401, {"WWW-Authenticate": scheme})

    def _basic(self, request: web.Request, header: str) -> Account | None:
        """A local account with the right password, where Basic is enabled and the line is safe or declared unsafe."""
        settings = self._server.settings
        credentials = basic_credentials(header)
        if credentials is None or not settings.auth_basic or not (request.secure or settings.allow_unencrypted):
            return None
        account = self._server.account(credentials[0])
        if account is None or account.domain_account or account.password != credentials[1]:
            return None
        return account

    def _challenge(self) -> web.Response:
        response = _plain(401)
        if self._server.settings.auth_ntlm:
            response.headers.add("WWW-Authenticate", "Negotiate")
        if self._server.settings.auth_basic:
            response.headers.add("WWW-Authenticate", 'Basic realm="WSMAN"')
        return response

    # SOAP

    async def _answer(self, request: web.Request, exchange: Exchange) -> web.Response:
        relates_to = ""
        try:
            parsed = soap.parse(exchange.body)
            relates_to = parsed.message_id
            return await self._carry_out(request, exchange, parsed)
        except soap.Fault as fault:
            return self._response(exchange, 500, soap.fault_envelope(fault, relates_to, self._server.fqdn))

    async def _carry_out(self, request: web.Request, exchange: Exchange, parsed: soap.Request) -> web.Response:
        fault = self._server.faults.request(parsed.operation)
        kind = fault.kind if fault else ""
        if kind == "drop":
            return _disconnect(request)
        if kind == "empty_500":
            return _plain(500)
        if kind == "unauthorized":
            exchange.connection.user = None
            return self._challenge()
        peer = request.remote or ""
        data = await self.operations.handle(parsed, exchange.account, peer)
        if kind == "twice":
            if parsed.operation == "Command":
                shell = await self.operations.shells.find(parsed.shell_id, exchange.account)
                await list(shell.commands.values())[-1].finished()
            data = await self.operations.handle(parsed, exchange.account, peer)
        if kind == "lost_answer":
            return _disconnect(request)
        if kind == "slow" and fault:
            await self._server.clock.sleep(fault.seconds)
        if kind == "truncate":
            data = data[: len(data) // 2]
        return self._response(exchange, 200, data)

    @staticmethod
    def _response(exchange: Exchange, status: int, data: bytes) -> web.Response:
        headers = {"Server": _SERVER, "Content-Type": SEALED if exchange.sealed else _SOAP}
        body = exchange.connection.seal(data) if exchange.sealed else data
        return web.Response(status=status, body=body, headers=headers)


def _plain(status: int, headers: dict[str, str] | None = None) -> web.Response:
    """No body, no content type."""
    response = web.Response(status=status, headers={"Server": _SERVER, **(headers or {})})
    response.headers.pop("Content-Type", None)
    return response


def _disconnect(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return _plain(500)
