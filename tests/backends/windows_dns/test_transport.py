"""What happens before WinRM has said a sensible word: every way in which a listener can fail to be one."""

import asyncio
import contextlib
import logging
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import trustme

from backends.windows_dns.settings import WindowsDnsSettings
from backends.windows_dns.winrm_shell import CONVERSATIONS, Clock, WinRmShell
from bot.model.errors import Rejected, Unreachable
from tests.backends.windows_dns.clock import DEADLINE_S, ManualClock
from tests.backends.windows_dns.settings_for_tests import PASSWORD, USER, loopback

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def listener(
    behave: Behaviour, tls: ssl.SSLContext | None = None, request: bytes = b"\r\n\r\n"
) -> AsyncIterator[str]:
    """A listener that waits for these bytes, a request's head, and then behaves as told; yields its endpoint."""

    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        try:
            await reader.readuntil(request)
            await behave(reader, writer)
            writer.close()
            await writer.wait_closed()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        scheme = "https" if tls else "http"
        yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/wsman"
    for task in serving:
        task.cancel()
    await asyncio.gather(*serving)


async def attempt(settings: WindowsDnsSettings, clock: Clock | None = None) -> None:
    """Run something; the errors of this file come before anything was sent that could have an effect."""
    shell = WinRmShell("office-dns", settings, clock or ManualClock())
    try:
        await shell.run("powershell.exe", ["-Version"], {}, timeout_s=DEADLINE_S, writes=True)
    finally:
        await shell.close()


def says(status: str, body: bytes = b"", headers: str = "") -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    return behave


