"""How to reach the control channel of an Unbound server."""

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from bot.model.hosts import possible_host
from bot.model.value import Value
from bot.model.wording import tr

_EXAMPLE = "unbound.corp.example:8953"


class UnboundSettings(Value):
    """One Unbound server, reached over the TLS control channel that `unbound-control` uses."""

    type: Literal["unbound"]
    endpoint: str = Field(
        description=f"Host and port of `control-interface`, such as {_EXAMPLE}. Name one server, never a name shared"
        " by several: a forwarder is written and read on exactly this one."
    )
    server_certificate_file: Path = Field(
        description="Copy of the server's unbound_server.pem. Only this very certificate is trusted."
    )
    server_name: str = Field(
        default="unbound", min_length=1, description="Name in that certificate; unbound-control-setup writes `unbound`."
    )
    certificate_file: Path = Field(description="unbound_control.pem: the certificate we show the server.")
    certificate_key_file: Path = Field(description="unbound_control.key: its key. Whoever has it rules the resolver.")
    timeout_s: int = Field(default=15, ge=1, le=300, description="Seconds after which any one command is over.")

    @field_validator("endpoint")
    @classmethod
    def _host_and_port(cls, endpoint: str) -> str:
        try:
            url = urlsplit(f"//{endpoint}")
            port = url.port
        except ValueError as error:
            raise ValueError(
                tr("no usable host and port ({error}); write it as {example}", error=error, example=_EXAMPLE)
            ) from None
        whole = url.netloc == endpoint and "@" not in endpoint and endpoint.isprintable() and " " not in endpoint
        if not whole or not possible_host(url.hostname) or not port:
            raise ValueError(tr("must be host:port and nothing more; write it as {example}", example=_EXAMPLE))
        return endpoint

    @property
    def host(self) -> str:
        """The host name or address in `endpoint`, in lower case."""
        return urlsplit(f"//{self.endpoint}").hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(f"//{self.endpoint}").port or 0
