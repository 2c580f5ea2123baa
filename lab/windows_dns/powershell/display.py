"""How values and errors look on a text console."""

from __future__ import annotations

from typing import Any

from .conversion import to_text
from .errors import ErrorRecord
from .values import CimInstance, NameMap, PSObject

_ZONE_COLUMNS = ("ZoneName", "ZoneType", "IsAutoCreated", "IsDsIntegrated", "IsReverseLookupZone", "IsSigned")


def show(value: Any) -> list[str]:
    """The lines that the host prints for one object of the output."""
    if value is None:
        return []
    if isinstance(value, CimInstance) and "ZoneName" in value.properties:
        texts = [(name, to_text(value.properties.get(name))) for name in _ZONE_COLUMNS]
        return _table(texts)
    if isinstance(value, PSObject):
        return _list(list(value.properties.items()))
    if isinstance(value, NameMap):
        head = [f"{'Name':<30} Value", f"{'----':<30} -----"]
        return ["", *head, *(f"{to_text(key):<30} {to_text(item)}" for key, item in value.items()), ""]
    return [piece for line in to_text(value).split("\n") for piece in (line.rstrip("\r"),)]


def _table(texts: list[tuple[str, str]]) -> list[str]:
    widths = [max(len(name), len(text)) for name, text in texts]
    rows = [[name for name, _ in texts], ["-" * len(name) for name, _ in texts], [text for _, text in texts]]
    return [
        "",
        *(" ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip() for row in rows),
        "",
    ]


def _list(properties: list[tuple[str, Any]]) -> list[str]:
    visible = [(name, item) for name, item in properties if not callable(item)]
    pad = max((len(name) for name, _ in visible), default=0)
    return ["", *(f"{name:<{pad}} : {_cell(item)}" for name, item in visible), ""]


def _cell(item: Any) -> str:
    return "{" + ", ".join(to_text(each) for each in item) + "}" if isinstance(item, list) else to_text(item)


def error_lines(record: ErrorRecord, source: str) -> list[str]:
    """The classic error view: message, position, CategoryInfo, FullyQualifiedErrorId."""
    head = f"{record.activity} : {record.message}" if record.activity else record.message
    place = []
    if record.pos >= 0:
        line = source.count("\n", 0, record.pos) + 1
        column = record.pos - (source.rfind("\n", 0, record.pos) + 1) + 1
        place = [f"At line:{line} char:{column}", f"+ {record.line}", "+ " + "~" * max(1, min(len(record.line), 70))]
    target = _shortened(record)
    activity = f"[{record.activity}], " if record.activity else "[], "
    return [
        *head.splitlines(),
        *place,
        f"    + CategoryInfo          : {record.category}: ({target}) {activity}{record.reason}",
        f"    + FullyQualifiedErrorId : {record.error_id}",
        "",
    ]


def _shortened(record: ErrorRecord) -> str:
    """Target and its type; a long CIM class keeps its beginning and its last fifteen characters."""
    if record.target is None:
        return ":"
    kind = record.target_kind or "String"
    if kind.startswith("root/Microsoft/"):
        kind = f"root/Microsoft/...{kind[-15:]}"
    return f"{to_text(record.target)}:{kind}"
