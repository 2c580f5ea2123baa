"""Batch transactions: writes that are staged, seen by nobody else, and applied together or not at all.

Tables touched by a transaction are locked for everybody else until it ends. Transactions cover
VDOM tables only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lab.fortigate import errors
from lab.fortigate.attributes import Key, Row
from lab.fortigate.configuration import Configuration
from lab.fortigate.device import Device
from lab.fortigate.errors import ConfigError, NoSuchRow

DEFAULT_TIMEOUT = 60.0


@dataclass
class Transaction:
    """One open transaction; a `Store` for staged reads and writes."""

    number: int
    user: str
    vdom: str
    expires: float
    staged: Configuration
    commands: list[Row] = field(default_factory=list)
    replay: list[Callable[[Configuration], object]] = field(default_factory=list)

    @property
    def locked(self) -> set[str]:
        return {command["table"] for command in self.commands}

    def configuration(self, vdom: str, table: str) -> Configuration:
        if vdom != self.vdom or table not in self.staged.contents:
            raise ConfigError(errors.BAD_INPUT, f"{table} in {vdom} can not be part of transaction {self.number}")
        return self.staged

    def create(self, table: str, body: Row, vdom: str) -> Key:
        staged = self.configuration(vdom, table)
        key = staged.create(table, body)
        row = staged.rows(table)[key]
        self._record("create", table, key, lambda target: target.create(table, row))
        return key

    def update(self, table: str, key: Key, body: Row, vdom: str) -> bool:
        changed = self.configuration(vdom, table).update(table, key, body)
        self._record("update", table, key, lambda target: target.update(table, key, body))
        return changed

    def delete(self, table: str, key: Key, vdom: str) -> None:
        self.configuration(vdom, table).delete(table, key)
        self._record("delete", table, key, lambda target: target.delete(table, key))

    def move(self, table: str, key: Key, neighbour: Key, *, after: bool, vdom: str) -> bool:
        moved = self.configuration(vdom, table).move(table, key, neighbour, after=after)
        self._record("move", table, key, lambda target: target.move(table, key, neighbour, after=after))
        return moved

    def _record(self, command: str, table: str, key: Key, again: Callable[[Configuration], object]) -> None:
        self.commands.append({"command": command, "table": table, "mkey": key})
        self.replay.append(again)


class Transactions:
    """The open transactions of a device. Expired ones are discarded at the next look."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._open: dict[int, Transaction] = {}
        self._last = 0

    def alive(self, vdom: str) -> list[Transaction]:
        now = self._device.clock.now()
        self._open = {number: item for number, item in self._open.items() if item.expires > now}
        return [item for item in self._open.values() if item.vdom == vdom]

    def start(self, user: str, vdom: str, timeout: float) -> Transaction:
        self._last += 1
        staged = self._device.vdoms[vdom].copy()
        transaction = Transaction(self._last, user, vdom, self._device.clock.now() + timeout, staged)
        self._open[self._last] = transaction
        return transaction

    def get(self, vdom: str, number: int | None) -> Transaction:
        """An open transaction; raises `ConfigError` if it does not exist, ended or expired."""
        for transaction in self.alive(vdom):
            if transaction.number == number:
                return transaction
        raise ConfigError(errors.NOT_FOUND, f"Transaction {number} does not exist")

    def check_free(self, vdom: str, table: str, mine: Transaction | None) -> None:
        """Raise `ConfigError` if another transaction holds the table."""
        for transaction in self.alive(vdom):
            if transaction is not mine and table in transaction.locked:
                raise ConfigError(errors.PERMISSION_DENIED, f"{table} is locked by transaction {transaction.number}")

    def commit(self, transaction: Transaction) -> None:
        """Apply all staged writes to what the configuration is by now, or none of them."""
        del self._open[transaction.number]
        if transaction.replay:
            result = self._device.vdoms[transaction.vdom].copy()
            try:
                for again in transaction.replay:
                    again(result)
            except NoSuchRow:
                raise ConfigError(errors.NOT_FOUND, "Entry not found: deleted since it was staged") from None
            self._device.replace(transaction.vdom, result)

    def abort(self, transaction: Transaction) -> None:
        del self._open[transaction.number]
