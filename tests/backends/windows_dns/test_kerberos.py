"""Login by Kerberos: tickets of a real KDC on loopback, from a password, a keytab or a cache."""

import asyncio
import base64
import re
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests
from pydantic import SecretStr

from backends.windows_dns.line import REST_S
from backends.windows_dns.target import WindowsDns
from backends.windows_dns.tickets import Tickets
from bot.model.errors import BackendError, Rejected, Unreachable
from tests.backends.windows_dns import jea
from tests.backends.windows_dns.clock import DEADLINE_S, ManualClock
from tests.backends.windows_dns.fault_proxy import Action
from tests.backends.windows_dns.logged import assert_nothing_tells, requests_of_one_call
from tests.backends.windows_dns.simulated import DOMAIN_USER, KEY, PASSWORD, WISH, Office, office, step
from tests.backends.windows_dns.trouble import TROUBLE, write_through_trouble
from tests.kdc import REALM, Kdc, needs_kdc
from tests.streams import served

pytestmark = needs_kdc
SCHEMES = ("http", "https")


@pytest.fixture(scope="module")
def realm(tmp_path_factory: pytest.TempPathFactory) -> Kdc:
    """The database only; nobody serves it."""
    made = Kdc(tmp_path_factory.mktemp("kdc"))
    made.create({"k8snet": PASSWORD, "stranger": PASSWORD}, ["HTTP/localhost", "host/localhost"])
    return made


@pytest.fixture
def kdc(realm: Kdc, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kdc]:
    """The realm, and this process in it."""
    for name, value in realm.environment.items():
        monkeypatch.setenv(name, value)
    with realm.running():
        yield realm


@asynccontextmanager
async def joined(kdc: Kdc, **settings: Any) -> AsyncIterator[Office]:
    """An office whose server is a member of the realm."""
    async with office(keytab=str(kdc.keytab), **settings) as dc:
        yield dc


def target(dc: Office, scheme: str = "https", **changes: Any) -> WindowsDns:
    return dc.target(f"kerberos over {scheme}", **changes)  # type: ignore[arg-type]


async def fails(dc: Office, scheme: str = "https", **changes: Any) -> BackendError:
    door = target(dc, scheme, **changes)
    with pytest.raises(BackendError) as failed:
        await door.read([KEY])
    await door.close()
    assert dc.server.calls == []
    return failed.value


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_password_becomes_a_ticket_that_writes_and_reads(kdc: Kdc, scheme: str) -> None:
    async with joined(kdc) as dc:
        door = target(dc, scheme)
        assert (await door.apply(step(None, WISH))).kind == "applied"
        assert (await door.read([KEY]))[KEY] == door.normalise(WISH)
        await door.close()
        assert {write.user for write in dc.server.writes} == {DOMAIN_USER}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("user", ["k8snet@corp.example", ""])
async def test_a_keytab_needs_no_password(kdc: Kdc, scheme: str, user: str) -> None:
    async with joined(kdc) as dc:
        door = target(dc, scheme, user=user, password=None, keytab_file=kdc.clients)
        assert await door.read([KEY]) == {}
        await door.close()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("where", ["file", "environment"])
