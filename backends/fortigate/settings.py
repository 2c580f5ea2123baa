"""What app.yaml says about one FortiGate."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from bot.model.hosts import possible_host
from bot.model.secrets import Secret, fits_header
from bot.model.value import Value
from bot.model.wording import tr

RowNumber = Annotated[int, Field(ge=1, le=4294967294)]


def _origin(text: str) -> str:
    """`https://host[:port]` without a trailing slash; anything else is explained and refused."""
    parts = urlsplit(text)
    if "@" in parts.netloc:  # not shown: it may be a password
        raise ValueError(tr("must hold no user and no password: the firewall is asked with `token`"))
    if parts.scheme != "https":
        raise ValueError(tr("{text!r} must start with https://: a FortiGate takes API tokens over TLS only", text=text))
    if not possible_host(parts.hostname) or parts.query or parts.fragment or parts.path not in ("", "/"):
        raise ValueError(tr("{text!r} must be https://address or https://address:port and nothing more", text=text))
    try:
        _ = parts.port
    except ValueError:
        raise ValueError(
            tr("{text!r} has no valid port; the administrative HTTPS port is 443 by default", text=text)
        ) from None
    return text.rstrip("/")


def _fingerprint(text: str) -> str:
    """A SHA-256 digest as 64 lower-case hexadecimal digits; colons and a `sha256:` prefix are welcome."""
    digits = text.lower().removeprefix("sha256:").replace(":", "")
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ValueError(
            tr(
                "must be the SHA-256 fingerprint of the device's certificate: 64 hexadecimal "
                "digits, colons allowed (openssl x509 -noout -fingerprint -sha256)"
            )
        )
    return digits


def _token(secret: Secret) -> Secret:
    if not fits_header(secret):
        raise ValueError(
            tr(
                "the API token is empty or has blanks, line ends or non-ASCII characters in "
                "it: store exactly what `execute api-user generate-key` printed"
            )
        )
    return secret


def _range(rows: tuple[int, int]) -> tuple[int, int]:
    first, last = rows
    if first > last:
        raise ValueError(tr("[{first}, {last}] is empty: write [first, last]", first=first, last=last))
    return rows


class Tls(Value):
    """How the device proves who it is. By default its certificate must be signed by a CA of this system."""

    ca_file: Path | None = Field(default=None, description="PEM file with the CA that signed the device's certificate.")
    fingerprint: Annotated[str, AfterValidator(_fingerprint)] | None = Field(
        default=None,
        description="SHA-256 of the device's own certificate: the way for a self-signed one.",
    )
    insecure_i_accept_that_anyone_can_read_the_token: bool = Field(
        default=False, description="No verification at all. Whoever stands between bot and firewall gets the token."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        chosen = [self.ca_file is not None, self.fingerprint is not None]
        if sum(chosen) + self.insecure_i_accept_that_anyone_can_read_the_token > 1:
            raise ValueError(tr("choose one of ca_file, fingerprint and the insecure setting"))
        return self


class Ids(Value):
    """Row numbers that k8snet may use, first and last included. Keep people and other tools out of them."""

    routes: Annotated[tuple[RowNumber, RowNumber], AfterValidator(_range)] = Field(
        default=(1000, 1999), description="`seq-num` of static routes."
    )
    policies: Annotated[tuple[RowNumber, RowNumber], AfterValidator(_range)] = Field(
        default=(1000, 1999), description="`policyid` of firewall policies."
    )


class FortiGateSettings(Value):
    """One FortiGate (or one HA cluster: its cluster address) and one of its VDOMs."""

    type: Literal["fortigate"]
    url: Annotated[str, AfterValidator(_origin)] = Field(
        description="Administrative HTTPS address, such as https://172.16.2.254 or https://fw.office.example:8443."
    )
    token: Annotated[Secret, AfterValidator(_token)] = Field(
        description="Key of a REST API administrator (`config system api-user`), from {env: NAME} or {file: PATH}."
    )
    vdom: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,31}$")] = Field(
        default="root", description="Virtual domain; root when the device has none."
    )
    tls: Tls = Field(default=Tls(), description="How the device proves who it is.")
    ids: Ids = Field(default=Ids(), description="Row numbers that k8snet may use.")
    before_policy: Annotated[str, StringConstraints(pattern=r"^[^\"'<>,\x00-\x1f\x7f]{1,35}$")] | None = Field(
        default=None,
        description="Name of a policy, such as a denying one for everything, before which new policies are put. "
        "Without it they stay at the end of the list, and a plan says which denying policies come before them.",
    )
    serials: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{10,20}$")], ...] = Field(
        default=(),
        description="Serial numbers of all units of the cluster. When given, an answer of any other unit is refused.",
    )
    connections: int = Field(default=13, ge=1, le=16, description="Connections kept open; reads use them side by side.")
    connect_timeout_s: float = Field(default=5.0, gt=0, le=60, description="Longest wait for TCP and TLS.")
    request_timeout_s: float = Field(
        default=15.0, gt=0, le=120, description="Longest life of one request, from its start to the answer's last byte."
    )
