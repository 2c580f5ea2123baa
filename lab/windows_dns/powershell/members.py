"""Properties and methods of values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from .conversion import to_number, to_text
from .errors import ErrorRecord, Unsupported, runtime_error
from .formatting import format_operator, format_value
from .operators import add, equal
from .values import (
    Char,
    DotNetList,
    EnumValue,
    Guid,
    IPAddress,
    NameMap,
    PSArray,
    PSObject,
    TypeRef,
    plain,
    type_name,
)

MISSING = object()
_NO_DETAILS = frozenset({"data", "helplink", "response", "errorrecord"})


def exception_of(record: ErrorRecord) -> PSObject:
    """`$_.Exception`."""
    properties: list[tuple[str, Any]] = [
        ("Message", record.message),
        ("InnerException", None),
        ("HResult", -2146233088),
    ]
    if record.native_code is not None and record.reason == "CimException":
        properties.append(("MessageId", record.error_id.partition(",")[0]))
    elif record.native_code is not None:
        properties.append(("NativeErrorCode", record.native_code))
    return PSObject(properties, record.exception, _NO_DETAILS)


def get_property(value: Any, name: str) -> Any:
    """A property, or MISSING. Arrays answer with the properties of their elements (member enumeration).

    Raises Unsupported for a name that a real object of this kind may well have.
    """
    found = find_property(value, name)
    for item in value if isinstance(value, list) else [value]:
        if (
            found is MISSING
            and isinstance(item, PSObject)
            and item.absent is not None
            and name.lower() not in item.absent
        ):
            raise Unsupported(f"the property {name} of {item.type_name.rpartition('/')[2]}")
    return found


def find_property(value: Any, name: str) -> Any:
    """As `get_property`, for callers that try several names."""
    value = plain(value)
    if isinstance(value, NameMap) and name in value:
        return value[name]
    if isinstance(value, PSObject) and name in value.properties:
        return value.properties[name]
    lowered = name.lower()
    for kind, table in _PROPERTIES:
        if isinstance(value, kind) and lowered in table:
            return table[lowered](value)
    if isinstance(value, list) and lowered not in ("count", "length"):
        found = [item for item in (find_property(each, name) for each in value) if item is not MISSING]
        flat = [inner for item in found for inner in (item if isinstance(item, list) else [item])]
        if not found:
            return MISSING
        return flat[0] if len(flat) == 1 else PSArray(flat)
    if lowered in ("count", "length"):
        return 0 if value is None else 1
    return MISSING


def set_property(value: Any, name: str, new: Any) -> None:
    value = plain(value)
    if isinstance(value, NameMap):
        value[name] = new
    elif isinstance(value, PSObject) and name in value.properties:
        value.properties[name] = new
    else:
        raise runtime_error(
            f"The property '{name}' cannot be found on this object. Verify that the property exists and can be set.",
            "PropertyNotFound" if value is not None else "PropertyAssignmentException",
        )


def property_names(value: Any) -> list[str]:
    if isinstance(value, NameMap):
        return [to_text(key) for key in value]
    return list(value.properties) if isinstance(value, PSObject) else []


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _category(record: ErrorRecord) -> PSObject:
    return PSObject(
        [
            ("Category", record.category),
            ("Activity", record.activity),
            ("Reason", record.reason),
            ("TargetName", to_text(record.target)),
            ("TargetType", record.target_kind or "String"),
        ]
    )


_Table = dict[str, Callable[[Any], Any]]
_PROPERTIES: list[tuple[type | tuple[type, ...], _Table]] = [
    (str, {"length": _utf16}),
    ((list, bytes), {"length": len, "count": len, "rank": lambda _: 1}),
    (
        NameMap,
        {"count": len, "keys": lambda v: PSArray(v), "values": lambda v: PSArray(v.values())},
    ),
    (
        IPAddress,
        {
            "ipaddresstostring": str,
            "addressfamily": lambda v: (
                EnumValue(2, "InterNetwork") if v.address.version == 4 else EnumValue(23, "InterNetworkV6")
            ),
        },
    ),
    (
        ErrorRecord,
        {
            "exception": exception_of,
            "fullyqualifiederrorid": lambda v: v.error_id,
            "categoryinfo": _category,
            "targetobject": lambda v: v.target,
            "errordetails": lambda _: None,
            "scriptstacktrace": lambda _: "at <ScriptBlock>, <No file>: line 1",
            "invocationinfo": lambda v: PSObject(
                [("MyCommand", v.activity), ("Line", v.line), ("PositionMessage", v.line)]
            ),
        },
    ),
    (
        timedelta,
        {
            "totalseconds": lambda v: v.total_seconds(),
            "totalmilliseconds": lambda v: v.total_seconds() * 1000,
            "totalminutes": lambda v: v.total_seconds() / 60,
            "totalhours": lambda v: v.total_seconds() / 3600,
            "totaldays": lambda v: v.total_seconds() / 86400,
            "days": lambda v: v.days,
            "hours": lambda v: v.seconds // 3600,
            "minutes": lambda v: v.seconds % 3600 // 60,
            "seconds": lambda v: v.seconds % 60,
            "milliseconds": lambda v: v.microseconds // 1000,
            "ticks": lambda v: int(v.total_seconds() * 10_000_000),
        },
    ),
    (
        datetime,
        {
            "year": lambda v: v.year,
            "month": lambda v: v.month,
            "day": lambda v: v.day,
            "hour": lambda v: v.hour,
            "minute": lambda v: v.minute,
            "second": lambda v: v.second,
            "ticks": lambda v: int((v - datetime(1, 1, 1, tzinfo=UTC)).total_seconds() * 10_000_000),
        },
    ),
    (Guid, {"guid": lambda v: v.text}),
    (EnumValue, {"value__": int}),
    (TypeRef, {"name": lambda v: v.name.rsplit(".", 1)[-1], "fullname": lambda v: v.name}),
]


def call_method(value: Any, name: str, args: list[Any]) -> Any:
    """`value.name(args)`, on an array for each element. Raises the engine's errors, or Unsupported."""
    value, lowered = plain(value), name.lower()
    if value is None:
        raise runtime_error("You cannot call a method on a null-valued expression.", "InvokeMethodOnNull")
    if isinstance(value, PSObject) and name in value.properties and callable(value.properties[name]):
        return value.properties[name](*args)
    if lowered == "tostring":
        return format_value(value, to_text(args[0])) if args else to_text(value)
    if lowered == "gettype":
        return TypeRef(type_name(value))
    if lowered == "equals":
        return equal(value, args[0], exact=True)
    for kind, table in _METHODS:
        if isinstance(value, kind) and lowered in table:
            return table[lowered](value, *args)
    if isinstance(value, list) and value:
        return PSArray(call_method(item, name, args) for item in value)
    raise Unsupported(f"the method {name}() of {type_name(value)}")


