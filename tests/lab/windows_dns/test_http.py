"""Checks 1 to 6: HTTP, authentication, sealed messages."""

import asyncio
import base64
import logging
import ssl
import urllib.parse

import pytest
import winrm
from winrm.exceptions import InvalidCredentialsError, WinRMTransportError, WSManFaultError

from tests.lab.windows_dns.clients import (
    CREATE_BODY,
    DOMAIN,
    LOCAL,
    PASSWORD,
    TRANSFER,
    Lab,
    client,
    envelope,
    lab,
    office_state,
    raw,
)

CREATE = f"{TRANSFER}/Create"


@pytest.mark.parametrize("path", ["/wsman", "/WSMan", "/wsman/"])
@pytest.mark.parametrize("must", ["mustUnderstand", "s:mustUnderstand"])
async def test_check_01_any_case_any_target_and_both_spellings(dc: Lab, path: str, must: str) -> None:
    async with raw(dc.up) as post:
        for to in ("http://windows-host:5985/wsman", "urn:nonsense"):
            status, body, _ = await post(envelope(CREATE, CREATE_BODY, must=must, to=to)[0], path)
            assert (status, "ResourceCreated" in body) == (200, True)


async def test_check_01_body_in_pieces_and_the_connection_stays(dc: Lab) -> None:
    context = ssl.create_default_context(cafile=str(dc.up.ca_file))
    where = urllib.parse.urlsplit(dc.up.wsman_url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port, ssl=context)
    login = base64.b64encode(f"{LOCAL}:{PASSWORD}".encode()).decode()
    for _ in range(2):
        body = envelope(CREATE, CREATE_BODY)[0].encode()
        writer.write(f"POST /wsman HTTP/1.1\r\nHost: dc\r\nAuthorization: Basic {login}\r\n".encode())
        writer.write(f"Content-Type: application/soap+xml\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        for at in range(0, len(body), 100):
            writer.write(body[at : at + 100])
            await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        )
        assert b"ResourceCreated" in await reader.readexactly(length)
    writer.close()
    await writer.wait_closed()


async def test_check_01_other_paths_and_methods_are_not_the_service(dc: Lab) -> None:
    async with raw(dc.up) as post:
        assert (await post("x", "/other"))[0] == 404


@pytest.mark.parametrize(("basic", "schemes"), [(True, ["Negotiate", 'Basic realm="WSMAN"']), (False, ["Negotiate"])])
async def test_check_02_unauthenticated(basic: bool, schemes: list[str]) -> None:
    async with lab(office_state(auth_basic=basic)) as dc, raw(dc.up, user=None) as post:
        status, body, headers = await post(envelope(CREATE, CREATE_BODY)[0])
        assert (status, body) == (401, "")
        assert headers.getall("WWW-Authenticate") == schemes
        assert headers["Server"] == "Microsoft-HTTPAPI/2.0"


@pytest.mark.parametrize(
    ("tls", "user", "settings", "allowed"),
    [
        (True, LOCAL, {}, True),
        (True, LOCAL, {"auth_basic": False}, False),
        (True, DOMAIN, {}, False),
        (False, LOCAL, {}, False),
        (False, LOCAL, {"allow_unencrypted": True}, True),
    ],
)
async def test_check_03_who_may_use_basic(tls: bool, user: str, settings: dict[str, bool], allowed: bool) -> None:
    async with lab(office_state(**settings), tls=tls) as dc, client(dc.up, user) as each:
        if allowed:
            await each.call("close_shell", await each.open())
        else:
            with pytest.raises(InvalidCredentialsError):
                await each.open()


@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize("user", [DOMAIN, DOMAIN.lower(), LOCAL, f"DC1\\{LOCAL}"])
async def test_check_04_ntlm_lets_known_people_in(tls: bool, user: str) -> None:
    async with lab(tls=tls) as dc, client(dc.up, user, transport="ntlm") as each:
        assert (await each.run("[Security.Principal.WindowsIdentity]::GetCurrent().Name")).code == 0


@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize(
    ("user", "password"), [(DOMAIN, "wrong"), ("CORP\\nobody", PASSWORD), ("svc-k8snet", PASSWORD)]
)
async def test_check_04_ntlm_keeps_others_out(tls: bool, user: str, password: str) -> None:
    async with lab(tls=tls) as dc, client(dc.up, user, password, transport="ntlm") as each:
        with pytest.raises(InvalidCredentialsError):
            await each.open()


