"""From a person's wish to a plan: read everything concerned, concurrently; then decide, purely."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bot.engine.context import Context
from bot.engine.gateways import choose
from bot.engine.ports import Foresees, NumbersRows, Target
from bot.model import names
from bot.model.commands import Change, Drill, Expose, Failover, Unexpose
from bot.model.desired import Placed, desired
from bot.model.diff import Difference, Place, diff
from bot.model.errors import UserError
from bot.model.facts import ClusterFacts
from bot.model.intent import ClusterIntent, Exposure
from bot.model.people import Person
from bot.model.plan import Plan, flows
from bot.model.proof import checks_for, warnings_for
from bot.model.resources import Address, Key, Kind, Mark, Policy, Resource, Route, TargetId
from bot.model.site import ClusterSite
from bot.model.steps import Step
from bot.model.suggest import suggestion
from bot.model.wording import listed, tr
from bot.model.words import key_line
from bot.model.world import World, last_moved

HOLD_DOWN_S = 600.0  # where no watch says otherwise


async def make_plan(
    context: Context,
    command: Change,
    requester: Person,
    operation: str,
    approved: Plan | None = None,
    facts: ClusterFacts | None = None,
) -> Plan:
    """The plan for a change as of now. Reads, never writes; with `facts`, does not ask the cluster for them.

    With `approved`, it is made to be compared with that plan: what targets foretold is not asked for again, because
    they refuse by themselves what has become impossible since.

    Raises UserError (a wrong name, nothing to do, a conflict, a missing fact) and BackendErrors.
    """
    if isinstance(command, Expose | Unexpose):
        names.namespace(command.namespace)
    cluster = context.cluster(command.cluster)
    world = await context.journal.world()
    before, owned = world.intent(cluster.name), dict(world.owned(cluster.name))
    facts = facts or await context.clusters[cluster.name].facts()
    if isinstance(command, Drill):
        _refuse_drill(world, cluster, await context.journal.now())
    after = await _intended(context, command, cluster, before, facts)
    wanted = _normalised(context, desired(after, cluster, context.site, facts))
    rows = _rows_needed(context, approved.steps) if approved else {}
    actual, free = await asyncio.gather(_read(context, wanted, owned), _free_rows(context, rows))
    difference = diff(wanted, owned, actual, cluster.name, operation)
    _refuse_conflicts(difference)
    needed = _rows_needed(context, difference.steps)
    more, foretold = await asyncio.gather(
        _free_rows(context, needed if needed != rows else {}),
        _foretold(context, difference.steps if approved is None else ()),
    )
    steps = _with_rows(difference.steps, more or free)
    addresses = (*(placed.resource for placed in wanted), *actual.values())
    networks = {address.name: address.network for address in addresses if isinstance(address, Address)}
    return Plan(
        operation=operation,
        requester=requester,
        command=command,
        cluster=cluster.name,
        intent_before=before,
        intent_after=before if isinstance(command, Drill) else after,
        steps=steps,
        found=difference.found,
        opens=flows(steps, networks, opening=True),
        closes=flows(steps, networks, opening=False),
        warnings=(*warnings_for(command, cluster, context.site, after, facts, steps), *foretold),
        checks=checks_for(command, cluster, context.site, before, after, facts, operation),
        expires_at=approved.expires_at if approved else context.env.now() + timedelta(seconds=cluster.plan_lifetime_s),
    )


async def _intended(
    context: Context, command: Change, cluster: ClusterSite, before: ClusterIntent, facts: ClusterFacts
) -> ClusterIntent:
    match command:
        case Expose():
            _known_namespace(command.namespace, facts)
            return before.exposing(Exposure(namespace=command.namespace, office=context.office(command.office)))
        case Unexpose():
            if not before.exposes(command.namespace):
                exposed = sorted({exposure.namespace for exposure in before.exposures})
                raise UserError(
                    tr(
                        "Namespace {namespace} of cluster {cluster} is not exposed by "
                        "k8snet.{suggestion} Exposed: {exposed}.",
                        namespace=command.namespace,
                        cluster=facts.cluster,
                        suggestion=suggestion(command.namespace, exposed),
                        exposed=listed(exposed) or tr("nothing"),
                    )
                )
            return before.without(command.namespace, command.office and context.office(command.office))
        case Failover() | Drill():
            if not before.exposures:
                raise UserError(
                    tr(
                        "Nothing of cluster {cluster} is exposed, so there is no route to move. Its "
                        "first one will point at clusters.{cluster}.gateway of app.yaml.",
                        cluster=cluster.name,
                    )
                )
            node = await choose(context, cluster, before, facts, command.node)
            if isinstance(command, Drill) and node == (before.gateway or cluster.gateway):
                raise UserError(f"{node} carries the routes already; a drill moves them to another node and back.")
            return before.through(node)


def _refuse_drill(world: World, cluster: ClusterSite, now: datetime) -> None:
    """Nobody rehearses while it burns, nor right after."""
    incident = world.incident(cluster.name)
    if incident is not None:
        raise UserError(
            f"Incident {incident.id} about {incident.picture.gateway} is not over; a drill waits until it is."
        )
    held = HOLD_DOWN_S if cluster.watch is None else cluster.watch.hold_down_s
    moved = last_moved(world, cluster.name)
    if moved is not None and now - moved < timedelta(seconds=held):
        until = moved + timedelta(seconds=held)
        raise UserError(
            f"The routes of cluster {cluster.name} were moved at {moved:%H:%M} UTC; a drill waits until "
            f"{until:%H:%M:%S} UTC (hold_down_s)."
        )


def _known_namespace(namespace: str, facts: ClusterFacts) -> None:
    if namespace not in facts.namespaces:
        raise UserError(
            tr(
                "Cluster {cluster} has no namespace {namespace}.{suggestion}",
                cluster=facts.cluster,
                namespace=namespace,
                suggestion=suggestion(namespace, facts.namespaces),
            )
        )


def _normalised(context: Context, wanted: Sequence[Placed]) -> list[Placed]:
    return [
        Placed(target=placed.target, resource=context.targets[placed.target].normalise(placed.resource))
        for placed in wanted
    ]


async def _read(context: Context, wanted: Sequence[Placed], owned: Mapping[Place, Mark]) -> dict[Place, Resource]:
    """What exists under every key concerned; where a device keeps no marks, the journal's mark is put on."""
    keys: dict[TargetId, set[Key]] = defaultdict(set)
    for target, key in owned:
        keys[target].add(key)
    for placed in wanted:
        keys[placed.target].add(placed.resource.key)
    answers = await asyncio.gather(*(context.targets[target].read(of_target) for target, of_target in keys.items()))
    actual = {}
    for target, answer in zip(keys, answers, strict=True):
        for key, resource in answer.items():
            place = (target, key)
            if not context.targets[target].keeps_marks and place in owned:
                resource = resource.model_copy(update={"mark": owned[place]})
            actual[place] = resource
    return actual


