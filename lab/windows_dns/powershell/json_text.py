"""ConvertTo-Json and ConvertFrom-Json as Windows PowerShell 5.1 has them, peculiarities included."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from .conversion import to_text
from .errors import ErrorRecord, ScriptError
from .values import (
    CimInstance,
    EnumValue,
    Guid,
    IPAddress,
    NameMap,
    PSArray,
    PSObject,
    ScriptBlock,
    TypeRef,
    plain,
)

# JavaScriptSerializer escapes these for the sake of HTML.
_ESCAPED = {ord(char): f"\\u{ord(char):04x}" for char in "'<>&\u0085\u2028\u2029"} | {
    n: f"\\u{n:04x}" for n in range(32)
}
_ESCAPED |= {ord('"'): '\\"', ord("\\"): "\\\\", 8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r"}


class Serializer:
    """One ConvertTo-Json call. `depth` levels are written out, deeper ones become their ToString()."""

    def __init__(self, depth: int, compress: bool, wraps_arrays: bool = True, piped: bool = True) -> None:
        self.depth, self.compress, self.wraps_arrays, self.piped = depth, compress, wraps_arrays, piped

    def text(self, value: Any) -> str:
        return self._value(value, 0, 0)

    def _value(self, value: Any, depth: int, indent: int, bare: bool = False) -> str:
        value = plain(value)
        if (scalar := self._scalar(value)) is not None:
            return scalar
        if depth > self.depth:
            return _quoted(to_text(value))
        if isinstance(value, list | bytes):
            if self.wraps_arrays and isinstance(value, PSArray) and value.wrapped and depth > 0:
                return self._wrapped(value, depth, indent)
            return self._array(value, depth, indent, bare)
        return self._object(self._members(value, bare), depth, indent)

    @staticmethod
    def _scalar(value: Any) -> str | None:
        if value is None:
            return "null"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(int(value))
        if isinstance(value, float):
            return to_text(value) if value % 1 else f"{value:.1f}"
        if isinstance(value, str | Guid):
            return _quoted(to_text(value))
        if isinstance(value, datetime):
            return f'"\\/Date({int(value.timestamp() * 1000)})\\/"'
        return None

    def _wrapped(self, value: PSArray, depth: int, indent: int) -> str:
        inner = PSArray(value)
        return self._object([("value", _Bare(inner)), ("Count", len(value))], depth, indent)

    def _members(self, value: Any, bare: bool) -> Iterable[tuple[str, Any]]:
        if isinstance(value, NameMap):
            return [(to_text(key), item) for key, item in value.items()]
        if isinstance(value, CimInstance):
            return self._cim_members(value)
        if isinstance(value, PSObject):
            return list(value.properties.items())
        if isinstance(value, IPAddress):
            return _address_members(value, with_text=self.piped and not bare)
        if isinstance(value, timedelta):
            return _span_members(value)
        if isinstance(value, ErrorRecord):
            return [
                ("Exception", value.message),
                ("FullyQualifiedErrorId", value.error_id),
                ("TargetObject", to_text(value.target)),
            ]
        if isinstance(value, ScriptBlock | TypeRef):
            return [("Name", to_text(value))]
        return [("ToString", to_text(value))]

    def _cim_members(self, value: CimInstance) -> Iterable[tuple[str, Any]]:
        own = list(value.properties.items())
        if self.piped:
            own.append(("PSComputerName", None))
        named = [f"{name} = {to_text(item)}" for name, item in value.properties.items()]
        system = [
            ("Namespace", "root/Microsoft/Windows/DNS"),
            ("ServerName", ""),
            ("ClassName", value.class_name),
            ("Path", None),
        ]
        described = [
            ("CimSuperClassName", "DnsDomain"),
            ("CimClassName", value.class_name),
            ("CimSystemProperties", PSObject(system)),
        ]
        return [
            *own,
            ("CimClass", PSObject(described)),
            ("CimInstanceProperties", PSArray(named)),
            ("CimSystemProperties", PSObject(system)),
        ]

    def _array(self, value: list[Any] | bytes, depth: int, indent: int, bare: bool) -> str:
        parts = [self._value(item, depth + 1, indent + 4, bare) for item in value]
        return self._joined("[]", parts, indent)

    def _object(self, members: Iterable[tuple[str, Any]], depth: int, indent: int) -> str:
        parts = []
        for name, item in members:
            key = _quoted(name)
            if self.compress:
                parts.append(f"{key}:{self._member(item, depth, 0)}")
            else:
                # Nested levels are aligned with the column where their value begins.
                parts.append(f"{key}:  {self._member(item, depth, indent + 4 + len(key) + 3)}")
        return self._joined("{}", parts, indent)

    def _member(self, item: Any, depth: int, indent: int) -> str:
        if isinstance(item, _Bare):
            return self._array(item.items, depth, indent, bare=True)
        return self._value(item, depth + 1, indent)

    def _joined(self, brackets: str, parts: list[str], indent: int) -> str:
        if self.compress:
            return brackets[0] + ",".join(parts) + brackets[1]
        pad = " " * (indent + 4)
        body = ",\r\n".join(pad + part for part in parts)
        return f"{brackets[0]}\r\n{body}\r\n{' ' * indent}{brackets[1]}"


class _Bare:
    """Elements that have lost their extended properties."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items


