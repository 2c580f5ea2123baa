"""Attributes of configuration tables: what a value may be, how it is stored, what stands in for it.

A row is stored sparsely (only what was set) and in the form that a read returns: `10.0.0.0/8` is
stored as `10.0.0.0 255.0.0.0`, `"8"` as `8`, a list as a list of child rows.
"""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from lab.fortigate import errors
from lab.fortigate.errors import ConfigError, bad_value

Row = dict[str, Any]
Key = str | int
Version = tuple[int, ...]

MOMENT_FORMAT = "%H:%M %Y/%m/%d"
FOREVER: Version = (999,)


class Kind(Enum):
    """The type of an attribute; the value is the word `action=schema` uses."""

    TEXT = "string"
    INTEGER = "integer"
    CHOICE = "option"
    CHOICES = "option-list"
    ADDRESS = "ipv4-address-any"
    NETWORK = "ipv4-classnet-any"
    HOST = "ipv4-classnet-host"
    WILDCARD = "ipv4-classnet-wildcard"
    UUID = "uuid"
    TIME = "time"
    MOMENT = "datetime"
    SECRET = "password"
    TABLE = "table"
    OBJECT = "complex"


@dataclass(frozen=True)
class Attribute:
    """One attribute of a table or of a child table.

    `references` names the tables one of which must hold a row with this value as its key;
    `free_names` are accepted without a row. `since` and `until` (exclusive) bound the firmware
    versions that have the attribute: outside of them it is as unknown as a misspelt one.
    `when` and `skip_unless` are (attribute, values): the attribute is shown only if the other one
    has one of the values, always respectively only when the client asks to `skip`.
    """

    name: str
    kind: Kind
    default: Any = ""
    size: int = 0
    low: int = 0
    high: int = 0
    options: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    free_names: tuple[str, ...] = ()
    children: tuple[Attribute, ...] = ()
    since: Version = ()
    until: Version = FOREVER
    when: tuple[str, frozenset[str]] | None = None
    skip_unless: tuple[str, frozenset[str]] | None = None
    required: bool = False
    is_key: bool = False
    child_by_name: dict[str, Attribute] = field(default_factory=dict, compare=False)
    child_template: Row = field(default_factory=dict, compare=False)

    def exists_in(self, version: Version) -> bool:
        return self.since <= version < self.until

    @property
    def child_key(self) -> str:
        """The key attribute of a child table (by convention its first attribute)."""
        return self.children[0].name

    def default_for(self, row: Row) -> Any:
        return self.default(row) if callable(self.default) else self.default

    def parse(self, value: Any) -> Any:
        """The stored form of `value`; raises `ConfigError` when it is not acceptable."""
        if value == self.default and type(value) is type(self.default):
            # What a read showed may be written back, also where the default lies outside of the range.
            return value
        return _PARSERS[self.kind](self, value)


def text(name: str, size: int, default: Any = "", **more: Any) -> Attribute:
    return Attribute(name, Kind.TEXT, default, size=size, **more)


def number(name: str, low: int, high: int, default: Any = 0, **more: Any) -> Attribute:
    return Attribute(name, Kind.INTEGER, default, low=low, high=high, **more)


def choice(name: str, options: str, default: Any = None, **more: Any) -> Attribute:
    """`options` separated by spaces; the first is the default unless another is given."""
    words = tuple(options.split())
    return Attribute(name, Kind.CHOICE, words[0] if default is None else default, options=words, **more)


def switch(name: str, default: str = "disable", **more: Any) -> Attribute:
    return choice(name, "enable disable", default, **more)


def reference(name: str, *tables: str, size: int = 79, **more: Any) -> Attribute:
    """A string that must be the key of a row of one of `tables`, or empty."""
    return Attribute(name, Kind.TEXT, "", size=size, references=tables, **more)


def child_table(name: str, *children: Attribute, **more: Any) -> Attribute:
    """A list of child rows; the first child attribute is their key."""
    return Attribute(
        name,
        Kind.TABLE,
        (),
        children=children,
        child_by_name={child.name: child for child in children},
        child_template={child.name: child.default for child in children},
        **more,
    )


def names(name: str, *tables: str, free_names: tuple[str, ...] = (), **more: Any) -> Attribute:
    """The common child table: a list of `{"name": key of a row of one of the tables}`."""
    member = reference("name", *tables, free_names=free_names, is_key=True)
    return child_table(name, member, **more)


def nested(name: str, *children: Attribute, **more: Any) -> Attribute:
    """A single nested object."""
    template = {child.name: child.default for child in children}
    return Attribute(
        name, Kind.OBJECT, template, children=children,
        child_by_name={child.name: child for child in children}, child_template=template, **more,
    )  # fmt: skip


