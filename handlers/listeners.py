"""Slack in: acknowledge first, work in a task of ours, answer the person who asked."""

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.engine.engine import Engine
from bot.engine.lasting import wrong_inside
from bot.model.errors import BotError, UserError
from bot.model.people import Person
from bot.model.wording import tr
from handlers import parse
from handlers.form import Form
from handlers.home import HomeReply, Homes
from handlers.obeying import Asked, Commands, sentence
from handlers.pictures import Pictures
from handlers.places import Places
from handlers.replies import Reply, told_to_wait, url_reply
from handlers.settings import SlackSettings
from handlers.views import answers, form

log = logging.getLogger(__name__)

COMMAND = "/k8snet"
MOST_REMEMBERED = 1000
Spawn = Callable[[Coroutine[None, None, None], str], None]
Body = dict[str, Any]


class Listeners:
    """Everything that Slack can send us. Exactly one listener for each kind of payload: Bolt would try the next one
    when the first did not acknowledge in time, and so obey twice.
    """

    def __init__(
        self,
        settings: SlackSettings,
        engine: Engine,
        client: AsyncWebClient,
        session: aiohttp.ClientSession,
        spawn: Spawn,
    ) -> None:
        self._engine, self._session, self._spawn = engine, session, spawn
        self._api_url = settings.api_url
        self._heard: dict[str, None] = {}
        self._places = Places(client)
        pictures = Pictures(client, spawn)
        self.commands = Commands(engine, client, self._places, pictures)
        self._form = Form(engine, client)
        self.dismissed = asyncio.Event()  # the app was removed from the workspace: nothing can be heard or said
        self.homes = Homes(engine, client, pictures)

    def register(self, app: AsyncApp) -> None:
        everything = re.compile(".*")
        app.command(COMMAND)(self.command)
        app.action(everything)(self.action)
        app.view(form.CALLBACK)(self.submission)
        app.event("app_home_opened")(self.home_opened)
        app.event("user_change")(self.person_changed)
        app.event("subteam_members_changed")(self.group_changed)
        app.event("tokens_revoked")(self.tokens_revoked)
        app.event("app_uninstalled")(self.uninstalled)

    async def command(self, ack: AsyncAck, body: Body) -> None:
        await ack()  # Slack waits three seconds, a firewall may take thirty
        line = parse.typed_line(body)
        if not self._first(line.delivery):
            return
        reply = url_reply(self._session, body.get("response_url"), self._api_url)
        if parse.clean(line.text):
            asked = Asked(actor=line.actor, channel=line.channel, delivery=line.delivery)
            work = self.commands.obey(line.text, asked, reply)
        else:
            work = self._form.open(line.actor, line.channel, line.delivery)
        self._start(work, reply, COMMAND)

    async def action(self, ack: AsyncAck, body: Body) -> None:
        await ack()
        click = parse.click(body)
        if not self._first(click.delivery):
            return
        reply = url_reply(self._session, body.get("response_url"), self._api_url)
        if not click.channel:  # on the Home tab: Slack gives no response URL there
            reply = HomeReply(self.homes, click.actor)
        self._start(self._clicked(click, reply), reply, f"click on {click.action}")

    async def submission(self, ack: AsyncAck, body: Body) -> None:
        await ack()  # an empty answer closes the form
        if not self._first(body["trigger_id"]):
            return
        urls = [entry["response_url"] for entry in body.get("response_urls", ())]
        reply = url_reply(self._session, next(iter(urls), None), self._api_url)
        self._start(self._sent(body, reply), reply, "form")

    async def _sent(self, body: Body, reply: Reply) -> None:
        sent = parse.submission(body)
        self._engine.forget(sent.actor)  # as at a click
        asked = Asked(actor=sent.actor, channel=sent.channel, delivery=sent.delivery)
        await self.commands.obey(sent.text, asked, reply)

    async def home_opened(self, body: Body) -> None:
        event = body["event"]
        if event["tab"] == "home":
            person = Person(team=body["team_id"], user=event["user"])
            self._start(self.homes.open(person), HomeReply(self.homes, person), "home")

    async def person_changed(self, body: Body) -> None:
        """Somebody was deactivated, became a guest, or changed their name."""
        user = body["event"]["user"]
        self._engine.forget(Person(team=body["team_id"], user=user["id"]))

    async def group_changed(self) -> None:
        self._engine.forget()

    async def tokens_revoked(self, body: Body) -> None:
        if body["event"]["tokens"].get("bot"):
            self.dismissed.set()

    async def uninstalled(self) -> None:
        self.dismissed.set()

    def _first(self, delivery: str) -> bool:
        """Whether this was not heard before. The journal keeps a change from being asked for twice, also after a
        restart; this keeps a question from being answered twice.
        """
        if delivery in self._heard:
            log.info("heard twice, obeyed once")
            return False
        self._heard[delivery] = None
        if len(self._heard) > MOST_REMEMBERED:
            del self._heard[next(iter(self._heard))]
        return True

    def _start(self, work: Coroutine[None, None, None], reply: Reply, name: str) -> None:
        self._spawn(self._guarded(work, reply), name)

    async def _guarded(self, work: Coroutine[None, None, None], reply: Reply) -> None:
        """Errors for people are told to the person; anything else gets a number that is also in the log."""
        try:
            await work
        except BotError as error:
            await reply.tell(answers.sentence_view(sentence(error)))
        except Exception:
            await reply.tell(answers.sentence_view(wrong_inside(self._engine.context.env)))

    async def _clicked(self, click: parse.Click, reply: Reply) -> None:
        self._engine.forget(click.actor)  # a role that was taken away a second ago must not count any more
        kind = click.action.partition("-")[0]  # no two elements of a message may have the same id
        if kind in ("ask", "check"):
            asked = Asked(actor=click.actor, channel=click.channel, delivery=click.delivery)
            await self.commands.obey(click.value, asked, reply)
            return
        if click.action == "form":
            await self._form.open(click.actor, click.channel, click.delivery)
            return
        if click.action == "refresh":
            await self.homes.open(click.actor)
            return
        if click.channel:
            await self._places.changeable(click.channel)
        operation, _, digest = click.value.partition(".")
        match kind:
            case "failover":
                version, _, node = digest.partition(".")
                await self._engine.fail_over(operation, int(version) if version.isdecimal() else 0, node, click.actor)
            case "snooze" | "planned":
                await self._engine.snooze(operation, click.actor, planned=click.action == "planned")
            case "confirm":
                yes = self._engine.confirm(operation, digest, click.actor)
                said = await told_to_wait(yes, reply, self._engine.context.env)
                if said:
                    await reply.tell(answers.sentence_view(said))
            case "cancel":
                await self._engine.cancel(operation, click.actor)
            case "resume":
                await self._engine.resume(operation, click.actor)
            case "release":
                await self._engine.release(operation, click.actor)
            case _:
                raise UserError(tr("I do not know this button (any more); nothing was done."))
