"""The client against a peer that misbehaves on the wire."""

import asyncio
import json
import logging
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import SecretStr

from backends.fortigate.client import Client, Refused
from backends.fortigate.settings import FortiGateSettings
from backends.fortigate.transport import LARGEST_ANSWER
from backends.fortigate.urls import MonitorUrl, RowUrl, TableUrl
from bot.model.errors import BackendError, OutcomeUnknown, Rejected, Unreachable
from tests.backends.fortigate.clock import ManualClock
from tests.backends.fortigate.peer import Behave, Peer, Request, always, envelope, http, peer

TOKEN = "planted-secret-4711"
TABLE = TableUrl("firewall/address")
ROW = RowUrl("firewall/address", "pods")
GOOD = http(200, envelope("firewall/address"))
HTML = "<!DOCTYPE HTML><html><head><title>Forbidden</title></head><body><h1>Forbidden</h1></body></html>"


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def certificate(ca: trustme.CA) -> trustme.LeafCert:
    return ca.issue_cert("127.0.0.1")


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> Path:
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


Start = Callable[..., AbstractAsyncContextManager[tuple[Client, Peer]]]


@pytest.fixture
def start(certificate: trustme.LeafCert, ca_file: Path, clock: ManualClock) -> Start:
    """A client and the peer it talks to."""

    @asynccontextmanager
    async def started(behave: Behave, **changes: Any) -> AsyncIterator[tuple[Client, Peer]]:
        async with peer(behave, certificate) as made:
            client = Client("office-fw", settings(made.url, **{"tls": {"ca_file": ca_file}, **changes}), clock)
            try:
                yield client, made
            finally:
                await client.close()

    return started


def settings(url: str, **changes: Any) -> FortiGateSettings:
    data = {"type": "fortigate", "url": url, "token": SecretStr(TOKEN), "request_timeout_s": 20.0}
    return FortiGateSettings.model_validate({**data, **changes})


def yes() -> bool:
    return True


async def read(client: Client) -> Any:
    return await client.rows(TABLE, ())


async def write(client: Client) -> None:
    await client.create(TABLE, {"name": "pods"}, yes)


# --- what is sent


