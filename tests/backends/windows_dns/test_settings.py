"""The settings of a Windows DNS server: URL traps, and nothing readable on the network by accident."""

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from backends.windows_dns.settings import WindowsDnsSettings

PASSWORD = SecretStr("correct horse")


def settings(**changes: Any) -> WindowsDnsSettings:
    return WindowsDnsSettings(
        **{
            "type": "windows_dns",
            "endpoint": "https://dc1.corp.example:5986/wsman",
            "user": "CORP\\k8snet",
            "password": PASSWORD,
            **changes,
        }
    )


def test_the_defaults_are_the_safe_ones() -> None:
    usual = settings()
    assert usual.transport == "ntlm"
    assert usual.storage == "file"
    assert not usual.forwarder.recursion
    assert not usual.encrypts_messages  # TLS does
    assert "correct horse" not in repr(usual)


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://dc1.corp.example:5986/wsman",
        "https://[2001:db8::1]:5986/wsman",
        "https://172.16.2.53:8443/WSMan",
        "http://dc1:5985/wsman",
    ],
)
def test_a_full_url_is_kept_as_written(endpoint: str) -> None:
    assert settings(endpoint=endpoint).endpoint == endpoint


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("dc1", "neither https:// nor http://"),
        ("dc1:5986", "neither https:// nor http://"),
        ("ldap://dc1:5986/wsman", "neither https:// nor http://"),
        ("https://dc1/wsman", "names no port"),
        ("https://dc1:5985/wsman", "does not speak https"),
        ("http://dc1:5986/wsman", "does not speak http"),
        ("https://dc1:5986", "listener's path"),
        ("https://dc1:5986/", "listener's path"),
        ("https://dc1:5986/wsman?x=1", "listener's path"),
        ("https://:5986/wsman", "names no host"),
        ("https://dc1..corp.example:5986/wsman", "names no host"),
        ("https://dc1 :5986/wsman", "names no host"),
        ("https://me:secret@dc1:5986/wsman", "belong in `user`"),
        ("https://dc1:port/wsman", "no usable URL"),
        ("https://[::1:5986/wsman", "no usable URL"),
    ],
)
def test_a_url_that_the_library_would_guess_about_is_refused(endpoint: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        settings(endpoint=endpoint)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"endpoint": "http://dc1:5985/wsman", "transport": "basic"}, "readable on the network"),
        ({"endpoint": "http://dc1:5985/wsman", "message_encryption": "never"}, "readable on the network"),
        ({"transport": "basic", "message_encryption": "always"}, "cannot encrypt"),
        ({"transport": "certificate"}, "certificate_file"),
        ({"transport": "kerberos", "user": "CORP\\k8snet"}, "name@corp.example only"),
        ({"transport": "kerberos", "user": ""}, "needs `user`"),
        ({"transport": "kerberos", "user": "k8snet@corp.example", "keytab_file": "k"}, "one of"),
        ({"keytab_file": "k"}, "logging in with kerberos"),
        (
            {"transport": "kerberos", "user": "a@corp.example", "endpoint": "https://172.16.2.3:5986/wsman"},
            "full host name",
        ),
        ({"user": ""}, "needs `user`"),
        ({"password": None}, "needs `password`"),
        ({"password": "in the file"}, "does not belong in this file"),
        ({"storage": "Custom"}, "storage"),
        ({"storage": "custom"}, "`directory_partition`"),
        ({"directory_partition": "dns.corp.example"}, "go together"),
        ({"storage": "custom", "directory_partition": "a'; b"}, "directory_partition"),
        ({"delegating_zones": ["corp example"]}, "no DNS label"),
        ({"write_limit_s": 30}, "write_limit_s"),
    ],
)
def test_a_combination_that_cannot_be_meant_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        settings(**changes)


def test_plain_text_takes_a_loud_setting() -> None:
    lab = settings(endpoint="http://dc1:5985/wsman", transport="basic", insecure_plain_text=True)
    assert not lab.encrypts_messages


def test_ntlm_over_http_encrypts_by_itself() -> None:
    assert settings(endpoint="http://dc1:5985/wsman").encrypts_messages
    assert settings(message_encryption="always").encrypts_messages


def test_kerberos_takes_its_tickets_from_one_place() -> None:
    for given in ({"keytab_file": "k"}, {"ticket_cache_file": "t"}, {}):
        assert settings(transport="kerberos", user="", password=None, **given).kerberos_user == ""
    assert settings(transport="kerberos", user="k8snet@corp.example").kerberos_user == "k8snet@CORP.EXAMPLE"
