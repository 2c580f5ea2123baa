"""The configuration of one VDOM (or of the device as a whole): tables of rows, kept consistent.

Every write either succeeds as a whole or raises and changes nothing. Rows are never modified in
place, so that a copy of a configuration is cheap and independent.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lab.fortigate import errors
from lab.fortigate.attributes import Attribute, Key, Kind, Row
from lab.fortigate.errors import ConfigError, NoSuchRow
from lab.fortigate.table import Table

Place = tuple[str, Key]
"""A row: full table name and key."""

SINGLE: Key = ""
"""The key of a singleton's only row."""


class Contents:
    """The rows of one table in order, with the indexes of its uniqueness rules."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.rows: dict[Key, Row] = {}
        self.identities: list[dict[Any, Key]] = [{} for _ in table.unique]
        self.changes = 0

    def copy(self) -> Contents:
        twin = Contents(self.table)
        twin.rows = dict(self.rows)
        twin.identities = [dict(index) for index in self.identities]
        twin.changes = self.changes
        return twin

    def put(self, key: Key, row: Row) -> None:
        self.drop_identities(key)
        self.rows[key] = row
        for rule, index in zip(self.table.unique, self.identities, strict=True):
            if (identity := rule.identity(row)) is not None:
                index[identity] = key

    def drop_identities(self, key: Key) -> None:
        if (row := self.rows.get(key)) is None:
            return
        for rule, index in zip(self.table.unique, self.identities, strict=True):
            if index.get(identity := rule.identity(row)) == key:
                del index[identity]


class Configuration:
    """Tables by full name (`firewall/address`) for one VDOM.

    `seed` makes revisions differ between devices and restarts; `missing_code` is the error for
    naming an absent object.
    """

    def __init__(self, tables: Mapping[str, Table], seed: str, missing_code: int) -> None:
        self.contents = {name: Contents(table) for name, table in tables.items()}
        self.seed = seed
        self.missing_code = missing_code
        self.limits: dict[str, int] = {}
        self.references_checked = True
        self._users: dict[Place, dict[str, dict[Key, int]]] = {}
        self._references = {name: list(_reference_attributes(table)) for name, table in tables.items()}
        for name, table in tables.items():
            for key, row in _built_in(name, table):
                self.contents[name].put(key, row)
        for name, contents in self.contents.items():
            for key, row in contents.rows.items():
                self._count_references(name, key, row, +1)

    def copy(self) -> Configuration:
        """An independent twin, for staging writes."""
        twin = object.__new__(Configuration)
        twin.__dict__.update(self.__dict__)
        twin.contents = {name: contents.copy() for name, contents in self.contents.items()}
        twin._users = {
            place: {name: dict(keys) for name, keys in users.items()} for place, users in self._users.items()
        }
        return twin

    # Reading

    def get(self, table: str, key: Key) -> Row | None:
        """The stored (sparse) row, or None."""
        contents = self.contents.get(table)
        return contents.rows.get(key) if contents else None

    def rows(self, table: str) -> Mapping[Key, Row]:
        """All stored rows in table order, by key; not to be modified."""
        return self.contents[table].rows

    def referrers(self, table: str, key: Key, by: str) -> Collection[Key]:
        """The keys of the rows in table `by` that name this row."""
        return self._users.get((table, key), {}).get(by, {})

    def users(self, table: str, key: Key) -> list[Place]:
        """All rows that name this row."""
        return [(by, user) for by, keys in self._users.get((table, key), {}).items() for user in keys]

    def reference_count(self, table: str, key: Key) -> int:
        """How often this row is named; twice if one row names it in two attributes."""
        return sum(sum(keys.values()) for keys in self._users.get((table, key), {}).values())

    def revision(self, table: str) -> str:
        """32 hexadecimal digits that change with every effective write to the table."""
        changes = self.contents[table].changes
        return hashlib.md5(f"{self.seed}:{table}:{changes}".encode(), usedforsecurity=False).hexdigest()

    # Writing

    def create(self, table: str, body: Row) -> Key:
        """Add a row at the end and return its key; integer keys of 0 or none are allocated."""
        definition = self.contents[table].table
        row = definition.parse(body)
        key = row[definition.key] = self._new_key(table, row.get(definition.key))
        if key in self.rows(table):
            raise ConfigError(errors.DUPLICATE_KEY, f"A duplicate entry already exists: {key}")
        limit = self.limits.get(table)
        if limit is not None and len(self.rows(table)) >= limit:
            raise ConfigError(errors.TABLE_FULL, "Maximum number of entries has been reached")
        if "uuid" in definition.by_name and "uuid" not in row:
            row["uuid"] = str(uuid.uuid4())
        self._store(table, None, definition.canonical(row))
        return key

    def update(self, table: str, key: Key, body: Row) -> bool:
        """Merge `body` into a row; whether anything changed. A different key in it renames the row."""
        old = self.require(table, key)
        definition = self.contents[table].table
        parsed = definition.parse(body)
        if not definition.singleton and parsed.get(definition.key) in (0, ""):
            del parsed[definition.key]
        new = definition.canonical(definition.merged(old, parsed))
        if new == old:
            return False
        new_key = key if definition.singleton else new[definition.key]
        if new_key != key and new_key in self.rows(table):
            raise ConfigError(errors.DUPLICATE_KEY, f"A duplicate entry already exists: {new_key}")
        self._store(table, key, new)
        return True

    def delete(self, table: str, key: Key) -> None:
        row = self.require(table, key)
        users = self.reference_count(table, key)
        if users and self.references_checked:
            raise ConfigError(errors.IN_USE, f"The entry is used by other {users} entries")
        self._count_references(table, key, row, -1)
        contents = self.contents[table]
        contents.drop_identities(key)
        del contents.rows[key]
        contents.changes += 1
        if dangling := self._users.pop((table, key), None):
            self._users.setdefault(("", key), {}).update(dangling)

    def move(self, table: str, key: Key, neighbour: Key, *, after: bool) -> bool:
        """Put a row directly before or after another; whether the order changed."""
        self.require(table, key)
        contents = self.contents[table]
        if neighbour not in contents.rows or neighbour == key:
            raise ConfigError(errors.NOT_FOUND, f"Entry not found: {neighbour}")
        order = [k for k in contents.rows if k != key]
        order.insert(order.index(neighbour) + after, key)
        if order == list(contents.rows):
            return False
        contents.rows = {k: contents.rows[k] for k in order}
        contents.changes += 1
        return True

    def restore(self, table: str, key: Key, row: Row | None, position: int) -> None:
        """Put a row back to an earlier state, unchecked: what a device does that forgets a write."""
        contents = self.contents[table]
        if key in contents.rows:
            self._count_references(table, key, contents.rows[key], -1)
            contents.drop_identities(key)
            del contents.rows[key]
        if row is not None:
            contents.put(key, row)
            self._count_references(table, key, row, +1)
            order = [k for k in contents.rows if k != key]
            order.insert(position, key)
            contents.rows = {k: contents.rows[k] for k in order}
        contents.changes += 1

    def require(self, table: str, key: Key) -> Row:
        row = self.get(table, key)
        if row is None:
            raise NoSuchRow
        return row

    # As a whole

    def load(self, tables: Mapping[str, list[Row]]) -> None:
        """Add the rows of many tables at once, in any order; raises `ValueError` naming the bad row."""
        added: list[tuple[str, int, Key, Row]] = []
        for name, bodies in tables.items():
            for index, body in enumerate(bodies):
                with _located(name, index):
                    added.append((name, index, *self._load(name, body)))
        for name, index, key, row in added:
            with _located(name, index):
                self._check(name, key, row)
            self._count_references(name, key, row, +1)

    def dump(self) -> dict[str, list[Row]]:
        """The rows of all tables, sparse, without what is as on a factory-fresh device."""
        result = {}
        for name, contents in self.contents.items():
            fresh = dict(_built_in(name, contents.table))
            rows = [row for key, row in contents.rows.items() if row != fresh.get(key)]
            if rows:
                result[name] = rows
        return result

    def _load(self, name: str, body: Row) -> tuple[Key, Row]:
        if name not in self.contents:
            raise ConfigError(errors.NOT_FOUND, "there is no such table in this firmware version")
        contents = self.contents[name]
        definition = contents.table
        row = definition.parse(body)
        key = SINGLE
        if not definition.singleton:
            key = row[definition.key] = self._new_key(name, row.get(definition.key))
        old = contents.rows.get(key)
        if old is not None:
            self._count_references(name, key, old, -1)
        if "uuid" in definition.by_name and "uuid" not in row:
            row["uuid"] = old["uuid"] if old else str(uuid.uuid4())
        row = definition.canonical(row)
        contents.put(key, row)
        return key, row

    # The parts of a write

    def _new_key(self, table: str, wanted: Any) -> Key:
        if not self.contents[table].table.integer_key:
            if not wanted:
                raise ConfigError(errors.EMPTY, "Empty value is not allowed: the key attribute is missing")
            return str(wanted)
        if wanted:
            return int(wanted)
        return max((int(key) for key in self.rows(table)), default=0) + 1

    def _store(self, table: str, old_key: Key | None, row: Row) -> None:
        contents = self.contents[table]
        definition = contents.table
        key = SINGLE if definition.singleton else row[definition.key]
        self._check(table, key if old_key is None else old_key, row)
        old = contents.rows.get(old_key) if old_key is not None else None
        if old is not None and old_key is not None:
            self._count_references(table, old_key, old, -1)
        if old_key is not None and old_key != key:
            self._rename(table, old_key, key)
        contents.put(key, row)
        self._count_references(table, key, row, +1)
        contents.changes += 1

    def _check(self, table: str, key: Key, row: Row) -> None:
        contents = self.contents[table]
        for place in self._referred(table, row):
            if place[0] == "":
                raise errors.missing_reference(str(place[1]), self.missing_code)
        for rule in contents.table.rules:
            rule(row, self)
        for unique, index in zip(contents.table.unique, contents.identities, strict=True):
            identity = unique.identity(row)
            if identity is not None and index.get(identity, key) != key:
                raise ConfigError(unique.code, unique.text)

    def _rename(self, table: str, old_key: Key, key: Key) -> None:
        users = [(user_table, user, self.rows(user_table)[user]) for user_table, user in self.users(table, old_key)]
        for user_table, user, row in users:
            # While the old name still leads somewhere: references are resolved by name.
            self._count_references(user_table, user, row, -1)
        contents = self.contents[table]
        contents.drop_identities(old_key)
        contents.rows = {key if k == old_key else k: row for k, row in contents.rows.items()}
        for user_table, user, row in users:
            renamed = _renamed(row, self._references[user_table], table, old_key, key)
            self.contents[user_table].put(user, renamed)
            self.contents[user_table].changes += 1
            self._count_references(user_table, user, renamed, +1)

    def _count_references(self, table: str, key: Key, row: Row, step: int) -> None:
        for place in self._referred(table, row):
            users = self._users.setdefault(place, {})
            keys = users.setdefault(table, {})
            keys[key] = keys.get(key, 0) + step
            if keys[key] <= 0:
                del keys[key]
            if not keys:
                del users[table]
            if not users:
                del self._users[place]

    def _referred(self, table: str, row: Row) -> Iterator[Place]:
        """The rows that `row` names; an unknown one as `("", name)`."""
        for attribute, child in self._references[table]:
            value = row.get(attribute.name)
            if not value:
                continue
            if child is None:
                yield self._resolve(attribute, value)
                continue
            for member in value:
                name = member.get(child.name)
                if name and name not in child.free_names:
                    yield self._resolve(child, name)

    def _resolve(self, attribute: Attribute, name: str) -> Place:
        for table in attribute.references:
            if name in self.contents[table].rows:
                return (table, name)
        return ("", name)


def _built_in(name: str, table: Table) -> Iterator[tuple[Key, Row]]:
    for row in table.built_in:
        identity = {"uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name}/{row.get(table.key)}"))}
        known = row | (identity if "uuid" in table.by_name else {})
        yield SINGLE if table.singleton else row[table.key], table.canonical(table.parse(known))


@contextmanager
def _located(table: str, index: int) -> Iterator[None]:
    try:
        yield
    except ConfigError as error:
        raise ValueError(f"{table}, row {index + 1}: {error.text} ({error.code})") from error


def _reference_attributes(table: Table) -> Iterator[tuple[Attribute, Attribute | None]]:
    """The attributes that name rows: themselves, or (second) through their children."""
    for attribute in table.attributes:
        if attribute.references:
            yield attribute, None
        if attribute.kind is Kind.TABLE:
            yield from ((attribute, child) for child in attribute.children if child.references)


def _renamed(row: Row, references: list[tuple[Attribute, Attribute | None]], table: str, old: Key, new: Key) -> Row:
    result = dict(row)
    for attribute, child in references:
        value = row.get(attribute.name)
        if child is None:
            if value == old and table in attribute.references:
                result[attribute.name] = new
        elif value and table in child.references:
            result[attribute.name] = [
                member | {child.name: new} if member.get(child.name) == old else member for member in value
            ]
    return result
