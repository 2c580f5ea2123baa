"""Casts and implicit conversions, after the rules of LanguagePrimitives in Windows PowerShell 5.1."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from .errors import ErrorRecord, Unsupported, cast_error
from .values import (
    VOID,
    Char,
    CimInstance,
    DotNetList,
    EnumValue,
    Guid,
    Hashtable,
    IPAddress,
    NameMap,
    PSArray,
    PSObject,
    ScriptBlock,
    TypeRef,
    UInt32,
    plain,
    type_name,
)

_ALIASES = {
    "system.string": "string", "system.int32": "int", "int32": "int", "system.int64": "long", "int64": "long",
    "system.uint32": "uint32", "uint": "uint32", "system.uint16": "uint16", "ushort": "uint16",
    "system.boolean": "bool", "boolean": "bool", "system.double": "double", "system.net.ipaddress": "ipaddress",
    "net.ipaddress": "ipaddress", "system.object": "object", "psobject": "pscustomobject",
    "system.management.automation.pscustomobject": "pscustomobject", "system.collections.hashtable": "hashtable",
    "system.byte": "byte", "system.char": "char", "system.management.automation.switchparameter": "switch",
    "switchparameter": "switch", "system.datetime": "datetime", "system.timespan": "timespan",
    "system.guid": "guid", "system.array": "array", "collections.arraylist": "arraylist",
    "system.collections.arraylist": "arraylist", "system.text.encoding": "text.encoding",
    "system.convert": "convert", "system.console": "console", "system.math": "math",
    "system.environment": "environment", "system.exception": "exception", "collections.hashtable": "hashtable",
    "system.management.automation.scriptblock": "scriptblock",
    "management.automation.errorrecord": "system.management.automation.errorrecord",
}  # fmt: skip
_INTEGERS = {
    "int": (-(2**31), 2**31), "long": (-(2**63), 2**63), "uint32": (0, 2**32), "uint16": (0, 2**16), "byte": (0, 256),
}  # fmt: skip


def canonical(name: str) -> str:
    """One lower-case spelling per type: `[System.Net.IPAddress[]]` is `ipaddress[]`."""
    lowered = name.lower()
    if lowered.endswith("[]"):
        return canonical(lowered[:-2]) + "[]"
    return _ALIASES.get(lowered, lowered)


def to_text(value: Any) -> str:
    """What "$value" gives."""
    value = plain(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, EnumValue):
        return value.label
    if isinstance(value, str | int | IPAddress):
        return str.__str__(value) if isinstance(value, str) else str(value)
    if isinstance(value, float):
        return f"{value:.15g}".replace("e+", "E+").replace("e-", "E-")
    if isinstance(value, bytes):
        return " ".join(str(byte) for byte in value)
    if isinstance(value, list):
        return " ".join(to_text(item) for item in value)
    return _object_text(value)


def _object_text(value: Any) -> str:
    if isinstance(value, Hashtable):
        return "System.Collections.Hashtable"
    if isinstance(value, CimInstance):
        return f'{value.class_name} (Name = "{to_text(value.properties.get("ZoneName"))}")'
    if isinstance(value, PSObject):
        if not value.type_name.endswith("PSCustomObject"):
            return value.type_name
        return "@{" + "; ".join(f"{key}={to_text(item)}" for key, item in value.properties.items()) + "}"
    if isinstance(value, ErrorRecord):
        return value.message
    if isinstance(value, datetime):
        return value.strftime("%m/%d/%Y %H:%M:%S")
    if isinstance(value, timedelta):
        return span_text(value)
    if isinstance(value, Guid):
        return value.text
    if isinstance(value, ScriptBlock):
        return value.source
    if isinstance(value, TypeRef):
        return value.name
    return type_name(value)


def span_text(span: timedelta) -> str:
    """TimeSpan's constant format: [d.]hh:mm:ss[.fffffff]."""
    seconds = int(span.total_seconds())
    days, rest = divmod(seconds, 86400)
    text = f"{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}"
    text = f"{days}.{text}" if days else text
    return f"{text}.{span.microseconds * 10:07}" if span.microseconds else text


def truth(value: Any) -> bool:
    """What `if` makes of a value."""
    value = plain(value)
    if isinstance(value, list | bytes):
        return bool(value) and (len(value) > 1 or truth(value[0]))
    if isinstance(value, NameMap):
        return True
    if isinstance(value, str):
        return value != ""
    return bool(value) if isinstance(value, int | float) or value is None else True


def number_of(text: str) -> int | float:
    """A string as a number, as arithmetic and casts read it. Raises ValueError."""
    stripped = text.strip()
    if stripped == "":
        return 0
    if re.fullmatch(r"[+-]?0[xX][0-9a-fA-F]+", stripped):
        return int(stripped, 16)
    if re.fullmatch(r"[+-]?\d+", stripped):
        return int(stripped)
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", stripped):
        return float(stripped)
    raise ValueError(text)