def _quoted(text: str) -> str:
    return f'"{text.translate(_ESCAPED)}"'


def _address_members(value: IPAddress, with_text: bool) -> list[tuple[str, Any]]:
    four = value.address.version == 4
    members = [
        ("Address", int.from_bytes(value.address.packed, "little") if four else None),
        ("AddressFamily", EnumValue(2, "InterNetwork") if four else EnumValue(23, "InterNetworkV6")),
        ("ScopeId", None if four else 0),
        ("IsIPv6Multicast", not four and value.address.is_multicast),
        ("IsIPv6LinkLocal", not four and value.address.is_link_local),
        ("IsIPv6SiteLocal", False),
        ("IsIPv6Teredo", False),
        ("IsIPv4MappedToIPv6", False),
    ]
    return [*members, ("IPAddressToString", str(value))] if with_text else members


def _span_members(span: timedelta) -> list[tuple[str, Any]]:
    seconds = span.total_seconds()
    whole = int(seconds)
    return [
        ("Ticks", int(seconds * 10_000_000)), ("Days", whole // 86400), ("Hours", whole % 86400 // 3600),
        ("Milliseconds", span.microseconds // 1000), ("Minutes", whole % 3600 // 60), ("Seconds", whole % 60),
        ("TotalDays", seconds / 86400), ("TotalHours", seconds / 3600), ("TotalMilliseconds", seconds * 1000),
        ("TotalMinutes", seconds / 60), ("TotalSeconds", seconds),
    ]  # fmt: skip


def from_json(text: str) -> Any:
    """ConvertFrom-Json of one text. Invalid JSON and keys that differ only in case raise the cmdlet's error."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse)
    except ValueError as error:
        message = f"Invalid JSON primitive: {text.strip().split(' ')[0][:40]}."
        if isinstance(error, _DuplicateKey):
            message = str(error)
        raise ScriptError(
            ErrorRecord(
                message,
                "System.ArgumentException,Microsoft.PowerShell.Commands.ConvertFromJsonCommand",
                "NotSpecified",
                exception="System.ArgumentException",
                activity="ConvertFrom-Json",
            )
        ) from None


class _DuplicateKey(ValueError):
    pass


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _object(pairs: list[tuple[str, Any]]) -> PSObject:
    made = PSObject()
    for key, value in pairs:
        if key in made.properties:
            other = next(name for name in made.properties if name.lower() == key.lower())
            if other != key:
                raise _DuplicateKey(
                    "Cannot convert the JSON string because a dictionary that was converted from the string contains "
                    "the "
                    f"duplicated keys '{other}' and '{key}'."
                )
        made.properties[key] = _arrays(value)
    return made


def _arrays(value: Any) -> Any:
    return PSArray(_arrays(item) for item in value) if isinstance(value, list) else value
