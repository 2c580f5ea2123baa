"""Where to ask who is on call."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from bot.model.hosts import possible_host
from bot.model.secrets import Secret, fits_header
from bot.model.value import Value
from bot.model.wording import tr

ChatId = Annotated[str, StringConstraints(pattern=r"^[SUW][A-Z0-9]{2,}$")]


def _token(secret: Secret) -> Secret:
    if not fits_header(secret):
        raise ValueError(tr("the token is empty or has blanks, line ends or non-ASCII characters in it"))
    return secret


class RotationSettings(Value):
    """A schedule that tells who is on call at this moment."""

    url: str = Field(description="GET answers JSON; https://, with the query that names the schedule.")
    format: Literal["plain", "pagerduty"] = Field(
        default="plain", description='plain: {"on_call": ["U0OLGA0001"]}; pagerduty: their /oncalls.'
    )
    token: Annotated[Secret, AfterValidator(_token)] | None = Field(
        default=None, description="Sent as Authorization, from {env: NAME} or {file: PATH}."
    )
    people: Mapping[str, ChatId] = Field(
        default={}, description="pagerduty: their user id -> Slack user or group. Who is missing cannot be called."
    )
    ca_file: Path | None = Field(default=None, description="Whom to trust instead of the system's authorities.")
    timeout_s: float = Field(default=2.0, gt=0, le=5, description="How long on-call's message waits for the answer.")
    cache_s: float = Field(default=60.0, ge=0, le=600, description="How long an answer counts.")

    @model_validator(mode="after")
    def _safe(self) -> Self:
        parts = urlsplit(self.url)
        local = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")
        if parts.scheme != "https" and not local:
            raise ValueError(tr("url must begin with https://: it carries a token and decides who is called"))
        if not possible_host(parts.hostname):
            raise ValueError(tr("url names no host"))
        if parts.username or parts.password:
            raise ValueError(tr("url must not hold a password: give it as token"))
        if self.format == "pagerduty" and not self.people:
            raise ValueError(tr("format pagerduty needs people: their user ids are not Slack's"))
        return self
