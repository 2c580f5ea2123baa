"""Frozen values and their one canonical form."""

import hashlib
import json
import re
import unicodedata
from typing import Any

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """A frozen, fully typed value; unknown fields are an error."""

    # A command on the terminal uses a few of all the values there are: each is prepared when the first of it is made.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def canonical(data: Any) -> bytes:
    """Canonical JSON: sorted keys, no spaces, NFC, UTF-8.

    Raises ValueError for floats: two machines may print the same float differently, so a digest must not hold one.
    """
    text = _json(data)
    if _FLOAT.search(text) or not unicodedata.is_normalized("NFC", text):  # a part of what is NFC is NFC
        text = _json(_plain(data))
    return text.encode()


def digest(data: Any) -> str:
    """SHA-256 of the canonical form, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical(data)).hexdigest()


# What a number with a fraction looks like. A text may look like it, too, and is then looked at more closely; a moment,
# of which every record has one, does not.
_FLOAT = re.compile(r'(?:^|":|[\[,])-?(?:[0-9]+[.eE]|NaN|Infinity)')


def _json(data: Any) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_dumped)


def _dumped(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"a {type(value).__name__} has no canonical form")


def _plain(data: Any) -> Any:
    match data:
        case BaseModel():
            return _plain(data.model_dump(mode="json"))
        case float():
            raise ValueError(f"a float ({data!r}) has no canonical form")
        case str():
            return unicodedata.normalize("NFC", data)
        case dict():
            return {_plain(key): _plain(item) for key, item in data.items()}
        case list() | tuple():
            return [_plain(item) for item in data]
        case _:
            return data
