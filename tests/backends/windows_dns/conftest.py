from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _no_realm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test meets the Kerberos realm of the machine it runs on."""
    configuration = tmp_path / "no-realm.conf"
    configuration.write_text("[libdefaults]\n dns_lookup_kdc = false\n dns_lookup_realm = false\n")
    monkeypatch.setenv("KRB5_CONFIG", str(configuration))
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path}/no-tickets")
