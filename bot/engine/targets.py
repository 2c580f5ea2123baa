"""What holds resources, as the engine sees it, and what one of these may be able to do besides.

What a target cannot do is a protocol that it lacks. For errors and deadlines see `bot.engine.ports`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Literal, Protocol, runtime_checkable

from bot.model import facts
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
from bot.model.resources import Key, Kind, Position, Resource, TargetId
from bot.model.steps import Step
from bot.model.value import Value

MayGo = Callable[[], bool]
"""Whether something may still be sent, at this very moment: the right to do so may end while one waits for a turn."""


class Outcome(Value):
    """How a write ended.

    applied: read back as wished · already: it was so, nothing was written · refused: it was neither before nor after,
    or the device said no; nothing was written · skipped: not attempted, because an earlier step did not succeed ·
    unknown: must be read before anything else happens.
    """

    kind: Literal["applied", "already", "refused", "skipped", "unknown"]
    detail: str = ""


class Target(Protocol):
    """A firewall or DNS server that holds resources."""

    @property
    def name(self) -> TargetId: ...

    @property
    def keeps_marks(self) -> bool:
        """Whether the device has a place for our mark. If not, the journal is the only proof of ownership."""
        ...

    async def read(self, keys: Collection[Key]) -> Mapping[Key, Resource]:
        """The resources that exist under these keys, normalised; absent ones are missing from the answer.

        Raises Unreachable or Rejected. Never answers from a cache.
        """
        ...

    def normalise(self, resource: Resource) -> Resource:
        """How this wish will read back once applied. Raises Rejected for a wish the device can never hold."""
        ...

    async def apply(self, step: Step, may_go: MayGo | None = None) -> Outcome:
        """Make the resource equal `step.after` if it still equals `step.before`; read back before answering.

        Equal to `after` already: `already`, nothing written. Neither: `refused`, nothing written. An answer that
        never came: `unknown`. One writer at a time per target is the implementation's duty. Comparison is by
        content (`same_content`) plus, where something of ours is changed or removed, our mark. `may_go` is asked as the
        last thing before anything that writes is sent, and nothing is once it says no. Raises Unreachable or Rejected
        only when certainly nothing was written.
        """
        ...

    async def close(self) -> None: ...


@runtime_checkable
class AppliesTogether(Protocol):
    """A target that takes several steps in fewer round trips than one by one."""

    async def apply_all(self, steps: Sequence[Step], may_go: MayGo | None = None) -> Sequence[Outcome]:
        """The steps in their order, one outcome for each.

        When one can be seen to be refused beforehand, nothing is written at all. As soon as one is known to have ended
        neither applied nor already, no other is begun: the rest are `skipped`. A step that does not build on the one
        before may be begun while that is still being read back. Otherwise as `Target.apply`.
        """
        ...


@runtime_checkable
class LooksAhead(Protocol):
    """A target that can look at what steps will be compared with before it is told to take them."""

    async def look_ahead(self, steps: Sequence[Step]) -> None:
        """Save an `apply_all` of exactly these steps its own look, if it comes at once and nothing was written
        meanwhile. Raises nothing."""
        ...


@runtime_checkable
class SettlesLate(Protocol):
    """A target on which a write may take effect some time after its sender has died."""

    @property
    def settle_s(self) -> float:
        """Seconds after a write was sent within which it may still begin, although nobody waits for its answer."""
        ...


class Foresight(Value):
    """What a target tells of wishes before anything is written, one sentence each.

    `obstacles` would certainly make it refuse; `warnings` are for the person who decides, and name what could not be
    told.
    """

    obstacles: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@runtime_checkable
class Foresees(Protocol):
    """A target that can judge wishes by what it holds at the moment."""

    async def foresee(self, wishes: Sequence[Resource]) -> Foresight:
        """Judge what is to be made or changed. A missing right is a warning. Raises Unreachable or Rejected."""
        ...


class Precedence(Value):
    """What stands before one policy on a firewall where the first match decides; one sentence each.

    `obstacles` keep it from being made in its place, `hiding` keeps all packets from it, `notes` are worth knowing for
    who has it made. `better` is where it stands and where it would have to stand for nothing to hide it, when that is
    known and it stands in the wrong place; `moving` is worth knowing for who has it moved there.
    """

    obstacles: tuple[str, ...] = ()
    hiding: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    better: tuple[Position, Position] | None = None
    moving: tuple[str, ...] = ()


@runtime_checkable
class OrdersPolicies(Protocol):
    """A firewall on which an earlier policy decides before a later one. It reads and writes positions, too."""

    async def precedence(self, wishes: Sequence[Resource]) -> Mapping[Key, Precedence]:
        """For each policy among the wishes what stands before it, or would stand before it if it were made now.

        The other wishes say what names in the policies mean. A missing right is a note. Raises Unreachable or Rejected.
        """
        ...


@runtime_checkable
class ForgetsAnswers(Protocol):
    """A DNS server that can be told to ask again what it believes to know."""

    async def forget_answers(self) -> None:
        """Empty its cache. Harmless to repeat. Raises Unreachable or Rejected."""
        ...


@runtime_checkable
class NumbersRows(Protocol):
    """A target whose routes and policies carry explicit row numbers from configured ranges."""

    async def free_rows(self, kind: Kind, count: int) -> Sequence[int]:
        """The lowest `count` unused numbers of the configured range. Raises Rejected when the range is used up."""
        ...


@runtime_checkable
class PathOracle(Protocol):
    """What the firewall itself says about a path. Missing rights or old firmware are an answer, not an error."""

    async def route(self, destination: IPv4Address) -> RouteAnswer: ...

    async def policy(
        self,
        interface: str,
        source: IPv4Address,
        destination: IPv4Address,
        protocol: facts.Protocol,
        port: int,
    ) -> PolicyAnswer: ...


@runtime_checkable
class RoutesByPolicy(Protocol):
    """A firewall that can have rules for the way of packets which count before its routes."""

    async def detours(self, packets: Sequence[Packet]) -> Sequence[DetourAnswer]:
        """For each packet whether such a rule takes it. Missing rights are an answer. Raises Unreachable."""
        ...


@runtime_checkable
class TrafficOracle(Protocol):
    """What the firewall has seen of a path. Missing rights or old firmware are an answer, not an error."""

    async def hits(self, policy: str) -> HitsAnswer:
        """How often the policy of this name let something begin."""
        ...

    async def sessions(self, destination: IPv4Address, protocol: facts.Protocol, port: int) -> SessionsAnswer:
        """The flows to this port that are open now."""
        ...


@runtime_checkable
class ClearsSessions(Protocol):
    """A firewall that can be made to forget flows. Missing rights or old firmware are an answer, not an error."""

    async def open_sessions(
        self, policies: Collection[str], networks: Collection[IPv4Network], besides: IPv4Address | None = None
    ) -> OpenSessions:
        """How many flows to each of these networks the policies of these names have let through and are still open.

        Those that `besides` began are not counted. Changes nothing. Raises Unreachable.
        """
        ...

    async def clear_sessions(
        self,
        policies: Collection[str],
        networks: Collection[IPv4Network],
        older_than_s: float,
        not_after: float | None = None,
    ) -> ClearedSessions:
        """Make the firewall forget those of them that began more than `older_than_s` seconds ago.

        Only flows of policies that carry our mark. The two ends are not told: what follows of a TCP connection is
        dropped by most firewalls without a word, so this is for flows that lead nowhere any more (towards a gateway
        that is gone), not for those that a move leaves alive. Nothing is sent once `not_after`, on Env's monotonic
        clock, has passed. Raises Unreachable when certainly nothing was cleared.
        """
        ...
