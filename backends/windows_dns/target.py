"""A Windows DNS server as a target: conditional forwarders, compared and written inside one script on the server."""

import asyncio
import math
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backends.windows_dns import mapping, scripts
from backends.windows_dns.faults import Failure, dns_fault
from backends.windows_dns.lockout import Lockout
from backends.windows_dns.names import canonical_forwarder
from backends.windows_dns.settings import IDLE_TIMEOUT_S, WindowsDnsSettings
from backends.windows_dns.verdicts import judge
from backends.windows_dns.winrm_shell import Clock, LoginRefused, StillRunning, WinRmShell
from backends.windows_dns.wire import Answer, AnyAnswer, FactsAnswer, ReadAnswer, WriteAnswer, Zone, parse
from bot.engine.side_by_side import both
from bot.engine.targets import Foresight, MayGo, Outcome
from bot.model.errors import BackendError, OutcomeUnknown, Rejected, Unreachable
from bot.model.resources import Forwarder, Key, Resource, TargetId
from bot.model.steps import Step
from bot.model.wording import tr
from bot.model.words import key_line
from bot.model.zones import ancestors, check_forwarder_key

# How long a write that began just in time may take until everybody can see it.
SETTLE_MARGIN_S = 5.0
SETTLE_TICKS = mapping.ticks(SETTLE_MARGIN_S)
LONGEST_SETTLE_TICKS = SETTLE_TICKS + mapping.ticks(IDLE_TIMEOUT_S)
WELL_S = 300.0  # how long a server that could hold forwarders is believed to be able to
HEARD_S = 5.0  # how long an answer still tells the server's clock: a shell for the question takes a second there
_BATCH = scripts.MAX_PARAMETER_BYTES - 4_000  # characters of names in one request; the rest is ours
_PATIENCE = 3  # how often to wait for the server's clock


@dataclass(frozen=True)
class _Question:
    """Names that somebody asks for, not sent yet, and their zones to come."""

    names: dict[str, None]  # in the order of asking
    answer: asyncio.Task[list[Zone]]


