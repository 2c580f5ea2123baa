"""Error records, and the ways in which running code leaves its place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


class ParseError(Exception):
    """The text is not PowerShell. `pos` is the offset of the first character that does not fit."""

    def __init__(self, message: str, pos: int, error_id: str = "UnexpectedToken") -> None:
        super().__init__(message)
        self.message, self.pos, self.error_id = message, pos, error_id


class Unsupported(Exception):
    """Valid PowerShell, perhaps, but outside the simulated subset: the script must stop, never go on with a guess."""

    def __init__(self, what: str) -> None:
        super().__init__(f"simulator does not know {what}")


@dataclass(frozen=True)
class ErrorRecord:
    """What `$_` is in a catch block. `error_id` is complete: `WIN32 9601,Get-DnsServerZone`."""

    message: str
    error_id: str
    category: str = "NotSpecified"
    target: Any = None
    exception: str = "System.Management.Automation.RuntimeException"
    activity: str = ""
    target_kind: str = ""
    native_code: int | None = None
    line: str = ""
    pos: int = -1

    @property
    def reason(self) -> str:
        return self.exception.rsplit(".", 1)[-1]

    def at(self, pos: int, line: str) -> ErrorRecord:
        """The same record with the place where it happened, unless it has one already."""
        return self if self.pos >= 0 else replace(self, pos=pos, line=line)


class ScriptError(Exception):
    """An error that ends a statement, or (`fatal`) the script: `throw` and `-ErrorAction Stop` do the latter."""

    def __init__(self, record: ErrorRecord, fatal: bool = False) -> None:
        super().__init__(record.message)
        self.record, self.fatal = record, fatal


class Exit(Exception):
    """`exit N`."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class LoopJump(Exception):
    """`break` or `continue`."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Return(Exception):
    """`return`; its value has already been written to the output."""


def runtime_error(message: str, error_id: str, category: str = "InvalidOperation", target: Any = None) -> ScriptError:
    """A statement-terminating error of the engine itself."""
    return ScriptError(ErrorRecord(message, error_id, category, target))


def cast_error(message: str, error_id: str = "InvalidCastException") -> ScriptError:
    """A failed conversion."""
    exception = "System.Management.Automation.PSInvalidCastException"
    return ScriptError(ErrorRecord(message, error_id, "InvalidArgument", exception=exception))
