"""Settings that cannot work are refused with the reason."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from backends.unbound.settings import UnboundSettings


def settings(endpoint: str) -> UnboundSettings:
    files = {name: Path("x.pem") for name in ("server_certificate_file", "certificate_file", "certificate_key_file")}
    return UnboundSettings(type="unbound", endpoint=endpoint, **files)


@pytest.mark.parametrize(
    ("endpoint", "host", "port"),
    [("NS1.corp.example:8953", "ns1.corp.example", 8953), ("[2001:db8::1]:8953", "2001:db8::1", 8953)],
)
def test_an_endpoint_is_a_host_and_a_port(endpoint: str, host: str, port: int) -> None:
    assert (settings(endpoint).host, settings(endpoint).port) == (host, port)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "ns1",
        "ns1:",
        "ns1:0",
        "ns1:99999",
        "https://ns1:8953",
        "me@ns1:8953",
        "ns1:8953/x",
        "a b:1",
        ":1",
        "ns1..corp:8953",
    ],
)
def test_anything_else_is_refused(endpoint: str) -> None:
    with pytest.raises(ValidationError, match="write it as"):
        settings(endpoint)
