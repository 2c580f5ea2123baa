"""Small, filtered reads, side by side."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any, TypeVar

from pydantic import ValidationError

from backends.fortigate.capabilities import Capabilities
from backends.fortigate.client import Client
from backends.fortigate.decisions import Obstacle
from backends.fortigate.mapping import TABLES, BeyondModel, Found, natural_key, wanted_value
from backends.fortigate.order import MOST_ROWS, Order, denying
from backends.fortigate.settings import Ids
from backends.fortigate.urls import Query, TableUrl, between, either, lookups
from backends.fortigate.wire import EarlierRow, Wire
from bot.engine.side_by_side import both, together
from bot.model.errors import Rejected, Unreachable
from bot.model.resources import Key, Kind
from bot.model.wording import tr
from bot.model.words import key_line, word

_Shape = TypeVar("_Shape", bound=Wire)
Rows = Sequence[dict[str, Any]]


class Reader:
    """Reads rows by natural key or number; never a whole table, never from a cache."""

    def __init__(
        self, system: str, client: Client, ids: Ids, patience_s: float, before_policy: str | None = None
    ) -> None:
        """`before_policy` is the name of the one before which ours belong."""
        self._before_policy = before_policy
        self._system = system
        self._client = client
        self._patience_s = patience_s
        self._ranges: Mapping[Kind, tuple[int, int]] = {"route": ids.routes, "policy": ids.policies}

    @asynccontextmanager
    async def in_time(self) -> AsyncIterator[None]:
        """Limits everything inside together, however many requests and repetitions it takes. Raises Unreachable."""
        try:
            async with asyncio.timeout(self._patience_s):
                yield
        except TimeoutError:
            raise Unreachable(
                self._system, tr("its answers took more than {patience_s:g} s together", patience_s=self._patience_s)
            ) from None

    async def find(self, keys: Collection[Key]) -> dict[Key, Found | Obstacle]:
        """What stands under each key. One request a table as a rule. Raises Unreachable or Rejected."""
        seen, _ = await self.look(keys, ())
        return seen

    async def look(
        self, keys: Collection[Key], rows: Collection[tuple[Kind, int]]
    ) -> tuple[dict[Key, Found | Obstacle], set[tuple[Kind, int]]]:
        """What stands under each key, and which of these row numbers are in use; in the same requests."""
        capabilities = await self._client.capabilities() if keys or rows else None
        requests = []
        for kind, conditions in self._conditions(keys, rows).items():
            assert capabilities is not None  # asked for as soon as anything is wanted
            columns = "|".join(TABLES[kind].columns(capabilities))
            requests += [self._keyed(kind, (*query, ("format", columns))) for query in either(conditions)]
        there: dict[Key, dict[int | str, dict[str, Any]]] = defaultdict(dict)
        taken = set()
        async with self.in_time():
            answers, positions = await both(together(requests), self._positions(keys))
        for found in answers:
            for key, number, row in found:
                taken.add((key.kind, number))
                # The device may compare without regard to case: only what was asked for counts.
                if key in keys:
                    there[key][number] = row
        seen = {key: self._seen(key, list(of.values())) for key, of in there.items()}
        return {**seen, **positions}, taken & set(rows)

    def _conditions(
        self, keys: Collection[Key], rows: Collection[tuple[Kind, int]]
    ) -> Mapping[Kind, Sequence[tuple[str, str]]]:
        """For each table the columns and values of which one must fit."""
        conditions: dict[Kind, list[tuple[str, str]]] = defaultdict(list)
        for key in sorted(set(keys), key=str):
            if key.kind == "position":
                continue
            value = self._value(key)
            conditions[key.kind].append((TABLES[key.kind].natural_key, value))
        for kind, row in sorted(set(rows)):
            conditions[kind].append((TABLES[kind].row_key, str(row)))
        return conditions

    async def _positions(self, keys: Collection[Key]) -> dict[Key, Found | Obstacle]:
        """Where these policies stand; one request for all."""
        asked = [key for key in keys if key.kind == "position"]
        if not asked:
            return {}
        names = [*(key.name for key in asked), *([self._before_policy] if self._before_policy else [])]
        order = await self.denying(names)
        if not order.complete:
            problem = tr("it cannot be told what stands before it: there are {count} denying policies", count=MOST_ROWS)
            return {key: Obstacle(f"{key_line(key)}: {problem}") for key in asked}
        there = {key: order.position(key.name, self._before_policy) for key in asked}
        return {key: Found(position, position.row, "") for key, position in there.items() if position is not None}

    async def denying(self, names: Collection[str]) -> Order:
        """All denying policies, and those of these names. One request. Raises Unreachable or Rejected."""
        query = denying(names, await self.release())
        return Order(await self.shaped("firewall/policy", query, EarlierRow))

    async def release(self) -> Capabilities:
        """What the firewall can do. Raises Unreachable or Rejected."""
        return await self._client.capabilities()

    async def free_rows(self, kind: Kind, count: int) -> Sequence[int]:
        """See `NumbersRows`."""
        if kind not in self._ranges:
            raise Rejected(self._system, tr("a row of kind {kind} has a name, not a number", kind=kind))
        first, last = self._ranges[kind]
        await self._client.capabilities()
        taken = {row for _, row in await self._numbers(kind, between(TABLES[kind].row_key, first, last))}
        free = list(islice((row for row in range(first, last + 1) if row not in taken), count))
        if len(free) < count:
            setting = "routes" if kind == "route" else "policies"
            raise Rejected(
                self._system,
                tr(
                    "only {count} of the row numbers {first} to {last} are free and {needed} are "
                    "needed: widen ids.{setting} in app.yaml",
                    count=len(free),
                    first=first,
                    last=last,
                    needed=count,
                    setting=setting,
                ),
            )
        return free

    async def named(self, table: str, names: Collection[str], columns: str, shape: type[_Shape]) -> Sequence[_Shape]:
        """Rows of a table whose `name` is one of these. Raises Unreachable or Rejected."""
        queries = [(*query, ("format", columns)) for query in lookups("name", sorted(set(names)))]
        found = await together([self.shaped(table, query, shape) for query in queries])
        return [row for rows in found for row in rows if getattr(row, "name", None) in names]

    async def shaped(self, table: str, query: Query, shape: type[_Shape]) -> Sequence[_Shape]:
        """The rows of one answer, in its order. Raises Unreachable or Rejected."""
        rows = await self._client.rows(TableUrl(table), query)
        try:
            return [shape.model_validate(row) for row in rows]
        except ValidationError:
            raise Unreachable(
                self._system, tr("its list of {table} has rows that k8snet cannot read", table=table)
            ) from None

    async def _numbers(self, kind: Kind, conditions: Query) -> set[tuple[Kind, int]]:
        table = TABLES[kind]
        rows = await self._client.rows(TableUrl(table.name), (*conditions, ("format", table.row_key)))
        try:
            return {(kind, int(row[table.row_key])) for row in rows}
        except (KeyError, TypeError, ValueError):
            raise Unreachable(
                self._system,
                tr("its list of {name} has rows without {row_key}", name=table.name, row_key=table.row_key),
            ) from None

    async def _keyed(self, kind: Kind, query: Query) -> Sequence[tuple[Key, Any, dict[str, Any]]]:
        """The rows of one answer with their natural key and their own key on the device."""
        table = TABLES[kind]
        rows = await self._client.rows(TableUrl(table.name), query)
        try:
            return [(natural_key(kind, row), _own_key(row, table.row_key), row) for row in rows]
        except (KeyError, TypeError, ValueError):
            missing = tr(
                "rows without {natural_key} or {row_key}", natural_key=table.natural_key, row_key=table.row_key
            )
            raise Unreachable(
                self._system, tr("its list of {name} has {missing}", name=table.name, missing=missing)
            ) from None

    def _value(self, key: Key) -> str:
        if key.kind not in TABLES:
            raise Rejected(self._system, tr("a FortiGate holds no {kind}", kind=word(key.kind)))
        try:
            return wanted_value(key)
        except ValueError:
            raise Rejected(self._system, tr("{name!r} is not a network such as 10.68.0.0/16", name=key.name)) from None

    def _seen(self, key: Key, rows: Rows) -> Found | Obstacle:
        table = TABLES[key.kind]
        where = " and ".join(f"{table.row_key} {row.get(table.row_key)}" for row in rows)
        if len(rows) > 1:
            return Obstacle(
                tr(
                    "{count} rows of {name} are for {key} ({where}): k8snet cannot tell which one "
                    "counts; remove all but one",
                    count=len(rows),
                    name=table.name,
                    key=key_line(key),
                    where=where,
                )
            )
        try:
            if _damaged(rows[0]):
                raise ValueError("not UTF-8")
            return table.find(rows[0])
        except BeyondModel as beyond:
            return Obstacle(
                tr(
                    "{key} ({where}) has settings that k8snet does not handle: {beyond}; it is not "
                    "touched. Set them back to their defaults, or remove or rename the row",
                    key=key_line(key),
                    where=where,
                    beyond=beyond,
                )
            )
        except ValueError:
            return Obstacle(
                tr(
                    "{key} ({where}) has values that k8snet cannot read; it is not touched",
                    key=key_line(key),
                    where=where,
                )
            )


def _damaged(value: object) -> bool:
    """Whether a text in it holds the mark of bytes that were none: written back, they would be lost."""
    if isinstance(value, dict):
        return any(map(_damaged, value.values()))
    if isinstance(value, list):
        return any(map(_damaged, value))
    return isinstance(value, str) and "\ufffd" in value


def _own_key(row: Mapping[str, Any], column: str) -> str | int:
    """Numbers may come as text. Raises KeyError, TypeError or ValueError for a row without."""
    value = row[column]
    return value if column == "name" and isinstance(value, str) else int(value)
