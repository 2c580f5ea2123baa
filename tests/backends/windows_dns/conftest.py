from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.backends.windows_dns.simulated import Office, office


@pytest.fixture(autouse=True)
def _no_realm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test meets the Kerberos realm of the machine it runs on."""
    configuration = tmp_path / "no-realm.conf"
    configuration.write_text("[libdefaults]\n dns_lookup_kdc = false\n dns_lookup_realm = false\n")
    monkeypatch.setenv("KRB5_CONFIG", str(configuration))
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path}/no-tickets")


@pytest.fixture
async def dc() -> AsyncIterator[Office]:
    async with office() as started:
        yield started
