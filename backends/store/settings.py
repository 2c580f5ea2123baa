"""Where the journal lives: `store:` in app.yaml."""

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, ConfigDict, Field, SecretStr

from bot.model.hosts import possible_host
from bot.model.value import Value
from bot.model.wording import tr


def _url(value: Any) -> SecretStr:
    """A plain text may stand in the file as long as it holds no password; {env: NAME} may hold one."""
    if not isinstance(value, str | SecretStr):
        raise ValueError(tr("write a URL: sqlite:///k8snet.db, redis://host:6379/0 or rediss://host:6380/0"))
    text = value if isinstance(value, str) else value.get_secret_value()
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(tr("not a URL; write host and port as in redis://host:6379/0")) from None
    if parts.scheme == "sqlite":
        if parts.netloc or len(parts.path) < 2 or parts.query:
            raise ValueError(tr("write sqlite:///relative/path.db, or four slashes: sqlite:////absolute/path.db"))
    elif parts.scheme in ("redis", "rediss"):
        if not possible_host(parts.hostname) or port == 0:
            raise ValueError(tr("the host is missing: write redis://host:6379/0"))
        if not parts.path.strip("/").isdigit() and parts.path.strip("/"):
            raise ValueError(tr("after the port only the number of the database may follow, as in /0"))
        if parts.query or parts.fragment:
            raise ValueError(tr("options do not belong in the URL; use the other settings of the store"))
        if parts.password and isinstance(value, str):
            raise ValueError(tr("a password does not belong in this file: write the whole URL as {env: NAME}"))
    else:
        raise ValueError(tr("the URL must begin with sqlite:///, redis:// or rediss://"))
    return SecretStr(text)


class StoreSettings(Value):
    """One host: SQLite. Several replicas of the bot: Redis."""

    model_config = ConfigDict(hide_input_in_errors=True)  # the input may hold the password

    url: Annotated[SecretStr, BeforeValidator(_url)] = Field(
        default=SecretStr("sqlite:///k8snet.db"),
        description="sqlite:///relative.db, sqlite:////absolute.db, redis://host:6379/0 or rediss:// for TLS. "
        "With a password: {env: NAME} or {file: PATH} holding the whole URL.",
    )
    require: Literal["strict", "warn"] = Field(
        default="strict",
        description="Redis only: strict refuses a server that may lose what it acknowledged, warn only logs it.",
    )
    prefix: str = Field(
        default="k8snet",
        pattern=r"^[a-z0-9-]{1,32}$",
        description="Redis only: all keys begin with {prefix}; give each installation on one server its own.",
    )
    ca_file: Path | None = Field(
        default=None,
        description="rediss only: certificate authorities to trust (PEM) instead of the system's.",
    )
    timeout_s: float = Field(default=5.0, gt=0, le=60, description="Seconds an operation may take in all.")

    @property
    def sqlite_path(self) -> Path | None:
        """The file, or None when the store is Redis."""
        parts = urlsplit(self.url.get_secret_value())
        return Path(parts.path[1:]) if parts.scheme == "sqlite" else None
