"""Connections to real servers on loopback."""

import asyncio
import errno
import os
import socket
import ssl

import pytest
import trustme
from aiohttp import web

from backends.probes.prober import NetworkProber
from backends.probes.settings import ProbeSettings
from backends.probes.vantage import outcome_of
from bot.model.errors import Rejected, Unreachable
from bot.model.probes import ConnectAnswer
from tests.backends.probes.servers import LOOPBACK, closed_port, closing, resetting, saying, serving, silent
from tests.redis_server import BINARY, MISSING, RedisServer, running_redis

LONG = 30.0  # seconds; never waited for
SHORT = 0.3


async def probe(port: int, speak: str = "", timeout_s: float = LONG, greeting_s: float = 10) -> ConnectAnswer:
    prober = NetworkProber(ProbeSettings(greeting_s=greeting_s))
    return await prober.connect(LOOPBACK, port, "TCP", speak, timeout_s)


async def test_redis_answers_pong(redis_server: RedisServer) -> None:
    answer = await probe(redis_server.port, "redis")
    assert (answer.outcome, answer.spoke, answer.peer_says) == ("data", "redis", "+PONG")
    assert answer.elapsed_ms < LONG * 1000


async def test_a_redis_with_a_password_is_alive_as_well() -> None:
    if BINARY is None:
        pytest.skip(MISSING)
    with running_redis("--requirepass", "secret") as guarded:
        answer = await probe(guarded.port, "redis")
    assert (answer.outcome, answer.peer_says) == ("data", "-NOAUTH Authentication required.")


async def test_http_and_https_answer_to_their_own_protocol() -> None:
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("example.org").configure_cert(tls)
    runner = web.AppRunner(web.Application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, str(LOOPBACK), 0).start()
    await web.TCPSite(runner, str(LOOPBACK), 0, ssl_context=tls).start()
    plain, secure = (address[1] for address in runner.addresses)
    assert (await probe(plain, "http")).peer_says == "HTTP/1.1 404 Not Found"
    assert (await probe(secure, "https")).peer_says.startswith("TLSv1.3, ")
    wrong = await probe(plain, "https")
    assert (wrong.outcome, wrong.spoke) == ("data", "https")
    await runner.cleanup()


async def test_a_tls_handshake_is_finished_politely() -> None:
    """The server must see a whole handshake and a good-bye: a broken one would be an error in its log every time."""
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("example.org").configure_cert(tls)
    seen: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.set_result(await reader.read())
        writer.close()

    server = await asyncio.start_server(serve, str(LOOPBACK), 0, ssl=tls)
    answer = await probe(server.sockets[0].getsockname()[1], "kubelet")
    assert answer.outcome == "data"
    assert await seen == b""
    server.close()
    await server.wait_closed()


async def test_a_greeting_is_data_where_nothing_is_known_about_the_port() -> None:
    async with serving(saying(b"220 mail.example.org ESMTP\r\n")) as port:
        answer = await probe(port, "something-unheard-of")
    assert (answer.outcome, answer.spoke, answer.peer_says) == ("data", "", "220 mail.example.org ESMTP")


async def test_a_handshake_alone_proves_nothing() -> None:
    async with serving(silent) as port:
        answer = await probe(port, greeting_s=SHORT)
    assert (answer.outcome, answer.peer_says) == ("handshake-only", "no answer")


async def test_a_program_that_does_not_answer_is_told_from_a_path_that_loses_bytes() -> None:
    async with serving(silent) as port:
        answer = await probe(port, "redis", timeout_s=SHORT)
    assert (answer.outcome, answer.peer_says) == ("handshake-only", "no answer")


async def test_a_byte_that_was_acknowledged_went_through() -> None:
    async with serving(silent) as port:
        answer = await probe(port, "byte")
    assert (answer.outcome, answer.peer_says) == ("data", "one byte was acknowledged")


@pytest.mark.parametrize("speak", ["", "redis", "byte"])
async def test_a_closed_port_refuses(speak: str) -> None:
    assert (await probe(closed_port(), speak)).outcome == "refused"


@pytest.mark.parametrize("handle", [closing, resetting])
@pytest.mark.parametrize("speak", ["", "redis", "https"])
async def test_accepted_then_cut_is_a_reset(handle: object, speak: str) -> None:
    async with serving(handle) as port:  # type: ignore[arg-type]
        assert (await probe(port, speak)).outcome == "reset"


@pytest.mark.parametrize("speak", ["", "redis", "byte"])
async def test_a_connection_that_is_cut_just_when_the_time_is_up_is_told_as_one_or_the_other(speak: str) -> None:
    """Which of the two, the machine decides; of many some meet both at once."""

    async def resetting_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.02)
        await resetting(reader, writer)

    prober = NetworkProber(ProbeSettings(concurrency=50))
    async with serving(resetting_late) as port:
        probes = [prober.connect(LOOPBACK, port, "TCP", speak, 0.02 + number / 50_000) for number in range(400)]
        answers = await asyncio.gather(*probes)
    assert {answer.outcome for answer in answers} <= {"data", "reset", "handshake-only", "timeout"}


async def test_bytes_without_an_end_are_still_data() -> None:
    async with serving(saying(b"+PON")) as port:
        answer = await probe(port, "redis", timeout_s=SHORT)
        assert (answer.outcome, answer.peer_says) == ("data", "+PON")
    async with serving(saying(b"x" * 200_000)) as port:
        assert (await probe(port, "redis")).outcome == "data"


async def test_nobody_accepting_is_a_timeout() -> None:
    """A full queue of connections drops further ones silently, as a firewall does."""
    with socket.socket() as listener:
        listener.bind((str(LOOPBACK), 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        answer = await probe(address[1], "redis", timeout_s=SHORT)
        for one in waiting:
            one.close()
    assert answer.outcome == "timeout"


async def test_a_udp_port_is_only_asked_where_it_would_answer() -> None:
    with pytest.raises(Rejected, match="UDP port 7007 cannot be probed"):
        await NetworkProber(ProbeSettings()).connect(LOOPBACK, 7007, "UDP", "echo", SHORT)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EADDRNOTAVAIL, errno.EPERM])
def test_a_fault_of_our_own_host_is_not_blamed_on_the_destination(number: int) -> None:
    with pytest.raises(Unreachable, match="this host could not send the probe"):
        outcome_of(OSError(number, os.strerror(number)))


@pytest.mark.parametrize(
    ("number", "outcome"),
    [
        (errno.ECONNREFUSED, "refused"),
        (errno.EHOSTUNREACH, "host-unreachable"),
        (errno.ENETUNREACH, "net-unreachable"),
        (errno.ETIMEDOUT, "timeout"),
        (errno.ECONNRESET, "reset"),
        (errno.ENOPROTOOPT, "host-unreachable"),  # ICMP protocol unreachable, as a firewall may refuse with
    ],
)
def test_what_the_kernel_reports_is_named(number: int, outcome: str) -> None:
    assert outcome_of(OSError(number, os.strerror(number))) == outcome


async def test_many_probes_take_turns() -> None:
    at_once = most = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await reader.readline()
        at_once -= 1
        writer.write(b"+PONG\r\n")

    async with serving(count) as port:
        prober = NetworkProber(ProbeSettings(concurrency=3))
        answers = await asyncio.gather(*(prober.connect(LOOPBACK, port, "TCP", "redis", LONG) for _ in range(30)))
    assert {answer.peer_says for answer in answers} == {"+PONG"}
    assert most <= 3
