"""What app.yaml says about the Slack workspace."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StringConstraints, model_validator

from bot.model.secrets import Secret, fits_header
from bot.model.value import Value
from bot.model.wording import tr

ChannelId = Annotated[str, StringConstraints(pattern=r"^[CG][A-Z0-9]{2,}$")]
Notified = Annotated[str, StringConstraints(pattern=r"^[SUW][A-Z0-9]{2,}$")]  # a user group or a person
TeamId = Annotated[str, StringConstraints(pattern=r"^[TE][A-Z0-9]{2,}$")]


def _beginning(prefix: str) -> Callable[[SecretStr], SecretStr]:
    def check(token: SecretStr) -> SecretStr:
        if not token.get_secret_value().startswith(prefix):
            raise ValueError(tr("must begin with {prefix}: was another token put in its place?", prefix=prefix))
        if not fits_header(token):
            raise ValueError(tr("the token is empty or has blanks, line ends or non-ASCII characters in it"))
        return token

    return check


class Listen(Value):
    """A local address to serve on, written host:port; port 0 takes any."""

    host: str
    port: int = Field(ge=0, le=65535)

    @classmethod
    def parse(cls, text: Any) -> Any:
        if not isinstance(text, str):
            return text
        host, _, port = text.rpartition(":")
        if not host or not port.isdecimal():
            raise ValueError(tr("{text!r} must be host:port, such as 127.0.0.1:8086", text=text))
        return {"host": host.strip("[]"), "port": int(port)}


Address = Annotated[Listen, BeforeValidator(Listen.parse)]


class SlackSettings(Value):
    """The bot's app in one workspace."""

    mode: Literal["socket", "http"] = Field(
        default="socket", description="socket: the bot calls Slack, no inbound port; http: Slack calls the bot."
    )
    team: TeamId = Field(description="The workspace; people of other workspaces are refused everywhere.")
    bot_token: Annotated[Secret, AfterValidator(_beginning("xoxb-"))] = Field(
        description="xoxb-… from {env: NAME} or {file: PATH}."
    )
    app_token: Annotated[Secret, AfterValidator(_beginning("xapp-"))] | None = Field(
        default=None, description="socket: xapp-… with connections:write, from {env: NAME} or {file: PATH}."
    )
    signing_secret: Secret | None = Field(default=None, description="http: the app's signing secret, likewise.")
    listen: Address = Field(
        default=Listen(host="127.0.0.1", port=3000),
        description="http: where /slack/events is served, behind a proxy that does TLS.",
    )
    audit_channel: ChannelId = Field(description="Where every request, yes, change and result becomes a line.")
    api_url: str = Field(default="https://slack.com/api/", description="Another address only in the lab.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.mode == "socket" and self.app_token is None:
            raise ValueError(tr("slack.app_token: is missing (slack.mode is socket)"))
        if self.mode == "http" and self.signing_secret is None:
            raise ValueError(tr("slack.signing_secret: is missing (slack.mode is http)"))
        return self
