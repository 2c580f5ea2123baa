"""What the firewall itself says about a path: its route and policy look-up, its counters, its sessions."""

import asyncio
from datetime import UTC, datetime
from ipaddress import IPv4Address
from typing import Any

from pydantic import TypeAdapter, ValidationError

from backends.fortigate import problems
from backends.fortigate.client import Client, Refused
from backends.fortigate.urls import MonitorUrl, TableUrl, lookups
from backends.fortigate.wire import Counter, PlacedRow, PolicyLookup, RouteLookup, SessionList
from bot.model.errors import Rejected
from bot.model.facts import Protocol
from bot.model.probes import HitsAnswer, PolicyAnswer, RouteAnswer, SessionsAnswer
from bot.model.wording import tr

_NUMBERS: dict[Protocol, int] = {"TCP": 6, "UDP": 17, "SCTP": 132}
_IMPLICIT_DENY = "implicit deny"
_MOST_COUNTERS = 200  # of some 450 bytes
_SESSIONS = 20  # the least that a device lists


class Oracle:
    """Missing rights and missing calls are answers ("cannot tell, because"); only an unreachable device is an error."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._rows: dict[int, asyncio.Future[tuple[bool, str] | None]] = {}  # of policies, while they are being read

    async def route(self, destination: IPv4Address) -> RouteAnswer:
        """The route that a packet to this address takes now."""

        def undetermined(problem: str) -> RouteAnswer:
            return RouteAnswer(destination=destination, found=None, problem=problem)

        try:
            results = await self._ask("router/lookup", [("destination", str(destination))])
            lookup = RouteLookup.model_validate(results)
            way = lookup.entries[0] if lookup.entries else lookup
            gateway = IPv4Address(way.gateway) if way.gateway else None
        except Rejected as no:
            return undetermined(no.problem)
        except ValueError:
            return undetermined(tr("the firewall's route look-up answered in a form that k8snet does not know"))
        if not lookup.success:
            return RouteAnswer(destination=destination, found=False)
        gateway = None if gateway is not None and gateway.is_unspecified else gateway  # directly connected
        return RouteAnswer(destination=destination, found=True, interface=way.interface, gateway=gateway)

    async def policy(
        self, interface: str, source: IPv4Address, destination: IPv4Address, protocol: Protocol, port: int
    ) -> PolicyAnswer:
        """The first policy that matches such a packet entering at this interface."""

        def answer(allowed: bool | None, policy: str = "", problem: str = "") -> PolicyAnswer:
            return PolicyAnswer(
                source=source,
                destination=destination,
                protocol=protocol,
                port=port,
                allowed=allowed,
                policy=policy,
                problem=problem,
            )

        query = [
            ("srcintf", interface),
            ("sourceip", str(source)),
            ("protocol", str(_NUMBERS[protocol])),
            ("dest", str(destination)),
            ("destport", str(port)),
            ("sourceport", "49152"),
        ]
        try:
            lookup = PolicyLookup.model_validate(await self._ask("firewall/policy-lookup", query))
            if not lookup.success or lookup.policy_id is None:
                return answer(None, problem=problems.look_up_error(lookup.error_code))
            if lookup.policy_id == 0:
                return answer(False, policy=_IMPLICIT_DENY)
            row = await self._row(lookup.policy_id)
        except Rejected as no:
            return answer(None, problem=no.problem)
        except ValidationError:
            return answer(
                None, problem=tr("the firewall's policy look-up answered in a form that k8snet does not know")
            )
        if row is None:
            return answer(
                None,
                str(lookup.policy_id),
                tr("policy {policy_id} decides, but it could not be read", policy_id=lookup.policy_id),
            )
        accepts, name = row
        return answer(accepts, policy=name)

    async def hits(self, policy: str) -> HitsAnswer:
        """How often the policy of this name let something begin."""

        def undetermined(problem: str) -> HitsAnswer:
            return HitsAnswer(policy=policy, hits=None, problem=problem)

        try:
            number = await self._number(policy)
            if number is None:
                return undetermined(tr("there is no policy {policy}", policy=policy))
            release = await self._client.capabilities()
            if not release.counts_one_policy and not await self._few_policies():
                return undetermined(
                    tr("{release} tells the counters of all policies only at once; 7.6 tells one", release=release)
                )
            results = await self._ask("firewall/policy", [("policyid", str(number))])
            counters = TypeAdapter(list[Counter]).validate_python(results)
        except Rejected as no:
            return undetermined(no.problem)
        except ValidationError:
            return undetermined(tr("the firewall's counters came in a form that k8snet does not know"))
        counter = next((counter for counter in counters if counter.policyid == number), None)
        if counter is None:
            return undetermined(tr("the firewall has no counter for policy {policy}", policy=policy))
        last = datetime.fromtimestamp(counter.last_used, UTC) if counter.last_used else None
        return HitsAnswer(policy=policy, hits=counter.hit_count, last_used=last)

    async def sessions(self, destination: IPv4Address, protocol: Protocol, port: int) -> SessionsAnswer:
        """The flows to this port that are open now. Their number is exact; `answered` looks at the first ones."""

        def answer(count: int | None, answered: int = 0, problem: str = "") -> SessionsAnswer:
            return SessionsAnswer(
                destination=destination, protocol=protocol, port=port, count=count, answered=answered, problem=problem
            )

        try:
            table, by_address, by_port = (await self._client.capabilities()).sessions
            query = [
                ("count", str(_SESSIONS)),
                ("summary", "true"),
                ("protocol", protocol.lower()),
                (by_address, str(destination)),
                (by_port, str(port)),
            ]
            found = SessionList.model_validate(await self._ask(table, query))
        except Rejected as no:
            return answer(None, problem=no.problem)
        except ValidationError:
            return answer(None, problem=tr("the firewall's sessions came in a form that k8snet does not know"))
        kinds = (protocol.lower(), str(_NUMBERS[protocol]))
        fitting = [
            row
            for row in found.details
            if row.proto.lower() in kinds and row.daddr == str(destination) and row.dport == port
        ]
        if len(fitting) < len(found.details):
            return answer(None, problem=tr("the firewall did not understand the filter and listed other sessions, too"))
        matched = found.summary.matched_count
        return answer(len(fitting) if matched is None else matched, sum(row.rcvdbyte > 0 for row in fitting))

    async def _few_policies(self) -> bool:
        """Whether the counters of all of them together are a small answer."""
        query = (("format", "policyid"), ("count", str(_MOST_COUNTERS + 1)))
        return len(await self._client.rows(TableUrl("firewall/policy"), query)) <= _MOST_COUNTERS

    async def _number(self, policy: str) -> int | None:
        """The row number of the policy of this name."""
        [lookup] = lookups("name", [policy])
        for row in await self._client.rows(TableUrl("firewall/policy"), (*lookup, ("format", "policyid|name"))):
            if row.get("name") == policy:
                return PlacedRow.model_validate(row).policyid
        return None

    async def _ask(self, table: str, query: list[tuple[str, str]]) -> Any:
        try:
            return await self._client.look_up(MonitorUrl(table), query)
        except Refused as no:
            if no.status in (404, 405):
                release = await self._client.capabilities()
                raise Refused(
                    no.system, tr("{release} has no {table}", release=release, table=table), no.status
                ) from None
            raise

    async def _row(self, policy: int) -> tuple[bool, str] | None:
        """Whether the policy accepts, and its name or else number; None when it is gone by now.

        The look-ups of one check mostly end at the same policy, at the same time: they share one reading.
        """
        reading = self._rows.get(policy)
        if reading is None:
            reading = self._rows[policy] = asyncio.ensure_future(self._read_row(policy))
            reading.add_done_callback(lambda done: self._has_read(policy, done))
        return await asyncio.shield(reading)

    def _has_read(self, policy: int, reading: "asyncio.Future[tuple[bool, str] | None]") -> None:
        del self._rows[policy]
        if not reading.cancelled():
            reading.exception()  # seen, also when everybody who asked has gone

    async def _read_row(self, policy: int) -> tuple[bool, str] | None:
        [lookup] = lookups("policyid", [str(policy)])
        query = (*lookup, ("format", "policyid|name|action"))
        for row in await self._client.rows(TableUrl("firewall/policy"), query):
            if str(row.get("policyid")) == str(policy):
                return row.get("action") == "accept", str(row.get("name") or policy)
        return None
