"""The FortiGate behind the engine's ports: Target, NumbersRows, Foresees, PathOracle, RoutesByPolicy,
TrafficOracle, ClearsSessions, OrdersPolicies, LooksAhead."""

from collections.abc import Collection, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network

from backends.fortigate import wishes
from backends.fortigate.anchor import Anchor
from backends.fortigate.client import Client, Clock
from backends.fortigate.decisions import Obstacle
from backends.fortigate.detours import Detours
from backends.fortigate.foresight import Foreseer
from backends.fortigate.oracle import Oracle
from backends.fortigate.precedence import Predecessors
from backends.fortigate.reading import Reader
from backends.fortigate.references import References
from backends.fortigate.sessions import Sessions
from backends.fortigate.settings import FortiGateSettings
from backends.fortigate.writing import Writer
from bot.engine.targets import Foresight, MayGo, Outcome, Precedence
from bot.model.errors import Rejected
from bot.model.facts import Protocol
from bot.model.probes import (
    ClearedSessions,
    DetourAnswer,
    HitsAnswer,
    OpenSessions,
    Packet,
    PolicyAnswer,
    RouteAnswer,
    SessionsAnswer,
)
from bot.model.resources import Key, Kind, Resource, TargetId
from bot.model.steps import Step


class FortiGate:
    """One VDOM of one FortiGate, FortiOS 6.4.2 or later. Opens no connection before it is first asked something."""

    keeps_marks = True

    def __init__(self, name: TargetId, settings: FortiGateSettings, clock: Clock) -> None:
        self.name = name
        self._request_timeout_s = settings.request_timeout_s
        self._client = Client(name, settings, clock)
        patience_s = 2 * settings.request_timeout_s
        self._reader = Reader(name, self._client, settings.ids, patience_s, settings.before_policy)
        anchor = Anchor(self._reader, settings.before_policy)
        self._writer = Writer(self._client, self._reader, anchor, clock, self.normalise)
        self._oracle = Oracle(self._client)
        self._sessions = Sessions(self._client, self._reader, clock)
        references = References(name, self._client, self._reader, settings.vdom)
        self._foreseer = Foreseer(self._client, self._reader, references)
        self._detours = Detours(name, self._reader)
        self._predecessors = Predecessors(name, self._reader, self._detours, settings.before_policy)

    @property
    def settle_s(self) -> float:
        """See `SettlesLate`: a request that the device has received is given as long as a living one."""
        return self._request_timeout_s

    async def read(self, keys: Collection[Key]) -> Mapping[Key, Resource]:
        """See `Target`. Several rows for one destination, and rows that do more than our model can say (negation,
        inspection, another address type, …), raise Rejected with a text that names the rows: taken for ours or for
        absent, either would lead to a wrong plan."""
        seen = await self._reader.find(keys)
        problems = [there.problem for there in seen.values() if isinstance(there, Obstacle)]
        if problems:
            raise Rejected(self.name, "; ".join(problems))
        return {key: there.resource for key, there in seen.items() if not isinstance(there, Obstacle)}

    def normalise(self, resource: Resource) -> Resource:
        """See `Target`."""
        wish = wishes.canonical(resource)
        if problems := list(wishes.objections(wish)):
            raise Rejected(self.name, f"{resource.key}: {'; '.join(problems)}")
        return wish

    async def apply(self, step: Step, may_go: MayGo | None = None) -> Outcome:
        """See `Target` and `apply_all`. Three round trips: compare, write, read back."""
        [outcome] = await self.apply_all([step], may_go)
        return outcome

    async def apply_all(self, steps: Sequence[Step], may_go: MayGo | None = None) -> Sequence[Outcome]:
        """Steps in their order, with one look before all and one read-back for each run of steps of one kind.

        See `AppliesTogether`. Raises Unreachable or Rejected when the look before the first write fails; afterwards
        every failure is an outcome.
        """
        return await self._writer.apply(steps, may_go)

    async def look_ahead(self, steps: Sequence[Step]) -> None:
        """See `LooksAhead`."""
        await self._writer.look_ahead(steps)

    async def free_rows(self, kind: Kind, count: int) -> Sequence[int]:
        """See `NumbersRows`."""
        return await self._reader.free_rows(kind, count)

    async def route(self, destination: IPv4Address) -> RouteAnswer:
        """See `PathOracle`."""
        return await self._oracle.route(destination)

    async def policy(
        self, interface: str, source: IPv4Address, destination: IPv4Address, protocol: Protocol, port: int
    ) -> PolicyAnswer:
        """See `PathOracle`."""
        return await self._oracle.policy(interface, source, destination, protocol, port)

    async def foresee(self, wishes: Sequence[Resource]) -> Foresight:
        """See `Foresees`: interfaces, zones, services and schedules that are not there."""
        return await self._foreseer.foresee(wishes)

    async def precedence(self, wishes: Sequence[Resource]) -> Mapping[Key, Precedence]:
        """See `OrdersPolicies`."""
        return await self._predecessors.precedence(wishes)

    async def detours(self, packets: Sequence[Packet]) -> Sequence[DetourAnswer]:
        """See `RoutesByPolicy`."""
        return await self._detours.packets(packets)

    async def hits(self, policy: str) -> HitsAnswer:
        """See `TrafficOracle`."""
        return await self._oracle.hits(policy)

    async def sessions(self, destination: IPv4Address, protocol: Protocol, port: int) -> SessionsAnswer:
        """See `TrafficOracle`."""
        return await self._oracle.sessions(destination, protocol, port)

    async def open_sessions(
        self, policies: Collection[str], networks: Collection[IPv4Network], besides: IPv4Address | None = None
    ) -> OpenSessions:
        """See `ClearsSessions`."""
        return await self._sessions.open(policies, networks, besides)

    async def clear_sessions(
        self,
        policies: Collection[str],
        networks: Collection[IPv4Network],
        older_than_s: float,
        not_after: float | None = None,
    ) -> ClearedSessions:
        """See `ClearsSessions`."""
        return await self._sessions.clear(policies, networks, older_than_s, not_after)

    async def close(self) -> None:
        await self._client.close()
