"""Asking for a change and saying yes or no to it."""

from itertools import groupby

from bot.engine.context import Context
from bot.engine.journal import TooLate
from bot.engine.lasting import wrong_inside
from bot.engine.planning import make_plan
from bot.engine.side_by_side import both, together
from bot.engine.targets import LooksAhead
from bot.model.commands import SPEC, Change, ClearDnsCache, Drill, Expose, Failover, Unexpose
from bot.model.errors import BotError, UserError
from bot.model.journal import (
    AnyEntry,
    Asked,
    Cancelled,
    Confirmed,
    Denied,
    Expired,
    Finished,
    Planned,
    Record,
    Requested,
    Resumed,
    Stale,
    Unplannable,
)
from bot.model.operation import Operation
from bot.model.people import WHOLE_CLUSTER, Permission, Person, Refusal, may
from bot.model.plan import Plan, differences
from bot.model.wording import listed, tr
from bot.model.words import word
from bot.model.world import World

DIGEST_PREFIX = 32  # 128 bits travel in a button; the rest is looked up


async def request(context: Context, command: Change, actor: Person, channel: str, delivery: str) -> str:
    """Journal the wish and plan it; answers the operation's id. The same delivery twice is one operation.

    Raises UserError for a missing role or a cluster that cannot be told. Everything that goes wrong later is
    said on the operation's own message.
    """
    cluster = context.cluster(command.cluster)
    needed = SPEC[command.verb].permission or Permission.REQUEST
    refusal = await _refusal(context, actor, needed, cluster.name, _namespace(command))
    if refusal is not None:
        await context.journal.append(
            Asked(actor=actor, command=command, channel=channel, answer=refusal.reason, allowed=False)
        )
        raise UserError(refusal.reason)
    entry = Requested(operation=context.env.new_id(), actor=actor, command=command, channel=channel, delivery=delivery)
    known = await context.journal.commit(lambda world: world.deliveries.get(delivery) or entry)
    if isinstance(known, str):
        return known
    await plan_requested(context, entry)
    return entry.operation


async def plan_requested(context: Context, entry: Requested) -> None:
    """Plan a requested change and journal the plan, or why there is none."""
    assert isinstance(entry.command, Expose | Unexpose | Failover | Drill | ClearDnsCache)
    seen = context.journal.known.seq
    try:
        plan = await make_plan(context, entry.command, entry.actor, entry.operation)
        answer: Planned | Unplannable = Planned(operation=entry.operation, plan=plan)
    except BotError as error:
        plan, answer = None, Unplannable(operation=entry.operation, reason=str(error))
    except Exception:
        plan, answer = None, Unplannable(operation=entry.operation, reason=wrong_inside(context.env))
    await if_requested(context, answer)
    if plan is not None and not plan.steps:
        await _end_without_steps(context, plan, seen)


async def _end_without_steps(context: Context, plan: Plan, seen: int) -> None:
    """Nothing to do, unless somebody has changed the cluster since record `seen`, or is about to: what was found may
    be what they take back. Then it stays a wish, and recovery plans it anew."""

    def decide(world: World) -> AnyEntry | None:
        if world.operations[plan.operation].state != "requested" or world.changed_since(plan.cluster, seen):
            return None
        if (stuck := world.exposing(plan.cluster)) is not None:
            return Unplannable(operation=plan.operation, reason=_held(stuck).reason)
        return Finished(operation=plan.operation, result="nothing-to-do")

    await context.journal.commit(decide)


async def if_requested(context: Context, entry: Planned | Unplannable) -> Refusal | None:
    """Recovery and the request itself may plan at the same time; the first one counts, and refuses the other."""

    def decide(world: World) -> AnyEntry | Refusal:
        operation = world.operations[entry.operation]
        return entry if operation.state == "requested" else Refusal(reason=_why_not(operation))

    answer = await context.journal.commit(decide)
    return answer if isinstance(answer, Refusal) else None