class WindowsDns:
    """Conditional forwarders of one server. Opens no connection before it is first asked something.

    A write carries a time limit by the server's own clock and the name of the computer it was meant for. When its
    outcome is unknown, the next read or write first waits until the server would refuse to begin it, and, when it may
    have begun and could not be stopped, until the server must have ended it.
    """

    keeps_marks = False  # a forwarder has no comment; our journal says what is ours

    def __init__(self, name: TargetId, settings: WindowsDnsSettings, clock: Clock) -> None:
        self._name = name
        self._settings = settings
        self._clock = clock
        self._shell = WinRmShell(name, settings, clock)
        self._lockout = Lockout(clock.monotonic)
        self._writing = asyncio.Lock()
        self._well_until = -math.inf
        self._asking: _Question | None = None
        self._reading: set[asyncio.Task[list[Zone]]] = set()
        self._computer: str | None = None
        self._heard: tuple[Answer, float] | None = None  # the newest answer, and when it came
        # The moment of the server's clock after which a write of unknown outcome can no longer have an effect.
        self._settled_after: int | None = None

    @property
    def name(self) -> TargetId:
        return self._name

    @property
    def settle_s(self) -> float:
        """See `SettlesLate`: the server itself refuses to begin a write later than this after it was sent."""
        return self._settings.write_limit_s + SETTLE_MARGIN_S

    async def read(self, keys: Collection[Key]) -> Mapping[Key, Resource]:
        """The forwarders that exist. Raises Rejected also where another kind of zone stands in their place."""
        for key in keys:
            check_forwarder_key(self._name, key)
        async with self._writing:
            await self._settle()
        zones = await self._zones(key.name for key in keys)
        held: dict[Key, Resource] = {}
        for key in keys:
            try:
                forwarder = mapping.forwarder_in(zones, key.name)
            except mapping.Unfit as problem:
                raise Rejected(self._name, str(problem)) from None
            if forwarder is not None:
                held[key] = forwarder
        return held

    async def foresee(self, wishes: Sequence[Resource]) -> Foresight:
        """What the server's own settings, and the zones above the wished ones, mean for them."""
        names = [wish.key.name for wish in wishes]
        above = dict.fromkeys(ancestor for name in names for ancestor in ancestors(name))
        zones, prevented = await both(self._zones(above), self._prevented())
        obstacles = (mapping.obstacle(zones, name, self._settings.delegating_zones) for name in names)
        warnings = (mapping.overshadowed(zones, name) for name in names)
        return Foresight(
            obstacles=(*prevented, *(text for text in obstacles if text)),
            warnings=tuple(f"{self._name}: {text}" for text in warnings if text),
        )

    async def _prevented(self) -> Sequence[str]:
        """Why no forwarder at all would work there. That all is well is believed for a while: only an administrator
        changes it, and a question takes a shell. What is not well is asked again, because somebody may have mended it.
        """
        if self._clock.monotonic() < self._well_until:
            return ()
        answer = await self._ask("facts.read", FactsAnswer, {}, self._deadline())
        prevented = tuple(mapping.prevented(answer.facts, self._settings.storage))
        if not prevented:
            self._well_until = self._clock.monotonic() + WELL_S
        return prevented

    def normalise(self, resource: Resource) -> Resource:
        if not isinstance(resource, Forwarder):
            raise Rejected(self._name, tr("a DNS server holds forwarders, not {key}", key=key_line(resource.key)))
        try:
            return canonical_forwarder(resource, self._settings.host, self._settings.forwarder)
        except ValueError as problem:
            raise Rejected(self._name, str(problem)) from None

    async def apply(self, step: Step, may_go: MayGo | None = None) -> Outcome:
        """See `Target`. The server refuses to begin the write `write_limit_s` after it was sent. Raises Unreachable or
        Rejected only before the write is sent.
        """
        try:
            before, after = self._wish(step)
        except Rejected as problem:
            return Outcome(kind="refused", detail=problem.problem)
        async with self._writing:
            await self._settle()
            deadline = self._deadline()
            server, clock = await self._server_clock(deadline)
            if may_go is not None and not may_go():
                return Outcome(kind="refused", detail=tr("not sent: its time was up before it could be"))
            wish = mapping.write_parameters(before, after, self._settings.storage, self._settings.directory_partition)
            wish |= {"server": server, "not_after": clock + mapping.ticks(self._settings.write_limit_s)}
            return await self._write(wish, deadline)

    async def _server_clock(self, deadline: float) -> tuple[str, int]:
        """Which computer answers, and what its clock shows now or has shown a moment ago.

        An answer that is at most `HEARD_S` old tells it, too: since it came that much time has passed there at least.
        """
        if self._heard is not None and (age_s := self._clock.monotonic() - self._heard[1]) <= HEARD_S:
            return self._heard[0].server, self._heard[0].clock + mapping.ticks(age_s)
        answer = await self._ask("clock.read", Answer, {}, deadline)
        return answer.server, answer.clock

    async def _write(self, wish: Mapping[str, Any], deadline: float) -> Outcome:
        # Set beforehand: whatever cuts us off, a cancelled task included, leaves the outcome unknown.
        self._settled_after = wish["not_after"] + LONGEST_SETTLE_TICKS
        try:
            answer = await self._ask("forwarder.write", WriteAnswer, wish, deadline, writes=True)
        except OutcomeUnknown as problem:
            if not isinstance(problem, StillRunning):
                self._settled_after = wish["not_after"] + SETTLE_TICKS
            return Outcome(kind="unknown", detail=problem.problem)
        except (Unreachable, Rejected) as problem:
            self._settled_after = None
            return Outcome(kind="refused", detail=tr("nothing was written: {problem}", problem=problem.problem))
        self._settled_after = None  # the script has ended
        return judge(answer, wish["pre"], wish["post"])

    async def forget_answers(self) -> None:
        """See `ForgetsAnswers`: the whole cache of the server."""
        await self._ask("cache.clear", Answer, {}, self._deadline())

    async def close(self) -> None:
        for reading in self._reading:
            reading.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)
        await self._shell.close()

    def _wish(self, step: Step) -> tuple[Forwarder | None, Forwarder | None]:
        check_forwarder_key(self._name, step.key)
        after = None if step.after is None else self.normalise(step.after)
        # Both are forwarders, because their key is one. `before` was read from the server and may be anything.
        assert step.before is None or isinstance(step.before, Forwarder)
        assert after is None or isinstance(after, Forwarder)
        return step.before, after

    async def _zones(self, names: Iterable[str]) -> Mapping[str, Zone]:
        """The zones of these names, by name, and of those that are asked for at the same moment.

        One question for all: each costs a shell on the server, and that a second or more.
        """
        if self._asking is None:
            self._asking = _Question({}, asyncio.create_task(self._read_zones()))
            self._reading.add(self._asking.answer)
            self._asking.answer.add_done_callback(self._read)
        question = self._asking
        question.names.update(dict.fromkeys(names))
        # Others wait for it as well, so it goes on when one of them is told to stop.
        return mapping.by_name(await asyncio.shield(question.answer))

    def _read(self, answer: asyncio.Task[list[Zone]]) -> None:
        self._reading.discard(answer)
        if not answer.cancelled():
            answer.exception()  # of a question that nobody waits for any more, nobody wants to hear

    async def _read_zones(self) -> list[Zone]:
        await asyncio.sleep(0)  # whoever asks in this turn of the loop is in time
        assert self._asking is not None
        names, self._asking = self._asking.names, None
        deadline = self._deadline()
        zones: list[Zone] = []
        for batch in mapping.batches(names, _BATCH):
            zones += (await self._ask("forwarder.read", ReadAnswer, {"names": batch}, deadline)).zones
        return zones

    async def _settle(self) -> None:
        """Wait until a write of unknown outcome has either had its effect or never will."""
        for _ in range(_PATIENCE):
            if self._settled_after is None:
                return
            clock = (await self._ask("clock.read", Answer, {}, self._deadline())).clock
            left = self._settled_after - clock
            if left < 0:
                self._settled_after = None
                return
            longest = mapping.ticks(self._settings.write_limit_s) + LONGEST_SETTLE_TICKS
            await self._clock.sleep((min(left, longest) + 1) / mapping.TICKS_PER_SECOND)
        raise Unreachable(
            self._name,
            tr("a write of unknown outcome may still take effect, because the server's clock does not move on"),
        )

    async def _ask(
        self,
        operation: scripts.Operation,
        expected: type[AnyAnswer],
        data: Mapping[str, Any],
        deadline: float,
        *,
        writes: bool = False,
    ) -> AnyAnswer:
        """The answer of one operation. `deadline` is a moment of the clock's monotonic scale."""
        if (wait := self._lockout.remaining()) > 0:
            raise Rejected(
                self._name,
                tr(
                    "{why}. Nothing is sent to it for {wait:.0f} s, so that the domain does not lock the "
                    "account; k8snet tries again at once when it is restarted",
                    why=self._lockout.why,
                    wait=wait,
                ),
            )
        ref = secrets.token_hex(8)
        try:
            output = await self._shell.ask(
                operation,
                {**data, "ref": ref},
                timeout_s=max(0.0, deadline - self._clock.monotonic()),
                writes=writes,
            )
        except LoginRefused as refused:
            self._lockout.refused(refused.problem)
            raise
        self._lockout.accepted()
        answer = parse(output.stdout, expected, ref)
        if answer is None:
            problem = tr(
                "{operation} ended with exit code {exit_code} and without an answer to this request",
                operation=operation,
                exit_code=output.exit_code,
            )
            raise (OutcomeUnknown if writes else Unreachable)(self._name, problem)
        if not writes:  # a write judges for itself, on the server
            self._check_computer(answer.server)
            if answer.fault is not None:
                raise self._error(dns_fault(answer.fault))
            self._heard = answer, self._clock.monotonic()
        return answer

    def _check_computer(self, computer: str) -> None:
        """A name that leads to several servers would let us write on one and read on another."""
        if self._computer is None:
            self._computer = computer
        elif computer != self._computer:
            self._heard = None
            raise Rejected(
                self._name,
                tr(
                    "{endpoint} was {computer!a} before and is {now!a} now; let `endpoint` name "
                    "one server, and restart k8snet if that server was replaced",
                    endpoint=self._settings.endpoint,
                    computer=self._computer,
                    now=computer,
                ),
            )

    def _error(self, failure: Failure) -> BackendError:
        return (Unreachable if failure.passing else Rejected)(self._name, failure.said)

    def _deadline(self) -> float:
        return self._clock.monotonic() + self._settings.timeout_s
