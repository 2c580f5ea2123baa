"""What the simulated server makes of logins that no well-behaved client tries."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
import spnego

from tests.lab.windows_dns.clients import (
    CREATE_BODY,
    DOMAIN,
    PASSWORD,
    TRANSFER,
    Lab,
    envelope,
    lab,
    office_state,
)

CREATE = envelope(f"{TRANSFER}/Create", CREATE_BODY)[0]
MUTUAL = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"


@asynccontextmanager
async def credssp_lab() -> AsyncIterator[Lab]:
    async with lab(office_state(auth_credssp=True)) as dc:
        yield dc


async def login(dc: Lab, client: spnego.ContextProxy) -> int:
    """Take a CredSSP login to its end over one connection; the last status."""
    async with aiohttp.ClientSession() as session:
        answer, status = None, 0
        while True:
            token = client.step(answer)
            if not token and status:
                return status
            said = base64.b64encode(token or b"").decode()
            headers = {"Authorization": f"CredSSP {said}"}
            async with session.post(dc.up.wsman_url, headers=headers, ssl=False) as response:
                await response.read()
                status, told = response.status, response.headers.get("WWW-Authenticate", "")
            if not told.startswith("CredSSP "):
                return status
            answer = base64.b64decode(told.removeprefix("CredSSP "))


@pytest.mark.parametrize(("delegated", "status"), [(PASSWORD, 200), ("another", 401)])
async def test_credssp_checks_what_is_delegated(delegated: str, status: int) -> None:
    """Who proves one password and delegates another is not logged on with the latter."""
    async with credssp_lab() as dc:
        inner = spnego.client(DOMAIN, PASSWORD, protocol="ntlm")
        client = spnego.client(DOMAIN, delegated, protocol="credssp", credssp_negotiate_context=inner)
        assert await login(dc, client) == status
        assert client.get_extra_info("protocol_version") >= 5


async def test_credssp_delegates_only_for_oneself() -> None:
    async with credssp_lab() as dc:
        inner = spnego.client(DOMAIN, PASSWORD, protocol="ntlm")
        client = spnego.client("CORP\\administrator", PASSWORD, protocol="credssp", credssp_negotiate_context=inner)
        assert await login(dc, client) == 401


@pytest.mark.parametrize(
    "header", [MUTUAL, "CredSSP AAAAAAAA", "Kerberos YIIB", "Negotiate YIIB", "Negotiate !", "CredSSP", "Kerberos"]
)
async def test_headers_without_substance_let_nobody_in(header: str) -> None:
    async with lab(office_state(auth_credssp=True, auth_certificate=True)) as dc, aiohttp.ClientSession() as session:
        headers = {"Authorization": header}
        async with session.post(dc.up.wsman_url, data=CREATE, headers=headers, ssl=False) as response:
            assert response.status == 401
            assert response.headers.getall("WWW-Authenticate") == ["Negotiate", 'Basic realm="WSMAN"', "CredSSP"]
