"""Messages that say "Checking …", noted in the store: when a bot is killed meanwhile, the next one puts them right."""

import logging
from collections.abc import AsyncIterator

from bot.engine.context import Context
from bot.engine.lasting import going_on
from bot.engine.presence import TTL_S, is_gone
from bot.model.commands import Check
from bot.model.value import Value

log = logging.getLogger(__name__)

TOPIC = "checks"
MOST = 100  # of one life: Slack may refuse to have them put right, again and again


class UnderWay(Value):
    """A message that says "Checking …", what was asked for, and which bot in which life walks the path."""

    instance: str
    process: str
    channel: str
    timestamp: str
    command: Check


class ChecksUnderWay:
    """The notes, with those of other bots. Nothing here raises: an answer matters more than a note of it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._noted: set[UnderWay] = set()

    def began(self, channel: str, timestamp: str, command: Check) -> UnderWay:
        """A check of this life; not noted yet."""
        own = self._context
        return UnderWay(
            instance=own.instance, process=own.process, channel=channel, timestamp=timestamp, command=command
        )

    async def note(self, check: UnderWay) -> None:
        if len(self._noted) < MOST:
            self._noted.add(check)
            with going_on("a check is not noted: it will not be put right should this bot be killed"):
                await self._context.notes.keep_note(TOPIC, check.model_dump_json())

    async def forget(self, check: UnderWay) -> None:
        self._noted.discard(check)
        with going_on("a check that has ended stays noted"):
            await self._context.notes.drop_note(TOPIC, check.model_dump_json())

    async def left(self) -> AsyncIterator[UnderWay]:
        """Those of bots that are gone, killed a moment ago as well: whoever was made anew may have another name."""
        for pause_s in (0, TTL_S):
            await self._context.env.sleep(pause_s)
            found: list[UnderWay] = []
            with going_on("messages may still say that a check is under way"):
                found = await self._left()
            for check in found:
                yield check

    async def _left(self) -> list[UnderWay]:
        read = [await self._read(note) for note in await self._context.notes.notes(TOPIC)]
        foreign = [check for check in read if check is not None and check.process != self._context.process]
        return [check for check in foreign if await is_gone(self._context, check.instance)]

    async def _read(self, note: str) -> UnderWay | None:
        try:
            return UnderWay.model_validate_json(note)
        except ValueError:  # of another version, say
            log.warning("a note of a check cannot be read; it is dropped")
            await self._context.notes.drop_note(TOPIC, note)
            return None
