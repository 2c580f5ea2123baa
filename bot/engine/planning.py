"""From a person's wish to a plan: read everything concerned, concurrently; then decide, purely."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from bot.engine.context import Context
from bot.engine.forgetting import plan_clearing
from bot.engine.gateways import choose
from bot.engine.sessions import counted_impact, will_clear
from bot.engine.side_by_side import both
from bot.engine.surveying import FreeRows, Survey
from bot.engine.targets import Precedence
from bot.model import names
from bot.model.commands import Change, ClearDnsCache, Drill, Expose, Failover, Unexpose
from bot.model.desired import DNS_SERVICE, Placed, desired, shared
from bot.model.diff import Difference, Place, diff, in_order, moves
from bot.model.errors import BotError, UserError
from bot.model.facts import ClusterFacts
from bot.model.intent import ClusterIntent, Exposure
from bot.model.move import clearing, missed_first, routes_as_in
from bot.model.people import Person
from bot.model.plan import Plan, flows
from bot.model.proof import checks_for, warnings_for
from bot.model.resources import Address, Key, Policy, Position, TargetId
from bot.model.site import ClusterSite
from bot.model.steps import Step
from bot.model.suggest import expect_namespace, suggestion
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
    impact: Sequence[str] | None = None,
) -> Plan:
    """The plan for a change as of now. Reads, never writes; with `facts`, does not ask the cluster for them.

    With `impact`, what a move does to open connections is known already, and people are waiting.

    With `approved`, it is made to be compared with that plan: what targets foretold is not asked for again, because
    they refuse by themselves what has become impossible since.

    Raises UserError (a wrong name, nothing to do, a conflict, a missing fact) and BackendErrors.
    """
    if isinstance(command, Expose | Unexpose):
        names.namespace(command.namespace)
    if isinstance(command, ClearDnsCache):
        return await plan_clearing(context, command, requester, operation, approved, facts)
    cluster = context.cluster(command.cluster)
    world = await context.journal.world()
    before, made = world.intent(cluster.name), world.owned(cluster.name)
    owned = {place: mark for place, mark in made.items() if place[0] in context.targets}
    if isinstance(command, Drill):
        _refuse_drill(world, cluster, await context.journal.now())
    survey = Survey(context, owned)
    steps_approved = approved.steps if approved else None
    likely = [] if facts else await _likely(context, command, cluster, before)

    async def wish() -> tuple[ClusterFacts, ClusterIntent, Sequence[Placed]]:
        known = facts or await context.facts(cluster.name)
        after = await _intended(context, command, cluster, before, known)
        wanted = _normalised(context, desired(after, cluster, context.site, known))
        await survey.guess(wanted, steps_approved)
        return known, after, wanted

    _, (facts, after, wanted) = await both(survey.guess(likely, steps_approved), wish())
    places = {(placed.target, placed.resource.key) for placed in wanted}
    used = {place: other for place, other in _shared(context, cluster, world).items() if place in owned.keys() - places}
    concerns = {*owned, *places}
    await survey.read(concerns)
    order = await survey.precedence(wanted if approved is None or _reorders(approved.steps) else ())
    concerned = {place: there for place, there in survey.actual.items() if place in concerns}
    difference = diff(wanted, owned.keys() - used, concerned, cluster.name, operation)
    _refuse_conflicts(difference)
    if isinstance(command, Expose):
        moved = moves(wanted, concerned, better_places(order), cluster.name)
        difference = difference.model_copy(update={"steps": in_order((*difference.steps, *moved))})
    moving = isinstance(command, Failover | Drill) and approved is None
    (rows, foretold), cut = await both(
        both(survey.rows(difference.steps), _warnings(survey, difference.steps, order, approved)),
        _impact(context, cluster, world, command, wanted, facts, impact) if moving else _nothing(),
    )
    steps = _with_rows(difference.steps, rows)
    steps = routes_as_in(approved.steps, steps) if approved else missed_first(steps, after, facts)
    addresses = (*(placed.resource for placed in wanted), *concerned.values())
    networks = {address.name: address.network for address in addresses if isinstance(address, Address)}
    policies = {policy.name: policy for policy in concerned.values() if isinstance(policy, Policy)}
    return Plan(
        operation=operation,
        requester=requester,
        command=command,
        cluster=cluster.name,
        intent_before=before,
        intent_after=before if isinstance(command, Drill) else after,
        steps=steps,
        found=difference.found,
        opens=flows(steps, networks, opening=True, there=policies),
        closes=flows(steps, networks, opening=False, there=policies),
        warnings=(
            *cut,
            *(warnings_for(command, cluster, context.site, after, facts, steps) if steps else ()),
            *_left_behind({target for target, _ in made.keys() - owned}),
            *_left_to_others(cluster, used),
            *foretold,
        ),
        checks=checks_for(command, cluster, context.site, before, after, facts, operation),
        expires_at=approved.expires_at if approved else await context.expiry(cluster),
    )


def _left_behind(targets: Collection[TargetId]) -> Iterator[str]:
    for name in sorted(targets):
        yield tr("{target} is not in app.yaml any more: what k8snet made there stays there.", target=name)


def _shared(context: Context, cluster: ClusterSite, world: World) -> Mapping[Place, str]:
    return shared(cluster, context.site, {one.name: world.intent(one.name) for one in context.site.clusters})


def _left_to_others(cluster: ClusterSite, used: Mapping[Place, str]) -> Iterator[str]:
    for (target, key), other in used.items():
        yield tr(
            "{key} on {target} stays: cluster {other} uses it. It goes with the next change of {cluster} after that.",
            key=key_line(key),
            target=target,
            other=other,
            cluster=cluster.name,
        )


async def _intended(
    context: Context, command: Change, cluster: ClusterSite, before: ClusterIntent, facts: ClusterFacts
) -> ClusterIntent:
    match command:
        case Expose():
            expect_namespace(command.namespace, facts)
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
        case ClearDnsCache():
            return before
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
                raise UserError(
                    tr("{node} carries the routes already; a drill moves them to another node and back.", node=node)
                )
            return before.through(node)


def _refuse_drill(world: World, cluster: ClusterSite, now: datetime) -> None:
    """Nobody rehearses while it burns, nor right after."""
    incident = world.incident(cluster.name)
    if incident is not None:
        raise UserError(
            tr(
                "Incident {id} about {gateway} is not over; a drill waits until it is.",
                id=incident.id,
                gateway=incident.picture.gateway,
            )
        )
    held = HOLD_DOWN_S if cluster.watch is None else cluster.watch.hold_down_s
    moved = last_moved(world, cluster.name)
    if moved is not None and now - moved < timedelta(seconds=held):
        until = moved + timedelta(seconds=held)
        raise UserError(
            tr(
                "The routes of cluster {cluster} were moved at {moved:%H:%M} UTC; a drill "
                "waits until {until:%H:%M:%S} UTC (hold_down_s).",
                cluster=cluster.name,
                moved=moved,
                until=until,
            )
        )


async def _impact(
    context: Context,
    cluster: ClusterSite,
    world: World,
    command: Change,
    wanted: Sequence[Placed],
    facts: ClusterFacts,
    known: Sequence[str] | None,
) -> Sequence[str]:
    """What a move does to open connections."""
    # What DNS servers ask is no connection: it goes on over the new gateway.
    policies = [
        placed.resource.name
        for placed in wanted
        if isinstance(placed.resource, Policy) and placed.resource.services != (DNS_SERVICE,)
    ]
    said = [await counted_impact(context, cluster, policies, facts)] if known is None else known
    return [*said, clearing()] if will_clear(world, cluster, command) else said


async def _nothing() -> Sequence[str]:
    return ()


def _normalised(context: Context, wanted: Sequence[Placed]) -> list[Placed]:
    return [
        Placed(target=placed.target, resource=context.targets[placed.target].normalise(placed.resource))
        for placed in wanted
    ]


async def _likely(context: Context, command: Change, cluster: ClusterSite, before: ClusterIntent) -> list[Placed]:
    """What would be wanted if the cluster were as it was last seen; nothing where that cannot be told by thinking."""
    last = context.seen.get(cluster.name)
    if last is None or isinstance(command, Failover | Drill):
        return []
    try:
        after = await _intended(context, command, cluster, before, last)
        return _normalised(context, desired(after, cluster, context.site, last))
    except BotError:
        return []


def _refuse_conflicts(difference: Difference) -> None:
    _refuse(
        [
            tr(
                "{key} on {target}: {problem}",
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


async def _warnings(
    survey: Survey, steps: Sequence[Step], order: Mapping[Place, Precedence], approved: Plan | None
) -> tuple[str, ...]:
    """What devices warn of; an obstacle ends the planning.

    What hides a policy is told of all policies, those that stay as they are included; of one that is moved to where
    nothing hides it, what the move means.
    """
    if approved is not None:
        return ()
    foretold = await survey.foretold(steps)
    made = {(step.target, step.key) for step in steps if step.after is not None}
    obstacles = [f"{name}: {text}" for name, part in foretold.items() for text in part.obstacles]
    obstacles += [f"{place[0]}: {text}" for place in order if place in made for text in order[place].obstacles]
    _refuse(list(dict.fromkeys(obstacles)))
    warnings = [text for part in foretold.values() for text in part.warnings]
    for (target, key), one in order.items():
        moved = (target, Key(kind="position", name=key.name)) in made
        warnings += [*(one.moving if moved else one.hiding), *(one.notes if (target, key) in made else ())]
    return tuple(dict.fromkeys(warnings))


def better_places(order: Mapping[Place, Precedence]) -> Mapping[Place, tuple[Position, Position]]:
    """Where policies stand in the wrong place, and the right one."""
    return {place: one.better for place, one in order.items() if one.better is not None}


def _reorders(steps: Sequence[Step]) -> bool:
    return any(step.key.kind == "position" for step in steps)


def _with_rows(steps: Sequence[Step], free: FreeRows) -> tuple[Step, ...]:
    """Give every route and policy that will be made a free row number of its own, in the order of the steps."""
    left = {of: iter(rows) for of, rows in free.items()}
    placed = []
    for step in steps:
        if step.before is None and step.after is not None and (numbers := left.get((step.target, step.key.kind))):
            step = step.model_copy(update={"after": step.after.model_copy(update={"row": next(numbers)})})
        placed.append(step)
    return tuple(placed)
