"""The Home tab: published when somebody opens it, and kept current for those who have looked lately."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial

from slack_sdk.web.async_client import AsyncWebClient

from bot.engine.engine import Engine
from bot.engine.lasting import going_on
from bot.engine.overview import Overview
from bot.model.errors import BackendError, BotError, Rejected
from bot.model.people import Person
from handlers.drawing.overview import scenes
from handlers.pictures import PAUSES_S, Pictures
from handlers.views.answers import View
from handlers.views.blocks import Block
from handlers.views.home import Waiting, home_view, refused_view
from handlers.web_api import call

log = logging.getLogger(__name__)

LOOKING_S = 600.0  # who opened it longer ago has probably turned away
MOST_LOOKING = 20
REFRESH_PAUSE_S = 3.0  # all of them together stay well below views.publish's hundred a minute
ANYWAY_S = 30.0
LATEST = 5


class Homes:
    """Everybody's Home tab. `keep_current` runs for as long as the bot lives."""

    def __init__(self, engine: Engine, client: AsyncWebClient, pictures: Pictures) -> None:
        self._engine, self._client, self._pictures = engine, client, pictures
        self._opened: dict[Person, float] = {}
        self._shown: dict[Person, Block] = {}

    async def open(self, person: Person) -> None:
        """Raises BackendErrors."""
        self._opened.pop(person, None)  # so that the latest comes last
        self._opened[person] = self._engine.context.env.monotonic()
        await self.publish(person)

    async def publish(self, person: Person, notice: str = "", picture: Overview | None = None) -> None:
        """What this person may see and press now; `notice` stands on top. Raises BackendErrors.

        With `picture`, which is what others are shown as well, only if this person would see something new.
        """
        profile = await self._engine.profile(person)
        if profile.refused is not None:
            await self._show(person, refused_view(profile.refused))
            return
        picture, routine = picture or await self._engine.overview(), picture is not None
        view = partial(
            home_view,
            roles=await self._engine.roles(person),
            permissions=await self._engine.permissions(person),
            waiting=await self._waiting(person, picture),
            picture=picture,
            latest=(await self._engine.history())[:LATEST],
            notice=notice,
            why_not=await self._refused(person, picture),
        )
        pictures = await self._pictures.blocks(scenes(picture))
        if routine and self._shown.get(person) == view(pictures=pictures):
            return
        try:
            await self._show(person, view(pictures=pictures))
        except Rejected as error:
            if not pictures:
                raise
            log.info("the Home tab of %s without pictures for now: %s", person, error)
            await self._show_later(person, view(), view(pictures=pictures))

    async def _show(self, person: Person, view: Block, replacing: str = "") -> str:
        """Answers what identifies the view as it is now. `replacing`: only instead of that one."""
        request = self._client.views_publish(user_id=person.user, view=view, hash=replacing or None)
        self._shown.pop(person, None)
        published = await call("views.publish", request)
        self._shown[person] = view
        return str(published.get("view", {}).get("hash", ""))

    async def _show_later(self, person: Person, words: Block, whole: Block) -> None:
        """The words at once, and the pictures when Slack has prepared them; unless something newer is shown by then."""
        shown = await self._show(person, words)
        for pause in PAUSES_S:
            await self._engine.context.env.sleep(pause)
            try:
                await self._show(person, whole, replacing=shown)
                return
            except Rejected as error:
                log.info("the Home tab of %s still has no pictures: %s", person, error)

    async def keep_current(self) -> None:
        """Publish anew after every change and now and then, for the last to have looked."""
        news = self._engine.context.journal.news()
        while True:
            await self._until(news)
            news.clear()
            with going_on("the Home tabs are out of date"):
                if looking := self._looking():
                    await self._refresh(looking)
            await self._engine.context.env.sleep(REFRESH_PAUSE_S)

    async def _refresh(self, people: Sequence[Person]) -> None:
        try:
            picture = await self._engine.overview()
        except BotError as error:
            log.warning("the Home tabs are out of date: %s", error)
            return
        for person in people:
            try:
                await self.publish(person, picture=picture)
            except BotError as error:
                log.warning("the Home tab of %s is out of date: %s", person, error)

    async def _until(self, news: asyncio.Event) -> None:
        """Until there is news, or what nobody writes down may have changed: how nodes and exposures are."""
        waiting = [asyncio.ensure_future(one) for one in (news.wait(), self._engine.context.env.sleep(ANYWAY_S))]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()

    def _looking(self) -> Sequence[Person]:
        now = self._engine.context.env.monotonic()
        self._opened = {person: at for person, at in self._opened.items() if now - at <= LOOKING_S}
        self._shown = {person: view for person, view in self._shown.items() if person in self._opened}
        return list(self._opened)[-MOST_LOOKING:]

    async def _refused(self, person: Person, picture: Overview) -> Mapping[str, str]:
        """By incident, why this person's answer would not count."""
        lasting = [cluster.incident for cluster in picture.clusters if cluster.incident is not None]
        return {incident.id: await self._engine.why_not_answer(incident, person) for incident in lasting}

    async def _waiting(self, person: Person, picture: Overview) -> Sequence[Waiting]:
        """Changes that wait for a yes, each with why this person's would not count ("" when it would)."""
        pending = [operation for operation in picture.under_way if operation.state == "awaiting"]
        refusals = await asyncio.gather(*(self._engine.why_not(operation, person) for operation in pending))
        return [Waiting(operation=one, why_not=why) for one, why in zip(pending, refusals, strict=True)]


class HomeReply:
    """An answer to a click on the Home tab: a note on top of it."""

    def __init__(self, homes: Homes, person: Person) -> None:
        self._homes, self._person = homes, person

    async def tell(self, view: View) -> bool:
        text, _ = view
        try:
            await self._homes.publish(self._person, text)
        except BackendError as error:
            log.warning("a note on the Home tab did not get there: %s", error)
            return False
        return True
