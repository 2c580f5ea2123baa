"""A secret in a settings model: never printed, never written in app.yaml itself."""

from typing import Annotated, Any

from pydantic import BeforeValidator, SecretStr

from bot.model.wording import tr


def _resolved(value: Any) -> SecretStr:
    if isinstance(value, SecretStr):
        return value
    raise ValueError(tr("a secret does not belong in this file: write {env: NAME} or {file: PATH}"))


# The settings loader replaces {env: NAME} and {file: PATH} by the secret itself before validation.
Secret = Annotated[SecretStr, BeforeValidator(_resolved)]
