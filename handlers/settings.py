"""What app.yaml says about the Slack workspace."""

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from bot.model.secrets import Secret
from bot.model.value import Value

ChannelId = Annotated[str, StringConstraints(pattern=r"^[CG][A-Z0-9]{2,}$")]
Notified = Annotated[str, StringConstraints(pattern=r"^[SUW][A-Z0-9]{2,}$")]  # a user group or a person
TeamId = Annotated[str, StringConstraints(pattern=r"^[TE][A-Z0-9]{2,}$")]


def _beginning(prefix: str) -> Callable[[SecretStr], SecretStr]:
    def check(token: SecretStr) -> SecretStr:
        if not token.get_secret_value().startswith(prefix):
            raise ValueError(f"must begin with {prefix}: was another token put in its place?")
        return token

    return check


class SlackSettings(Value):
    """The bot's app in one workspace."""

    mode: Literal["socket"] = Field(default="socket", description="Socket Mode: the bot calls Slack, no inbound port.")
    team: TeamId = Field(description="The workspace; people of other workspaces are refused everywhere.")
    bot_token: Annotated[Secret, AfterValidator(_beginning("xoxb-"))] = Field(
        description="xoxb-… from {env: NAME} or {file: PATH}."
    )
    app_token: Annotated[Secret, AfterValidator(_beginning("xapp-"))] = Field(
        description="xapp-… with connections:write, from {env: NAME} or {file: PATH}."
    )
    audit_channel: ChannelId = Field(description="Where every request, yes, change and result becomes a line.")
    api_url: str = Field(default="https://slack.com/api/", description="Another address only in the lab.")
