"""Where new policies stand: at the end, where the device puts them, or before one that app.yaml names."""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import takewhile

from backends.fortigate.reading import Reader
from backends.fortigate.urls import encoded
from backends.fortigate.wire import PlacedRow
from bot.model.wording import tr


@dataclass(frozen=True, slots=True)
class Placement:
    """The anchor's number, None when it is gone, and which of the asked policies stand before it."""

    anchor: int | None
    ahead: frozenset[str]


class Anchor:
    """`before` is the name of the anchor; without one every place is right and nothing is asked."""

    def __init__(self, reader: Reader, before: str | None) -> None:
        self._reader = reader
        self.before = before

    async def look(self, names: Collection[str]) -> Placement:
        """One request; its rows come in the order in which packets meet them. Raises Unreachable or Rejected."""
        assert self.before is not None  # else there is nothing to look for
        either = ",".join(f"name=={encoded(name)}" for name in sorted({*names, self.before}))
        query = (("filter", either), ("format", "policyid|name"))
        rows = await self._reader.shaped("firewall/policy", query, PlacedRow)
        ahead = [row.name for row in takewhile(lambda row: row.name != self.before, rows)]
        if len(ahead) == len(rows):
            return Placement(None, frozenset())
        return Placement(rows[len(ahead)].policyid, frozenset(ahead) & set(names))


def no_anchor(name: str) -> str:
    """Why nothing can be made while the anchor is missing."""
    return tr(
        "there is no policy {name}, before which new ones must stand (before_policy in "
        "app.yaml): correct the name, or take the setting out",
        name=name,
    )
