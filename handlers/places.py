"""Where something was asked: what the bot may do depends on the kind of conversation."""

from collections.abc import Mapping

from slack_sdk.web.async_client import AsyncWebClient

from bot.model.errors import Rejected, UserError
from bot.model.wording import tr
from handlers.web_api import call

NOT_FOUND = "channel_not_found"
MAY_NOT_POST = "restricted_action"
"""Slack's errors of a channel where only some may post begin so."""


class Places:
    """Asks Slack each time: a channel may have been shared, or the bot removed from it, a moment ago."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client

    async def changeable(self, channel: str) -> None:
        """Raises UserError unless changes may be asked for, confirmed and seen here; Unreachable, Rejected."""
        if is_direct(channel):
            raise UserError(
                tr(
                    "Changes are made in the open: ask in a channel. In direct messages I only "
                    "look (status, check, plan)."
                )
            )
        if _shared(await self._info(channel)):
            raise UserError(tr("This channel is shared with another organisation: nothing is changed from here."))

    async def among_us(self, channel: str) -> bool:
        """Whether an answer with names and addresses of the network may be posted here, rather than told to one person.

        Raises UserError unless the bot is in the channel; Unreachable, Rejected.
        """
        return not is_direct(channel) and not _shared(await self._info(channel))

    async def _info(self, channel: str) -> dict[str, object]:
        """A message of ours lives in the channel: without the bot in it, nobody could ever say yes."""
        try:
            info: dict[str, object] = (
                await call("conversations.info", self._client.conversations_info(channel=channel))
            )["channel"]
        except Rejected as error:
            if NOT_FOUND not in error.problem:
                raise
            info = {}  # a private channel without us
        if not info.get("is_member"):
            raise UserError(tr("I am not in this channel. Type `/invite @k8snet` here, then try again."))
        return info


def _shared(info: Mapping[str, object]) -> bool:
    """Whether people of another organisation read along, or soon may."""
    return any(info.get(flag) for flag in ("is_ext_shared", "is_pending_ext_shared"))


def is_direct(channel: str) -> bool:
    """Direct messages are the one kind of conversation that Slack's ids tell."""
    return channel.startswith("D")
