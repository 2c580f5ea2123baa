"""From where the bot asks the wire: `probes:` in app.yaml."""

from urllib.parse import urlsplit

from pydantic import Field, field_validator

from bot.model.hosts import possible_host
from bot.model.value import Value
from bot.model.wording import tr


class ProbeSettings(Value):
    """Probes send a question and nothing else; they change nothing anywhere."""

    vantage: str = Field(
        default="direct",
        description="direct: from the bot's own host. socks5://host:port: from the host of a SOCKS5 proxy that also "
        "relays UDP, for a bot that does not stand on the office side of the firewall.",
    )
    greeting_s: float = Field(
        default=1.0, gt=0, le=10, description="Seconds to wait for a greeting where the protocol is not known."
    )
    concurrency: int = Field(default=64, ge=1, le=1024, description="Probes under way at the same time.")

    @field_validator("vantage")
    @classmethod
    def _checked(cls, value: str) -> str:
        if value == "direct":
            return value
        parts = urlsplit(value)
        try:
            complete = parts.scheme == "socks5" and possible_host(parts.hostname) and parts.port is not None
        except ValueError:
            complete = False
        if not complete or parts.username or parts.path.strip("/") or parts.query:
            raise ValueError(tr("write direct, or socks5://host:port of a proxy that asks for no password"))
        return value

    @property
    def proxy(self) -> tuple[str, int] | None:
        """Host and port of the SOCKS5 proxy; None when probes start here."""
        if self.vantage == "direct":
            return None
        parts = urlsplit(self.vantage)
        assert parts.hostname is not None  # the validator above saw to both
        assert parts.port is not None
        return parts.hostname, parts.port