def _substring(text: str, start: Any, length: Any = None) -> str:
    first = int(to_number(start))
    last = len(text) if length is None else first + int(to_number(length))
    if first < 0 or first > len(text) or last > len(text):
        raise _method_error(
            "Substring", "Index and length must refer to a location within the string. Parameter name: length"
        )
    return text[first:last]


def _method_error(method: str, message: str) -> Exception:
    return runtime_error(f'Exception calling "{method}": "{message}"', "ArgumentException", "NotSpecified")


def _split(text: str, *separators: Any) -> PSArray:
    options = [part for item in separators for part in (item if isinstance(item, list) else [item])]
    if any(isinstance(option, int) for option in options):
        raise Unsupported("String.Split with a count or options")
    # In .NET Framework a string argument is a set of separator characters.
    chars = "".join(to_text(option) for option in options) or " \t\r\n"
    out, piece = PSArray(), ""
    for char in text:
        if char in chars:
            out.append(piece)
            piece = ""
        else:
            piece += char
    out.append(piece)
    return out


def _chars(args: tuple[Any, ...]) -> str | None:
    return "".join(to_text(arg) for arg in args) or None


def _append(target: Any, item: Any) -> Any:
    target.append(item)
    return None


def _index_add(table: Any, key: Any, value: Any) -> None:
    if key in table:
        raise _method_error("Add", f"Item has already been added. Key in dictionary: '{to_text(key)}'")
    table[key] = value


_METHODS: list[tuple[type | tuple[type, ...], dict[str, Callable[..., Any]]]] = [
    (
        str,
        {
            "trim": lambda v, *a: v.strip(_chars(a)),
            "trimstart": lambda v, *a: v.lstrip(_chars(a)),
            "trimend": lambda v, *a: v.rstrip(_chars(a)),
            "tolower": lambda v: v.lower(),
            "tolowerinvariant": lambda v: v.lower(),
            "toupper": lambda v: v.upper(),
            "toupperinvariant": lambda v: v.upper(),
            "contains": lambda v, a: to_text(a) in v,
            "startswith": lambda v, a, *_: v.startswith(to_text(a)),
            "endswith": lambda v, a, *_: v.endswith(to_text(a)),
            "indexof": lambda v, a: v.find(to_text(a)),
            "lastindexof": lambda v, a: v.rfind(to_text(a)),
            "replace": lambda v, a, b: v.replace(to_text(a), to_text(b)),
            "substring": _substring,
            "split": _split,
            "padleft": lambda v, n, c=" ": v.rjust(int(n), to_text(c)),
            "padright": lambda v, n, c=" ": v.ljust(int(n), to_text(c)),
            "insert": lambda v, i, t: v[: int(i)] + to_text(t) + v[int(i) :],
            "tochararray": lambda v: PSArray(Char(char) for char in v),
            "compareto": lambda v, o: (v > to_text(o)) - (v < to_text(o)),
        },
    ),
    (
        DotNetList,
        {
            "add": _append,
            "addrange": lambda v, items: v.extend(items),
            "toarray": lambda v: PSArray(v),
            "clear": lambda v: v.clear(),
            "remove": lambda v, item: v.remove(item) if item in v else False,
        },
    ),
    (
        (list, bytes),
        {
            "contains": lambda v, item: any(equal(each, item, exact=True) for each in v),
            "indexof": lambda v, item: next((i for i, each in enumerate(v) if equal(each, item, exact=True)), -1),
            "clone": lambda v: PSArray(v),
        },
    ),
    (
        NameMap,
        {
            "contains": lambda v, key: key in v,
            "containskey": lambda v, key: key in v,
            "containsvalue": lambda v, item: item in v.values(),
            "add": _index_add,
            "remove": lambda v, key: v.pop(key, None) and None,
            "clone": lambda v: type(v)(v.items()),
            "clear": lambda v: v.clear(),
        },
    ),
    (IPAddress, {"getaddressbytes": lambda v: v.address.packed}),
    (
        datetime,
        {
            "touniversaltime": lambda v: v.astimezone(UTC),
            "tolocaltime": lambda v: v,
            "addseconds": lambda v, n: add(v, timedelta(seconds=to_number(n))),
            "addminutes": lambda v, n: add(v, timedelta(minutes=to_number(n))),
            "addmilliseconds": lambda v, n: add(v, timedelta(milliseconds=to_number(n))),
        },
    ),
]
string_format = format_operator
