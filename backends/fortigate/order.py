"""The order of the policies, as far as it matters: who denies before whom. Pure."""

from collections.abc import Collection, Iterable, Sequence
from itertools import takewhile
from typing import Literal

from backends.fortigate.capabilities import Capabilities
from backends.fortigate.mapping import mark_of
from backends.fortigate.urls import Query, encoded
from backends.fortigate.wire import EarlierRow
from bot.model.resources import Ahead, Position
from bot.model.value import digest

MOST_ROWS = 100  # of some 700 bytes
_COLUMNS = (
    "policyid|name|action|status|srcintf|dstintf|srcaddr|dstaddr|service|schedule|"
    "srcaddr-negate|dstaddr-negate|service-negate|internet-service|internet-service-src|comments"
)


def each(column: str, values: Collection[str]) -> list[str]:
    """Comparisons of a filter, of which one must hold."""
    return [f"{column}=={encoded(value)}" for value in sorted(set(values))]


def columns(release: Capabilities) -> str:
    """What tells which packets a policy takes."""
    return "|".join((_COLUMNS, *release.limiting_columns))


def denying(names: Collection[str], release: Capabilities) -> Query:
    """Asks for all denying policies, and those of these names, in one request."""
    either = ",".join(["action==deny", *each("name", names)])
    return (("filter", either), ("format", columns(release)), ("count", str(MOST_ROWS)))


class Order:
    """Policies of one kind, the anchor, and policies of given names, in the order in which packets meet them."""

    def __init__(self, rows: Sequence[EarlierRow], whole: bool = True) -> None:
        self._rows = rows
        self.complete = whole and len(rows) < MOST_ROWS

    def holds(self, name: str) -> bool:
        return self.row(name) is not None

    def row(self, name: str) -> EarlierRow | None:
        return next((row for row in self._rows if row.name == name), None)

    def before(self, name: str | None, action: Literal["accept", "deny"]) -> Sequence[EarlierRow]:
        """The enabled policies with this action before the one of this name, or all without a name."""
        return [row for row in self._earlier(name) if row.action == action and row.status == "enable"]

    def position(self, name: str, anchor: str | None) -> Position | None:
        """Where the policy of this name stands, if it is there; among denying ones and the one of the name `anchor`."""
        ours = self.row(name)
        if ours is None:
            return None
        denies = meeting(self.before(name, "deny"), ours.srcintf, ours.dstintf)
        behind = [row for row in self._earlier(name) if row in denies or row.name == anchor]
        return Position(
            policy=name,
            row=ours.policyid,
            owner=mark_of(ours.comments),
            behind=tuple(Ahead(row=row.policyid, name=row.name, matches=_matches(row)) for row in behind),
        )

    def _earlier(self, name: str | None) -> Iterable[EarlierRow]:
        return takewhile(lambda row: name is None or row.name != name, self._rows)


def meeting(rows: Iterable[EarlierRow], entering: Collection[str], leaving: Collection[str]) -> list[EarlierRow]:
    """Those that look at packets between the same interfaces."""
    return [row for row in rows if _shared(row.srcintf, entering) and _shared(row.dstintf, leaving)]


def _shared(theirs: Collection[str], ours: Collection[str]) -> bool:
    return bool({*theirs} & {*ours}) or "any" in theirs or "any" in ours


def _matches(row: EarlierRow) -> str:
    return digest(row.model_dump(mode="json", exclude={"policyid", "name", "comments"}))[:8]
