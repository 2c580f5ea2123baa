"""A secret in a settings model: never printed, never written in app.yaml itself."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, SecretStr

from bot.model.wording import tr


def _resolved(value: Any) -> SecretStr:
    if isinstance(value, SecretStr):
        return value
    raise ValueError(tr("a secret does not belong in this file: write {env: NAME} or {file: PATH}"))


def fits_header(secret: SecretStr) -> bool:
    """Whether an HTTP header can carry it. Otherwise the HTTP library would refuse it in the middle of an incident, and
    quote it in its error."""
    return re.fullmatch(r"[\x21-\x7e]{1,256}", secret.get_secret_value()) is not None


# The settings loader replaces {env: NAME} and {file: PATH} by the secret itself before validation.
Secret = Annotated[SecretStr, BeforeValidator(_resolved)]