def to_number(value: Any) -> int | float:
    """For arithmetic and ordering. Raises the engine's conversion error."""
    value = plain(value)
    if value is None:
        return 0
    if isinstance(value, Char):
        return ord(value)
    if isinstance(value, int | float):
        return value if isinstance(value, float) else int(value)
    if isinstance(value, str):
        try:
            return number_of(value)
        except ValueError:
            raise cast_error(
                f'Cannot convert value "{value}" to type "System.Int32". '
                'Error: "Input string was not in a correct format."',
                "InvalidCastFromStringToInteger",
            ) from None
    raise _cannot(value, "int")


def convert(value: Any, target: str) -> Any:
    """`[target]value`. Raises ScriptError when the value does not fit, Unsupported for an unknown type."""
    name = canonical(target)
    value = plain(value)
    if name.endswith("[]"):
        return _to_array(value, name[:-2])
    if name in _INTEGERS:
        return _to_integer(value, name)
    converter = _CONVERTERS.get(name)
    if converter is None:
        raise Unsupported(f"the type [{target}]")
    return converter(value)


def _cannot(value: Any, target: str, error_id: str = "ConvertToFinalInvalidCastException") -> Exception:
    return cast_error(
        f'Cannot convert the "{to_text(value)}" value of type "{type_name(value)}" to type "{target}".', error_id
    )


def _to_array(value: Any, element: str) -> Any:
    if value is None:
        return None
    if element == "byte":
        return bytes(convert(item, "byte") for item in (value if isinstance(value, list | bytes) else [value]))
    made = PSArray(convert(item, element) for item in (value if isinstance(value, list | bytes) else [value]))
    made.element = element
    return made


def _to_integer(value: Any, name: str) -> int:
    if isinstance(value, bool):
        number: int | float = int(value)
    elif value is None or isinstance(value, str | int | float):
        number = to_number(value)
    else:
        raise _cannot(value, name)
    # .NET rounds halves to even here, as Python does.
    whole = round(number)
    low, high = _INTEGERS[name]
    if not low <= whole < high:
        size = {"uint32": "UInt32", "uint16": "UInt16", "int": "Int32", "long": "Int64", "byte": "Byte"}[name]
        error_id = "InvalidCastFromStringToInteger" if isinstance(value, str) else "InvalidCastIConvertible"
        raise cast_error(
            f'Cannot convert value "{to_text(value)}" to type "System.{size}". Error: '
            f'"Value was either too large or too small for a {size}."',
            error_id,
        )
    return UInt32(whole) if name == "uint32" else whole


def _to_boolean(value: Any) -> bool:
    return truth(value)


def parameter_boolean(value: Any) -> bool:
    """A Boolean *parameter* is stricter than a cast: strings are refused."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return bool(value)
    raise cast_error(
        f'Cannot convert value "{to_text(value)}" to type "System.Boolean". Boolean parameters accept only Boolean '
        "values and numbers, such as $True, $False, 1 or 0.",
    )


def _to_double(value: Any) -> float:
    return float(to_number(value))


def _to_address(value: Any) -> IPAddress | None:
    if value is None or isinstance(value, IPAddress):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32:
        # IPAddress(Int64) takes the number in network order, read little-endian.
        return IPAddress(ipaddress.IPv4Address(int(value).to_bytes(4, "little")))
    if isinstance(value, str):
        try:
            return IPAddress.parse(value)
        except ValueError:
            pass
    raise cast_error(
        f'Cannot convert value "{to_text(value)}" to type "System.Net.IPAddress". '
        'Error: "An invalid IP address was specified."',
        "InvalidCastParseTargetInvocation",
    )


def _to_custom_object(value: Any) -> Any:
    return PSObject((to_text(key), item) for key, item in value.items()) if isinstance(value, Hashtable) else value


def _to_hashtable(value: Any) -> Any:
    if value is None or isinstance(value, Hashtable):
        return value
    raise _cannot(value, "System.Collections.Hashtable")


def _to_char(value: Any) -> Char:
    if isinstance(value, str) and len(value) == 1:
        return Char(value)
    if isinstance(value, int) and 0 <= value < 65536:
        return Char(chr(value))
    raise _cannot(value, "System.Char")


def _to_datetime(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        parsed = datetime.fromisoformat(to_text(value))
    except ValueError:
        raise cast_error(f'Cannot convert value "{to_text(value)}" to type "System.DateTime".') from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _to_block(value: Any) -> Any:
    if isinstance(value, ScriptBlock):
        return value
    raise _cannot(value, "System.Management.Automation.ScriptBlock")


def _to_arraylist(value: Any) -> DotNetList:
    return DotNetList(value if isinstance(value, list) else [value])


def _to_timespan(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    return timedelta(microseconds=to_number(value) / 10)


def _to_plain_array(value: Any) -> Any:
    return value if isinstance(value, list) or value is None else PSArray([value])


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "string": to_text,
    "bool": _to_boolean,
    "switch": _to_boolean,
    "double": _to_double,
    "ipaddress": _to_address,
    "object": lambda value: value,
    "void": lambda _: VOID,
    "pscustomobject": _to_custom_object,
    "ordered": lambda value: value,
    "hashtable": _to_hashtable,
    "char": _to_char,
    "datetime": _to_datetime,
    "timespan": _to_timespan,
    "scriptblock": _to_block,
    "arraylist": _to_arraylist,
    "array": _to_plain_array,
    "guid": lambda value: value if isinstance(value, Guid) else Guid(to_text(value).lower()),
}