async def confirm(context: Context, operation_id: str, digest: str, actor: Person) -> str:
    """The yes of a person to one digest; answers a sentence for that person, or "" when the message says it all.

    Raises UserError when the yes does not count, BackendErrors when the world cannot be read to check it.
    """
    operation = _known(await context.journal.world(), operation_id)
    plan = _confirmable(operation, digest)
    await _gate(context, operation, plan, actor)
    try:
        fresh, _ = await both(
            make_plan(context, plan.command, plan.requester, operation.id, approved=plan), _look_ahead(context, plan)
        )
        changed = differences(plan, fresh)
    except UserError as error:
        fresh, changed = None, (str(error),)
    if changed:
        return await _replace(context, operation, actor, changed)
    assert fresh is not None
    entry = Confirmed(operation=operation.id, actor=actor, digest=plan.digest, checks=fresh.checks)
    try:
        answer = await context.journal.commit(lambda world: begin(world, entry, plan), not_after=plan.expires_at)
    except TooLate:
        await expire(context, operation.id)
        raise UserError(tr("This plan has expired; nothing was changed. Ask again for a fresh one.")) from None
    if isinstance(answer, Refusal):
        raise UserError(answer.reason)
    return ""


async def _look_ahead(context: Context, plan: Plan) -> None:
    """Let the devices that will be written to look while the plan is made again: both see the same moment."""
    runs = [(name, list(steps)) for name, steps in groupby(plan.steps, key=lambda step: step.target)]
    first = dict(reversed(runs))  # of a device that has its turn more than once
    looks = [(context.targets[name], steps) for name, steps in first.items()]
    await together([target.look_ahead(steps) for target, steps in looks if isinstance(target, LooksAhead)])


async def cancel(context: Context, operation_id: str, actor: Person) -> None:
    """The requester, or anybody who could confirm, says no. Raises UserError when it is too late or not theirs."""
    operation = _known(await context.journal.world(), operation_id)
    if operation.plan is None:
        raise UserError(tr("There is no plan to cancel yet."))
    if actor != operation.request.actor:
        await _gate(context, operation, operation.plan, actor)
    await _commit_if(context, operation_id, "awaiting", Cancelled(operation=operation_id, actor=actor))


async def expire(context: Context, operation_id: str) -> None:
    """Write the end of a plan nobody confirmed in time; harmless when it is no longer waiting."""
    await context.journal.commit(
        lambda world: Expired(operation=operation_id) if world.operations[operation_id].state == "awaiting" else None
    )


async def resume(context: Context, operation_id: str, actor: Person) -> None:
    """A person who may confirm says: try again to undo. Raises UserError when it does not wait for that."""
    operation = _known(await context.journal.world(), operation_id)
    assert operation.plan is not None
    await _gate(context, operation, operation.plan, actor)
    await _commit_if(context, operation_id, "stuck", Resumed(operation=operation_id, actor=actor))


async def release(context: Context, operation_id: str, actor: Person) -> None:
    """An admin takes over what is left on the devices; locks are given back. Raises UserError for others."""
    operation = _known(await context.journal.world(), operation_id)
    plan = operation.plan
    assert plan is not None
    refusal = await _refusal(context, actor, Permission.ADMINISTER, plan.cluster, _namespace(plan.command))
    if refusal is not None:
        await _deny(context, operation_id, actor, refusal)
    ending = Finished(operation=operation_id, result="released", reason=tr("taken over by {actor}", actor=actor))
    await _commit_if(context, operation_id, "stuck", ending)


def _known(world: World, operation_id: str) -> Operation:
    operation = world.operations.get(operation_id)
    if operation is None:
        raise UserError(tr("I do not know this change (any more); nothing was done. Ask again for a fresh plan."))
    return operation


def _confirmable(operation: Operation, digest: str) -> Plan:
    if operation.state != "awaiting":
        raise UserError(_why_not(operation))
    assert operation.plan is not None
    if operation.plan.digest[:DIGEST_PREFIX] != digest[:DIGEST_PREFIX] or len(digest) < DIGEST_PREFIX:
        raise UserError(tr("This button belongs to an older version of the plan; look at the newest message."))
    return operation.plan


def _why_not(operation: Operation) -> str:
    match operation.state:
        case "requested":
            return tr("The plan is not ready yet.")
        case "awaiting":
            return tr("It waits for a yes, on its own message.")
        case "stuck":
            return tr("A person is needed; its own message says for what.")
        case "running" | "undoing":
            return tr("Already confirmed by {person}; it is being worked on.", person=operation.confirmed_by)
        case "stale":
            return tr("The network has changed since this plan was made; there is a newer card with a fresh plan.")
        case "expired":
            return tr("This plan has expired; nothing was changed. Ask again for a fresh one.")
        case _:
            return tr("This change is over ({state}); nothing was done now.", state=word(operation.state))


