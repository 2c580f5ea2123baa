"""app.yaml's words about a FortiGate."""

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from backends.fortigate.capabilities import Capabilities
from backends.fortigate.settings import FortiGateSettings
from backends.fortigate.wire import LimitedRow

TOKEN = "planted-secret-4711"


def settings(**changes: Any) -> FortiGateSettings:
    data = {"type": "fortigate", "url": "https://172.16.2.254", "token": SecretStr(TOKEN)}
    return FortiGateSettings.model_validate({**data, **changes})


def test_three_lines_are_enough() -> None:
    made = settings()
    assert made.vdom == "root"
    assert made.ids.routes == (1000, 1999)
    assert not made.tls.insecure_i_accept_that_anyone_can_read_the_token


def test_a_trailing_slash_is_no_difference() -> None:
    assert settings(url="https://fw.example:8443/").url == "https://fw.example:8443"


def test_a_fingerprint_is_taken_as_openssl_prints_it() -> None:
    printed = ":".join(["AB"] * 32)
    assert settings(tls={"fingerprint": printed}).tls.fingerprint == "ab" * 32


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "http://172.16.2.254"}, "must start with https://"),
        ({"url": "https://admin:pw@172.16.2.254"}, "must hold no user and no password"),
        ({"url": "http://:pw@172.16.2.254"}, "must hold no user and no password"),
        ({"url": "https://fw..example"}, "nothing more"),
        ({"url": f"https://{'fw' * 32}.example"}, "nothing more"),
        ({"url": "https://172.16.2.254/api"}, "nothing more"),
        ({"url": "https://172.16.2.254:99999"}, "no valid port"),
        ({"token": TOKEN}, "does not belong in this file"),
        ({"token": SecretStr(TOKEN + "\n")}, "line ends"),
        ({"token": SecretStr("")}, "empty"),
        ({"vdom": "a,b"}, "vdom"),
        ({"vdom": "*"}, "vdom"),
        ({"ids": {"routes": [2000, 1000]}}, "is empty"),
        ({"ids": {"routes": [0, 1000]}}, "greater than or equal to 1"),
        ({"tls": {"fingerprint": "abc"}}, "64 hexadecimal digits"),
        ({"tls": {"ca_file": "/ca.pem", "fingerprint": "ab" * 32}}, "choose one"),
        ({"tls": {"insecure_i_accept_that_anyone_can_read_the_token": True, "ca_file": "/ca.pem"}}, "choose one"),
        ({"tls": {"verify": False}}, "Extra inputs"),
        ({"serial": "FG1"}, "Extra inputs"),
    ],
)
def test_what_cannot_work_is_said_and_the_token_is_not(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**changes)
    assert words in str(caught.value)
    assert "token" not in changes or changes["token"] == TOKEN or TOKEN not in str(caught.value)


def test_the_token_is_not_printed() -> None:
    assert TOKEN not in repr(settings())
    assert TOKEN not in settings().model_dump_json()


@pytest.mark.parametrize(
    ("text", "version"), [("v7.4.4", (7, 4, 4)), ("v6.4.14", (6, 4, 14)), ("7.6.0", (7, 6, 0)), ("v8.0.0", (8, 0, 0))]
)
def test_a_version_is_read(text: str, version: tuple[int, int, int]) -> None:
    assert Capabilities.of(text).version == version


@pytest.mark.parametrize("text", ["", "v7.4", "seven", "v7.4.x", "7.4.4.4\n"])
def test_what_is_no_version_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="not a FortiOS version"):
        Capabilities.of(text)


def test_every_column_that_limits_a_policy_is_asked_for_and_looked_at() -> None:
    newest = Capabilities.of("v7.6.6").limiting_columns
    assert {name.replace("-", "_") for name in newest} == set(LimitedRow.model_fields)


@pytest.mark.parametrize(
    ("text", "route", "policy", "policy_route", "supported"),
    [
        ("v6.4.1", "sdwan", 0, 0, False),
        ("v6.4.2", "sdwan", 0, 0, True),
        ("v7.0.0", "sdwan", 1, 0, True),
        ("v7.0.1", "sdwan-zone", 2, 0, True),
        ("v7.2.0", "sdwan-zone", 3, 0, True),
        ("v7.6.3", "sdwan-zone", 3, 2, True),
        ("v7.6.4", "sdwan-zone internet-service-fortiguard", 5, 3, True),
    ],
)
def test_releases_differ_in_their_columns(
    text: str, route: str, policy: int, policy_route: int, supported: bool
) -> None:
    """Each newer one has more of those that make a row one for some packets only."""
    release = Capabilities.of(text)
    assert release.route_columns == tuple(route.split())
    policies = ("ztna-status", "sgt-check", "policy-expiry", "scim-users", "scim-groups")
    assert [name for name in policies if name in release.policy_columns] == list(policies[:policy])
    policy_routes = ("users", "groups", "internet-service-fortiguard")
    assert release.policy_route_columns == policy_routes[:policy_route]
    assert release.supported == supported
