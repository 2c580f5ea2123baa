"""One bot a name: a second process under the same instance name waits until the first has gone.

The right to drive an operation belongs to the name, so that a restarted bot takes up its work at once. That is safe
only while no two processes bear the name at the same time, which a short lease of the name sees to.
"""

import logging

from bot.engine.context import Context
from bot.engine.lasting import going_on
from bot.engine.ports import Hold

log = logging.getLogger(__name__)

TTL_S = 8.0
RENEWAL_S = 2.0
MARGIN_S = 1.0  # between the last look at the clock and the moment when something has left the machine


async def holds_name(context: Context) -> bool:
    """Take or renew this process' hold on the instance name."""
    hold = name_hold(context)
    asked_at = context.env.monotonic()
    held = await context.journal.lease(hold.name, hold.owner, hold.ttl_s)
    if held:
        renewed(context, asked_at)
    return held


def renewed(context: Context, asked_at: float) -> None:
    """The name was renewed by a request of that moment (monotonic): it is ours for at least so long."""
    context.presence.until = max(context.presence.until, asked_at + TTL_S - MARGIN_S)


def surely_ours(context: Context) -> bool:
    """Whether nobody else can bear the name at this moment, as far as this process knows without asking."""
    return context.env.monotonic() < context.presence.until


async def is_gone(context: Context, instance: str) -> bool:
    """Whether no other bot bears this name; one that was killed does for `TTL_S` at most. Raises BackendErrors.

    Takes the name for a moment: a bot that starts under it just then waits a little.
    """
    if instance == context.instance:
        return True
    if not await context.journal.lease(_name(instance), context.process, TTL_S):
        return False
    await context.journal.release(_name(instance), context.process)
    return True


def name_hold(context: Context) -> Hold:
    """The lease that `holds_name` takes."""
    return Hold(name=_name(context.instance), owner=context.process, ttl_s=TTL_S)


async def claim_name(context: Context) -> None:
    """Wait until the name is ours. Raises Unreachable when the store is away."""
    waited = False
    while not await holds_name(context):
        if not waited:
            log.warning(
                "another bot works as %s, or died less than %d s ago; waiting (see `instance` in app.yaml)",
                context.instance,
                TTL_S,
            )
            waited = True
        await context.env.sleep(RENEWAL_S)


async def keep_name(context: Context) -> None:
    """Renew the hold for as long as the bot lives. Whoever lost it drives nothing until it is ours again."""
    held = True
    while True:
        await context.env.sleep(RENEWAL_S)
        holds = held
        with going_on(f"the name {context.instance} cannot be renewed"):
            holds = await holds_name(context)
        if held and not holds:
            log.error("another bot took over the name %s; this one changes nothing any more", context.instance)
        held = holds


async def leave_name(context: Context) -> None:
    """Let the next bot start without waiting."""
    await context.journal.release(_name(context.instance), context.process)


def _name(instance: str) -> str:
    return f"instance/{instance}"
