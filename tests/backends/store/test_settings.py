from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from backends.store import StoreSettings


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///k8snet.db", Path("k8snet.db")),
        ("sqlite:////var/lib/k8snet/k8snet.db", Path("/var/lib/k8snet/k8snet.db")),
        ("redis://journal:6379/0", None),
        ("rediss://journal", None),
    ],
)
def test_the_url_says_file_or_server(url: str, path: Path | None) -> None:
    assert StoreSettings(url=url).sqlite_path == path


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite://k8snet.db", "four slashes"),
        ("sqlite:///", "four slashes"),
        ("redis:///0", "host is missing"),
        ("redis://journal..corp:6379/0", "host is missing"),
        ("redis://host:port/0", "host and port"),
        ("redis://host:6379/journal", "number of the database"),
        ("rediss://host:6379/0?ssl_cert_reqs=none", "options do not belong"),
        ("postgres://host/db", "must begin with"),
        (7, "write a URL"),
    ],
)
def test_a_url_that_cannot_be_used_is_explained(url: object, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        StoreSettings.model_validate({"url": url})


def test_a_password_must_come_from_the_environment_and_is_never_shown() -> None:
    with pytest.raises(ValidationError, match="does not belong in this file") as refused:
        StoreSettings.model_validate({"url": "redis://:hunter2@host:6379/0"})
    assert "hunter2" not in str(refused.value)
    settings = StoreSettings.model_validate({"url": SecretStr("redis://:hunter2@host:6379/0")})
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump_json()}"
