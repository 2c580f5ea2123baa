"""The configuration as the command line would show it."""

from __future__ import annotations

from collections.abc import Iterator

from lab.fortigate.attributes import Attribute, Kind, Row
from lab.fortigate.configuration import Configuration
from lab.fortigate.device import Device
from lab.fortigate.table import Table

_QUOTED = (Kind.TEXT, Kind.SECRET, Kind.UUID)


def backup(device: Device, vdoms: list[str], *, with_global: bool) -> str:
    """`config ... edit ... set ... next ... end` for every row that is not as it left the factory."""
    version = device.profile.release.removeprefix("v")
    lines = [f"#config-version=FGVM64-{version}-FW-build{device.build:04d}-000000:opmode=0:vdom=0:user=api"]
    if with_global:
        lines += _tables(device, device.shared)
    for name in vdoms:
        if len(device.vdoms) > 1:
            lines += ["config vdom", f"edit {name}"]
        lines += _tables(device, device.vdoms[name])
        if len(device.vdoms) > 1:
            lines.append("end")
    return "\n".join(lines) + "\n"


def _tables(device: Device, configuration: Configuration) -> Iterator[str]:
    for name, rows in configuration.dump().items():
        table = device.tables[name]
        yield f"config {table.path.replace('.', ' ')} {table.name}"
        for row in rows:
            yield from _row(table, row)
        yield "end"


def _row(table: Table, row: Row) -> Iterator[str]:
    indent = "    "
    if not table.singleton:
        key = row[table.key]
        yield f"{indent}edit {key}" if table.integer_key else f'{indent}edit "{key}"'
        indent += "    "
    for name, value in row.items():
        if name != table.key:
            yield from _setting(table.by_name[name], value, indent)
    if not table.singleton:
        yield "    next"


def _setting(attribute: Attribute, value: object, indent: str) -> Iterator[str]:
    if isinstance(value, list) and len(attribute.children) == 1:
        members = " ".join(f'"{member[attribute.child_key]}"' for member in value)
        yield f"{indent}set {attribute.name} {members}"
    elif isinstance(value, list):
        yield f"{indent}config {attribute.name}"
        for member in value:
            yield f"{indent}    edit {member[attribute.child_key]}"
            yield from _children(attribute, member, indent + "        ")
            yield f"{indent}    next"
        yield f"{indent}end"
    elif isinstance(value, dict):
        yield f"{indent}config {attribute.name}"
        yield from _children(attribute, value, indent + "    ")
        yield f"{indent}end"
    elif attribute.kind is Kind.SECRET:
        yield f"{indent}set {attribute.name} ENC XXXX"
    else:
        yield f"{indent}set {attribute.name} {_quoted(attribute, value)}"


def _children(attribute: Attribute, row: Row, indent: str) -> Iterator[str]:
    for name, value in row.items():
        if attribute.kind is Kind.OBJECT or name != attribute.child_key:
            yield from _setting(attribute.child_by_name[name], value, indent)


def _quoted(attribute: Attribute, value: object) -> str:
    return f'"{value}"' if attribute.kind in _QUOTED else str(value)
