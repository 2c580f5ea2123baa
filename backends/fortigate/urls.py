"""Addresses of the REST API. A row's address cannot be made without a key, so no request can name a whole table
where it means a row: the API's DELETE on a table wiped it on older firmware."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from urllib.parse import quote

from bot.model.wording import tr

_LONGEST_FILTER = 2000  # characters; web servers commonly take 8000 for the whole request line


@lru_cache(maxsize=1024)  # a check writes the same sixty values again and again
def encoded(text: str) -> str:
    """Percent-encoded with nothing left as it is: `/`, `?`, `#`, `,` and `&` all have a meaning in these addresses."""
    return quote(text, safe="")


@dataclass(frozen=True, slots=True)
class TableUrl:
    """A configuration table, such as `firewall/address`."""

    table: str

    @property
    def path(self) -> str:
        return f"/api/v2/cmdb/{self.table}"


@dataclass(frozen=True, slots=True)
class RowUrl:
    """One row of a configuration table.

    Raises ValueError for the keys that do not name one row: empty text, number 0 (which the API takes for "a new
    one"), negative numbers, and the dot segments that would climb up to the table or above.
    """

    table: str
    key: str | int

    def __post_init__(self) -> None:
        if isinstance(self.key, int):
            if self.key < 1:
                raise ValueError(tr("{key} is not a row of {table}", key=self.key, table=self.table))
        elif not self.key.strip() or self.key in (".", "..", "0"):
            raise ValueError(tr("{key!r} is not a row of {table}", key=self.key, table=self.table))

    @property
    def path(self) -> str:
        return f"/api/v2/cmdb/{self.table}/{encoded(str(self.key))}"


@dataclass(frozen=True, slots=True)
class MonitorUrl:
    """A question about the running device, such as `router/lookup`, or an order to it: `firewall/session/close`."""

    table: str

    @property
    def path(self) -> str:
        return f"/api/v2/monitor/{self.table}"


Query = Sequence[tuple[str, str]]


def query_string(query: Query) -> str:
    """Names and values encoded; a filter is encoded already, except its comparisons and commas: see `lookups`."""
    return "&".join(f"{name}={value if name == 'filter' else encoded(value)}" for name, value in query)


def lookups(column: str, values: Sequence[str]) -> Iterator[Query]:
    """Queries that together match the rows whose column equals one of the values; see `either`."""
    return either([(column, value) for value in values])


def either(conditions: Sequence[tuple[str, str]]) -> Iterator[Query]:
    """Queries that together match the rows in which one of the columns equals its value; few, and none of them long.

    A comma in a filter means "or", even an encoded one: a value with a comma is asked for by itself, in the API's older
    form.
    """
    batch: list[str] = []
    for column, value in conditions:
        if "," in value:
            yield (("key", column), ("pattern", value))
            continue
        comparison = f"{column}=={encoded(value)}"
        if batch and sum(map(len, batch)) + len(batch) + len(comparison) > _LONGEST_FILTER:
            yield (("filter", ",".join(batch)),)
            batch = []
        batch.append(comparison)
    if batch:
        yield (("filter", ",".join(batch)),)


def fitting(column: str, values: Sequence[str]) -> Sequence[str]:
    """As many of the values, from the first one, as one filter that matches each of them has room for."""
    lengths = accumulate(len(column) + len("==,") + len(encoded(value)) for value in values)
    return values[: sum(length <= _LONGEST_FILTER for length in lengths)]


def between(column: str, first: int, last: int) -> Query:
    """A repeated filter means "and". `>` and `<` have no place in an address as they are (RFC 3986, section 2)."""
    return (("filter", f"{column}%3E={first}"), ("filter", f"{column}%3C={last}"))
