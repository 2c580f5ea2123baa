"""The outbox' way into Slack: one message per operation, found again after a crash; one line per audit record."""

from collections.abc import Mapping, Sequence
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.model.errors import OutcomeUnknown, Rejected, Unreachable
from bot.model.journal import Anchor, Record
from bot.model.operation import Message, Operation
from handlers.views.audit import audit_line
from handlers.views.operation import operation_view
from handlers.web_api import SYSTEM, call

EVENT = "k8snet_operation"
AUDIT_EVENT = "k8snet_audit"
SEARCHED_MESSAGES = 100


class SlackAnnouncer:
    """Implements the engine's Announcer. Never posts before looking for what it may have posted already."""

    def __init__(self, client: AsyncWebClient, audit_channel: str) -> None:
        self._client = client
        self._audit_channel = audit_channel

    async def show(self, operation: Operation) -> Message:
        """Raises Unreachable, Rejected."""
        channel = operation.request.channel
        known = operation.message.id if operation.message else None
        timestamp = known or await self._find(channel, operation.id)
        text, blocks = operation_view(operation)
        content: dict[str, Any] = {"channel": channel, "text": text, "blocks": blocks}
        if timestamp is None:
            content["metadata"] = {"event_type": EVENT, "event_payload": {"operation": operation.id}}
            timestamp = await self._post(content)
        else:
            await self._write("chat.update", self._client.chat_update(ts=timestamp, **content))
        return Message(channel=channel, id=timestamp, upto=operation.last_seq)

    async def audit(self, records: Sequence[Record], operations: Mapping[str, Operation]) -> None:
        """Raises Unreachable, Rejected."""
        posted = await self._last_audited()
        records = [record for record in records if record.seq > posted]
        if not records:
            return
        last = records[-1]
        lines = [audit_line(record, operations) for record in records]
        await self._post(
            {
                "channel": self._audit_channel,
                "text": "\n".join([*lines, f"_sealed up to #{last.seq} by {last.hash}_"]),
                "metadata": {
                    "event_type": AUDIT_EVENT,
                    "event_payload": {"first": records[0].seq, "last": last.seq, "hash": last.hash},
                },
            }
        )

    async def anchor(self) -> Anchor | None:
        """Raises Unreachable."""
        payloads = [payload for _, payload in await self._payloads(self._audit_channel, AUDIT_EVENT)]
        newest = max(payloads, key=lambda payload: int(payload["last"]), default=None)
        return Anchor(seq=newest["last"], hash=newest["hash"]) if newest and "hash" in newest else None

    async def _last_audited(self) -> int:
        """The newest record that the audit channel has a line for: a crash may have hidden from us that we posted."""
        payloads = await self._payloads(self._audit_channel, AUDIT_EVENT)
        return max((int(payload.get("last", 0)) for _, payload in payloads), default=0)

    async def _post(self, content: dict[str, Any]) -> str:
        posting = self._client.chat_postMessage(unfurl_links=False, unfurl_media=False, **content)
        return str((await self._write("chat.postMessage", posting))["ts"])

    async def _write(self, what: str, request: Any) -> dict[str, Any]:
        try:
            return await call(what, request)
        except OutcomeUnknown as error:
            # The outbox comes back and looks for the message by its metadata before it posts again.
            raise Unreachable(SYSTEM, error.problem) from None

    async def _find(self, channel: str, operation: str) -> str | None:
        """The message of ours that shows this operation."""
        payloads = await self._payloads(channel, EVENT)
        return next((timestamp for timestamp, payload in payloads if payload.get("operation") == operation), None)

    async def _payloads(self, channel: str, event: str) -> list[tuple[str, dict[str, Any]]]:
        """Our messages with that metadata, newest first. A history we may not read counts as empty."""
        try:
            history = await call(
                "conversations.history",
                self._client.conversations_history(channel=channel, limit=SEARCHED_MESSAGES, include_all_metadata=True),
            )
        except Rejected:
            return []
        except OutcomeUnknown as error:
            raise Unreachable(SYSTEM, error.problem) from None
        found = ((str(message["ts"]), message.get("metadata") or {}) for message in history.get("messages", []))
        return [(ts, metadata["event_payload"]) for ts, metadata in found if metadata.get("event_type") == event]