async def test_the_token_goes_into_the_header_and_nowhere_else(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with start(always(GOOD)) as (client, firewall):
        assert await read(client) == []
    [request] = firewall.requests
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in request.target
    assert TOKEN not in caplog.text


async def test_a_write_is_json_and_names_its_vdom(start: Start) -> None:
    async with start(always(http(200, envelope("firewall/address", "POST", vdom="lab"))), vdom="lab") as (client, fw):
        await client.create(TABLE, {"name": "ü"}, yes)
    [request] = fw.requests
    assert (request.method, request.target) == ("POST", "/api/v2/cmdb/firewall/address?vdom=lab")
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {"name": "ü"}


async def test_a_delete_names_its_row(start: Start) -> None:
    async with start(always(http(200, envelope("firewall/address", "DELETE")))) as (client, firewall):
        await client.delete(RowUrl("firewall/address", "a/b"), yes)
    assert firewall.requests[0].target == "/api/v2/cmdb/firewall/address/a%2Fb?vdom=root"


async def test_one_connection_serves_many_requests(start: Start) -> None:
    async with start(always(GOOD)) as (client, firewall):
        for _ in range(5):
            await read(client)
    assert (len(firewall.requests), firewall.connections) == (5, 1)


async def test_reads_run_side_by_side_once_the_token_was_taken(start: Start) -> None:
    together = asyncio.Barrier(3)

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        if "?vdom=root&filter" in request.target:
            await together.wait()  # nobody is answered before all three are here
        writer.write(GOOD)

    async with start(behave) as (client, firewall):
        await read(client)
        await asyncio.gather(*(client.rows(TABLE, (("filter", f"name=={n}"),)) for n in range(3)))
    assert firewall.connections == 3


async def test_the_environment_cannot_put_a_proxy_between(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with start(always(GOOD)) as (client, _):
        assert await read(client) == []


async def test_no_cookie_is_kept(start: Start) -> None:
    answer = http(200, envelope("firewall/address"), Set_Cookie="APSCOOKIE_1=x; path=/")
    async with start(always(answer)) as (client, firewall):
        await read(client)
        await read(client)
    assert "cookie" not in firewall.requests[1].headers


async def test_a_redirect_is_not_followed(start: Start) -> None:
    async with start(always(http(302, "", Location="https://127.0.0.1:9/login"))) as (client, firewall):
        with pytest.raises(BackendError, match="HTTP 302"):
            await read(client)
    assert len(firewall.requests) == 1


# --- TLS


async def test_an_unknown_ca_is_refused_before_the_token_is_sent(start: Start) -> None:
    async with start(always(GOOD), tls={}) as (client, firewall):
        with pytest.raises(Unreachable, match=r"tls\.ca_file"):
            await read(client)
        with pytest.raises(Unreachable, match="nothing was sent"):
            await write(client)
    assert firewall.requests == []


async def test_another_host_name_is_refused(ca: trustme.CA, ca_file: Path, clock: ManualClock) -> None:
    async with peer(always(GOOD), ca.issue_cert("fw.example")) as firewall:
        client = Client("office-fw", settings(firewall.url, tls={"ca_file": ca_file}), clock)
        with pytest.raises(Unreachable, match="not the expected one"):
            await read(client)
        await client.close()
    assert firewall.requests == []


def _shown(certificate: trustme.LeafCert) -> str:
    return sha256(ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())).hexdigest()


async def test_a_pinned_certificate_needs_no_ca(start: Start, certificate: trustme.LeafCert) -> None:
    async with start(always(GOOD), tls={"fingerprint": _shown(certificate)}) as (client, _):
        assert await read(client) == []


async def test_another_certificate_than_the_pinned_one_ends_the_connection(start: Start) -> None:
    async with start(always(GOOD), tls={"fingerprint": "ab" * 32}) as (client, firewall):
        with pytest.raises(Unreachable, match=r"\(its SHA-256 fingerprint is [0-9a-f]{64}\)"):
            await read(client)
    assert firewall.requests == []


@pytest.mark.parametrize("content", [None, "", "no certificate"])
async def test_a_ca_file_that_cannot_be_used_is_named(tmp_path: Path, clock: ManualClock, content: str | None) -> None:
    ca_file = tmp_path / "missing.pem"
    if content is not None:
        ca_file.write_text(content)
    client = Client("office-fw", settings("https://127.0.0.1:9", tls={"ca_file": ca_file}), clock)
    with pytest.raises(Rejected, match=r"missing\.pem \(tls\.ca_file\) cannot be used"):
        await read(client)
    await client.close()


async def test_going_without_verification_is_loud(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    tls = {"insecure_i_accept_that_anyone_can_read_the_token": True}
    async with start(always(GOOD), tls=tls) as (client, _):
        assert await read(client) == []
    [record] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "VERIFICATION IS OFF" in record.getMessage()


# --- refused logins


@pytest.mark.parametrize("status", [401, 429])
async def test_a_refused_login_is_not_repeated_for_a_minute(start: Start, clock: ManualClock, status: int) -> None:
    async with start(always(http(status, HTML, "text/html"))) as (client, firewall):
        with pytest.raises(Refused, match=f"HTTP {status}") as caught:
            await read(client)
        assert TOKEN not in str(caught.value)
        with pytest.raises(Refused, match="60 s"):
            await write(client)
        clock.time += 59.0
        with pytest.raises(Refused, match="1 s"):
            await read(client)
        assert len(firewall.requests) == 1
        clock.time += 1.0
        with pytest.raises(Refused):
            await read(client)
        assert len(firewall.requests) == 2


async def test_many_reads_with_a_bad_token_cost_one_login(start: Start) -> None:
    async with start(always(http(401, HTML, "text/html"))) as (client, firewall):
        results = await asyncio.gather(*(read(client) for _ in range(10)), return_exceptions=True)
    assert all(isinstance(result, Refused) for result in results)
    assert len(firewall.requests) == 1


@pytest.mark.parametrize(("header", "seconds"), [("120", 120), ("5", 60), ("999999", 900), ("soon", 60), ("²", 60)])
async def test_a_lock_out_lasts_as_long_as_the_device_says_within_reason(
    start: Start, header: str, seconds: int
) -> None:
    async with start(always(http(429, HTML, "text/html", Retry_After=header))) as (client, _):
        with pytest.raises(Refused, match=f"for {seconds} s"):
            await read(client)


# --- answers that are none

NOT_AN_ANSWER = {
    "html": http(200, HTML, "text/html"),
    "html in json's clothes": http(200, HTML),
    "json in html's clothes": http(200, envelope("firewall/address"), "text/html"),
    "nothing": http(200, ""),
    "half": http(200, envelope("firewall/address")[:40]),
    "a list": http(200, "[]"),
    "too deep": http(200, '{"results":' + "[" * 100_000 + "]" * 100_000 + "}"),
    "another table": http(200, envelope("firewall/addrgrp")),
    "another vdom": http(200, envelope("firewall/address", vdom="dmz")),
    "another method": http(200, envelope("firewall/address", "PUT")),
    "no version": http(200, envelope("firewall/address", version="")),
    "rows that are none": http(200, envelope("firewall/address", results=["x"])),
    "no rows": http(200, envelope("firewall/address", results=None)),
    "error 500 in html": http(500, HTML, "text/html"),
    "busy": http(503, HTML, "text/html", Retry_After="5"),
    "too large": http(200, envelope("firewall/address", results=[{"name": "x" * LARGEST_ANSWER}])),
    "compressed": http(200, GOOD, Content_Encoding="gzip"),
}


@pytest.mark.parametrize("answer", NOT_AN_ANSWER.values(), ids=NOT_AN_ANSWER.keys())
async def test_a_read_without_a_proper_answer_may_be_tried_again_by_the_caller(start: Start, answer: bytes) -> None:
    async with start(always(answer)) as (client, firewall):
        with pytest.raises(Unreachable) as caught:
            await read(client)
    assert "office-fw" in str(caught.value)
    assert "Forbidden" not in str(caught.value)
    assert len(firewall.requests) == 1


@pytest.mark.parametrize("name", [name for name in NOT_AN_ANSWER if "rows" not in name])
async def test_a_write_without_a_proper_answer_is_unknown(start: Start, name: str) -> None:
    async with start(always(NOT_AN_ANSWER[name])) as (client, firewall):
        with pytest.raises(OutcomeUnknown):
            await write(client)
    assert len(firewall.requests) == 1


async def test_another_unit_than_the_listed_ones_is_not_believed(start: Start) -> None:
    async with start(always(GOOD), serials=("FGT60F0000000001",)) as (client, _):
        with pytest.raises(Unreachable, match="serial number FGVM02TM20001791"):
            await read(client)


async def test_a_release_that_is_too_old_is_named(start: Start) -> None:
    async with start(always(http(200, envelope("system/status", version="v6.2.3")))) as (client, _):
        with pytest.raises(Rejected, match=r"FortiOS 6\.2\.3 is too old"):
            await client.capabilities()


async def test_the_release_is_asked_for_once_and_noticed_when_it_changes(start: Start) -> None:
    versions = iter(["v7.4.4", "v7.6.0"])

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        table = "system/status" if "status" in request.target else "firewall/address"
        writer.write(http(200, envelope(table, version=next(versions))))

    async with start(behave) as (client, firewall):
        assert str(await client.capabilities()) == "FortiOS 7.4.4"
        assert str(await client.capabilities()) == "FortiOS 7.4.4"
        await read(client)
        assert str(await client.capabilities()) == "FortiOS 7.6.0"
    assert len(firewall.requests) == 2


# --- a clear no


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (http(403, HTML, "text/html"), "fwgrp.address read-write"),
        (http(403, envelope("firewall/address", "POST", status="error", http_status=403)), "fwgrp.address read-write"),
        (http(404, envelope("firewall/address", "POST", status="error", http_status=404)), "HTTP 404"),
        (http(405, HTML, "text/html"), "HTTP 405"),
        (http(413, "", "text/plain"), "HTTP 413"),
        (http(424, "{}"), "HTTP 424"),
        (http(500, envelope("firewall/address", "POST", status="error", error=-5)), "exists already"),
        (http(500, envelope("firewall/address", "POST", status="error", error=-4)), "table is full"),
        (http(500, envelope("firewall/address", "POST", status="error", error=-99999)), "error -99999"),
    ],
)
async def test_a_no_is_explained_and_not_repeated(start: Start, answer: bytes, words: str) -> None:
    async with start(always(answer)) as (client, firewall):
        with pytest.raises(Refused, match=words):
            await write(client)
    assert len(firewall.requests) == 1


