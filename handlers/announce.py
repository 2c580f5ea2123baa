"""The outbox' way into Slack: one message per operation, found again after a crash; one line per audit record."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.model.errors import OutcomeUnknown, Rejected, Unreachable
from bot.model.incident import Incident
from bot.model.journal import Anchor, Record
from bot.model.operation import Message, Operation
from bot.model.plan import Plan
from bot.model.wording import tr
from handlers.views.audit import audit_line
from handlers.views.blocks import Block, section
from handlers.views.incident import incident_view, said_below
from handlers.views.operation import fits, operation_view, plan_file
from handlers.web_api import SYSTEM, call

EVENT = "k8snet_operation"
AUDIT_EVENT = "k8snet_audit"
INCIDENT_EVENT = "k8snet_incident"
BELOW_EVENT = "k8snet_incident_note"
PAGE = 100
MOST_PAGES = 20  # conversations.history allows fifty calls a minute, also to a channel where a lot is said
# Slack's clock dates messages, ours dates records; whoever's host is more than this off has other troubles.
CLOCKS_DIFFER = timedelta(minutes=10)
# What a person mends: by an invitation, in the channel's settings, by installing the app again, in app.yaml.
MENDABLE = ("not_in_channel", "channel_not_found", "is_archived", "restricted_action", "missing_scope")


class SlackAnnouncer:
    """Implements the engine's Announcer. Never posts before looking for what it may have posted already."""

    def __init__(self, client: AsyncWebClient, audit_channel: str) -> None:
        """`client` should not wait out a rate limit by itself: the outbox does, and folds what happens meanwhile."""
        self._client = client
        self._audit_channel = audit_channel

    async def show(self, operation: Operation, thread: str | None = None) -> Message:
        """Raises Unreachable, Rejected."""
        channel = operation.request.channel
        known = operation.message.id if operation.message else None
        asked = operation.records[0].at
        timestamp = known or await self._find(channel, thread, asked, EVENT, {"operation": operation.id})
        plan = operation.plan
        long = plan if plan is not None and operation.state == "awaiting" and not fits(plan) else None
        if timestamp is None:
            timestamp = await self._post_card(operation, thread)
            if long is None:
                return Message(channel=channel, id=timestamp, upto=operation.last_seq)
        attached = await self._attached(channel, timestamp, long) if long else None
        text, blocks = operation_view(operation, attached)
        update = self._client.chat_update(channel=channel, ts=timestamp, text=text, blocks=blocks)
        await self._write("chat.update", update)
        return Message(channel=channel, id=timestamp, upto=operation.last_seq)

    async def show_incident(self, incident: Incident) -> Message:
        """Raises Unreachable, also while the channel of app.yaml cannot be written to; Rejected."""
        with _mendable(incident.opened.channel):
            return await self._show_incident(incident)

    async def _show_incident(self, incident: Incident) -> Message:
        channel = incident.opened.channel
        known, upto = (incident.message.id, incident.message.upto) if incident.message else (None, 0)
        payload = {"incident": incident.id}
        began = incident.records[0].at
        timestamp = await self._upsert(known, channel, None, began, INCIDENT_EVENT, payload, incident_view(incident))
        for record in incident.records:
            said = said_below(record, incident) if record.seq > upto else None
            if said is not None:
                below = {"incident": incident.id, "record": record.seq}
                view = said, [section(said)]
                await self._upsert(None, channel, timestamp, record.at, BELOW_EVENT, below, view)
        return Message(channel=channel, id=timestamp, upto=incident.last_seq)

    async def _upsert(
        self,
        known: str | None,
        channel: str,
        thread: str | None,
        since: datetime,
        event: str,
        payload: dict[str, Any],
        view: tuple[str, list[Block]],
    ) -> str:
        """The message with this metadata says this now; posted only if there is none yet. Answers its timestamp."""
        timestamp = known or await self._find(channel, thread, since, event, payload)
        text, blocks = view
        content: dict[str, Any] = {"channel": channel, "text": text, "blocks": blocks}
        if timestamp is None:
            content["metadata"] = {"event_type": event, "event_payload": payload}
            return await self._post({**content, **({"thread_ts": thread} if thread else {})})
        await self._write("chat.update", self._client.chat_update(ts=timestamp, **content))
        return timestamp

    async def _post_card(self, operation: Operation, thread: str | None) -> str:
        text, blocks = operation_view(operation)
        return await self._post(
            {
                "channel": operation.request.channel,
                "text": text,
                "blocks": blocks,
                "metadata": {"event_type": EVENT, "event_payload": {"operation": operation.id}},
                **({"thread_ts": thread} if thread else {}),
            }
        )

    async def _attached(self, channel: str, timestamp: str, plan: Plan) -> str:
        """Put a long plan whole into the thread unless it is there. "" when it is, otherwise why it cannot be.

        Raises Unreachable.
        """
        name, content = plan_file(plan)
        try:
            if not await self._in_thread(channel, timestamp, name):
                await self._write(
                    "files.upload",
                    self._client.files_upload_v2(
                        channel=channel, thread_ts=timestamp, filename=name, title=name, content=content
                    ),
                )
        except Rejected as error:
            return tr("the whole plan could not be put into the thread ({problem}).", problem=error.problem)
        return ""

    async def _in_thread(self, channel: str, timestamp: str, name: str) -> bool:
        async for reply in self._messages(channel, timestamp):
            if any(file.get("name") == name for file in reply.get("files", ())):
                return True
        return False

    async def audit(self, records: Sequence[Record], operations: Mapping[str, Operation]) -> None:
        """Raises Unreachable, also while the audit channel cannot be written to; Rejected."""
        if records:
            with _mendable(self._audit_channel):
                await self._audit(records, operations)

    async def _audit(self, records: Sequence[Record], operations: Mapping[str, Operation]) -> None:
        posted = await self._last_audited(records[0].at)
        records = [record for record in records if record.seq > posted]
        if not records:
            return
        last = records[-1]
        lines = [audit_line(record, operations) for record in records]
        await self._post(
            {
                "channel": self._audit_channel,
                "text": "\n".join([*lines, tr("_sealed up to #{seq} by {hash}_", seq=last.seq, hash=last.hash)]),
                "metadata": {
                    "event_type": AUDIT_EVENT,
                    "event_payload": {"first": records[0].seq, "last": last.seq, "hash": last.hash},
                },
            }
        )

    async def anchor(self) -> Anchor | None:
        """Raises Unreachable."""
        newest = await self._newest_audit()
        return Anchor(seq=newest["last"], hash=newest["hash"]) if newest and "hash" in newest else None

    async def _last_audited(self, since: datetime) -> int:
        """The newest record with a line posted since then, or 0: a crash may have hidden from us that we posted."""
        newest = await self._newest_audit(_ts(since))
        return int(newest["last"]) if newest else 0

    async def _newest_audit(self, oldest: str = "0") -> dict[str, Any] | None:
        """What our newest message in the audit channel is about, though others may have written there since."""
        async for _, payload in self._payloads(self._audit_channel, AUDIT_EVENT, oldest=oldest):
            return payload
        return None

    async def _post(self, content: dict[str, Any]) -> str:
        posting = self._client.chat_postMessage(unfurl_links=False, unfurl_media=False, **content)
        return str((await self._write("chat.postMessage", posting))["ts"])

    async def _write(self, what: str, request: Any) -> dict[str, Any]:
        try:
            return await call(what, request)
        except OutcomeUnknown as error:
            # The outbox comes back and looks for the message by its metadata before it posts again.
            raise Unreachable(SYSTEM, error.problem) from None

    async def _find(
        self, channel: str, thread: str | None, since: datetime, event: str, wanted: dict[str, Any]
    ) -> str | None:
        """The message of ours with this metadata, posted since then at the earliest."""
        async for timestamp, payload in self._payloads(channel, event, thread, _ts(since)):
            if payload == wanted:
                return timestamp
        return None

    async def _payloads(
        self, channel: str, event: str, thread: str | None = None, oldest: str = "0"
    ) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Our messages with that metadata in a channel, newest first, or in a thread, oldest first.

        A history that we may not read counts as empty.
        """
        try:
            async for message in self._messages(channel, thread, oldest):
                metadata = message.get("metadata") or {}
                if metadata.get("event_type") == event:
                    yield str(message["ts"]), metadata["event_payload"]
        except Rejected:
            return

    async def _messages(self, channel: str, thread: str | None, oldest: str = "0") -> AsyncIterator[dict[str, Any]]:
        """Page by page, for as long as somebody reads on, but not for ever. Raises Unreachable, Rejected."""
        where: dict[str, Any] = {"channel": channel, "limit": PAGE, "include_all_metadata": True, "oldest": oldest}
        cursor = ""
        for _ in range(MOST_PAGES):
            more = {**where, **({"cursor": cursor} if cursor else {})}
            if thread is None:
                page = await self._write("conversations.history", self._client.conversations_history(**more))
            else:
                page = await self._write("conversations.replies", self._client.conversations_replies(ts=thread, **more))
            for message in page.get("messages", []):
                yield message
            cursor = (page.get("response_metadata") or {}).get("next_cursor", "")
            if not cursor:
                return


@contextmanager
def _mendable(channel: str) -> Iterator[None]:
    """A refusal that a person can mend is none for ever: what was to be said waits, as for a Slack that is away."""
    try:
        yield
    except Rejected as error:
        if not any(code in error.problem for code in MENDABLE):
            raise
        text = tr("{channel} cannot be written to: {problem}", channel=channel, problem=error.problem)
        raise Unreachable(SYSTEM, text) from None


def _ts(at: datetime) -> str:
    """Slack's name for a moment, early enough for clocks that differ."""
    return f"{(at - CLOCKS_DIFFER).timestamp():.6f}"
