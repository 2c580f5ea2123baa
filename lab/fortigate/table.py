"""A configuration table: its attributes, its rights, and the rules that a single attribute cannot state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from lab.fortigate.attributes import Attribute, Key, Kind, Row, Version


class Rows(Protocol):
    """What a rule may ask about the rest of the configuration."""

    def get(self, table: str, key: Key) -> Row | None: ...

    def referrers(self, table: str, key: Key, by: str) -> Collection[Key]: ...


Rule = Callable[[Row, Rows], None]
"""Checks a whole row, about to be stored; raises `ConfigError`."""


@dataclass(frozen=True)
class Unique:
    """No two rows may give the same (not None) identity."""

    identity: Callable[[Row], Any]
    code: int
    text: str


@dataclass(frozen=True)
class Table:
    """The definition of a table, for all firmware versions or (after `at`) for one of them.

    `key` is the attribute that identifies a row. A `singleton` has exactly one, unnamed row.
    `right` is the permission group and sub-right of an access profile that govern it.
    `built_in` are rows that every device has.
    """

    path: str
    name: str
    key: str
    right: tuple[str, str]
    attributes: tuple[Attribute, ...]
    global_scope: bool = False
    singleton: bool = False
    ordered: bool = False
    zero_key_refused: bool = False
    rules: tuple[Rule, ...] = ()
    unique: tuple[Unique, ...] = ()
    built_in: tuple[Row, ...] = ()
    by_name: dict[str, Attribute] = field(default_factory=dict, compare=False)
    template: Row = field(default_factory=dict, compare=False)
    special: tuple[Attribute, ...] = ()
    nested: tuple[Attribute, ...] = ()

    @property
    def full_name(self) -> str:
        return f"{self.path}/{self.name}"

    @property
    def integer_key(self) -> bool:
        return not self.singleton and self.by_name[self.key].kind is Kind.INTEGER

    def at(self, version: Version) -> Table:
        """This table as a given version has it."""
        attributes = tuple(a for a in self.attributes if a.exists_in(version))
        template: Row = {}
        if not self.singleton:
            template = {self.key: None, "q_origin_key": None}
        template |= {a.name: a.default for a in attributes if a.name != self.key}
        special = tuple(
            a
            for a in attributes
            if callable(a.default) or a.when or a.skip_unless or a.kind in (Kind.TABLE, Kind.OBJECT, Kind.SECRET)
        )
        return Table(
            **{name: getattr(self, name) for name in _UNCHANGED},
            attributes=attributes,
            by_name={a.name: a for a in attributes},
            template=template,
            special=special,
            nested=tuple(a for a in attributes if a.kind is Kind.OBJECT),
        )

    def parse(self, body: Row) -> Row:
        """The known attributes of a request body in stored form; unknown ones are ignored, and null unsets one."""
        known = ((self.by_name[name], value) for name, value in body.items() if name in self.by_name)
        return {one.name: one.default_for(body) if value is None else one.parse(value) for one, value in known}

    def canonical(self, row: Row) -> Row:
        """The row without values that equal their default, so that equal rows compare equal."""
        compact = {name: _compact(self.by_name[name], value) for name, value in row.items()}
        return {
            name: value for name, value in compact.items() if name == self.key or not self._is_default(name, value, row)
        }

    def merged(self, row: Row, changes: Row) -> Row:
        """The row with (parsed) changes: lists are replaced, nested objects merged."""
        result = row | changes
        for attribute in self.nested:
            if attribute.name in row and attribute.name in changes:
                result[attribute.name] = row[attribute.name] | changes[attribute.name]
        return result

    def _is_default(self, name: str, value: Any, row: Row) -> bool:
        default = self.template[name]
        if callable(default):
            return bool(value == default(row))
        # A list is at its default when empty, a nested object when nothing in it differs.
        return bool(value == default or value in ([], {}))

    def render(self, row: Row, *, skip: bool = False, omit_defaults: bool = False) -> Row:
        """A stored row as a read returns it: defaults filled in, members with their `q_origin_key`."""
        result = dict(self.template)
        result.update(row)
        if not self.singleton:
            result["q_origin_key"] = row[self.key]
        for attribute in self.special:
            if not shown(attribute, result, skip=skip):
                del result[attribute.name]
                continue
            result[attribute.name] = _render_value(attribute, row, result)
        if omit_defaults:
            kept = (self.key, "q_origin_key")
            return {k: v for k, v in result.items() if k in kept or not self._is_default(k, v, row)}
        return result


_UNCHANGED = (
    "path", "name", "key", "right", "global_scope", "singleton", "ordered", "zero_key_refused", "rules",
    "unique", "built_in",
)  # fmt: skip


def shown(attribute: Attribute, row: Row, *, skip: bool) -> bool:
    """Whether a read shows the attribute, given the (rendered) values of the others."""
    conditions = [attribute.when, attribute.skip_unless if skip else None]
    return all(row[condition[0]] in condition[1] for condition in conditions if condition)


def _render_value(attribute: Attribute, row: Row, result: Row) -> Any:
    value = result[attribute.name]
    if callable(value):
        return value(row)
    if attribute.kind is Kind.TABLE:
        return [render_child(attribute, child) for child in value]
    if attribute.kind is Kind.OBJECT:
        return attribute.child_template | value
    if attribute.kind is Kind.SECRET:
        return "ENC XXXX" if value else ""
    return value


def _compact(attribute: Attribute, value: Any) -> Any:
    """A nested value without what is at its default."""
    if attribute.kind is Kind.TABLE and len(attribute.children) > 1:
        return [_compact_children(attribute, child, attribute.child_key) for child in value]
    if attribute.kind is Kind.OBJECT:
        return _compact_children(attribute, value, "")
    return value


def _compact_children(attribute: Attribute, row: Row, key: str) -> Row:
    return {name: value for name, value in row.items() if name == key or value != attribute.child_template[name]}


def render_child(attribute: Attribute, child: Row) -> Row:
    """A row of a child table as a read returns it."""
    key = child[attribute.child_key]
    if len(attribute.children) == 1:
        return {attribute.child_key: key, "q_origin_key": key}
    return {attribute.child_key: key, "q_origin_key": key} | attribute.child_template | child


def catalogue(tables: Sequence[Table], version: Version) -> dict[str, Table]:
    """The tables of one firmware version by full name, e.g. `firewall.service/custom`."""
    return {table.full_name: table.at(version) for table in tables}
