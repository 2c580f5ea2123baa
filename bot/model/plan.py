"""A plan: what exactly will be written, what it opens, how it will be proven. An approval names its digest."""

from collections.abc import Mapping
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal

from pydantic import Field

from bot.model.commands import Change
from bot.model.diff import Found
from bot.model.doors import Door
from bot.model.facts import Protocol
from bot.model.intent import ClusterIntent
from bot.model.people import Person
from bot.model.resources import Policy, Position, Resource, Route, TargetId
from bot.model.steps import Step
from bot.model.value import Value, digest
from bot.model.wording import tr
from bot.model.words import key_line, word

SCHEMA = 1


class Resolves(Value):
    """The office DNS server answers `name` with these addresses; without any, it must know the name (NODATA)."""

    kind: Literal["resolves"] = "resolves"
    server: TargetId
    address: IPv4Address
    name: str
    expected: tuple[IPv4Address, ...]


class DoesNotResolve(Value):
    """The office DNS server no longer forwards `name` to the cluster.

    A server that learns of it from another one has `patience_s` for that.
    """

    kind: Literal["does-not-resolve"] = "does-not-resolve"
    server: TargetId
    address: IPv4Address
    name: str
    zone: str
    patience_s: int = 0


class CarriesData(Value):
    """A connection from the bot's host to this port carries data both ways.

    Of all samples together one must pass: a program that happens to be down does not make the path a broken one.
    """

    kind: Literal["carries-data"] = "carries-data"
    label: str
    sample: bool
    address: IPv4Address
    port: int
    protocol: Protocol
    speak: str


class ReachesOne(Value):
    """Data passes to at least one of these doors: which program happens to be down must not decide about a path."""

    kind: Literal["reaches-one"] = "reaches-one"
    label: str
    doors: tuple[Door, ...]


class Forwards(Value):
    """The office DNS server gets its answer about `name`, which does not exist, from the cluster itself.

    A server that learns of the zone from another one has `patience_s` for that.
    """

    kind: Literal["forwards"] = "forwards"
    server: TargetId
    address: IPv4Address
    name: str
    zone: str
    patience_s: int = 0


class AfterReturn(Value):
    """A check that is due once the routes of a drill are back where they were."""

    kind: Literal["after-return"] = "after-return"
    check: ReachesOne | Forwards = Field(discriminator="kind")


Question = Resolves | DoesNotResolve | CarriesData | ReachesOne | Forwards
Check = Annotated[Question | AfterReturn, Field(discriminator="kind")]


class Flow(Value):
    """Traffic that a plan opens or closes, in words a non-networker reads."""

    source: str
    destination: str
    services: tuple[str, ...]


class Plan(Value):
    """Everything a person says yes to. Values only: nothing in here is looked up again when it is applied."""

    schema_version: int = SCHEMA
    operation: str
    requester: Person
    command: Change
    cluster: str
    intent_before: ClusterIntent
    intent_after: ClusterIntent
    steps: tuple[Step, ...]
    found: tuple[Found, ...]
    opens: tuple[Flow, ...]
    closes: tuple[Flow, ...]
    warnings: tuple[str, ...]
    checks: tuple[Check, ...]
    expires_at: datetime

    @property
    def digest(self) -> str:
        return digest(self)

    @property
    def substance(self) -> str:
        """Digest of what is written and opened. Warnings and checks are not part of it: pods come and go meanwhile."""
        return digest([self.cluster, self.intent_before, self.intent_after, *self.steps, "found", *self.found])

    @property
    def reroutes(self) -> bool:
        """Whether a route that is there gets another next hop or goes away."""
        return any(isinstance(step.before, Route) for step in self.steps)

    @property
    def exposes(self) -> bool:
        """Whether it changes what is exposed."""
        return self.intent_before.exposures != self.intent_after.exposures

    @property
    def targets(self) -> tuple[TargetId, ...]:
        """Targets that the plan writes to, in alphabetical order."""
        return tuple(sorted({step.target for step in self.steps}))


def flows(
    steps: tuple[Step, ...], networks: Mapping[str, IPv4Network], opening: bool, there: Mapping[str, Policy]
) -> tuple[Flow, ...]:
    """What the policies among the steps open (or close), and those that come to take effect.

    `networks` says what an address object stands for, `there` what the policies do that are there already.
    """

    def named(objects: tuple[str, ...]) -> str:
        return ", ".join(f"{name} ({networks[name]})" if name in networks else name for name in objects)

    found = []
    for step in steps:
        resource: Resource | None
        other: Resource | None
        resource, other = (step.after, step.before) if opening else (step.before, step.after)
        if isinstance(resource, Position):
            resource, other = (there.get(resource.policy), None) if opening else (None, None)
        if isinstance(resource, Policy) and other is None:
            source, destination = named(resource.sources), named(resource.destinations)
            found.append(Flow(source=source, destination=destination, services=resource.services))
    return tuple(found)


def differences(approved: Plan, fresh: Plan) -> tuple[str, ...]:
    """Why a plan made again from today's facts is not the one that was approved, line by line; empty: it is."""
    if approved.substance == fresh.substance:
        return ()
    lines = []
    old = {(step.target, step.key): step for step in approved.steps}
    new = {(step.target, step.key): step for step in fresh.steps}
    for place, step in old.items():
        if place not in new:
            lines.append(
                tr(
                    "no longer needed: {verb} {key} on {target}",
                    verb=word(step.verb),
                    key=key_line(step.key),
                    target=step.target,
                )
            )
        elif new[place] != step:
            lines.append(
                tr(
                    "now different: {verb} {key} on {target}",
                    verb=word(new[place].verb),
                    key=key_line(step.key),
                    target=step.target,
                )
            )
    lines += [
        tr("new: {verb} {key} on {target}", verb=word(step.verb), key=key_line(step.key), target=step.target)
        for place, step in new.items()
        if place not in old
    ]
    return tuple(lines) or (tr("another change of this cluster was confirmed in between"),)
