"""Composite format strings: the `-f` operator and String.Format."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from .conversion import to_number, to_text
from .errors import Unsupported, runtime_error
from .values import items_of, plain

_PIECE = re.compile(r"\{\{|\}\}|\{(\d+)(?:,(-?\d+))?(?::([^}]*))?\}|[{}]")
_DATE_PARTS = {
    "yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S", "fff": "%f", "yy": "%y",
}  # fmt: skip


def format_operator(left: Any, right: Any) -> str:
    args = items_of(plain(right))

    def piece(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        if match[1] is None or int(match[1]) >= len(args):
            raise runtime_error(
                "Error formatting a string: Index (zero based) must be greater than or equal to zero and less than the "
                "size "
                "of the argument list..",
                "FormatError",
            )
        text = format_value(args[int(match[1])], match[3] or "")
        width = int(match[2] or 0)
        return text.ljust(-width) if width < 0 else text.rjust(width)

    return _PIECE.sub(piece, to_text(left))


def format_value(value: Any, spec: str) -> str:
    """`value.ToString(spec)` for the formats scripts use; others are refused."""
    if not spec:
        return to_text(value)
    if isinstance(value, datetime):
        return format_date(value, spec)
    kind, digits = spec[0], spec[1:]
    if not (digits == "" or digits.isdigit()):
        raise Unsupported(f"the number format '{spec}'")
    number = to_number(value)
    if kind in "dD":
        return f"{int(number):0{digits or 1}d}"
    if kind in "xX":
        return format(int(number), f"0{digits or 1}{kind}")
    if kind in "nN":
        return f"{number:,.{digits or 2}f}"
    if kind in "fF":
        return f"{number:.{digits or 2}f}"
    raise Unsupported(f"the number format '{spec}'")


def format_date(value: datetime, spec: str) -> str:
    if spec in ("o", "O"):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%f0") + "Z"
    if spec in ("s",):
        return value.strftime("%Y-%m-%dT%H:%M:%S")
    if spec in ("u",):
        return value.strftime("%Y-%m-%d %H:%M:%SZ")
    out, rest = "", spec
    while rest:
        for part, code in _DATE_PARTS.items():
            if rest.startswith(part):
                text = value.strftime(code)
                out, rest = out + (text[:3] if part == "fff" else text), rest[len(part) :]
                break
        else:
            if rest[0].isalpha() and rest[0] not in "TZ":
                raise Unsupported(f"the date format '{spec}'")
            out, rest = out + rest[0], rest[1:]
    return out
