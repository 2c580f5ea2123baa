"""Frozen values and their one canonical form."""

import hashlib
import json
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
    return json.dumps(_plain(data), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(data: Any) -> str:
    """SHA-256 of the canonical form, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical(data)).hexdigest()


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
