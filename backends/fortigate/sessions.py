"""Flows that our policies have let through: how many are open, and how to make the firewall forget them.

They are asked for by the policy that let them through, so that the cost is that of our own flows, whatever else passes
the firewall; of the answer only what lies in the asked networks counts.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from pydantic import ValidationError

from backends.fortigate.client import Client, Clock
from backends.fortigate.mapping import mark_of
from backends.fortigate.reading import Reader
from backends.fortigate.urls import MonitorUrl, lookups
from backends.fortigate.wire import OwnedRow, SessionList, SessionRow
from bot.engine.side_by_side import together
from bot.model.errors import OutcomeUnknown, Rejected, Unreachable
from bot.model.probes import ClearedSessions, OpenSessions
from bot.model.wording import tr

_PAGE = 1000  # the most that a device lists at once
_MOST_OF_A_POLICY = 5000
_CLOSE = MonitorUrl("firewall/session/close")


class _Unclear(Exception):
    """The list did not come as it was asked for."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """Flows of some policies to some networks; not `complete` when a policy has more than are read."""

    rows: Sequence[SessionRow]
    complete: bool = True


class Sessions:
    """See `ClearsSessions`."""

    def __init__(self, client: Client, reader: Reader, clock: Clock) -> None:
        self._client = client
        self._reader = reader
        self._clock = clock

    async def open(
        self, policies: Collection[str], networks: Collection[IPv4Network], besides: IPv4Address | None
    ) -> OpenSessions:
        """See `ClearsSessions.open_sessions`."""
        try:
            numbers = [row.policyid for row in await self._policies(policies)]
            listed = await self._listed(numbers, networks)
        except (Rejected, _Unclear) as error:
            return OpenSessions(count=None, problem=_said(error))
        count = dict.fromkeys(networks, 0)
        for row in listed.rows:
            if row.saddr == str(besides):
                continue
            for network in networks:
                count[network] += _lies_in(row, [network])
        return OpenSessions(count=count, complete=listed.complete)

    async def clear(
        self,
        policies: Collection[str],
        networks: Collection[IPv4Network],
        older_than_s: float,
        not_after: float | None = None,
    ) -> ClearedSessions:
        """See `ClearsSessions.clear_sessions`. One request for each flow, one after the other."""
        try:
            numbers = [row.policyid for row in await self._policies(policies) if mark_of(row.comments) is not None]
            listed = await self._listed(numbers, networks)
        except (Rejected, _Unclear) as error:
            return ClearedSessions(cleared=0, left=None, problem=_said(error))
        stale = [row for row in listed.rows if row.duration > older_than_s]
        if not stale:
            return ClearedSessions(cleared=0, left=0, problem="" if listed.complete else _more())
        problem = await self._close(stale, not_after)
        try:
            after = {_flow(row) for row in (await self._listed(numbers, networks)).rows if row.duration > older_than_s}
        except (Rejected, Unreachable, _Unclear) as error:
            return ClearedSessions(cleared=0, left=None, problem=problem or _said(error))
        left = sum(_flow(row) in after for row in stale)
        if not listed.complete:
            problem = problem or _more()
        return ClearedSessions(cleared=len(stale) - left, left=left, problem=problem)

    async def _close(self, rows: Sequence[SessionRow], not_after: float | None) -> str:
        """What ended it early, or nothing."""

        def may_go() -> bool:
            return not_after is None or self._clock.monotonic() < not_after

        for row in rows:
            flow = {
                "pro": row.proto,
                "saddr": row.saddr,
                "sport": row.sport,
                "daddr": row.daddr,
                "dport": row.dport,
            }
            try:
                await self._client.command(_CLOSE, flow, may_go)
            except OutcomeUnknown:
                continue  # the list read afterwards tells
            except (Rejected, Unreachable) as error:
                return error.problem
        return ""

    async def _policies(self, names: Collection[str]) -> Sequence[OwnedRow]:
        queries = [(*query, ("format", "policyid|name|comments")) for query in lookups("name", sorted(set(names)))]
        found = await together([self._reader.shaped("firewall/policy", query, OwnedRow) for query in queries])
        return [row for rows in found for row in rows if row.name in names]

    async def _listed(self, policies: Sequence[int], networks: Collection[IPv4Network]) -> _Listed:
        async with self._reader.in_time():
            found = await together([self._of(policy) for policy in policies])
        rows = [row for of in found for row in of.rows if _lies_in(row, networks)]
        return _Listed(rows, all(of.complete for of in found))

    async def _of(self, policy: int) -> _Listed:
        table = (await self._client.capabilities()).sessions.table
        rows: list[SessionRow] = []
        while len(rows) < _MOST_OF_A_POLICY:
            query = (("count", str(_PAGE)), ("start", str(len(rows))), ("policyid", str(policy)))
            try:
                page = SessionList.model_validate(await self._client.look_up(MonitorUrl(table), query)).details
            except ValidationError:
                raise _Unclear(tr("the firewall's sessions came in a form that k8snet does not know")) from None
            if any(row.policyid != policy for row in page):
                raise _Unclear(tr("the firewall did not understand the filter and listed other sessions, too"))
            rows += page
            if len(page) < _PAGE:
                return _Listed(rows)
        return _Listed(rows, complete=False)


def _more() -> str:
    return tr("the list was cut after {most} flows of a policy; there are more", most=_MOST_OF_A_POLICY)


def _said(error: Exception) -> str:
    return error.problem if isinstance(error, Rejected | Unreachable) else str(error)


def _flow(row: SessionRow) -> tuple[str, str, int, str, int]:
    return row.proto, row.saddr, row.sport, row.daddr, row.dport


def _lies_in(row: SessionRow, networks: Collection[IPv4Network]) -> bool:
    try:
        address = IPv4Address(row.daddr)
    except AddressValueError:
        return False  # IPv6
    return any(address in network for network in networks)
