"""Run-time values. Python's own types stand for $null, Boolean, Int32/Int64, Double, String, Byte[] and the times."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import ErrorRecord

if TYPE_CHECKING:
    from .syntax import Block


class _Void:
    """What a command without output leaves behind: reads as $null, but puts nothing into a pipeline."""

    def __repr__(self) -> str:
        return "VOID"


VOID = _Void()


class NameMap(MutableMapping[Any, Any]):
    """Keeps insertion order and the spelling of keys; looks strings up without regard to case."""

    def __init__(self, items: Iterable[tuple[Any, Any]] = ()) -> None:
        self._items: dict[Any, tuple[Any, Any]] = {}
        for key, value in items:
            self[key] = value

    @staticmethod
    def _fold(key: Any) -> Any:
        return key.lower() if isinstance(key, str) else key

    def __getitem__(self, key: Any) -> Any:
        return self._items[self._fold(key)][1]

    def __setitem__(self, key: Any, value: Any) -> None:
        folded = self._fold(key)
        spelling = self._items[folded][0] if folded in self._items else key
        self._items[folded] = (spelling, value)

    def __delitem__(self, key: Any) -> None:
        del self._items[self._fold(key)]

    def __contains__(self, key: object) -> bool:
        return self._fold(key) in self._items

    def __iter__(self) -> Iterator[Any]:
        return iter([spelling for spelling, _ in self._items.values()])

    def __len__(self) -> int:
        return len(self._items)


class Hashtable(NameMap):
    """`@{ … }` and `[ordered]@{ … }`."""


class PSObject:
    """An object with note properties: PSCustomObject, or a .NET object of which only the properties matter.

    `absent`: for an object that stands for a real one, the names (in lower case) that it truly lacks and that read as
    $null. Any further name may exist in reality, so reading it has to be refused. None: the object is what it is.
    """

    def __init__(
        self,
        properties: Iterable[tuple[str, Any]] = (),
        type_name: str = "System.Management.Automation.PSCustomObject",
        absent: frozenset[str] | None = None,
    ) -> None:
        self.type_name, self.properties, self.absent = type_name, NameMap(properties), absent


class CimInstance(PSObject):
    """What the DnsServer module returns. Serialised raw it drags the CIM plumbing along (see `json_text`)."""

    def __init__(self, class_name: str, properties: Iterable[tuple[str, Any]], absent: Iterable[str] = ()) -> None:
        super().__init__(
            properties, f"Microsoft.Management.Infrastructure.CimInstance#root/Microsoft/Windows/DNS/{class_name}"
        )
        self.class_name = class_name
        self.absent = frozenset(name.lower() for name in ("PSComputerName", *absent))


class PSArray(list[Any]):
    """An array. `wrapped`: carries the extended type data that makes 5.1 write `{"value":…,"Count":…}`."""

    element: str = "object"
    wrapped: bool = False


class DotNetList(PSArray):
    """`List[T]` and ArrayList: arrays that grow in place."""


class UInt32(int):
    """A number that came through `[uint32]`."""


class Char(str):
    """One UTF-16 unit."""

    __slots__ = ()


class EnumValue(int):
    """Prints as its name, becomes a number in JSON."""

    label: str

    def __new__(cls, value: int, label: str) -> EnumValue:
        made = super().__new__(cls, value)
        made.label = label
        return made


@dataclass(frozen=True)
class TypeRef:
    """A type literal, by the canonical name of `types`."""

    name: str


@dataclass(frozen=True)
class ScriptBlock:
    block: Block
    source: str


@dataclass(frozen=True)
class Guid:
    text: str


class IPAddress:
    """System.Net.IPAddress: prints IPv6 compressed and in lower case."""

    def __init__(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
        self.address = address

    def __str__(self) -> str:
        return str(self.address)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IPAddress) and self.address == other.address

    def __hash__(self) -> int:
        return hash(self.address)

    @classmethod
    def parse(cls, text: str) -> IPAddress:
        """As .NET Framework does: one to four parts, octal and hexadecimal allowed. Raises ValueError."""
        if ":" in text:
            bracketed = re.fullmatch(r"\[([^\]]*)\](?::\d+)?", text)
            return cls(ipaddress.IPv6Address(bracketed[1] if bracketed else text))
        return cls(ipaddress.IPv4Address(_ipv4_number(text)))


def _ipv4_number(text: str) -> int:
    """inet_aton: `1` is 0.0.0.1, `10.1` is 10.0.0.1, `010.0.0.1` is 8.0.0.1."""
    parts = text.split(".")
    if not 1 <= len(parts) <= 4 or not all(re.fullmatch(r"0[xX][0-9a-fA-F]+|[0-9]+", part) for part in parts):
        raise ValueError(text)
    numbers = [_c_number(part) for part in parts]
    last = numbers.pop()
    if any(number > 255 for number in numbers) or last >= 256 ** (4 - len(numbers)):
        raise ValueError(text)
    return sum(number << (8 * (3 - place)) for place, number in enumerate(numbers)) + last


def _c_number(part: str) -> int:
    if part[:2].lower() == "0x":
        return int(part, 16)
    return int(part, 8) if len(part) > 1 and part.startswith("0") else int(part)


def plain(value: Any) -> Any:
    """The value with VOID read as $null."""
    return None if value is VOID else value


def items_of(value: Any) -> list[Any]:
    """What a value becomes in a pipeline: the elements of an array, nothing for VOID, itself otherwise."""
    if value is VOID:
        return []
    return list(value) if isinstance(value, list | bytes) else [value]


def collected(items: list[Any]) -> Any:
    """What the output of a command is when assigned: nothing, the one object, or an array."""
    if not items:
        return VOID
    return items[0] if len(items) == 1 else PSArray(items)


def type_name(value: Any) -> str:
    """The full .NET name, as GetType().FullName shows it."""
    if isinstance(value, PSArray):
        return (
            _LISTS.get(value.element, "System.Object[]") if type(value) is PSArray else "System.Collections.ArrayList"
        )
    if isinstance(value, PSObject):
        return value.type_name.partition("#")[0]
    if isinstance(value, ErrorRecord):
        return "System.Management.Automation.ErrorRecord"
    if isinstance(value, bool):
        return "System.Boolean"
    if isinstance(value, int) and type(value) is int:
        return "System.Int32" if -(2**31) <= value < 2**31 else "System.Int64"
    return _NAMES.get(type(value).__name__, f"System.{type(value).__name__}")


_LISTS = {"string": "System.String[]", "ipaddress": "System.Net.IPAddress[]", "int": "System.Int32[]"}
_NAMES = {
    "str": "System.String", "float": "System.Double", "bytes": "System.Byte[]", "datetime": "System.DateTime",
    "timedelta": "System.TimeSpan", "IPAddress": "System.Net.IPAddress",
    "Hashtable": "System.Collections.Hashtable", "ScriptBlock": "System.Management.Automation.ScriptBlock",
    "EnumValue": "System.Enum", "TypeRef": "System.RuntimeType",
}  # fmt: skip
