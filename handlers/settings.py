"""What app.yaml says about the Slack workspace."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from bot.model.secrets import Secret
from bot.model.value import Value

ChannelId = Annotated[str, StringConstraints(pattern=r"^[CG][A-Z0-9]{2,}$")]
TeamId = Annotated[str, StringConstraints(pattern=r"^[TE][A-Z0-9]{2,}$")]


class SlackSettings(Value):
    """The bot's app in one workspace."""

    mode: Literal["socket"] = Field(default="socket", description="Socket Mode: the bot calls Slack, no inbound port.")
    team: TeamId = Field(description="The workspace; people of other workspaces are refused everywhere.")
    bot_token: Secret = Field(description="xoxb-… from {env: NAME} or {file: PATH}.")
    app_token: Secret = Field(description="xapp-… with connections:write, from {env: NAME} or {file: PATH}.")
    audit_channel: ChannelId = Field(description="Where every request, yes, change and result becomes a line.")
    api_url: str = Field(default="https://slack.com/api/", description="Another address only in the lab.")

    @model_validator(mode="after")
    def _tokens_in_place(self) -> Self:
        for name, prefix in (("bot_token", "xoxb-"), ("app_token", "xapp-")):
            if not getattr(self, name).get_secret_value().startswith(prefix):
                raise ValueError(f"{name} must begin with {prefix}: was another token put in its place?")
        return self
