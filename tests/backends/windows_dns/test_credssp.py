"""Login by CredSSP: TLS inside HTTP, NTLM inside that, and the password for the server to pass on inside that."""

import base64

import pytest
from pydantic import SecretStr

from backends.windows_dns.target import WindowsDns
from bot.model.errors import Rejected
from tests.backends.windows_dns.clock import DEADLINE_S
from tests.backends.windows_dns.fault_proxy import Action
from tests.backends.windows_dns.logged import assert_nothing_tells, requests_of_one_call
from tests.backends.windows_dns.simulated import DOMAIN_USER, KEY, LOCAL_USER, PASSWORD, WISH, Office, office, step
from tests.backends.windows_dns.trouble import TROUBLE, write_through_trouble

PRINCIPAL = "k8snet@corp.example"


def target(dc: Office, scheme: str = "https", **changes: object) -> WindowsDns:
    return dc.target(f"credssp over {scheme}", **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("user", [DOMAIN_USER, PRINCIPAL, LOCAL_USER])
async def test_known_people_write_and_read(scheme: str, user: str) -> None:
    """DOMAIN\\name as bare NTLM, name@domain as NTLM in SPNEGO, because Kerberos has no realm here."""
    async with office(auth_credssp=True) as dc:
        door = target(dc, scheme, user=user)
        assert (await door.apply(step(None, WISH))).kind == "applied"
        assert (await door.read([KEY]))[KEY] == door.normalise(WISH)
        await door.close()


async def test_long_messages_are_sealed_in_pieces() -> None:
    """An answer of more than 16 KB takes several TLS records, which WinRM sends as several parts."""
    async with office(auth_credssp=True, output_piece=65536) as dc:
        door = target(dc, "http")
        shell = door._shell
        script = "'" + "x" * 2000 + "' * 20"
        command = base64.b64encode(script.encode("utf-16-le")).decode()
        output = await shell.run(
            "powershell.exe", ["-NoProfile", "-EncodedCommand", command], {}, timeout_s=DEADLINE_S, writes=False
        )
        assert output.stdout == b"x" * 40000 + b"\r\n"
        await door.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("changes", [{"password": SecretStr("wrong")}, {"user": "CORP\\nobody"}])
async def test_others_are_kept_out(scheme: str, changes: dict[str, object]) -> None:
    async with office(auth_credssp=True) as dc:
        door = target(dc, scheme, **changes)
        with pytest.raises(Rejected, match="did not accept the login by CredSSP"):
            await door.read([KEY])
        await door.close()
        assert dc.server.calls == []


async def test_a_server_on_which_credssp_is_switched_off() -> None:
    """As it is by default."""
    async with office() as dc:
        door = target(dc)
        with pytest.raises(Rejected, match="whether CredSSP is enabled on the server"):
            await door.read([KEY])
        await door.close()


@pytest.mark.parametrize(("kind", "action"), TROUBLE)
async def test_a_sealed_write_through_trouble(kind: str, action: Action) -> None:
    async with office(auth_credssp=True) as dc:
        await write_through_trouble(dc, target(dc, "http"), kind, action)


async def test_the_number_of_requests_of_one_call(caplog: pytest.LogCaptureFixture) -> None:
    """Five legs of the handshake in the answers with 401, its end with the first message or, sealed, before it."""
    async with office(auth_credssp=True) as dc:
        counts = {scheme: await requests_of_one_call(target(dc, scheme), caplog) for scheme in ("http", "https")}
    assert counts == {"http": 11, "https": 10}


@pytest.mark.parametrize("password", [PASSWORD, "wrong but secret"])
async def test_no_log_and_no_error_holds_the_password(password: str, caplog: pytest.LogCaptureFixture) -> None:
    async with office(auth_credssp=True) as dc:
        await assert_nothing_tells(password, target(dc, password=SecretStr(password)), caplog)