def _parse_text(attribute: Attribute, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise bad_value(value, errors.INVALID_VALUE)
    content = str(value)
    if any(character in "\"'<>" or (ord(character) < 32 and character not in "\n\t") for character in content):
        raise ConfigError(
            errors.FORBIDDEN_CHARACTER,
            f"The string contains XSS vulnerability characters\nvalue parse error before '{content}'",
        )
    if len(content) > attribute.size:
        raise bad_value(content, errors.KEY_TOO_LONG if attribute.is_key else errors.TOO_LONG)
    return content


def _parse_integer(attribute: Attribute, value: Any) -> int:
    if isinstance(value, bool):
        raise bad_value(value, errors.INVALID_VALUE)
    try:
        result = int(value)
    except (TypeError, ValueError):
        raise bad_value(value, errors.INVALID_VALUE) from None
    if not attribute.low <= result <= attribute.high:
        raise bad_value(value, errors.OUT_OF_RANGE)
    return result


def _parse_choice(attribute: Attribute, value: Any) -> str:
    if value not in attribute.options:
        raise bad_value(value, errors.INVALID_VALUE)
    return str(value)


def _parse_choices(attribute: Attribute, value: Any) -> str:
    words = value.split() if isinstance(value, str) else value
    if not isinstance(words, list):
        raise bad_value(value, errors.INVALID_VALUE)
    for word in words:
        if word not in attribute.options:
            raise bad_value(word, errors.INVALID_VALUE)
    return " ".join(words)


def _address(value: Any) -> ipaddress.IPv4Address:
    try:
        return ipaddress.IPv4Address(value if isinstance(value, str) else "")
    except ValueError:
        raise bad_value(value, errors.BAD_ADDRESS) from None


def _parse_address(_: Attribute, value: Any) -> str:
    return str(_address(value))


def _parse_host(_: Attribute, value: Any) -> str:
    """An address with its netmask: `a.b.c.d m.m.m.m`, `a.b.c.d/m` or `a.b.c.d/m.m.m.m`."""
    if not isinstance(value, str):
        raise bad_value(value, errors.BAD_ADDRESS)
    address, separator, mask = value.strip().partition("/" if "/" in value else " ")
    host = _address(address)
    try:
        interface = ipaddress.IPv4Interface(f"{host}/{mask.strip() if separator else 32}")
    except ValueError:
        raise bad_value(mask.strip(), errors.BAD_NETMASK) from None
    if "." in mask and str(interface.netmask) != mask.strip():
        # The standard library reads 0.0.0.255 as a host mask, the device as a wrong netmask.
        raise bad_value(mask.strip(), errors.BAD_NETMASK)
    return interface.with_netmask.replace("/", " ")


def _parse_network(attribute: Attribute, value: Any) -> str:
    interface = ipaddress.IPv4Interface(_parse_host(attribute, value).replace(" ", "/"))
    return interface.network.with_netmask.replace("/", " ")


def _parse_wildcard(_: Attribute, value: Any) -> str:
    parts = value.split() if isinstance(value, str) else []
    if len(parts) != 2:
        raise bad_value(value, errors.BAD_ADDRESS)
    return f"{_address(parts[0])} {_address(parts[1])}"


def _parse_uuid(_: Attribute, value: Any) -> str:
    try:
        return str(uuid.UUID(value))
    except (AttributeError, TypeError, ValueError):
        raise bad_value(value, errors.INVALID_VALUE) from None


def _parse_time(_: Attribute, value: Any) -> str:
    """`hh:mm`"""
    if not isinstance(value, str) or not re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", value):
        raise bad_value(value, errors.INVALID_VALUE)
    return value.zfill(5)


def _parse_moment(_: Attribute, value: Any) -> str:
    """`hh:mm yyyy/mm/dd`"""
    try:
        # Naive on purpose: the device's own local time.
        return datetime.strptime(value, MOMENT_FORMAT).strftime(MOMENT_FORMAT)  # noqa: DTZ007
    except (TypeError, ValueError):
        raise bad_value(value, errors.INVALID_VALUE) from None


def _parse_secret(attribute: Attribute, value: Any) -> str:
    if not isinstance(value, str) or len(value) > attribute.size:
        raise ConfigError(errors.INVALID_VALUE, "value parse error")
    return value


def _parse_table(attribute: Attribute, value: Any) -> list[Row]:
    if not isinstance(value, list):
        raise bad_value(value, errors.INVALID_VALUE)
    rows: dict[Key, Row] = {}
    for item in value:
        row = _parse_children(attribute, item)
        key = row.get(attribute.child_key)
        if key is None and attribute.children[0].kind is Kind.INTEGER:
            key = row[attribute.child_key] = max((int(k) for k in rows), default=0) + 1
        if key in (None, ""):
            raise ConfigError(errors.EMPTY, f"{attribute.name}: empty value is not allowed")
        rows[key] = row
    return list(rows.values())


def _parse_children(attribute: Attribute, value: Any) -> Row:
    if not isinstance(value, dict):
        raise bad_value(value, errors.INVALID_VALUE)
    by_name = attribute.child_by_name
    return {name: by_name[name].parse(item) for name, item in value.items() if name in by_name}


_PARSERS: dict[Kind, Callable[[Attribute, Any], Any]] = {
    Kind.TEXT: _parse_text,
    Kind.INTEGER: _parse_integer,
    Kind.CHOICE: _parse_choice,
    Kind.CHOICES: _parse_choices,
    Kind.ADDRESS: _parse_address,
    Kind.NETWORK: _parse_network,
    Kind.HOST: _parse_host,
    Kind.WILDCARD: _parse_wildcard,
    Kind.UUID: _parse_uuid,
    Kind.TIME: _parse_time,
    Kind.MOMENT: _parse_moment,
    Kind.SECRET: _parse_secret,
    Kind.TABLE: _parse_table,
    Kind.OBJECT: _parse_children,
}
