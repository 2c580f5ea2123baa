"""Misbehaviour on demand: rules that wait for a matching moment, act a number of times, and are then gone."""

from __future__ import annotations

import asyncio
import fnmatch
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal[
    "drop",  # close the connection before anything is done
    "empty_500",  # HTTP 500 without a body, nothing is done
    "slow",  # wait `seconds` before the first byte of the answer; the request is carried out first
    "unauthorized",  # 401 in the middle of a session, nothing is done
    "truncate",  # carried out, but the XML of the answer ends in the middle
    "lost_answer",  # carried out, then the connection is closed without an answer
    "twice",  # carried out twice; the client sees the second result
    "hang_before",  # the process hangs before a cmdlet has done anything
    "hang_after",  # the process hangs after the cmdlet has done its work
    "error",  # the cmdlet fails with Win32 `code`, nothing is done
]
_CMDLET_KINDS = ("hang_before", "hang_after", "error")


class Fault(BaseModel):
    """One rule. `at` is a WS-Man operation (Create … Delete), a cmdlet name, or a pattern of either.

    `skip` matching moments pass unharmed first; `count` are hit.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    at: str = "*"
    count: int = 1
    skip: int = 0
    seconds: float = 0
    code: int = 0


class Faults:
    def __init__(self) -> None:
        self.rules: list[Fault] = []
        self.hung = asyncio.Event()

    def add(self, kind: Kind, at: str = "*", **details: Any) -> Fault:
        fault = Fault(kind=kind, at=at, **details)
        self.rules.append(fault)
        return fault

    def clear(self) -> None:
        self.rules.clear()

    def request(self, action: str) -> Fault | None:
        """The fault that hits this WS-Man operation, used up by asking."""
        return self._take(action, lambda kind: kind not in _CMDLET_KINDS)

    def cmdlet(self, name: str, kind: Kind) -> Fault | None:
        """The fault of one kind that hits this cmdlet, used up by asking."""
        return self._take(name, lambda each: each == kind)

    def _take(self, moment: str, applies: Any) -> Fault | None:
        for fault in self.rules:
            if not applies(fault.kind) or not fnmatch.fnmatch(moment.lower(), fault.at.lower()):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.count -= 1
            if fault.count <= 0:
                self.rules.remove(fault)
            return fault
        return None

    async def hang(self) -> None:
        """Never return; the process can only be killed. `hung` tells a test that it has come to this."""
        self.hung.set()
        await asyncio.Event().wait()