async def test_check_04_passwords_may_contain_anything() -> None:
    state = office_state()
    state.accounts[1].password = "a:b’ü \\n"
    async with lab(state) as dc, client(dc.up, DOMAIN, "a:b’ü \\n", transport="ntlm") as each:
        assert (await each.run("'in'")).lines == ["in"]


async def test_check_04_authentication_ends_with_the_connection() -> None:
    async with lab() as dc, client(dc.up, DOMAIN, transport="ntlm") as each:
        shell = await each.open()
        async with raw(dc.up, user=None) as post:
            assert (await post(envelope(f"{TRANSFER}/Delete", shell=shell)[0]))[0] == 401
        await each.call("close_shell", shell)


async def test_check_04_two_servers_keep_their_accounts_apart() -> None:
    other = office_state()
    other.accounts[1].password = "another"
    async with lab() as one, lab(other) as two:
        async with (
            client(one.up, DOMAIN, transport="ntlm") as a,
            client(two.up, DOMAIN, "another", transport="ntlm") as b,
        ):
            results = await asyncio.gather(a.run("'in'"), b.run("'in'"))  # one client is not for two threads
        assert [each.lines for each in results] == [["in"], ["in"]]
        async with client(two.up, DOMAIN, PASSWORD, transport="ntlm") as stranger:
            with pytest.raises(InvalidCredentialsError):
                await stranger.open()


@pytest.mark.parametrize(("tls", "transport", "posts"), [(True, "basic", 5), (False, "ntlm", 8), (True, "ntlm", 7)])
async def test_check_04_number_of_requests_of_one_session(
    tls: bool, transport: str, posts: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with lab(tls=tls) as dc:
        session = winrm.Session(
            dc.up.wsman_url, auth=(LOCAL, PASSWORD), transport=transport, proxy=None,
            ca_trust_path=str(dc.up.ca_file) if tls else None,
        )  # fmt: skip
        with caplog.at_level(logging.DEBUG, "urllib3.connectionpool"):
            result = await asyncio.to_thread(session.run_ps, "'x' * 3")
        assert (result.status_code, result.std_out) == (0, b"xxx\r\n")
        assert sum('"POST /wsman' in record.getMessage() for record in caplog.records) == posts


async def test_check_05_messages_and_faults_are_sealed_on_http() -> None:
    async with lab(tls=False) as dc, client(dc.up, DOMAIN, transport="ntlm") as each:
        shell = await each.open()
        answers: list[tuple[int, str, bytes]] = []
        each.protocol.transport.session.hooks["response"].append(
            lambda response, **_: answers.append(
                (response.status_code, response.headers["Content-Type"], response.content)
            )
        )
        assert (await each.finish(shell, await each.start(shell, "'sealed: ü'"))).out == "sealed: ü\r\n"
        with pytest.raises(WSManFaultError) as fault:
            await each.start("NO-SUCH-SHELL", "1")
        assert fault.value.wsman_fault_code == 2150858843
        assert [status for status, _, _ in answers] == [200, 200, 200, 500]
        assert all(kind.startswith("multipart/encrypted") and b"Envelope" not in body for _, kind, body in answers)
        await each.call("close_shell", shell)


async def test_check_05_plain_body_on_http_is_refused() -> None:
    async with lab(tls=False) as dc, client(dc.up, DOMAIN, transport="ntlm", message_encryption="never") as each:
        with pytest.raises(WinRMTransportError) as refused:
            await each.open()
        assert refused.value.code == 500
        assert list(dc.server.calls) == []


async def test_check_06_a_body_sealed_for_another_connection_is_refused() -> None:
    async with lab(tls=False) as dc, client(dc.up, DOMAIN, transport="ntlm") as each:
        shell = await each.open()
        # The kept-alive connection is gone; pywinrm logs on again and repeats the body it sealed for the old one.
        for adapter in each.protocol.transport.session.adapters.values():
            adapter.close()
        with pytest.raises(WinRMTransportError) as refused:
            await each.start(shell, "1")
        assert refused.value.code == 400
