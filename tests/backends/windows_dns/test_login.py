"""What counts as a refused login, and what must never count as one."""

import ssl
from pathlib import Path

import pytest
from requests.exceptions import SSLError
from spnego.exceptions import InvalidTokenError, SpnegoError

from backends.windows_dns.login import explain_login
from backends.windows_dns.wsman import Phase, explain
from tests.backends.windows_dns.client_certificates import Authority
from tests.backends.windows_dns.settings_for_tests import loopback


def gssapi_error(number: int, major: int = 13 << 16) -> SpnegoError:
    """As the library raises it: numbers of the mechanism are unsigned there."""
    raw = pytest.importorskip("gssapi.raw")
    return SpnegoError(base_error=raw.GSSError(major, (number - 1765328384) % (1 << 32)))


BROKEN = SSLError(ssl.SSLEOFError(8, "[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol"))


@pytest.mark.parametrize("phase", [Phase.SENT, Phase.STARTED])
def test_a_connection_that_breaks_after_the_write_was_sent_is_no_refused_certificate(
    phase: Phase, tmp_path: Path
) -> None:
    """Or a write that may have happened would be called not written."""
    identity = Authority(tmp_path).issue("k8snet@localhost")
    settings = loopback("https://127.0.0.1:1/wsman", transport="certificate", **identity.settings())
    assert explain(BROKEN, settings, Phase.NOTHING_SENT).refused
    assert not explain(BROKEN, settings, phase).refused


@pytest.mark.parametrize("phase", [Phase.SENT, Phase.STARTED])
def test_an_answer_that_cannot_be_unsealed_is_no_refused_login(phase: Phase) -> None:
    settings = loopback("http://localhost:1/wsman", transport="kerberos", user="k8snet@corp.example")
    assert explain(gssapi_error(31), settings, Phase.NOTHING_SENT).refused
    assert not explain(gssapi_error(31), settings, phase).refused
    assert not explain(InvalidTokenError(), settings, phase).refused


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (1, "has expired"),
        (14, "permitted_enctypes"),
        (23, "password has expired"),
        (33, "synchronise them"),
        (41, "cannot read our ticket"),
        (12, "error -1765328372 of its library"),
    ],
)
def test_what_the_kdc_or_the_server_says_has_a_meaning(number: int, says: str) -> None:
    known = explain_login(gssapi_error(number))
    assert known is not None
    assert says in known.said


def test_an_expired_credential_is_known_by_the_libraries_own_number_too() -> None:
    known = explain_login(gssapi_error(1765328384, major=11 << 16))
    assert known is not None
    assert "ticket has expired" in known.said


def test_other_errors_are_not_about_the_login() -> None:
    assert explain_login(ValueError()) is None
    assert explain_login(InvalidTokenError()) is None
