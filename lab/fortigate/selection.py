"""Which rows of a table a read returns, and which of their attributes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from lab.fortigate.attributes import Key, Kind, Row
from lab.fortigate.call import Query
from lab.fortigate.table import Table, render_child, shown

_CONDITION = re.compile(r"([\w.-]+?)(==|=\*|=@|!=|!\*|!@|<=|>=|<|>)(.*)", re.DOTALL)


def _compare(test: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def compare(value: str, pattern: str) -> bool:
        try:
            return test(float(value), float(pattern))
        except ValueError:
            return False

    return compare


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "==": lambda value, pattern: value == pattern,
    "=*": lambda value, pattern: value.lower() == pattern.lower(),
    "=@": lambda value, pattern: pattern.lower() in value.lower(),
    "<": _compare(lambda a, b: a < b),
    "<=": _compare(lambda a, b: a <= b),
    ">": _compare(lambda a, b: a > b),
    ">=": _compare(lambda a, b: a >= b),
}
_NEGATED = {"!=": "==", "!*": "=*", "!@": "=@"}


@dataclass(frozen=True)
class Condition:
    """`key<operator>pattern`. On a list it holds when it holds for any member (negated ones: for none)."""

    name: str
    operator: str
    pattern: str

    def holds(self, table: Table, row: Row) -> bool:
        if self.name not in table.by_name:
            return False
        positive = _OPERATORS[_NEGATED.get(self.operator, self.operator)]
        found = any(positive(text, self.pattern) for text in _texts(table, row, self.name))
        return found != (self.operator in _NEGATED)


def _texts(table: Table, row: Row, name: str) -> Iterable[str]:
    attribute = table.by_name[name]
    value = row.get(name)
    if value is None:
        value = attribute.default_for(row)
    if attribute.kind is Kind.TABLE:
        return [str(member[attribute.child_key]) for member in value]
    return [str(value)]


@dataclass(frozen=True)
class Selection:
    """The answer to a read: all of `conditions` (each a list of alternatives), then the window."""

    conditions: tuple[tuple[Condition, ...], ...] = ()
    fields: frozenset[str] | None = None
    start: int = 0
    count: int | None = None
    skip: bool = False
    omit_defaults: bool = False

    @classmethod
    def parse(cls, query: Query) -> Selection:
        """From `filter`, `key` and `pattern`, `format`, `start`, `count`, `skip`, `exclude-default-values`."""
        conditions = [_alternatives(text) for text in query.encoded("filter")]
        if query.get("key") and "pattern" in query:
            conditions.append((Condition(query.get("key"), "==", query.get("pattern")),))
        fields = query.get("format")
        return cls(
            tuple(conditions),
            frozenset(re.split(r"[|,]", fields)) if fields else None,
            max(query.number("start") or 0, 0),
            query.number("count"),
            query.flag("skip"),
            query.flag("exclude-default-values"),
        )

    def matching(self, table: Table, rows: Mapping[Key, Row]) -> list[Row]:
        """The stored rows that fulfil the conditions, before the window."""
        keyed = self._by_key(table)
        candidates = rows.values() if keyed is None else [rows[key] for key in keyed if key in rows]
        return [row for row in candidates if all(_any_holds(c, table, row) for c in self.conditions)]

    def window(self, rows: list[Row]) -> list[Row]:
        end = None if self.count is None or self.count < 0 else self.start + self.count
        return rows[self.start : end]

    def render(self, table: Table, row: Row) -> Row:
        if self.fields is None:
            return table.render(row, skip=self.skip, omit_defaults=self.omit_defaults)
        return _render_fields(table, row, self.fields, skip=self.skip)

    def _by_key(self, table: Table) -> list[Key] | None:
        """The only key that can match, so that a keyed filter needs no scan."""
        for alternatives in self.conditions:
            if len(alternatives) == 1 and alternatives[0].operator == "==" and alternatives[0].name == table.key:
                pattern = alternatives[0].pattern
                if not table.integer_key:
                    return [pattern]
                return [int(pattern)] if pattern.isdigit() else []
        return None


def _alternatives(text: str) -> tuple[Condition, ...]:
    """One filter parameter: conditions separated by commas.

    An encoded comma separates as well: the vendor's Ansible collection encodes whole filters and
    documents the comma as its logical or.
    """
    matches = (_CONDITION.fullmatch(part) for part in unquote_plus(text).split(","))
    return tuple(Condition(*match.groups()) for match in matches if match)


def _any_holds(alternatives: Iterable[Condition], table: Table, row: Row) -> bool:
    return any(condition.holds(table, row) for condition in alternatives)


def _render_fields(table: Table, row: Row, fields: frozenset[str], *, skip: bool) -> Row:
    result: dict[str, Any] = {}
    for name in table.template:
        if name == "q_origin_key":
            result[name] = row[table.key]
        elif name in fields:
            attribute = table.by_name[name]
            value = row.get(name, attribute.default_for(row))
            if (attribute.when or attribute.skip_unless) and not shown(attribute, table.template | row, skip=skip):
                continue
            if attribute.kind is Kind.TABLE:
                value = [render_child(attribute, child) for child in value]
            elif attribute.kind is Kind.OBJECT:
                value = attribute.child_template | value
            elif attribute.kind is Kind.SECRET:
                value = "ENC XXXX" if value else ""
            result[name] = value
    return result
