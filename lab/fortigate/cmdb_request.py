"""One call on one table, and where its writes go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from lab.fortigate import envelope, errors
from lab.fortigate.attributes import Key, Row
from lab.fortigate.call import Answer, Call
from lab.fortigate.configuration import SINGLE, Configuration
from lab.fortigate.device import Device
from lab.fortigate.errors import ConfigError, NoSuchRow
from lab.fortigate.table import Table


class Store(Protocol):
    """Where writes go: the device, or a transaction that stages them."""

    def configuration(self, vdom: str, table: str) -> Configuration: ...
    def create(self, table: str, body: Row, vdom: str) -> Key: ...
    def update(self, table: str, key: Key, body: Row, vdom: str) -> bool: ...
    def delete(self, table: str, key: Key, vdom: str) -> None: ...
    def move(self, table: str, key: Key, neighbour: Key, *, after: bool, vdom: str) -> bool: ...


@dataclass(frozen=True)
class Request:
    """One call on one table of one VDOM. `rest` is what follows the table's name in the path."""

    device: Device
    store: Store
    call: Call
    vdom: str
    table: Table
    rest: tuple[str, ...]

    @property
    def configuration(self) -> Configuration:
        return self.store.configuration(self.vdom, self.table.full_name)

    @property
    def revision(self) -> str:
        return self.configuration.revision(self.table.full_name)

    @property
    def action(self) -> str:
        return self.call.query.get("action")

    @property
    def key(self) -> Key:
        """The row in the path; raises `NoSuchRow` for text where the table has numbers."""
        if self.table.singleton and not self.rest:
            return SINGLE
        if not self.table.integer_key:
            return self.rest[0]
        if not self.rest[0].isdigit():
            raise NoSuchRow
        return int(self.rest[0])

    @property
    def names_row(self) -> bool:
        return bool(self.rest) or self.table.singleton

    def body(self) -> Row:
        body = self.call.json()
        if not isinstance(body, dict):
            raise ConfigError(errors.BAD_INPUT, "The request body must be a JSON object")
        return body

    def answer(self, status: int = 200, **parts: Any) -> Answer:
        place: Row = {"path": self.table.path, "name": self.table.name}
        if self.rest and "mkey" not in parts:
            place["mkey"] = self._shown_key()
        return envelope.cmdb(self.device, self.call, self.vdom, place, status, **parts)

    def _shown_key(self) -> Key:
        try:
            return self.key
        except NoSuchRow:
            return self.rest[0]