async def hangs_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def never_answers(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()  # until the client hangs up


async def drips_its_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    await drip(writer)


async def drips_its_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    await drip(writer)


async def drip(writer: asyncio.StreamWriter) -> None:
    while not writer.is_closing():
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(0.02)  # the slowness itself, not a wait for anything


async def has_no_end(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"a" * 65536)
        await writer.drain()


async def stops_in_the_middle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<s:Envelope")
    await writer.drain()


FAULT = (
    b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value>'
    b"</s:Code><s:Reason><s:Text>Zugriff verweigert</s:Text></s:Reason><s:Detail>"
    b'<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="%d"/></s:Detail></s:Fault>'
    b"</s:Body></s:Envelope>"
)


@pytest.mark.parametrize(
    ("behaviour", "error", "text"),
    [
        (hangs_up, Unreachable, "connection broke"),
        (stops_in_the_middle, Unreachable, "connection broke"),
        (has_no_end, Unreachable, "connection broke"),
        (says("200 OK", b"<html>hello</html>"), Unreachable, "not WS-Management"),
        (says("200 OK", b"\xff\xfe\0"), Unreachable, "not WS-Management"),
        (says("200 OK"), Unreachable, "not WS-Management"),
        (says("307 Elsewhere", headers="Location: http://127.0.0.1:1/\r\n"), Rejected, "redirects"),
        (says("400 Bad Request"), Unreachable, "HTTP 400"),
        (says("401 Unauthorized", headers="WWW-Authenticate: Negotiate\r\n"), Rejected, "did not accept the login"),
        (says("403 Forbidden"), Rejected, "forbids"),
        (says("404 Not Found"), Rejected, "check `endpoint`"),
        (says("429 Too Many Requests", headers="Retry-After: 7\r\n"), Unreachable, "HTTP 429"),
        (says("500 Internal Server Error"), Unreachable, "HTTP 500"),
        (says("503 Service Unavailable", headers="Retry-After: 7\r\n"), Unreachable, "HTTP 503"),
        (says("500 Internal Server Error", FAULT % 5), Rejected, "not open a remote shell.*WSManFault 5"),
        (says("500 Internal Server Error", FAULT % 2150859173), Unreachable, "all remote shells"),
        (says("500 Internal Server Error", FAULT % 2150858793), Unreachable, "gave up waiting"),
        (says("500 Internal Server Error", FAULT % 4711), Unreachable, "does not know .WSManFault 4711"),
        (says("500 Internal Server Error", FAULT.replace(b"%d", b"x")), Unreachable, "not WS-Management"),
    ],
)
async def test_a_listener_that_fails_is_named_and_nothing_was_written(
    behaviour: Behaviour, error: type[Exception], text: str
) -> None:
    async with listener(behaviour) as endpoint:
        with pytest.raises(error, match=text) as raised:
            await attempt(loopback(endpoint))
    assert str(raised.value).startswith("office-dns: ")
    assert "verweigert" not in str(raised.value)


@pytest.mark.parametrize("behaviour", [never_answers, drips_its_head, drips_its_body])
async def test_no_listener_holds_a_call_beyond_its_deadline(behaviour: Behaviour) -> None:
    clock, asked = ManualClock(), asyncio.Event()

    async def behaves(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await behaviour(reader, writer)

    async with listener(behaves) as endpoint:
        call = asyncio.create_task(attempt(loopback(endpoint), clock))
        await asked.wait()
        clock.expire()
        with pytest.raises(Unreachable, match=f"no result within {DEADLINE_S} s"):
            await call


async def test_a_call_that_never_got_its_turn_has_sent_nothing() -> None:
    clock, asked = ManualClock(), asyncio.Semaphore(0)

    async def waits(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        asked.release()
        await reader.read()

    async with listener(waits) as endpoint:
        shell = WinRmShell("office-dns", loopback(endpoint), clock)
        many = range(CONVERSATIONS + 1)
        calls = [asyncio.create_task(shell.run("x", [], {}, timeout_s=DEADLINE_S, writes=True)) for _ in many]
        for _ in range(CONVERSATIONS):
            await asked.acquire()
        clock.expire()
        for call in calls:
            with pytest.raises(Unreachable, match="no result within"):
                await call
        await shell.close()
    assert asked.locked(), "more conversations at once than there may be"


async def test_a_cancelled_call_hangs_up_at_once() -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def waits(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        gone.set()

    async with listener(waits) as endpoint:
        call = asyncio.create_task(attempt(loopback(endpoint)))
        await asked.wait()
        call.cancel()
        await asyncio.wait({call})
        await gone.wait()
    assert call.cancelled()


async def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refuses
        with pytest.raises(Unreachable, match="no connection"):
            await attempt(loopback(f"http://127.0.0.1:{taken.getsockname()[1]}/wsman"))


async def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(Unreachable, match="no connection"):
        await attempt(loopback("http://dc1.invalid:5985/wsman"))


def server_tls(authority: trustme.CA, host: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    return context


@pytest.mark.parametrize("wrong", ["authority", "host"])
async def test_a_certificate_that_proves_nothing_is_not_trusted(wrong: str, tmp_path: Any) -> None:
    authority = trustme.CA()
    trusted = trustme.CA() if wrong == "authority" else authority
    ca_file = tmp_path / "ca.pem"
    trusted.cert_pem.write_to_path(str(ca_file))
    context = server_tls(authority, "127.0.0.1" if wrong == "authority" else "dc2.corp.example")
    async with listener(says("404 Not Found"), context) as endpoint:
        with pytest.raises(Unreachable, match=r"TLS handshake failed.*ca_file"):
            await attempt(loopback(endpoint, ca_file=ca_file))
        with pytest.raises(Rejected, match="HTTP 404"):
            await attempt(loopback(endpoint, insecure_accept_any_certificate=True))


async def test_a_certificate_of_the_named_authority_is_trusted(tmp_path: Any) -> None:
    authority, ca_file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    async with listener(says("404 Not Found"), server_tls(authority, "127.0.0.1")) as endpoint:
        with pytest.raises(Rejected, match="HTTP 404"):
            await attempt(loopback(endpoint, ca_file=ca_file))


async def test_http_at_a_tls_port_and_tls_at_an_http_port() -> None:
    async with listener(says("400 Bad Request"), request=b"\x16\x03") as endpoint:  # a TLS handshake record
        with pytest.raises(Unreachable, match="TLS handshake failed"):
            await attempt(loopback(endpoint.replace("http:", "https:")))
    async with listener(says("200 OK"), server_tls(trustme.CA(), "127.0.0.1")) as endpoint:
        with pytest.raises(Unreachable, match="connection broke"):
            await attempt(loopback(endpoint.replace("https:", "http:")))


async def test_a_missing_ca_file_is_named(tmp_path: Any) -> None:
    with pytest.raises(Rejected, match=r"`ca_file` .*none\.pem does not exist"):
        await attempt(loopback("https://127.0.0.1:1/wsman", ca_file=tmp_path / "none.pem"))


@pytest.mark.parametrize(
    ("transport", "library", "user"),
    [("kerberos", "gssapi", "k8snet@corp.example"), ("credssp", "requests_credssp", USER)],
)
async def test_a_transport_without_its_library_is_explained(
    transport: str, library: str, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(Rejected, match=rf"not installed: pip install 'k8snet\[{transport}\]'"):
        await attempt(loopback("https://localhost:1/wsman", transport=transport, user=user))


async def test_calls_to_one_server_go_one_after_the_other() -> None:
    open_now, most = 0, 0
    shell: WinRmShell

    async def counts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await says("404 Not Found")(reader, writer)
        open_now -= 1

    async with listener(counts) as endpoint:
        shell = WinRmShell("office-dns", loopback(endpoint), ManualClock())
        calls = [shell.run("x", [], {}, timeout_s=DEADLINE_S, writes=False) for _ in range(5)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        await shell.close()
    assert [type(result) for result in results] == [Rejected] * 5
    assert most == 1


async def test_neither_log_nor_error_holds_the_password(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with listener(says("401 Unauthorized")) as endpoint:
        with pytest.raises(Rejected) as raised:
            await attempt(loopback(endpoint))
    assert raised.value.__cause__ is None
    assert PASSWORD not in caplog.text + str(raised.value) + repr(raised.value)
