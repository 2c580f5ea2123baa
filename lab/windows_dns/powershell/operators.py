"""Binary and unary operators on values."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from .conversion import canonical, convert, number_of, to_number, to_text, truth
from .errors import ScriptError, Unsupported, cast_error, runtime_error
from .formatting import format_operator
from .values import Hashtable, IPAddress, NameMap, PSArray, TypeRef, items_of, plain, type_name

_ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
}


def equal(left: Any, right: Any, exact: bool = False) -> bool:
    """`-eq` on scalars: the right side is converted to the type of the left one."""
    left, right = plain(left), plain(right)
    if left is None or right is None:
        return left is right
    if isinstance(left, str):
        other = to_text(right)
        return left == other if exact else left.casefold() == other.casefold()
    if isinstance(left, bool):
        return bool(left == truth(right))
    if isinstance(left, int | float):
        if isinstance(right, str):
            try:
                return bool(left == number_of(right))
            except ValueError:
                return False
        return isinstance(right, int | float) and bool(left == right)
    if isinstance(left, IPAddress) and isinstance(right, str):
        try:
            return bool(left == convert(right, "ipaddress"))
        except ScriptError:
            return False
    return bool(left == right)


def compare(left: Any, right: Any) -> int:
    """Negative, zero or positive, for ordering and sorting."""
    left, right = plain(left), plain(right)
    if isinstance(left, str):
        a, b = left.casefold(), to_text(right).casefold()
        return (a > b) - (a < b)
    if isinstance(left, datetime) and isinstance(right, datetime):
        return (left > right) - (left < right)
    if isinstance(left, timedelta) and isinstance(right, timedelta):
        return (left > right) - (left < right)
    if left is None and right is None:
        return 0
    if isinstance(left, int | float | None.__class__):
        number = to_number(right)
        mine = to_number(left)
        return (mine > number) - (mine < number)
    raise cast_error(f'Cannot compare "{to_text(left)}" because it is not IComparable.', "NotIcomparable")


def wildcard(pattern: str, text: str) -> bool:
    """`-like`."""
    escaped = re.sub(r"`(.)", r"[\1]", pattern)
    return re.fullmatch(fnmatch.translate(escaped.casefold()), text.casefold()) is not None


def regex(pattern: str, exact: bool) -> re.Pattern[str]:
    try:
        return re.compile(pattern, 0 if exact else re.IGNORECASE)
    except re.error as error:
        raise runtime_error(f'parsing "{pattern}" - {error}', "RegexParseException") from error


def add(left: Any, right: Any) -> Any:
    left, right = plain(left), plain(right)
    if isinstance(left, list):
        return PSArray([*left, *(right if isinstance(right, list | bytes) else [right])])
    if isinstance(left, bytes):
        return PSArray([*left, *items_of(right)])
    if isinstance(left, str):
        return left + to_text(right)
    if isinstance(left, Hashtable) and isinstance(right, Hashtable):
        if clash := [key for key in right if key in left]:
            raise runtime_error(
                f"Item has already been added. Key in dictionary: '{clash[0]}'", "AddHashTableToHashTableDuplicateKey"
            )
        return Hashtable([*left.items(), *right.items()])
    if left is None:
        return right
    if isinstance(left, datetime | timedelta) and isinstance(right, timedelta):
        return left + right
    return to_number(left) + to_number(right)


def subtract(left: Any, right: Any) -> Any:
    if isinstance(left, datetime | timedelta) and isinstance(right, datetime | timedelta):
        return left - right  # type: ignore[operator]
    return to_number(left) - to_number(right)


def multiply(left: Any, right: Any) -> Any:
    left = plain(left)
    if isinstance(left, str):
        return left * int(to_number(right))
    if isinstance(left, list):
        return PSArray(list(left) * int(to_number(right)))
    return to_number(left) * to_number(right)


def divide(left: Any, right: Any) -> Any:
    a, b = to_number(left), to_number(right)
    if b == 0:
        raise runtime_error("Attempted to divide by zero.", "RuntimeException", "NotSpecified")
    return a // b if isinstance(a, int) and isinstance(b, int) and a % b == 0 else a / b


def remainder(left: Any, right: Any) -> Any:
    a, b = to_number(left), to_number(right)
    if b == 0:
        raise runtime_error("Attempted to divide by zero.", "RuntimeException", "NotSpecified")
    result = abs(a) % abs(b)
    return -result if a < 0 else result


def is_type(value: Any, target: Any) -> bool:
    """`-is`. Unknown type names are an error of the caller, not a False."""
    name = canonical(target.name if isinstance(target, TypeRef) else to_text(target))
    value = plain(value)
    if value is None:
        return False
    if name in ("object", "psobject"):
        return True
    if name == "array":
        return type(value) is PSArray or isinstance(value, bytes)
    if name in ("hashtable", "collections.idictionary", "system.collections.idictionary"):
        return isinstance(value, NameMap)
    if name in ("pscustomobject",):
        return type_name(value).endswith("PSCustomObject")
    own = canonical(type_name(value))
    return own == name or own.endswith(f".{name}")


def contains(haystack: Any, needle: Any, exact: bool = False) -> bool:
    return any(equal(item, needle, exact) for item in items_of(plain(haystack)))


def split(left: Any, right: Any, exact: bool = False) -> PSArray:
    options = items_of(plain(right)) or [""]
    pattern, limit = to_text(options[0]), int(to_number(options[1])) if len(options) > 1 else 0
    if len(options) > 2:
        raise Unsupported("options of -split")
    out = PSArray()
    for item in items_of(plain(left)):
        out.extend(regex(pattern, exact).split(to_text(item), maxsplit=max(limit - 1, 0)))
    return out


def replace(left: Any, right: Any, exact: bool = False) -> Any:
    options = items_of(plain(right)) or [""]
    replacement = to_text(options[1]) if len(options) > 1 else ""
    template = re.sub(r"\$(\d+|\{\w+\})", lambda m: f"\\g<{m[1].strip('{}')}>", replacement.replace("\\", "\\\\"))
    done = [regex(to_text(options[0]), exact).sub(template, to_text(item)) for item in items_of(plain(left))]
    return PSArray(done) if isinstance(left, list) else (done[0] if done else "")


def _filtered(left: Any, test: Callable[[Any], bool]) -> Any:
    """Comparisons filter an array on the left, and answer True or False for anything else."""
    return PSArray(item for item in left if test(item)) if isinstance(left, list) else test(left)


def binary(op: str, left: Any, right: Any) -> Any:
    """Every operator but the short-circuiting ones and -match, which has the side effect $Matches."""
    exact = op[:1] == "c" and op not in ("contains",)
    name = op[1:] if (exact or op.startswith("i")) and op[1:] in _NAMED else op
    left, right = plain(left), plain(right)
    if name in _ARITHMETIC:
        return _ARITHMETIC[name](left, right)
    if name in ("eq", "ne"):
        return _filtered(left, lambda item: equal(item, right, exact) == (name == "eq"))
    if name in _ORDERINGS:
        return _filtered(left, lambda item: _ORDERINGS[name](compare(item, right), 0))
    if name in ("like", "notlike"):
        return _filtered(left, lambda item: wildcard(to_text(right), to_text(item)) == (name == "like"))
    if name in ("contains", "notcontains"):
        return contains(left, right, exact) == (name == "contains")
    if name in ("in", "notin"):
        return contains(right, left, exact) == (name == "in")
    if name in ("is", "isnot"):
        return is_type(left, right) == (name == "is")
    if name == "as":
        try:
            return convert(left, right.name if isinstance(right, TypeRef) else to_text(right))
        except ScriptError:
            return None
    if name == "split":
        return split(left, right, exact)
    if name == "replace":
        return replace(left, right, exact)
    raise Unsupported(f"the operator -{op}")


def _range(left: Any, right: Any) -> PSArray:
    a, b = int(to_number(left)), int(to_number(right))
    return PSArray(range(a, b + 1) if a <= b else range(a, b - 1, -1))


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": remainder,
    "..": _range,
    "f": format_operator,
    "join": lambda left, right: to_text(right).join(to_text(item) for item in items_of(left)),
    "band": lambda left, right: int(to_number(left)) & int(to_number(right)),
    "bor": lambda left, right: int(to_number(left)) | int(to_number(right)),
    "bxor": lambda left, right: int(to_number(left)) ^ int(to_number(right)),
    "xor": lambda left, right: truth(left) != truth(right),
}
_NAMED = {
    "eq", "ne", "like", "notlike", "contains", "notcontains", "in", "notin", "split", "replace", *_ORDERINGS,
}  # fmt: skip


def unary(op: str, value: Any) -> Any:
    value = plain(value)
    if op == "not":
        return not truth(value)
    if op == "join":
        return "".join(to_text(item) for item in items_of(value))
    if op == "split":
        return PSArray(part for item in items_of(value) for part in to_text(item).split())
    if op == "bnot":
        return ~int(to_number(value))
    return -to_number(value) if op == "-" else to_number(value)
