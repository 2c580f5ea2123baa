"""The answers of the scripts, as they come over the wire."""

import base64
import binascii
import json
import re
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError


class _Wire(BaseModel):
    """Exactly the types the scripts produce; fields we do not know are ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class Fault(_Wire):
    """An error record. `id` is the same in every language of Windows; `message` is not."""

    id: str
    message: str = ""

    @property
    def code(self) -> int | None:
        """The Windows error number, where the id carries one: `WIN32 9609,Add-DnsServer…`."""
        found = re.match(r"WIN32 (\d{1,10}),", self.id)
        return int(found[1]) if found else None


class Answer(_Wire):
    """What every operation answers. `clock` counts 100 ns steps of the server's own UTC clock."""

    ref: str
    server: str
    clock: int
    fault: Fault | None


class Zone(_Wire):
    """A zone of any type. `timeout` (seconds) and `recursion` mean something for forwarders only."""

    name: str
    type: str
    masters: list[str]
    timeout: int
    recursion: bool


class ReadAnswer(Answer):
    zones: list[Zone]


class WriteAnswer(Answer):
    """`found` and `left` are the states before and after, None where they could not be read."""

    verdict: Literal["already", "changed", "elsewhere", "late", "written", "unread"]
    found: str | None
    left: str | None
    cleared: bool


class Facts(_Wire):
    """Whether Active Directory is there for storage, and recursion switched on; None where it would not tell."""

    directory: bool | None = None
    recursion: bool | None = None


class FactsAnswer(Answer):
    facts: Facts


AnyAnswer = TypeVar("AnyAnswer", bound=Answer)

# The console may have wrapped the line at its width, and a profile script may have printed before it.
_MARKED = re.compile(rb"<<([A-Za-z0-9+/=\s]+)>>")


def parse(stdout: bytes, expected: type[AnyAnswer], ref: str) -> AnyAnswer | None:
    """The answer to the request `ref`, or None when there is none, or one to something else."""
    marked = _MARKED.findall(stdout)
    if len(marked) != 1:
        return None
    try:
        answer = expected.model_validate(json.loads(base64.b64decode(b"".join(marked[0].split()), validate=True)))
    except (binascii.Error, ValueError, RecursionError, ValidationError):
        return None
    return answer if answer.ref == ref else None
