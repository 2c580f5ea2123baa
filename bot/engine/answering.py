"""The answers to an incident: move, snooze, "it is planned". One answer counts, whoever gives it and however often."""

import asyncio
from datetime import datetime, timedelta

from bot.engine.changing import begin, if_requested, refuse_locked
from bot.engine.context import Context
from bot.engine.planning import make_plan
from bot.engine.verifying import knock
from bot.model.commands import Drill, Failover
from bot.model.errors import UserError
from bot.model.facts import ClusterFacts
from bot.model.incident import Incident
from bot.model.intent import ClusterIntent
from bot.model.journal import AnyEntry, Asked, Confirmed, Planned, Requested, Snoozed
from bot.model.move import DOORS, pod_doors, service_doors
from bot.model.people import ITSELF, WHOLE_CLUSTER, Permission, Person, Refusal, may
from bot.model.plan import Plan
from bot.model.site import WatchSite
from bot.model.wording import tr
from bot.model.words import word
from bot.model.world import World

# A second look at a gateway that is said to be dead must not keep people from leaving it.
LAST_LOOK_S = 0.5


async def fail_over(
    context: Context, incident_id: str, version: int, node: str, actor: Person, facts: ClusterFacts | None
) -> str:
    """The click on "Fail over to …": look at everything again, then the ordinary flow; answers the operation's id.

    Raises UserError when the click does not count, and BackendErrors when the world cannot be read.
    """
    incident = _answerable(await context.journal.world(), incident_id, version)
    await _permit(context, incident, actor, Failover(node=node, cluster=incident.picture.cluster))
    if node not in incident.picture.eligible:
        raise UserError(tr("{node} is not among the candidates of this incident.", node=node))
    return await move(context, incident, node, actor, facts)


async def move(context: Context, incident: Incident, node: str, actor: Person, facts: ClusterFacts | None) -> str:
    """Plan, and record wish, plan and yes. Raises as `fail_over`. After a crash in between the card waits for a yes."""
    operation = context.env.new_id()
    command = Failover(
        node=node,
        cluster=incident.picture.cluster,
        reason=tr("incident {id}", id=incident.id),
        incident=f"{incident.id}.{incident.version}",
    )
    intent = (await context.journal.world()).intent(incident.picture.cluster)
    shown = incident.picture.warnings[:1] if incident.picture.steps else None  # counted when people were asked
    plan, alive = await asyncio.gather(
        make_plan(context, command, ITSELF, operation, facts=facts, impact=shown),
        _carries_again(context, incident, intent, facts),
    )
    if alive:
        raise UserError(
            tr(
                "{gateway} carries data again at this moment ({alive}); nothing was moved. If "
                "that lasts, this incident ends by itself; `failover` moves anyway.",
                gateway=incident.picture.gateway,
                alive=alive,
            )
        )
    request = Requested(
        operation=operation,
        actor=ITSELF,
        command=command,
        channel=incident.opened.channel,
        delivery=f"incident/{incident.id}/{incident.version}",
    )
    refusal = await context.journal.commit(lambda world: _first(world, incident, plan, request))
    if isinstance(refusal, Refusal):
        raise UserError(refusal.reason)
    # A person, or another bot's recovery, may act on the operation as soon as it is there.
    if (overtaken := await if_requested(context, Planned(operation=operation, plan=plan))) is not None:
        raise UserError(overtaken.reason)
    yes = Confirmed(operation=operation, actor=actor, digest=plan.digest, checks=plan.checks)
    refusal = await context.journal.commit(lambda world: begin(world, yes, plan))
    if isinstance(refusal, Refusal):
        raise UserError(refusal.reason)
    return operation


async def snooze(context: Context, incident_id: str, actor: Person, planned: bool) -> None:
    """Nobody else is called for a while, or not at all. Raises UserError for others than on-call and admins."""
    incident = _answerable(await context.journal.world(), incident_id, None)
    await _permit(context, incident, actor, Failover(cluster=incident.picture.cluster))
    watch = context.cluster(incident.picture.cluster).watch
    until = await context.journal.now() + timedelta(seconds=watch.snooze_s if watch is not None else 0)
    entry = Snoozed(incident=incident.id, actor=actor, until=until, planned=planned)

    def decide(world: World) -> AnyEntry | None:
        return entry if world.incidents[incident.id].state == "open" else None

    await context.journal.commit(decide)


def may_move_alone(world: World, cluster: str, rules: WatchSite, now: datetime) -> bool:
    """Whether hold-down and moves per hour leave room for one more without a person."""
    ended = [operation.records[-1].at for operation in world.moves(cluster)]
    recent = [at for at in ended if now - at < timedelta(hours=1)]
    held = any(now - at < timedelta(seconds=rules.hold_down_s) for at in ended)
    return not held and len(recent) < rules.moves_per_hour


def last_move(world: World, cluster: str) -> str:
    """The last time that the routes were moved, in words; empty when they never were."""
    for operation in reversed(world.moves(cluster)):
        plan = operation.plan
        assert plan is not None  # of a move that somebody said yes to
        drill = isinstance(plan.command, Drill)
        to = tr("a drill") if drill else tr("to {node}", node=plan.intent_after.gateway)
        return tr(
            "change {id}, {to}: {state}, {at:%Y-%m-%d %H:%M} UTC",
            id=operation.id,
            to=to,
            state=word(operation.state),
            at=operation.records[-1].at,
        )
    return ""


def _first(world: World, incident: Incident, plan: Plan, request: Requested) -> Requested | Refusal:
    """The one place where an incident is answered: what comes second is told what came first."""
    now = world.incidents[incident.id]
    if (now.state, now.version) != ("open", incident.version):
        return Refusal(reason=_why_not(now))
    return refuse_locked(world, plan) or request


def _answerable(world: World, incident_id: str, version: int | None) -> Incident:
    incident = world.incidents.get(incident_id)
    if incident is None:
        raise UserError(tr("I do not know this incident (any more); nothing was done."))
    if incident.state != "open" or (version is not None and incident.version != version):
        raise UserError(_why_not(incident))
    return incident


def _why_not(incident: Incident) -> str:
    match incident.state:
        case "answered":
            return tr(
                "Somebody has answered already: change {operation} is being worked on.", operation=incident.operation
            )
        case "resolved":
            return tr("This is over: change {operation} moved the routes.", operation=incident.operation)
        case "withdrawn":
            return tr("This is over already; nothing was done now.")
        case "open":
            return tr("The situation has changed since this was shown; look at the message again, its buttons are new.")


async def _permit(context: Context, incident: Incident, actor: Person, command: Failover) -> None:
    profile = await context.directory.profile(actor)
    refusal = may(profile, Permission.FAIL_OVER, context.grants, incident.picture.cluster, WHOLE_CLUSTER)
    if refusal is not None:
        channel = incident.opened.channel
        await context.journal.append(
            Asked(actor=actor, command=command, channel=channel, answer=refusal.reason, allowed=False)
        )
        raise UserError(refusal.reason)


async def _carries_again(
    context: Context, incident: Incident, intent: ClusterIntent, facts: ClusterFacts | None
) -> str:
    """What data passed just now, on every path, through the gateway; empty when not. A notice leaves a living one."""
    if incident.picture.severity == "notice" or facts is None:
        return ""
    gateway = incident.picture.gateway
    ways = (service_doors(gateway, intent, facts), [door for node, door in pod_doors(intent, facts) if node != gateway])
    answers = await asyncio.gather(*(knock(context, doors[:DOORS], LAST_LOOK_S) for doors in ways if doors))
    return "; ".join(evidence for _, evidence in answers) if all(good for good, _ in answers) else ""
