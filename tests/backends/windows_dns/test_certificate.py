"""Login by client certificate, through pywinrm's own transport and through ours."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError
from winrm.exceptions import InvalidCredentialsError
from winrm.protocol import Protocol

from backends.windows_dns.target import WindowsDns
from bot.model.errors import BackendError, Rejected
from lab.windows_dns.state import CertificateMapping
from tests.backends.windows_dns.client_certificates import Authority, Identity
from tests.backends.windows_dns.fault_proxy import Action
from tests.backends.windows_dns.simulated import DOMAIN_USER, KEY, LOCAL_USER, WISH, Office, office, step
from tests.backends.windows_dns.trouble import TROUBLE, write_through_trouble

PRINCIPAL = "k8snet@localhost"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def trusting(authority: Authority, **mapping: object) -> AsyncIterator[Office]:
    """An office whose server maps the certificates of that authority."""
    entry = {"issuer": authority.thumbprint, "subject": PRINCIPAL, "user": LOCAL_USER, **mapping}
    async with office(
        auth_certificate=True,
        client_authorities=[authority.pem],
        certificate_mappings=[CertificateMapping.model_validate(entry)],
    ) as dc:
        yield dc


def target(dc: Office, identity: Identity, **changes: object) -> WindowsDns:
    return dc.target("certificate over https", **{**identity.settings(), **changes})  # type: ignore[arg-type]


async def refusal(dc: Office, identity: Identity) -> str:
    door = target(dc, identity)
    try:
        with pytest.raises(BackendError) as refused:
            await door.read([KEY])
    finally:
        await door.close()
    assert isinstance(refused.value, Rejected), refused.value
    assert dc.server.calls == []
    return str(refused.value)


async def test_a_mapped_certificate_writes_and_reads(authority: Authority) -> None:
    async with trusting(authority) as dc:
        door = target(dc, authority.issue(PRINCIPAL))
        assert (await door.apply(step(None, WISH))).kind == "applied"
        assert (await door.read([KEY]))[KEY] == door.normalise(WISH)
        await door.close()
        assert {write.user for write in dc.server.writes} == {LOCAL_USER}


async def test_windows_wants_the_certificate_before_tls_1_3(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks for one after the handshake only, as TLS 1.2 allows and our TLS 1.3 does not."""
    shake, seen = ssl.SSLSocket.do_handshake, set()

    def do_handshake(tls: ssl.SSLSocket, block: bool = False) -> None:
        shake(tls, block)
        seen.add(tls.version())

    monkeypatch.setattr(ssl.SSLSocket, "do_handshake", do_handshake)
    async with trusting(authority) as dc:
        door = target(dc, authority.issue(PRINCIPAL))
        await door.read([KEY])
        await door.close()
    assert seen == {"TLSv1.2"}


@pytest.mark.parametrize("pattern", ["*", "K8SNET@localhost", "k8snet@*"])
async def test_the_subject_of_a_mapping_is_a_pattern(authority: Authority, pattern: str) -> None:
    async with trusting(authority, subject=pattern) as dc:
        door = target(dc, authority.issue(PRINCIPAL))
        assert await door.read([KEY]) == {}
        await door.close()


@pytest.mark.parametrize(
    "mapping",
    [
        {"subject": "somebody@localhost"},
        {"issuer": "00" * 20},
        {"enabled": False},
        {"user": "nobody"},
        {"user": DOMAIN_USER},  # certificates are mapped to local accounts only
    ],
)
async def test_an_unmapped_certificate_is_refused(authority: Authority, mapping: dict[str, object]) -> None:
    async with trusting(authority, **mapping) as dc:
        assert "certmapping" in await refusal(dc, authority.issue(PRINCIPAL))


async def test_a_server_with_certificates_switched_off(authority: Authority) -> None:
    async with trusting(authority) as dc:
        dc.server.settings.auth_certificate = False
        assert "Certificate enabled" in await refusal(dc, authority.issue(PRINCIPAL))


