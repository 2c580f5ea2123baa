"""An Unbound resolver as a target: forward zones, added and removed while it runs."""

import asyncio
from collections.abc import Collection, Mapping, Sequence

from backends.unbound import mapping
from backends.unbound.control import Clock, Control
from backends.unbound.settings import UnboundSettings
from bot.engine.targets import Foresight, MayGo, Outcome
from bot.model.errors import BackendError, Rejected
from bot.model.resources import Forwarder, Key, Resource, TargetId, same_content
from bot.model.steps import Step
from bot.model.wording import tr
from bot.model.words import key_line
from bot.model.zones import check_forwarder_key


class Unbound:
    """Forward zones of one server. Opens no connection before it is first asked something.

    The control channel knows no compare-and-write: between our look and our write, milliseconds apart, another
    administrator's change of the same zone would be overwritten. A command whose answer was lost has either been
    carried out or never will be once the server answers the next one: it works its connections off one by one, and
    we cut ours, so that nothing of it is sent again.
    """

    keeps_marks = False  # a forward zone has no comment; our journal says what is ours

    def __init__(self, name: TargetId, settings: UnboundSettings, clock: Clock) -> None:
        self._name = name
        self._settings = settings
        self._control = Control(name, settings, clock)
        self._one_by_one = asyncio.Lock()
        # Zones that were written and of whose flush we got no yes.
        self._unflushed: set[str] = set()

    @property
    def name(self) -> TargetId:
        return self._name

    async def read(self, keys: Collection[Key]) -> Mapping[Key, Resource]:
        """The forwarders that exist. Raises Rejected also where one has masters that are not IPv4."""
        for key in keys:
            check_forwarder_key(self._name, key)
        if not keys:
            return {}
        async with self._one_by_one:
            await self._flush()
            zones = await self._forward_zones()
        try:
            found = {key: mapping.forwarder_in(zones, key.name) for key in keys}
        except mapping.Unfit as problem:
            raise Rejected(self._name, str(problem)) from None
        return {key: forwarder for key, forwarder in found.items() if forwarder is not None}

    async def foresee(self, wishes: Sequence[Resource]) -> Foresight:
        """What the server answers by itself, or sends elsewhere, of the names that are wished for."""
        zones = await self._forward_zones()
        held = mapping.local(
            await self._control.ask("list_local_zones"),
            await self._control.ask("list_auth_zones"),
            await self._control.ask("list_stubs"),
        )
        names = [wish.key.name for wish in wishes]
        obstacles = (mapping.obstacle(held, name) for name in names)
        warnings = (mapping.overshadowed(zones, name) for name in names)
        return Foresight(
            obstacles=tuple(text for text in obstacles if text),
            warnings=tuple(f"{self._name}: {text}" for text in warnings if text),
        )

    def normalise(self, resource: Resource) -> Resource:
        if not isinstance(resource, Forwarder):
            raise Rejected(self._name, tr("a DNS server holds forwarders, not {key}", key=key_line(resource.key)))
        try:
            return mapping.canonical_forwarder(resource, self._settings.host)
        except ValueError as problem:
            raise Rejected(self._name, str(problem)) from None

    async def apply(self, step: Step, may_go: MayGo | None = None) -> Outcome:
        try:
            check_forwarder_key(self._name, step.key)
            after = None if step.after is None else self.normalise(step.after)
        except Rejected as problem:
            return Outcome(kind="refused", detail=problem.problem)
        zone = step.key.name
        async with self._one_by_one:
            await self._flush()
            try:
                now = mapping.forwarder_in(await self._forward_zones(), zone)
            except mapping.Unfit as problem:
                return Outcome(kind="refused", detail=str(problem))
            if _same(now, after):
                return Outcome(kind="already", detail=tr("it was so before"))
            if not _same(now, step.before):
                return Outcome(
                    kind="refused",
                    detail=tr(
                        "it changed since it was read: expected {expected}, found {found}",
                        expected=_told(step.before),
                        found=_told(now),
                    ),
                )
            return await self._write(zone, after, may_go)

    async def _write(self, zone: str, after: Resource | None, may_go: MayGo | None) -> Outcome:
        # Set beforehand: whatever cuts us off, a cancelled task included, the cache is cleared before the next look.
        self._unflushed.add(zone)
        try:
            await self._control.ask(*_command(zone, after), writes=True, may_go=may_go)
        except Rejected as problem:
            self._unflushed.discard(zone)
            return Outcome(kind="refused", detail=tr("nothing was written: {problem}", problem=problem.problem))
        except BackendError as problem:
            return Outcome(kind="unknown", detail=problem.problem)
        try:
            await self._flush()
            left = mapping.forwarder_in(await self._forward_zones(), zone)
        except mapping.Unfit as problem:
            return Outcome(kind="unknown", detail=str(problem))
        except BackendError as problem:
            return Outcome(kind="unknown", detail=tr("written, but not read back: {problem}", problem=problem.problem))
        if _same(left, after):
            return Outcome(kind="applied", detail=tr("read back as wished, cache flushed"))
        return Outcome(kind="unknown", detail=tr("found {found} afterwards", found=_told(left)))

    async def forget_answers(self) -> None:
        """See `ForgetsAnswers`: everything at or below the root."""
        async with self._one_by_one:
            await self._control.ask("flush_zone", ".")
            self._unflushed.clear()

    async def close(self) -> None:
        """Nothing stays open between calls."""

    async def _forward_zones(self) -> Mapping[str, tuple[str, ...]]:
        return mapping.forward_zones(await self._control.ask("list_forwards"))

    async def _flush(self) -> None:
        """Answers from before a change would live on in the cache, negative ones as well."""
        for zone in sorted(self._unflushed):
            await self._control.ask("flush_zone", zone, writes=False)
            self._unflushed.discard(zone)


def _command(zone: str, after: Resource | None) -> tuple[str, ...]:
    """+i: a cluster's zone is not signed, and a validating server would take its answers for forged."""
    if after is None:
        return ("forward_remove", "+i", zone)
    assert isinstance(after, Forwarder)
    return ("forward_add", "+i", zone, *(str(master) for master in after.masters))


def _same(one: Resource | None, other: Resource | None) -> bool:
    if one is None or other is None:
        return one is other
    return same_content(one, other)


def _told(resource: Resource | None) -> str:
    if not isinstance(resource, Forwarder):
        return tr("no forwarder")
    return tr("masters {masters}", masters=", ".join(str(master) for master in resource.masters))
