"""The outbox: what the journal says reaches the chat, once, also after a crash or an outage of the chat."""

import logging
from collections.abc import Mapping

from bot.engine.context import Context
from bot.model.errors import BackendError, Rejected
from bot.model.journal import Announced, Audited, Record
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
        "turned-back",
        "stuck",
        "resumed",
        "finished",
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

    async def flush(self) -> None:
        """Say everything that is due. Raises Unreachable when the chat is away: nothing is lost, try later."""
        world = await self._context.journal.world()
        due = list(world.unannounced())
        backlog = world.records[world.audited :]  # a record's number is its place, from 1
        for operation in due:
            await self._show(operation)
        await self._audit(backlog, dict(world.operations))

    async def _show(self, operation: Operation) -> None:
        """At most one update per second and message; what happens meanwhile is in the next one."""
        env = self._context.env
        elapsed = env.monotonic() - self._shown_at.get(operation.id, -UPDATE_INTERVAL_S)
        if elapsed < UPDATE_INTERVAL_S and not operation.final:
            await env.sleep(UPDATE_INTERVAL_S - elapsed)
            operation = (await self._context.journal.world()).operations[operation.id]
        try:
            message = await self._context.announcer.show(operation)
            channel, identifier = message.channel, message.id
        except Rejected as error:
            # The chat will never take it (a deleted channel, a missing scope): the journal still has it all.
            log.error("operation %s cannot be shown: %s", operation.id, error)
            channel, identifier = operation.request.channel, ""
        self._shown_at[operation.id] = env.monotonic()
        await self._context.journal.append(
            Announced(operation=operation.id, channel=channel, message=identifier, upto=operation.last_seq)
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


async def deliver(context: Context) -> None:
    """Keep the chat up to date for as long as the bot lives."""
    outbox = Outbox(context)
    while True:
        try:
            await outbox.flush()
        except BackendError as error:
            log.warning("the chat lags behind: %s", error)
            await context.env.sleep(RETRY_PAUSE_S)
            continue
        await context.journal.changed()
