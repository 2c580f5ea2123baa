"""What can be made to go wrong, and when.

A fault waits for requests that fit its method and path, lets `after` of them pass, then strikes
`count` times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from itertools import count
from typing import Any
from urllib.parse import unquote

from lab.fortigate.call import Call

KINDS: Mapping[str, str] = {
    "refuse": "reset the connection before anything happens",
    "hang-before": "no answer, and nothing is done until the fault is cleared; option then=apply|drop",
    "hang-after": "do it, then no answer until the fault is cleared",
    "lose-answer": "do it, then reset the connection",
    "garble": "do it, answer with a body that is not JSON",
    "truncate": "do it, announce the full length, send half of the body, close",
    "huge": "do it, pad the body to option bytes (default 64 MiB)",
    "reset-mid-body": "do it, send half of the body in chunks, reset the connection",
    "drip": "do it, send the body in option pieces (default 20), option delay seconds apart (default 0.05)",
    "status": "answer with an HTML page of option code; option effect=true does it nevertheless",
    "error": "answer HTTP 500 with the negative option code in the envelope; option effect=true does it nevertheless",
    "table-full": "creating is answered with error -4",
    "no-effect": "answer with success although nothing is done",
    "apply-twice": "do it twice; option answer=first|second",
    "forget": "do it, and undo it after option reads (default 1) GETs of the same table",
    "mkey-zero": 'do it, answer with mkey "0"',
    "not-found": "a GET of a row gives 404; a GET of a table leaves out the row written last",
    "delete-referenced": "a row is deleted although others name it",
}


@dataclass
class Fault:
    """One thing that goes wrong. `path` is a shell pattern for the decoded path without the query.

    `count` is how often it strikes (None: always), `hits` how often it did.
    """

    kind: str
    method: str = "*"
    path: str = "*"
    count: int | None = 1
    after: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    number: int = 0
    hits: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; there are: {', '.join(KINDS)}")

    def fits(self, call: Call) -> bool:
        return (
            (self.count is None or self.hits < self.count)
            and fnmatchcase(call.method, self.method.upper())
            and fnmatchcase(unquote(call.path), self.path)
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Faults:
    """The faults that are armed; the oldest that fits strikes."""

    def __init__(self) -> None:
        self.armed: list[Fault] = []
        self._numbers = count(1)

    def arm(self, kind: str, **parts: Any) -> Fault:
        """Arm a fault; raises `ValueError` or `TypeError` for one that makes no sense."""
        fault = Fault(kind, **parts)
        fault.number = next(self._numbers)
        self.armed.append(fault)
        return fault

    def strike(self, call: Call) -> Fault | None:
        """The fault that this call meets, if any; its count goes down."""
        for fault in self.armed:
            if fault.fits(call):
                if fault.after > 0:
                    fault.after -= 1
                    continue
                fault.hits += 1
                return fault
        return None

    def clear(self) -> None:
        self.armed.clear()
