"""Whom the client gives its token to, and what it does when the token is refused."""

import asyncio
import logging
import ssl
from hashlib import sha256
from pathlib import Path

import pytest
import trustme

from backends.fortigate.client import Client, Refused
from bot.model.errors import Rejected, Unreachable
from tests.backends.fortigate.calls import GOOD, HTML, TOKEN, Start, read, settings, write
from tests.backends.fortigate.clock import ManualClock
from tests.backends.fortigate.peer import always, http, peer

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