async def test_a_ticket_that_somebody_else_got(
    kdc: Kdc, scheme: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = kdc.ticket("k8snet")
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{cache}" if where == "environment" else "FILE:/nowhere/at/all")
    async with joined(kdc) as dc:
        given = {"ticket_cache_file": cache} if where == "file" else {}
        door = target(dc, scheme, user="", password=None, **given)
        assert await door.read([KEY]) == {}
        await door.close()


async def test_a_call_that_fails_takes_nobody_elses_ticket_away(kdc: Kdc) -> None:
    """Two conversations go on at a time; the one that failed begins with new tickets, the other has its own still."""
    async with joined(kdc) as dc:
        settings = dc.settings("kerberos over https")
        tickets = Tickets(settings, time.monotonic)

        def logs_in(handler: Any) -> bool:
            answer = requests.post(
                settings.endpoint, b"no soap", auth=handler, verify=str(dc.https.ca_file), timeout=60
            )
            return answer.status_code != 401

        earlier, beside = tickets.login(seals=False), tickets.login(seals=False)
        tickets.forget()
        assert await asyncio.to_thread(logs_in, beside)
        assert await asyncio.to_thread(logs_in, tickets.login(seals=False))
        assert await asyncio.to_thread(logs_in, earlier)
        tickets.close()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("given", ["password", "keytab"])
async def test_the_endpoint_of_four_functions_takes_kerberos_too(kdc: Kdc, scheme: str, given: str) -> None:
    async with joined(kdc) as dc:
        jea.install(dc)
        ticket = {"password": None, "keytab_file": kdc.clients} if given == "keytab" else {}
        door = target(dc, scheme, jea_login="kerberos", **jea.JEA, **ticket)
        assert (await door.apply(step(None, WISH))).kind == "applied"
        assert (await door.read([KEY]))[KEY] == door.normalise(WISH)
        await door.close()


@pytest.mark.parametrize("login", ["kerberos", "ntlm"])
async def test_a_server_that_insists_on_the_tls_channel_is_content(kdc: Kdc, login: str) -> None:
    async with joined(kdc, channel_bindings="strict") as dc:
        door = dc.target(f"{login} over https")  # type: ignore[arg-type]
        assert await door.read([KEY]) == {}
        await door.close()


@pytest.mark.parametrize(
    ("hardening", "binding", "status"),
    [
        ("relaxed", b"tls-server-end-point:another", 401),
        ("strict", b"tls-server-end-point:another", 401),
        ("strict", None, 401),
        ("relaxed", None, 200),
        ("none", b"tls-server-end-point:another", 200),
    ],
)
async def test_a_ticket_for_another_channel_is_refused(
    kdc: Kdc, hardening: str, binding: bytes | None, status: int
) -> None:
    """Which is what somebody between client and server would have."""
    import spnego

    bound = None if binding is None else spnego.channel_bindings.GssChannelBindings(application_data=binding)
    client = await asyncio.to_thread(
        lambda: spnego.client(
            f"k8snet@{REALM}", PASSWORD, "localhost", "HTTP", channel_bindings=bound, protocol="kerberos"
        )
    )
    token = base64.b64encode(await asyncio.to_thread(client.step) or b"").decode()
    async with joined(kdc, channel_bindings=hardening) as dc, aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Negotiate {token}"}
        async with session.post(dc.https.wsman_url, headers=headers, ssl=False) as response:
            assert response.status == status


async def test_messages_are_sealed_inside_http(kdc: Kdc, caplog: pytest.LogCaptureFixture) -> None:
    async with joined(kdc) as dc, eavesdropped(dc) as heard:
        door = target(dc, "http", endpoint=heard.endpoint)
        await door.apply(step(None, WISH))
        await door.close()
    assert heard.bodies
    assert all(b"Envelope" not in body and b"cluster.local" not in body for body in heard.bodies)


class Heard:
    def __init__(self) -> None:
        self.endpoint, self.bodies = "", list[bytes]()


@asynccontextmanager
async def eavesdropped(dc: Office) -> AsyncIterator[Heard]:
    """A wire-tap in front of the plain listener."""
    heard, port = Heard(), int(dc.http.wsman_url.split(":")[2].split("/")[0])

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            heard.bodies.append(data)
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer), return_exceptions=True)
        finally:
            for each in (writer, inner_writer):
                each.transport.abort()
                with suppress(OSError):
                    await each.wait_closed()

    async with served(serve) as listening:
        heard.endpoint = f"http://localhost:{listening}/wsman"
        yield heard


async def test_the_number_of_requests_of_one_call(kdc: Kdc, caplog: pytest.LogCaptureFixture) -> None:
    """One refused without a ticket, then five with: over https the first of the five carries it, over http one more."""
    async with joined(kdc) as dc:
        counts = {scheme: await requests_of_one_call(target(dc, scheme), caplog) for scheme in SCHEMES}
    assert counts == {"http": 7, "https": 6}


# What goes wrong


@pytest.mark.parametrize(("kind", "action"), TROUBLE)
async def test_a_sealed_write_through_trouble(kdc: Kdc, kind: str, action: Action) -> None:
    async with joined(kdc) as dc:
        await write_through_trouble(dc, target(dc, "http"), kind, action)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"password": SecretStr("wrong")}, "did not accept the password or key of `user`"),
        ({"user": "nobody@corp.example"}, "does not know `user`"),
        ({"user": "k8snet@other.example"}, "does not know the realm's Kerberos servers"),
        ({"kerberos_service": "WSMAN"}, "no service of that name.*full host name"),
        ({"password": None, "keytab_file": "/nowhere/k"}, "`keytab_file` /nowhere/k does not exist"),
        ({"password": None, "ticket_cache_file": "/nowhere/t"}, "`ticket_cache_file` /nowhere/t does not exist"),
        ({"password": None}, "no Kerberos ticket to log in with; run kinit"),
    ],
)
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_what_is_wrong_is_said_in_one_sentence(kdc: Kdc, scheme: str, changes: dict[str, Any], text: str) -> None:
    async with joined(kdc) as dc:
        failed = await fails(dc, scheme, **changes)
    assert isinstance(failed, Rejected)
    assert re.search(text, str(failed)), failed
    assert "\n" not in str(failed)


async def test_a_keytab_of_somebody_else(kdc: Kdc) -> None:
    async with joined(kdc) as dc:
        failed = await fails(dc, password=None, keytab_file=kdc.keytab)
    assert "`keytab_file` holds no key of `user`" in str(failed)


async def test_somebody_whom_the_server_does_not_know(kdc: Kdc) -> None:
    async with joined(kdc) as dc:
        failed = await fails(dc, user="stranger@corp.example")
    assert "did not accept the login" in str(failed)


async def test_an_account_that_is_locked(kdc: Kdc) -> None:
    kdc.administer("modprinc -allow_tix stranger")
    try:
        async with joined(kdc) as dc:
            failed = await fails(dc, user="stranger@corp.example")
    finally:
        kdc.administer("modprinc +allow_tix stranger")
    assert "disabled or locked out" in str(failed)


