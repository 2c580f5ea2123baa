"""What is remembered about people: never older than a minute, never from before a click, never asked in a storm."""

import asyncio

import pytest

from bot.model.errors import Unreachable
from handlers.directory import FRESH_S, Remembered


class Slack:
    """Somebody to ask; answers when `open` is set."""

    def __init__(self) -> None:
        self.asked = 0
        self.time = 0.0
        self.open = asyncio.Event()
        self.open.set()
        self.begun = asyncio.Event()
        self.away = False
        self.remembered = Remembered(self.answer, lambda: self.time)

    async def answer(self) -> int:
        self.asked += 1
        self.begun.set()
        number = self.asked
        await self.open.wait()
        if self.away:
            raise Unreachable("Slack", "is away")
        return number

    async def click(self) -> int:
        """What somebody gets who insists on an answer from now on."""
        self.remembered.forget()
        return await self.remembered.get()


async def test_an_answer_serves_for_a_minute_and_no_longer() -> None:
    slack = Slack()
    assert [await slack.remembered.get(), await slack.remembered.get()] == [1, 1]
    slack.time = FRESH_S
    assert await slack.remembered.get() == 1
    slack.time = FRESH_S + 1
    assert await slack.remembered.get() == 2


async def test_a_click_gets_an_answer_that_was_asked_for_after_it() -> None:
    slack = Slack()
    slack.open.clear()
    early = asyncio.create_task(slack.remembered.get())
    await slack.begun.wait()
    click = asyncio.create_task(slack.click())
    await asyncio.sleep(0)
    slack.open.set()
    assert (await early, await click) == (1, 2)


async def test_a_storm_of_clicks_asks_twice() -> None:
    slack = Slack()
    slack.open.clear()
    clicks = [asyncio.create_task(slack.click()) for _ in range(50)]
    await slack.begun.wait()
    await asyncio.sleep(0)
    slack.open.set()
    answers = await asyncio.gather(*clicks)
    assert slack.asked == 2
    assert set(answers[1:]) == {2}


async def test_after_a_failure_nothing_old_counts() -> None:
    slack = Slack()
    await slack.remembered.get()
    slack.away = True
    with pytest.raises(Unreachable):
        await slack.click()
    with pytest.raises(Unreachable):
        await slack.remembered.get()
    slack.away = False
    assert await slack.remembered.get() == 4
