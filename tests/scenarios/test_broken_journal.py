"""Somebody has written to the journal: whoever asks for anything is told that, and nothing is done."""

from bot.engine.journal import STREAM
from tests.scenarios.chat import chat


async def test_people_are_told_that_the_journal_cannot_be_trusted() -> None:
    async with chat(self_confirm=True) as room:
        await room.slack.say("/k8snet expose default")
        await room.slack.until(contains="waits for a yes")
        log = room.company.contents.streams[STREAM]
        log.append(log[-1].model_copy(update={"seq": log[-1].seq + 1}))
        await room.slack.click("Confirm")
        await room.slack.until(contains="The journal cannot be trusted: record")
        await room.slack.say("/k8snet list")
        await room.slack.until(contains="Restore the journal from a backup, or find out who changed it.")
        assert not room.company.firewall.writes
