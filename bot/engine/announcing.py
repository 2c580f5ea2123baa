"""The outbox: what the journal says reaches the chat, once, also after a crash or an outage of the chat."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial

from bot.engine.context import Context
from bot.engine.lasting import going_on
from bot.model.errors import BotError, Rejected, Unreachable
from bot.model.incident import Incident
from bot.model.journal import Announced, Audited, Record, Shown
from bot.model.operation import Operation

log = logging.getLogger(__name__)

# Every request, yes or no, change and result; the rest of the journal is bookkeeping.
AUDITED_KINDS = frozenset(
    {
        "asked",
        "requested",
        "unplannable",
        "confirmed",
        "denied",
        "cancelled",
        "expired",
        "stale",
        "attempted",
        "verified",
        "measured",
        "cleared",
        "turned-back",
        "stuck",
        "resumed",
        "finished",
        "incident-opened",
        "incident-revised",
        "incident-escalated",
        "incident-snoozed",
        "incident-withdrawn",
    }
)
UPDATE_INTERVAL_S = 1.0
RETRY_PAUSE_S = 5.0
AUDIT_BATCH = 20


class Outbox:
    """Brings messages up to date until nothing is left to say. One per bot instance."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._shown_at: dict[str, float] = {}

    async def flush(self) -> float:
        """Say everything that is due; answers after how many seconds something else will be, 0.0 for nothing known.

        Raises Unreachable when the chat is away or lacks something: nothing is lost, try later. What one card lacks
        (its file, say) keeps no other waiting, unless the chat asks for a pause.
        """
        world = await self._context.journal.world()
        due = list(world.unannounced())
        alarms = list(world.unshown())
        backlog = world.records[world.audited :]  # a record's number is its place, from 1
        waits = [wait for operation in due if (wait := self._wait(operation)) > 0]
        calls = [partial(self._show_incident, incident) for incident in alarms]
        sayings = [partial(self._show, operation) for operation in due if self._wait(operation) <= 0]
        await _each([*calls, *sayings, partial(self._audit, backlog, dict(world.operations))])
        return min(waits, default=0.0)

    def _wait(self, operation: Operation) -> float:
        """At most one update per second and message, but for its last one; what happens meanwhile is in the next."""
        if operation.final or operation.id not in self._shown_at:
            return 0.0
        return self._shown_at[operation.id] + UPDATE_INTERVAL_S - self._context.env.monotonic()

    async def _show(self, operation: Operation) -> None:
        thread = (await self._context.journal.world()).thread(operation)
        try:
            message = await self._context.announcer.show(operation, thread)
            channel, identifier = message.channel, message.id
        except Rejected as error:
            # The chat will never take it (a deleted channel, a missing scope): the journal still has it all.
            log.error("operation %s cannot be shown: %s", operation.id, error)
            channel, identifier = operation.request.channel, ""
        self._shown_at[operation.id] = self._context.env.monotonic()
        await self._context.journal.append(
            Announced(operation=operation.id, channel=channel, message=identifier, upto=operation.last_seq)
        )

    async def _show_incident(self, incident: Incident) -> None:
        """Nobody waits for a pause here: people are being called."""
        try:
            message = await self._context.announcer.show_incident(incident)
            channel, identifier = message.channel, message.id
        except Rejected as error:
            log.error("incident %s cannot be shown: %s", incident.id, error)
            channel, identifier = incident.opened.channel, ""
        await self._context.journal.append(
            Shown(incident=incident.id, channel=channel, message=identifier, upto=incident.last_seq)
        )

    async def _audit(self, backlog: list[Record], operations: Mapping[str, Operation]) -> None:
        lines = [record for record in backlog if record.entry.kind in AUDITED_KINDS]
        for start in range(0, len(lines), AUDIT_BATCH):
            batch = lines[start : start + AUDIT_BATCH]
            try:
                await self._context.announcer.audit(batch, operations)
            except Rejected as error:
                log.error("the audit channel refuses records %s to %s: %s", batch[0].seq, batch[-1].seq, error)
            await self._context.journal.append(Audited(upto=batch[-1].seq))


async def unseen(context: Context, operation: str) -> Operation | None:
    """Wait until the chat has taken the message of a change that was asked for here, or refused it: then the change."""
    news = context.journal.news()
    while (message := context.journal.known.operations[operation].message) is None:
        await news.wait()
        news.clear()
    return None if message.id else context.journal.known.operations[operation]


async def _each(sayings: Iterable[Callable[[], Awaitable[None]]]) -> None:
    """One after the other. Raises the first Unreachable after the last of them, or at once one that asks to wait.

    A mistake of ours in saying one thing leaves that unsaid until the next time, and nothing else.
    """
    lacking: Unreachable | None = None
    for say in sayings:
        try:
            await say()
        except Unreachable as error:
            if error.retry_after_s:
                raise
            lacking = lacking or error
        except BotError:
            raise
        except Exception:
            log.exception("something cannot be said")
    if lacking is not None:
        raise lacking


async def deliver(context: Context) -> None:
    """Keep the chat up to date for as long as the bot lives."""
    outbox = Outbox(context)
    while True:
        wait, pause_s = None, RETRY_PAUSE_S
        with going_on("the chat lags behind"):
            try:
                wait = await outbox.flush()
            except Unreachable as error:
                pause_s = error.retry_after_s or pause_s
                raise
        if wait is None:
            await context.env.sleep(pause_s)
        else:
            await _until_due(context, wait)


async def _until_due(context: Context, wait: float) -> None:
    """Until there is a new record, or at the latest until these seconds have passed; 0.0 is for ever."""
    waiting = [asyncio.ensure_future(context.journal.changed())]
    if wait:
        waiting.append(asyncio.ensure_future(context.env.sleep(wait)))
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