async def test_the_devices_words_are_shown_but_cannot_shape_the_message(start: Start) -> None:
    said = "node_check_object fail! for name *port_2032*\x1b[31m\n<@U0BOSS> `x`\nCommand fail. Return code -651\n"
    answer = http(500, envelope("firewall/address", "POST", status="error", error=-651, cli_error=said + "x" * 999))
    async with start(always(answer)) as (client, _):
        with pytest.raises(Refused, match="fail! for name port_2032") as caught:
            await write(client)
    text = str(caught.value)
    assert not set("\x1b\n`<>*") & set(text)
    assert len(text) < 400


# --- connections that break


async def hang(_: Request, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def reset(_: Request, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def half_an_answer(_: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(GOOD[:-5])
    await writer.drain()
    writer.transport.abort()


async def half_an_answer_then_silence(_: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(GOOD[:-5])
    await writer.drain()
    await asyncio.Event().wait()


@pytest.mark.parametrize("behave", [reset, half_an_answer])
async def test_a_read_is_repeated_once_when_the_connection_breaks(start: Start, behave: Behave) -> None:
    async with start(behave) as (client, firewall):
        with pytest.raises(Unreachable):
            await read(client)
    assert len(firewall.requests) == 2


async def test_one_broken_connection_does_not_show_in_a_read(start: Start) -> None:
    behaviours = iter([reset, always(GOOD)])

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        await next(behaviours)(request, writer)

    async with start(behave) as (client, _):
        assert await read(client) == []


@pytest.mark.parametrize("behave", [hang, half_an_answer_then_silence])
async def test_a_read_ends_at_its_deadline_and_is_not_repeated(start: Start, behave: Behave) -> None:
    async with start(behave, request_timeout_s=0.2) as (client, firewall):
        with pytest.raises(Unreachable, match=r"within 0\.2 s"):
            await read(client)
    assert len(firewall.requests) == 1


async def test_an_answer_that_drips_ends_at_the_deadline_too(start: Start) -> None:
    async def drip(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)  # each byte well within any read deadline

    async with start(drip, request_timeout_s=0.2) as (client, _):
        with pytest.raises(Unreachable, match=r"within 0\.2 s"):
            await read(client)


@pytest.mark.parametrize("behave", [reset, half_an_answer, hang, half_an_answer_then_silence])
async def test_a_write_is_sent_once_and_its_outcome_is_unknown(start: Start, behave: Behave) -> None:
    async with start(behave, request_timeout_s=0.2) as (client, firewall):
        with pytest.raises(OutcomeUnknown):
            await write(client)
    assert [request.method for request in firewall.requests] == ["POST"]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that refuses connections for as long as the test runs."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.mark.parametrize("call", [read, write])
async def test_a_refused_connection_means_nothing_was_sent(
    closed_port: int, clock: ManualClock, call: Callable[[Client], Any]
) -> None:
    client = Client("office-fw", settings(f"https://127.0.0.1:{closed_port}"), clock)
    with pytest.raises(Unreachable, match="no connection"):
        await call(client)
    await client.close()


async def test_a_peer_that_speaks_no_tls_means_nothing_was_sent(clock: ManualClock) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    client = Client("office-fw", settings(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"), clock)
    with pytest.raises(Unreachable, match="TLS failed"):
        await write(client)
    await client.close()
    server.close()
    await server.wait_closed()


async def test_a_handshake_that_never_ends_means_nothing_was_sent(clock: ManualClock) -> None:
    done = asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = Client("office-fw", settings(url, connect_timeout_s=0.2), clock)
    with pytest.raises(Unreachable, match="nothing was sent"):
        await write(client)
    await client.close()
    done.set()
    server.close()
    await server.wait_closed()


async def test_a_write_whose_time_is_over_never_leaves(start: Start) -> None:
    async with start(always(GOOD)) as (client, firewall):
        await read(client)  # the connection is open and idle: nothing but the question remains
        with pytest.raises(Unreachable, match="time was over"):
            await client.create(TABLE, {"name": "pods"}, lambda: False)
        assert await read(client) == []
    assert [request.method for request in firewall.requests] == ["GET", "GET"]


async def test_the_next_request_does_not_wait_for_a_hanging_one_for_ever(start: Start) -> None:
    async with start(hang, request_timeout_s=0.2) as (client, _):
        results = await asyncio.gather(*(read(client) for _ in range(4)), return_exceptions=True)
    assert all(isinstance(result, Unreachable) for result in results)


async def test_a_missing_right_for_a_look_up_is_named(start: Start) -> None:
    async with start(always(http(403, HTML, "text/html"))) as (client, _):
        with pytest.raises(Refused, match=r"netgrp\.route-cfg read "):
            await client.look_up(MonitorUrl("router/lookup"), (("destination", "10.68.0.1"),))


def test_the_http_library_is_not_loaded_before_it_is_needed() -> None:
    script = "import sys, backends.fortigate.target; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
