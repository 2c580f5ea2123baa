"""Names of the Kubernetes world, checked before anything is looked up or sent."""

import re

from bot.model.errors import UserError

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def is_label(text: str) -> bool:
    """A DNS label as RFC 1123 and Kubernetes namespaces have it: lower case, at most 63 characters."""
    return _LABEL.fullmatch(text) is not None


def namespace(text: str) -> str:
    """The text, if it can be a namespace. Raises UserError that says what is wrong with it."""
    if is_label(text):
        return text
    raise UserError(
        f"{text[:80]!r} cannot be a namespace: use lower-case letters, digits and -, at most 63 characters, "
        "beginning and ending with a letter or digit."
    )
