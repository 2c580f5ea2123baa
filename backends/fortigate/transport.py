"""One HTTPS exchange at a time-limited, size-limited connection pool. Knows HTTP and TLS, nothing of FortiOS.

The distinction this file exists for: did the request leave this machine or not?
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import httpcore

from backends.fortigate.exchange import Answer, NoAnswer, NotSent
from backends.fortigate.settings import FortiGateSettings, Tls
from bot.model.wording import tr

LARGEST_ANSWER = 4 * 1024 * 1024  # bytes; a filtered read has some ten thousand
_IDLE_S = 30.0  # connections unused for longer are replaced: a firewall forgets idle flows without a word


_Header = tuple[bytes | str, bytes | str]

# Everything that can go wrong between us and the device; the library gives these no common ancestor.
_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
    httpcore.ConnectionNotAvailable,
)


class Transport:
    """A pool of kept-alive connections to one device. `headers` go with each request.

    HTTP's lower half only: no cookies (a session cookie would ask for CSRF headers), no redirects, no proxy and no
    .netrc of the environment between us and the firewall. Raises OSError when the CA file cannot be used.
    """

    def __init__(self, settings: FortiGateSettings, headers: dict[str, str]) -> None:
        self._url = settings.url.rstrip("/")
        self._total_s = settings.request_timeout_s
        self._limits = dict.fromkeys(("read", "write", "pool"), settings.request_timeout_s)
        self._limits["connect"] = settings.connect_timeout_s
        plain = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "k8snet"}
        self._headers: list[_Header] = [*headers.items(), *plain.items()]
        self._tls = tls_context(settings.tls)
        self._seats = asyncio.Semaphore(settings.connections)
        self._connections: list[httpcore.AsyncConnectionPool] = []
        self._idle: list[httpcore.AsyncConnectionPool] = []

    async def exchange(
        self, method: str, url: str, body: bytes | None = None, may_go: Callable[[], bool] = lambda: True
    ) -> Answer:
        """Send a request and take in the whole answer.

        `may_go` is asked as the last thing before the first byte is sent. Raises NotSent or NoAnswer; takes at most
        `request_timeout_s`.
        """
        sent = False

        async def trace(event: str, _: Any) -> None:
            nonlocal sent
            if event.endswith(".send_request_headers.started"):
                if not may_go():
                    raise NotSent(tr("its time was over before it could be sent"))
                sent = True

        try:
            async with asyncio.timeout(self._total_s):
                return await self._answer(method, url, body, {"trace": trace})
        except (*_ERRORS, TimeoutError, _Unacceptable) as error:
            cut = isinstance(error, httpcore.NetworkError | httpcore.RemoteProtocolError)
            again = cut and _tls_problem(error) is None
            problem = self._explained(error)
            raise (NoAnswer if sent else NotSent)(problem, again) from None

    async def _answer(self, method: str, url: str, body: bytes | None, extensions: dict[str, Any]) -> Answer:
        headers = list(self._headers)
        if body is not None:
            headers += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        extensions = {**extensions, "timeout": self._limits}
        async with (
            self._connection() as connection,
            connection.stream(
                method, self._url + url, headers=headers, content=body, extensions=extensions
            ) as response,
        ):
            told = {name.lower(): value.decode("latin-1") for name, value in response.headers}
            if told.get(b"content-encoding", "identity") != "identity":
                raise _Unacceptable(tr("its answer came compressed, which was not asked for"))
            taken = bytearray()
            async for chunk in response.aiter_stream():
                taken += chunk
                if len(taken) > LARGEST_ANSWER:
                    raise _Unacceptable(tr("its answer is larger than {most} MiB", most=LARGEST_ANSWER // 1024**2))
            return Answer(
                status=response.status,
                content_type=told.get(b"content-type", "").partition(";")[0].strip().lower(),
                retry_after=told.get(b"retry-after", ""),
                body=bytes(taken),
            )

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[httpcore.AsyncConnectionPool]:
        """The connection that was used last among those that are free; it opens itself again when it has to.

        Each is a pool of its own: one pool for all looks at every one twice a request, which takes longer than all
        the rest of the request.
        """
        async with self._seats:
            connection = self._idle.pop() if self._idle else self._another()
            try:
                yield connection
            finally:
                self._idle.append(connection)

    def _another(self) -> httpcore.AsyncConnectionPool:
        connection = httpcore.AsyncConnectionPool(ssl_context=self._tls, max_connections=1, keepalive_expiry=_IDLE_S)
        self._connections.append(connection)
        return connection

    def _explained(self, error: Exception) -> str:
        if (problem := _tls_problem(error)) is not None:
            return problem
        match error:
            case _Unacceptable():
                return str(error)
            case httpcore.ConnectTimeout():
                return tr("it did not accept a connection in time: check address, port and the way there")
            case TimeoutError() | httpcore.TimeoutException():
                return tr("no complete answer within {total_s:g} s", total_s=self._total_s)
            case httpcore.ConnectError():
                return tr("no connection: check address, port (config system global / admin-sport) and the way there")
            case _:
                return tr("the connection was cut")

    async def close(self) -> None:
        for connection in self._connections:
            await connection.aclose()


class _Unacceptable(Exception):
    """An answer that is not taken in."""


# --- TLS -------------------------------------------------------------------------------------------------------


def tls_context(tls: Tls) -> ssl.SSLContext:
    """The context for these settings. Raises OSError or ssl.SSLError when the CA file cannot be used."""
    if tls.fingerprint is None and not tls.insecure_i_accept_that_anyone_can_read_the_token:
        return ssl.create_default_context(cafile=tls.ca_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if tls.fingerprint is not None:
        context.sslobject_class = _pinned(tls.fingerprint)
    return context


def _pinned(fingerprint: str) -> type[ssl.SSLObject]:
    class Pinned(ssl.SSLObject):
        """A TLS connection that ends, before a byte of ours is sent, unless the peer shows exactly this certificate."""

        def do_handshake(self) -> None:
            super().do_handshake()
            shown = sha256(self.getpeercert(binary_form=True) or b"").hexdigest()
            if shown != fingerprint:
                error = ssl.SSLCertVerificationError()
                error.verify_message = tr("its SHA-256 fingerprint is {shown}", shown=shown)
                raise error

    return Pinned


def _tls_problem(error: BaseException) -> str | None:
    """Why TLS failed, from anywhere in the chain of causes; None when TLS was not the reason."""
    link: BaseException | None = error if isinstance(error, httpcore.ConnectError) else None
    while link is not None:
        if isinstance(link, ssl.SSLCertVerificationError):
            return tr(
                "its TLS certificate is not the expected one ({verify_message}); nothing was "
                "sent. Set tls.ca_file to its CA, or tls.fingerprint to its SHA-256 "
                "fingerprint after comparing it on the device's own console",
                verify_message=link.verify_message,
            )
        if isinstance(link, ssl.SSLError) and not isinstance(link, ssl.SSLWantReadError | ssl.SSLWantWriteError):
            return tr(
                "TLS failed ({reason}): is this the administrative HTTPS port?",
                reason=link.reason or tr("no reason given"),
            )
        link = link.__cause__ or link.__context__
    return None
