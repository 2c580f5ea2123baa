"""The engine's doors to the world. Everything that leaves the process goes through one of these, or through a
target (`bot.engine.targets`).

Every method may raise the BackendErrors of `bot.model.errors` and nothing else; each implementation keeps its own
total deadline, so a caller never waits without end.
"""

from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime
from ipaddress import IPv4Address
from typing import Protocol, runtime_checkable

from bot.model import facts
from bot.model.incident import Incident
from bot.model.journal import Anchor, Record
from bot.model.operation import Message, Operation
from bot.model.people import Person, Profile
from bot.model.probes import ConnectAnswer, DnsAnswer, DnsTransport, PingAnswer
from bot.model.value import Value


class ClusterReader(Protocol):
    """One Kubernetes cluster, read only."""

    async def facts(self) -> facts.ClusterFacts:
        """Fresh facts. Raises Unreachable or Rejected when not even namespaces and services can be read."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class HasServer(Protocol):
    """A cluster reader that knows at which address its API server stands."""

    def server(self) -> tuple[IPv4Address, int] | None:
        """Address and port, once something was asked for; None while that is not known, or when it is a name."""
        ...


class Rotation(Protocol):
    """A schedule that knows who is on call."""

    async def on_call(self) -> tuple[str, ...]:
        """Ids of groups (S…) and people (U…, W…) of the chat, now; never none. Raises Unreachable, Rejected."""
        ...


class Prober(Protocol):
    """Questions to the wire from the bot's own host (or from the vantage point it was configured with)."""

    async def dns(self, server: IPv4Address, name: str, transport: DnsTransport, timeout_s: float) -> DnsAnswer:
        """Ask for A records of a fully qualified name, without search list and without cache of our own."""
        ...

    async def connect(
        self, address: IPv4Address, port: int, protocol: facts.Protocol, speak: str, timeout_s: float
    ) -> ConnectAnswer:
        """Exchange data with a port. `speak` is an application protocol name or ""; nothing is ever changed there."""
        ...

    async def ping(self, address: IPv4Address, timeout_s: float) -> PingAnswer:
        """One ICMP echo. What this vantage point or process may not do is an answer, not an error."""
        ...


class Stored(Value):
    """A record as the store holds it: `seq` counts from 1 without gaps, `at` is the store's own clock, in UTC."""

    seq: int
    at: datetime
    body: str


class Hold(Value):
    """A lease that its owner needs for what it does; see `Store.lease`."""

    name: str
    owner: str
    ttl_s: float


class Store(Protocol):
    """An append-only log with compare-and-set, and leases. All domain logic lives above it."""

    async def append(
        self,
        stream: str,
        expected: int,
        body: str,
        not_after: datetime | None = None,
        holding: Sequence[Hold] = (),
    ) -> Stored | None:
        """Append durably if the stream's last number is `expected`; otherwise write nothing and answer None.

        With `not_after`, also answers None when the store's clock has passed that moment. With `holding`, all of these
        leases are taken or renewed in the same indivisible step; None, and no lease changed, when one is another's.
        """
        ...

    async def read(self, stream: str, after: int = 0) -> Sequence[Stored]:
        """All records with a number above `after`, in order."""
        ...

    async def lease(self, name: str, owner: str, ttl_s: float) -> bool:
        """Take or renew a lease; False while another owner's has not run out by the store's clock.

        Everybody asks for one of that name for the same time: another's then ends after that time at the latest, also
        when the clock is set back.
        """
        ...

    async def release(self, name: str, owner: str) -> None:
        """Give a lease back; harmless when it is not ours."""
        ...

    async def now(self) -> datetime:
        """The store's clock, in UTC."""
        ...

    async def close(self) -> None: ...


class SampleStore(Protocol):
    """What was seen lately, a minute at a time, for pictures: kept over restarts, forgotten after a day.

    Nothing is decided by it and nobody vouches for it, so it is no part of the log.
    """

    async def keep_sample(self, stream: str, minute: int, body: str, oldest: int) -> None:
        """Put the body of a minute (counted from 1970) in the place of an earlier one; forget those before `oldest`."""
        ...

    async def samples(self, stream: str, since: int) -> Sequence[tuple[int, str]]:
        """The minutes from `since` on with their bodies, in order."""
        ...


class NoteStore(Protocol):
    """What the next life of a bot has to put right, should this one not come to it. Like samples no part of the log."""

    async def keep_note(self, topic: str, note: str) -> None:
        """Keep it durably until it is dropped; the same note twice is one."""
        ...

    async def drop_note(self, topic: str, note: str) -> None:
        """Harmless when it is not there."""
        ...

    async def notes(self, topic: str) -> Sequence[str]:
        """All that are kept, in no order."""
        ...


class Directory(Protocol):
    """Who people are, as the chat system knows them at this moment (at most 60 s old)."""

    async def profile(self, person: Person) -> Profile:
        """Raises Unreachable when it cannot be told; the caller then refuses."""
        ...

    def forget(self, person: Person | None = None) -> None:
        """Whatever is remembered of this person, or of everybody, is read anew before it is used again."""
        ...


class Env(Protocol):
    """Time, chance and concurrency, so that a whole life of the bot can be replayed in a test."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...

    def new_id(self) -> str:
        """A fresh identifier: lower-case letters and digits, 10 characters, not guessable."""
        ...

    def spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        """Run in the background; an exception of `work` is reported, never lost."""
        ...


class Announcer(Protocol):
    """The chat, as the outbox sees it."""

    async def show(self, operation: Operation, thread: str | None = None) -> Message:
        """Make the operation's one message say what the operation is now; below the message `thread`, if given.

        Updates `operation.message` if there is one; otherwise looks for our own message of that operation by its
        metadata before posting, so that a crash between post and journal never shows two. Raises Unreachable
        (worth trying again) or Rejected (never will work: a wrong channel, a missing scope).
        """
        ...

    async def show_incident(self, incident: Incident) -> Message:
        """Make the incident's one message say what the incident is now, and say below it what must not be missed.

        Finds its own messages as `show` does, and raises the same.
        """
        ...

    async def audit(self, records: Sequence[Record], operations: Mapping[str, Operation]) -> None:
        """Post one line for each record to the audit channel, in order, except those it has already.

        `operations` tells of each record's operation, by id, what it is about. The post also makes the hash of the
        last record known: see `anchor`.
        """
        ...

    async def anchor(self) -> Anchor | None:
        """The newest record whose hash the audit channel has; None without any. Raises Unreachable."""
        ...
