"""One HTTPS exchange at a time-limited, size-limited connection pool. Knows HTTP and TLS, nothing of FortiOS.

The distinction this file exists for: did the request leave this machine or not?
"""

import asyncio
import ssl
from collections.abc import Callable
from hashlib import sha256
from types import SimpleNamespace

import aiohttp
from yarl import URL

from backends.fortigate.exchange import Answer, NoAnswer, NotSent
from backends.fortigate.settings import FortiGateSettings, Tls
from bot.model.wording import tr

LARGEST_ANSWER = 4 * 1024 * 1024  # bytes; a filtered read has some ten thousand
_IDLE_S = 30.0  # connections unused for longer are replaced: a firewall forgets idle flows without a word


class Transport:
    """A pool of kept-alive connections to one device. `headers` go with each request.

    No cookies (a session cookie would ask for CSRF headers), no redirects, no proxy and no .netrc of the environment
    between us and the firewall. To be made where an event loop runs. Raises OSError when the CA file cannot be used.
    """

    def __init__(self, settings: FortiGateSettings, headers: dict[str, str]) -> None:
        self._url = settings.url.rstrip("/")
        self._total_s = settings.request_timeout_s
        connector = aiohttp.TCPConnector(
            ssl=tls_context(settings.tls), limit=settings.connections, keepalive_timeout=_IDLE_S
        )
        once = aiohttp.TraceConfig()
        once.on_request_headers_sent.append(_about_to_send)
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers={**headers, "Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "k8snet"},
            skip_auto_headers=["Content-Type"],
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_timeout_s),
            auto_decompress=False,
            trace_configs=[once],
        )

    async def exchange(
        self, method: str, url: str, body: bytes | None = None, may_go: Callable[[], bool] = lambda: True
    ) -> Answer:
        """Send a request, once, and take in the whole answer.

        `may_go` is asked as the last thing before the first byte is sent. Raises NotSent or NoAnswer; takes at most
        `request_timeout_s`.
        """
        sending = _Sending(may_go)
        try:
            async with asyncio.timeout(self._total_s):
                return await self._answer(method, url, body, sending)
        except (aiohttp.ClientError, OSError, TimeoutError, _Unacceptable) as error:
            cut = not isinstance(error, TimeoutError | _Unacceptable) and _tls_problem(error) is None
            problem = self._explained(error)
            raise (NoAnswer if sending.begun else NotSent)(problem, cut) from None

    async def _answer(self, method: str, url: str, body: bytes | None, sending: "_Sending") -> Answer:
        async with self._session.request(
            method,
            URL(self._url + url, encoded=True),
            data=body,
            headers=None if body is None else {"Content-Type": "application/json"},
            allow_redirects=False,
            trace_request_ctx=sending,
        ) as response:
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise _Unacceptable(tr("its answer came compressed, which was not asked for"))
            taken = bytearray()
            async for chunk in response.content.iter_any():
                taken += chunk
                if len(taken) > LARGEST_ANSWER:
                    raise _Unacceptable(tr("its answer is larger than {most} MiB", most=LARGEST_ANSWER // 1024**2))
            return Answer(
                status=response.status,
                content_type=response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
                retry_after=response.headers.get("Retry-After", ""),
                body=bytes(taken),
            )

    def _explained(self, error: Exception) -> str:
        if (problem := _tls_problem(error)) is not None:
            return problem
        match error:
            case _Unacceptable():
                return str(error)
            case aiohttp.ConnectionTimeoutError():
                return tr("it did not accept a connection in time: check address, port and the way there")
            case TimeoutError():
                return tr("no complete answer within {total_s:g} s", total_s=self._total_s)
            case aiohttp.ClientConnectorError():
                return tr("no connection: check address, port (config system global / admin-sport) and the way there")
            case _:
                return tr("the connection was cut")

    async def close(self) -> None:
        await self._session.close()


class _Sending:
    """One request on its way out."""

    def __init__(self, may_go: Callable[[], bool]) -> None:
        self.may_go = may_go
        self.begun = False


class _SentBefore(aiohttp.ClientError):
    """The library would send a request again whose connection broke; whether that may be is not its business."""


async def _about_to_send(_: aiohttp.ClientSession, call: SimpleNamespace, __: object) -> None:
    sending: _Sending = call.trace_request_ctx
    if sending.begun:
        raise _SentBefore
    if not sending.may_go():
        raise NotSent(tr("its time was over before it could be sent"))
    sending.begun = True


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
    link = error.__cause__ if isinstance(error, aiohttp.ClientConnectorError) else None
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
