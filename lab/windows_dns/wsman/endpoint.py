"""The HTTP layer: authentication, sealed bodies, status codes, and faults that hit a request."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from aiohttp import web

from lab.windows_dns.server import Server
from lab.windows_dns.state import Account

from . import certificates, soap
from .authentication import Connection, UserFile, basic_credentials, login_token, ntlm_user
from .contexts import Refused
from .operations import Operations
from .sealing import NotSealed

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
    """Handles POST /wsman. Speaks the same on http and https, apart from what each of them allows.

    `bindings` name the TLS channel of an https listener (RFC 5929, tls-server-end-point).
    """

    def __init__(self, server: Server, bindings: bytes | None = None) -> None:
        self._server, self._bindings = server, bindings
        self.operations = Operations(server)
        self._users = UserFile(server.open_accounts, lambda: server.settings.hostname, lambda: server.settings.domain)
        self._connections: dict[web.RequestHandler[web.Request], Connection] = {}

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
        account, connection, proof = authenticated
        if not body:
            return _plain(200, proof)
        sealed = request.headers.get("Content-Type", "").lower().startswith("multipart/")
        if not sealed and not request.secure and not self._server.settings.allow_unencrypted:
            return _plain(500)
        if sealed:
            try:
                body = connection.unseal(body)
            except NotSealed:
                return _plain(400)
        response = await self._answer(request, Exchange(account, connection, body, sealed))
        response.headers.update(proof)
        return response

    # Authentication

    def _authenticate(self, request: web.Request) -> tuple[Account, Connection, dict[str, str]] | web.Response:
        """Who it is, and the headers by which the server proves itself in turn; or the response that asks for more."""
        connection = self._connection(request)
        header = request.headers.get("Authorization", "")
        proof: dict[str, str] = {}
        if header:
            login = login_token(header)
            if login is not None and self._offers(login[0]):
                answer = self._login(connection, *login)
                if isinstance(answer, web.Response):
                    return answer
                proof = answer
            else:
                account = self._certificate(request) if header == certificates.HEADER else self._basic(request, header)
                return self._challenge() if account is None else (account, connection, proof)
        account = self._server.account(connection.user) if connection.user else None
        return self._challenge() if account is None else (account, connection, proof)

    def _connection(self, request: web.Request) -> Connection:
        """Authentication belongs to the TCP connection and ends with it."""
        self._connections = {one: known for one, known in self._connections.items() if one.transport is not None}
        if request.protocol not in self._connections:
            self._connections[request.protocol] = Connection(self._server, self._users, self._bindings)
        return self._connections[request.protocol]

    def _offers(self, scheme: str) -> bool:
        settings = self._server.settings
        if scheme == "credssp":
            return settings.auth_credssp
        return settings.keytab is not None or (scheme == "negotiate" and settings.auth_ntlm)

    def _login(self, connection: Connection, scheme: str, token: bytes) -> web.Response | dict[str, str]:
        named = {"negotiate": "Negotiate", "kerberos": "Kerberos", "credssp": "CredSSP"}[scheme]

        def told(answer: bytes) -> dict[str, str]:
            return {"WWW-Authenticate": f"{named} {base64.b64encode(answer).decode()}"}

        try:
            answer = connection.step(scheme, token)
        except Refused as refused:
            if (user := ntlm_user(token)) is not None:
                self._server.wrong_password(user)
            return self._challenge() if refused.token is None else _plain(401, told(refused.token))
        if connection.user is not None:
            return told(answer) if answer else {}
        return _plain(401, told(answer or b""))

    def _basic(self, request: web.Request, header: str) -> Account | None:
        """A local account with the right password, where Basic is enabled and the line is safe or declared unsafe."""
        settings = self._server.settings
        credentials = basic_credentials(header)
        if credentials is None or not settings.auth_basic or not (request.secure or settings.allow_unencrypted):
            return None
        account = self._server.account(credentials[0])
        if account is None or account.domain_account or not self._server.accepts(account, credentials[1]):
            return None
        return account

    def _certificate(self, request: web.Request) -> Account | None:
        """The local account that the client certificate of this connection is mapped to."""
        settings = self._server.settings
        tls = request.transport.get_extra_info("ssl_object") if request.transport else None
        shown = tls.getpeercert(binary_form=True) if tls is not None else None
        if shown is None or not settings.auth_certificate:
            return None
        user = certificates.mapped_user(shown, settings.client_authorities, settings.certificate_mappings)
        account = self._server.account(user) if user else None
        return None if account is None or account.domain_account else account

    def _challenge(self) -> web.Response:
        settings, response = self._server.settings, _plain(401)
        offers = {
            "Negotiate": self._offers("negotiate"),
            "Kerberos": self._offers("kerberos"),
            'Basic realm="WSMAN"': settings.auth_basic,
            "CredSSP": self._offers("credssp"),
        }
        for scheme, offered in offers.items():
            if offered:
                response.headers.add("WWW-Authenticate", scheme)
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
                await self.operations.ended(parsed, exchange.account)
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
        kind, body = exchange.connection.seal(data) if exchange.sealed else (_SOAP, data)
        return web.Response(status=status, body=body, headers={"Server": _SERVER, "Content-Type": kind})


def _plain(status: int, headers: dict[str, str] | None = None) -> web.Response:
    """No body, no content type."""
    response = web.Response(status=status, headers={"Server": _SERVER, **(headers or {})})
    response.headers.pop("Content-Type", None)
    return response


def _disconnect(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return _plain(500)
