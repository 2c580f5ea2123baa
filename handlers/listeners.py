"""Slack in: acknowledge first, work in a task of ours, answer the person who asked."""

import logging
import re
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.engine.engine import Engine
from bot.model.commands import (
    SPEC,
    Check,
    Command,
    DryPlan,
    Expose,
    Failover,
    Help,
    ListExposures,
    Status,
    Unexpose,
    WhoAmI,
)
from bot.model.errors import BackendError, BotError, Rejected, UserError
from bot.model.people import Person
from handlers import parse
from handlers.views import answers
from handlers.views.answers import View
from handlers.web_api import SYSTEM, call

log = logging.getLogger(__name__)

COMMAND = "/k8snet"
Spawn = Callable[[Coroutine[None, None, None], str], None]


class Listeners:
    """Everything that Slack can send us. Bound methods; the engine arrives from outside."""

    def __init__(self, engine: Engine, client: AsyncWebClient, session: aiohttp.ClientSession, spawn: Spawn) -> None:
        self._engine, self._client, self._session, self._spawn = engine, client, session, spawn

    def register(self, app: AsyncApp) -> None:
        app.command(COMMAND)(self.command)
        app.action(re.compile(".*"))(self.action)

    async def command(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()  # Slack waits three seconds, a firewall may take thirty
        line = parse.typed(body)
        reply = _Reply(self._session, body["response_url"])
        self._spawn(
            self._guarded(self._obey(line.actor, line.channel, line.text, line.delivery, reply), reply), COMMAND
        )

    async def action(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        click = parse.click(body)
        reply = _Reply(self._session, body.get("response_url", ""))
        self._spawn(self._guarded(self._clicked(click, reply), reply), f"click on {click.action}")

    async def _guarded(self, work: Coroutine[None, None, None], reply: "_Reply") -> None:
        """Errors for people are told to the person; anything else gets a number that is also in the log."""
        try:
            await work
        except (UserError, BackendError) as error:
            await reply.tell(answers.sentence_view(_sentence(error)))
        except Exception:
            number = self._engine.context.env.new_id()
            log.exception("error %s", number)
            await reply.tell(
                answers.sentence_view(f"Something went wrong inside k8snet; the log has it as error {number}.")
            )

    async def _obey(self, actor: Person, channel: str, text: str, delivery: str, reply: "_Reply") -> None:
        command = parse.command(text)
        match command:
            case Expose() | Unexpose() | Failover():
                await self._can_post(channel)
                await self._engine.request(command, actor, channel, delivery)
            case _:
                await self._engine.permit(command, SPEC[command.verb].permission, actor, channel)
                await self._answer(command, actor, channel, reply)

    async def _answer(self, command: Command, actor: Person, channel: str, reply: "_Reply") -> None:
        match command:
            case Check():
                await self._check(command, actor, channel)
                return
            case DryPlan():
                plan = await self._engine.dry_plan(command, actor)
                view, said = answers.plan_view(plan), f"{len(plan.steps)} steps"
            case Status():
                view, said = answers.overview_view(await self._engine.overview()), "shown"
            case ListExposures():
                view, said = answers.exposures_view(await self._engine.overview()), "shown"
            case WhoAmI():
                view, said = answers.whoami_view(actor, await self._engine.roles(actor)), "shown"
            case Help():
                view, said = answers.help_view(), "shown"
            case _:
                raise AssertionError(f"{command.verb} is a change")
        await reply.tell(view)
        await self._engine.note(command, actor, channel, said)

    async def _check(self, command: Check, actor: Person, channel: str) -> None:
        """Walking a path may take seconds: say so at once, then put the answer in the same message."""
        await self._can_post(channel)
        text, blocks = answers.checking_view(command)
        posted = await call(
            "chat.postMessage", self._client.chat_postMessage(channel=channel, text=text, blocks=blocks, **_QUIET)
        )
        try:
            report = await self._engine.check(command)
            view, said = answers.report_view(report, command), report.summary
        except BotError as error:
            view, said = answers.sentence_view(_sentence(error)), str(error)
        text, blocks = view
        await call(
            "chat.update",
            self._client.chat_update(channel=posted["channel"], ts=posted["ts"], text=text, blocks=blocks),
        )
        await self._engine.note(command, actor, channel, said)

    async def _clicked(self, click: parse.Click, reply: "_Reply") -> None:
        if click.action in ("ask", "check"):
            await self._obey(click.actor, click.channel, click.value, click.delivery, reply)
            return
        operation, _, digest = click.value.partition(".")
        match click.action:
            case "confirm":
                said = await self._engine.confirm(operation, digest, click.actor)
                if said:
                    await reply.tell(answers.sentence_view(said))
            case "cancel":
                await self._engine.cancel(operation, click.actor)
            case "resume":
                await self._engine.resume(operation, click.actor)
            case "release":
                await self._engine.release(operation, click.actor)
            case _:
                raise UserError("I do not know this button (any more); nothing was done.")

    async def _can_post(self, channel: str) -> None:
        """A change lives in a message of its channel: without the bot in it, nobody could ever say yes."""
        try:
            info = await call("conversations.info", self._client.conversations_info(channel=channel))
            member = bool(info["channel"].get("is_member") or info["channel"].get("is_im"))
        except Rejected:
            member = False
        if not member:
            raise UserError("I am not in this channel. Type `/invite @k8snet` here, then try again.")


_QUIET: dict[str, Any] = {"unfurl_links": False, "unfurl_media": False}


def _sentence(error: Exception) -> str:
    """An error as a person should read it: what a backend could not do is nobody's change."""
    return f"{error}. Nothing was changed." if isinstance(error, BackendError) else str(error)


class _Reply:
    """The answer that only the asking person sees. Works in channels the bot is not in; at most five times."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._webhook = AsyncWebhookClient(url, session=session, retry_handlers=[]) if url else None

    async def tell(self, view: View) -> None:
        if self._webhook is None:
            return
        text, blocks = view
        try:
            await self._webhook.send(
                text=text, blocks=blocks, response_type="ephemeral", replace_original=False, unfurl_links=False
            )
        except (aiohttp.ClientError, TimeoutError) as error:
            # The person sees nothing, but what was asked is in the journal.
            log.warning("%s took no answer for a person: %s", SYSTEM, type(error).__name__)