@contextmanager
def at(realm: Kdc, monkeypatch: pytest.MonkeyPatch, offset: str) -> Iterator[None]:
    """The realm with a wrong clock."""
    for name, value in realm.environment.items():
        monkeypatch.setenv(name, value)
    with realm.running(offset):
        yield


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_an_expired_ticket(realm: Kdc, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with at(realm, monkeypatch, "-2d"):
        cache = realm.ticket("k8snet")
    with at(realm, monkeypatch, ""):
        async with joined(realm) as dc:
            failed = await fails(dc, scheme, user="", password=None, ticket_cache_file=cache)
    assert "the Kerberos ticket has expired; renew the cache" in str(failed)
    assert isinstance(failed, Rejected)


@pytest.mark.parametrize("offset", ["-2h", "+2h"])
async def test_clocks_that_differ_too_much(realm: Kdc, offset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with at(realm, monkeypatch, offset):
        async with joined(realm) as dc:
            failed = await fails(dc)
    assert "the clocks of this host and of the domain differ too much" in str(failed)
    assert isinstance(failed, Rejected)


async def test_a_kdc_that_is_not_there(realm: Kdc, monkeypatch: pytest.MonkeyPatch) -> None:
    with at(realm, monkeypatch, ""):
        pass
    async with joined(realm) as dc:
        failed = await fails(dc)
    assert isinstance(failed, Unreachable)
    assert "no Kerberos server (KDC) of the realm answers" in str(failed)


async def test_a_silent_kdc_does_not_outlast_the_deadline(realm: Kdc, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in realm.environment.items():
        monkeypatch.setenv(name, value)
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.setblocking(False)
        realm.point_at(silent.getsockname()[1])
        async with joined(realm) as dc:
            clock = dc.clock()
            door = target(dc, clock=clock)
            call = asyncio.create_task(door.read([KEY]))
            assert await loop.sock_recv(silent, 4096)  # it has asked
            clock.expire()
            with pytest.raises(Unreachable, match=rf"no result within {DEADLINE_S} s; it had not logged in yet.*KDC"):
                await call
            await door.close()
            assert dc.server.calls == []


@pytest.mark.parametrize("password", [PASSWORD, "wrong but secret"])
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_no_log_and_no_error_holds_the_password(
    kdc: Kdc, scheme: str, password: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with joined(kdc) as dc:
        await assert_nothing_tells(password, target(dc, scheme, password=SecretStr(password)), caplog)


async def test_one_ticket_serves_many_calls_and_is_renewed_in_time(kdc: Kdc) -> None:
    def asked() -> int:
        return (kdc.home / "kdc.log").read_text().count("AS_REQ")

    passed = 0.0
    async with joined(kdc) as dc:
        door = target(dc, clock=ManualClock(lambda: passed))
        counts = []
        for hours in (0, 1, 9.5, 1, 9.5):
            passed += hours * 3600
            before = asked()
            await door.read([KEY])
            counts.append(asked() - before)
        await door.close()
    first, second, third, fourth, fifth = counts
    assert first > 0
    assert (second, fourth) == (0, 0)
    assert third > 0
    assert fifth > 0


async def test_a_server_that_is_down_costs_no_tickets(kdc: Kdc) -> None:
    async with joined(kdc) as dc:
        passed = 0.0
        door = target(dc, clock=ManualClock(lambda: passed))
        await door.read([KEY])
        passed += REST_S  # the next call has to log in
        before = (kdc.home / "kdc.log").read_text().count("AS_REQ")
        dc.server.faults.add("drop", "Create")
        with pytest.raises(Unreachable):
            await door.read([KEY])
        assert await door.read([KEY]) == {}
        assert (kdc.home / "kdc.log").read_text().count("AS_REQ") == before
        await door.close()
        await door.close()  # harmless


async def test_a_ticket_that_the_server_cannot_read_any_more_is_replaced(kdc: Kdc) -> None:
    """The machine's account was reset: the first call tells, the next one works."""
    async with joined(kdc) as dc:
        passed = 0.0
        door = target(dc, clock=ManualClock(lambda: passed))
        await door.read([KEY])
        passed += REST_S  # whoever is logged in stays so
        kdc.administer(f"ktremove -k {kdc.keytab} HTTP/localhost")
        kdc.administer(f"ktadd -k {kdc.keytab} HTTP/localhost")
        with pytest.raises(Rejected, match="the server cannot read our ticket"):
            await door.read([KEY])
        assert await door.read([KEY]) == {}
        await door.close()


def caches(kdc: Kdc) -> set[Path]:
    return set(kdc.home.iterdir()) - {kdc.home / "replays"}


async def test_no_ticket_of_a_password_is_written_to_disk(kdc: Kdc) -> None:
    """They live in memory, and end with the call."""
    before = caches(kdc)
    async with joined(kdc) as dc:
        door = target(dc)
        await door.read([KEY])
        await door.close()
    assert caches(kdc) <= before