async def _gate(context: Context, operation: Operation, plan: Plan, actor: Person) -> None:
    """Raises UserError, after writing it down, unless this person's yes counts here and now."""
    refusal = await objection(context, operation, plan, actor)
    if refusal is not None:
        await _deny(context, operation.id, actor, refusal)


async def objection(context: Context, operation: Operation, plan: Plan, actor: Person) -> Refusal | None:
    """Why this person's yes would not count here and now; None when it would."""
    needed = Permission.FAIL_OVER if isinstance(plan.command, Failover | Drill) else Permission.CONFIRM
    refusal = await _refusal(context, actor, needed, plan.cluster, _namespace(plan.command))
    if refusal is None and actor == operation.request.actor and not context.cluster(plan.cluster).self_confirm:
        return Refusal(
            reason=tr(
                "Somebody else must confirm what you asked for (clusters.{cluster}.self_confirm is off in app.yaml).",
                cluster=plan.cluster,
            )
        )
    return refusal


async def _deny(context: Context, operation_id: str, actor: Person, refusal: Refusal) -> None:
    await context.journal.append(Denied(operation=operation_id, actor=actor, reason=refusal.reason))
    raise UserError(refusal.reason)


def _namespace(command: Change) -> str:
    return WHOLE_CLUSTER if isinstance(command, Failover | Drill) else command.namespace


async def _refusal(
    context: Context, actor: Person, permission: Permission, cluster: str, namespace: str
) -> Refusal | None:
    profile = await context.directory.profile(actor)
    return may(profile, permission, context.grants, cluster, namespace)


def begin(world: World, entry: Confirmed, plan: Plan) -> Confirmed | Refusal:
    """The yes, if the plan still waits for one and nothing is in its way."""
    operation = world.operations[entry.operation]
    if operation.state != "awaiting":
        return Refusal(reason=_why_not(operation))
    return refuse_locked(world, plan) or entry


def refuse_locked(world: World, plan: Plan) -> Refusal | None:
    """Why a plan may not begin now: its cluster's intent has moved on, or somebody else writes to its targets."""
    if world.intent(plan.cluster) != plan.intent_before:
        return Refusal(reason=tr("Another change of this cluster was just made; ask again for a fresh plan."))
    # Which objects may go depends on all that is exposed; a move of the routes needs to wait for nobody else's proof.
    holder = world.holder(plan.targets) or (world.exposing(plan.cluster) if plan.exposes else None)
    return None if holder is None else _held(holder)


def _held(holder: Operation) -> Refusal:
    return Refusal(
        reason=tr(
            "Change {change}, confirmed by {person}, is being applied to {targets}; try again when it has ended.",
            change=holder.id,
            person=holder.confirmed_by,
            targets=listed(holder.plan.targets) if holder.plan else tr("the same devices"),
        )
    )


async def _replace(context: Context, operation: Operation, actor: Person, changed: tuple[str, ...]) -> str:
    """Refuse a yes to a plan that no longer fits, and make a new card for the same wish."""
    stale = Stale(operation=operation.id, actor=actor, differences=changed, successor=context.env.new_id())
    await _commit_if(context, operation.id, "awaiting", stale)
    await plan_requested(context, await succeed(context, operation.id))
    return tr("The network has changed since this plan was made, so nothing was done. A new card shows the fresh plan.")


async def succeed(context: Context, operation_id: str) -> Requested:
    """The wish of a stale operation, asked again under the name that was promised; journalled unless it is already."""

    def decide(world: World) -> Requested | Operation:
        stale = world.operations[operation_id]
        old, successor = stale.request, stale.successor
        assert successor is not None  # of a stale one
        if successor in world.operations:
            return world.operations[successor]
        return Requested(
            operation=successor,
            actor=old.actor,
            command=old.command,
            channel=old.channel,
            delivery=f"{old.delivery}/{operation_id}",
        )

    answer = await context.journal.commit(decide)
    if isinstance(answer, Operation):
        return answer.request
    assert isinstance(answer.entry, Requested)
    return answer.entry


async def _commit_if(context: Context, operation_id: str, state: str, entry: AnyEntry) -> Record:
    """Append when the operation is still in that state. Raises UserError with what it is instead."""
    answer = await context.journal.commit(
        lambda world: entry if world.operations[operation_id].state == state else world.operations[operation_id]
    )
    if isinstance(answer, Operation):
        raise UserError(_why_not(answer))
    return answer