def _refuse_conflicts(difference: Difference) -> None:
    _refuse(
        [
            tr(
                "{key} on {target} {problem}",
                key=key_line(conflict.key),
                target=conflict.target,
                problem=conflict.problem,
            )
            for conflict in difference.conflicts
        ]
    )


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise UserError(tr("No plan is possible, nothing was changed:\n") + "\n".join(f"• {text}" for text in problems))


async def _foretold(context: Context, steps: Sequence[Step]) -> tuple[str, ...]:
    """Warnings of every target that can tell about what is to be made or changed on it; obstacles end the planning."""
    wishes: dict[TargetId, list[Resource]] = defaultdict(list)
    for step in steps:
        if step.after is not None:
            wishes[step.target].append(step.after)
    asked = {name: target for name in wishes if isinstance(target := context.targets[name], Foresees)}
    parts = await asyncio.gather(*(target.foresee(wishes[name]) for name, target in asked.items()))
    _refuse([f"{name}: {text}" for name, part in zip(asked, parts, strict=True) for text in part.obstacles])
    return tuple(text for part in parts for text in part.warnings)


Numbered = tuple[TargetId, Kind]


def _rows_needed(context: Context, steps: Sequence[Step]) -> Mapping[Numbered, int]:
    """How many routes and policies will be made where those have row numbers."""
    made = [step for step in steps if step.before is None and isinstance(step.after, Route | Policy)]
    return Counter(
        (step.target, step.key.kind) for step in made if isinstance(context.targets[step.target], NumbersRows)
    )


async def _free_rows(context: Context, needed: Mapping[Numbered, int]) -> Mapping[Numbered, Sequence[int]]:
    """Row numbers that nothing has yet."""

    async def free(target: Target, kind: Kind, count: int) -> Sequence[int]:
        assert isinstance(target, NumbersRows)  # the others need none
        return await target.free_rows(kind, count)

    rows = await asyncio.gather(*(free(context.targets[name], kind, n) for (name, kind), n in needed.items()))
    return dict(zip(needed, rows, strict=True))


def _with_rows(steps: Sequence[Step], free: Mapping[Numbered, Sequence[int]]) -> tuple[Step, ...]:
    """Give every route and policy that will be made a free row number of its own, in the order of the steps."""
    left = {of: iter(rows) for of, rows in free.items()}
    placed = []
    for step in steps:
        if step.before is None and step.after is not None and (numbers := left.get((step.target, step.key.kind))):
            step = step.model_copy(update={"after": step.after.model_copy(update={"row": next(numbers)})})
        placed.append(step)
    return tuple(placed)
