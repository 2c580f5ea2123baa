"""Misbehaviour on demand.

API faults (`{"where": "api", "method": "chat.postMessage", "response_url" or "*", ...}`), each `times` times (1 by
default, 0 = for ever):
    {"kind": "status", "status": 503}      answer this status without doing anything
    {"kind": "html"}                       HTTP 200 with an HTML page in place of JSON
    {"kind": "ratelimited", "retry_after": 30}
    {"kind": "error", "error": "fatal_error"}   a logical error of your choice
    {"kind": "slow", "seconds": 5}         do it after this much of the lab's clock
    {"kind": "close_after"}                do it, then close the connection without an answer
    {"kind": "close_before"}               close the connection without doing it
Socket faults (`{"where": "handshake", "status": 409, "times": 3}`): refuse the WebSocket with this status.
Delivery faults (`{"where": "delivery", "kind": ...}`): duplicate, the same command or click once more in an envelope or
request of its own; over HTTP also bad_signature, stale, non_numeric, replay (the very same request).
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal[
    "status",
    "html",
    "ratelimited",
    "error",
    "slow",
    "close_after",
    "close_before",
    "bad_signature",
    "stale",
    "non_numeric",
    "replay",
    "duplicate",
]


class Fault(BaseModel):
    model_config = ConfigDict(extra="forbid")

    where: Literal["api", "handshake", "delivery"] = "api"
    kind: Kind = "status"
    method: str = "*"
    status: int = 500
    error: str = "internal_error"
    seconds: float = 5
    retry_after: int = 30
    times: int = 1


class Faults:
    """The faults still to happen, in the order they were asked for."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self.waiting.append(fault)

    def clear(self) -> None:
        self.waiting.clear()

    def next(self, where: str, method: str = "*") -> Fault | None:
        """The fault that applies now; it is used up."""
        for fault in self.waiting:
            if fault.where == where and fault.method in ("*", method):
                if fault.times == 1:
                    self.waiting.remove(fault)
                elif fault.times:
                    fault.times -= 1
                return fault
        return None