async def test_expired_foreign_and_unfit_certificates_get_the_same_clear_answer(
    authority: Authority, tmp_path: Path
) -> None:
    """One sentence: whose certificate it was, how long it is good for, and what to look at."""
    wrong = {
        "expired": authority.issue(PRINCIPAL, age=timedelta(days=30)),
        "foreign": Authority(tmp_path, "Another CA").issue(PRINCIPAL),
        "unfit": authority.issue(PRINCIPAL, for_clients=False),
    }
    async with trusting(authority) as dc:
        said = {name: await refusal(dc, identity) for name, identity in wrong.items()}
    for name, text in said.items():
        assert "did not accept the client certificate (CN=k8snet@localhost of CN=" in text, name
        assert "valid until 20" in text
    assert "CN=Another CA" in said["foreign"]


async def test_nothing_is_asked_of_the_terminal_and_misfits_are_told_before_anything_is_sent(
    authority: Authority, tmp_path: Path
) -> None:
    locked, good, other = (
        authority.issue(PRINCIPAL, password=b"secret"), authority.issue(PRINCIPAL), authority.issue(PRINCIPAL),
    )  # fmt: skip
    async with trusting(authority) as dc:
        assert "protected by a password" in await refusal(dc, locked)
        assert "no certificate and its key" in await refusal(dc, Identity(good.certificate, other.key))
        assert "no certificate and its key" in await refusal(dc, Identity(good.key, good.key))
        assert "`certificate_file`" in await refusal(dc, Identity(tmp_path / "none.pem", good.key))


async def test_the_servers_own_certificate_is_still_the_reason_where_it_is(
    authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "other.pem").write_text(Authority(tmp_path, "Third CA").pem)
    async with trusting(authority) as dc:
        door = target(dc, authority.issue(PRINCIPAL), ca_file=tmp_path / "other.pem")
        with pytest.raises(BackendError, match="TLS handshake failed"):
            await door.read([KEY])
        await door.close()


async def test_pywinrms_own_certificate_transport(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    """Five requests, like Basic: there is no handshake inside HTTP."""

    def protocol(dc: Office, identity: Identity) -> Protocol:
        return Protocol(
            dc.https.wsman_url, transport="certificate", cert_pem=str(identity.certificate),
            cert_key_pem=str(identity.key), ca_trust_path=str(dc.https.ca_file), proxy=None,
        )  # fmt: skip

    def run(client: Protocol) -> bytes:
        shell = client.open_shell()
        command = client.run_command(shell, "powershell.exe", ["-NoProfile", "-EncodedCommand", "JwBpAG4AJwA="])
        out, _, _ = client.get_command_output(shell, command)
        client.cleanup_command(shell, command)
        client.close_shell(shell)
        return out

    async with trusting(authority) as dc:
        with caplog.at_level(logging.DEBUG, "urllib3.connectionpool"):
            assert await asyncio.to_thread(run, protocol(dc, authority.issue(PRINCIPAL))) == b"in\r\n"
        assert sum('"POST /wsman' in record.getMessage() for record in caplog.records) == 5
        stranger = protocol(dc, authority.issue("somebody@localhost"))
        with pytest.raises(InvalidCredentialsError):
            await asyncio.to_thread(run, stranger)
        stranger.transport.close_session()


@pytest.mark.parametrize(("kind", "action"), TROUBLE)
async def test_a_write_through_trouble(authority: Authority, kind: str, action: Action) -> None:
    async with trusting(authority) as dc:
        await write_through_trouble(dc, target(dc, authority.issue(PRINCIPAL)), kind, action)


async def test_without_https_or_a_key_there_is_no_such_login(authority: Authority) -> None:
    async with trusting(authority) as dc:
        with pytest.raises(ValidationError, match="needs https"):
            target(dc, authority.issue(PRINCIPAL), endpoint=dc.http.wsman_url)
        with pytest.raises(ValidationError, match="certificate_key_file"):
            target(dc, authority.issue(PRINCIPAL), certificate_key_file=None)
