"""Every request, answer and envelope with its timing. Whatever could be used again by a reader is redacted."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from typing import Any

from lab.slack.clock import Clock
from lab.slack.model import Json

SECRETS = re.compile(r"xox[a-z]-[\w-]+|xapp-[\w-]+|(?<=ticket=)[\w-]+|(?<=/hooks/)[\w/]+|(?<=/upload/)[\w/]+")
TRIGGER = re.compile(r"\d+\.\d+\.[0-9a-f]{32}")
REDACTED = "(redacted)"
SECRET_KEYS = {"token", "authorization", "trigger_id"}


class Transcript:
    """The last `most` entries, oldest first."""

    def __init__(self, clock: Clock, most: int = 5000) -> None:
        self.clock = clock
        self.entries: deque[Json] = deque(maxlen=most)
        self.count = 0
        self.more = asyncio.Event()

    def add(self, kind: str, name: str, since: float | None = None, **details: Any) -> None:
        """`since` is when it began, on the same clock; the entry then tells how many milliseconds it took."""
        now = self.clock.now()
        self.count += 1
        began = now if since is None else since
        entry: Json = {"n": self.count, "at": round(began, 6), "kind": kind, "name": name}
        if since is not None:
            entry["ms"] = round((now - since) * 1000, 3)
        self.entries.append({**entry, **redact(details)})
        self.more.set()
        self.more = asyncio.Event()


def redact(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: REDACTED if key.lower() in SECRET_KEYS and value else redact(value) for key, value in node.items()}
    if isinstance(node, list):
        return [redact(item) for item in node]
    if isinstance(node, str):
        return TRIGGER.sub(REDACTED, SECRETS.sub(REDACTED, node))
    return node
