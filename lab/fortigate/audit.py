"""Every write that anybody asked for, whatever became of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from lab.fortigate.call import Answer, Call


@dataclass(frozen=True)
class Entry:
    """One request that was not a read.

    `user` is empty when nobody was authenticated. `effective` is whether the configuration
    changed. `alarm` says why the request must never have been sent, and is empty for all others.
    """

    time: float
    user: str
    source: str
    method: str
    target: str
    body: Any
    status: int
    effective: bool
    alarm: str = ""


def body_of(call: Call) -> Any:
    """The body as JSON where it is, otherwise as text."""
    try:
        return json.loads(call.body) if call.body.strip() else None
    except ValueError:
        return call.body.decode(errors="replace")


def masked(target: str) -> str:
    """The request target without a token that somebody put there."""
    return re.sub(r"(access_token=)[^&]*", r"\1***", target)


def alarm_for(call: Call, answer: Answer) -> str:
    segments = call.segments
    if call.method == "DELETE" and segments[2:3] == ("cmdb",) and len(segments) <= 5:
        return "DELETE without a key: a real device may empty the whole table"
    if call.method == "PUT" and answer.status == 405 and segments[-1] == "0":
        return "PUT to id 0"
    return ""
