"""A command, typed or pressed: who asks where, what the engine says, and where the answer goes."""

from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.engine.engine import Engine
from bot.model.commands import (
    SPEC,
    Audit,
    Change,
    Check,
    Command,
    DryPlan,
    Help,
    History,
    ListExposures,
    Status,
    WhoAmI,
)
from bot.model.errors import BackendError, BotError
from bot.model.people import Person
from bot.model.value import Value
from bot.model.wording import tr
from handlers import parse
from handlers.drawing.overview import scenes
from handlers.pictures import PAUSES_S, Pictures
from handlers.places import Places, is_direct
from handlers.replies import Reply
from handlers.views import answers, history
from handlers.views.answers import View
from handlers.views.blocks import sendable
from handlers.web_api import call

QUIET: dict[str, Any] = {"unfurl_links": False, "unfurl_media": False}


class Asked(Value):
    """Who asks, where ("" on the Home tab), and Slack's key of this one request, against duplicates."""

    actor: Person
    channel: str
    delivery: str


class Commands:
    """Every command of the registry, whatever it came in by."""

    def __init__(self, engine: Engine, client: AsyncWebClient, places: Places, pictures: Pictures) -> None:
        self._engine, self._client, self._places, self._pictures = engine, client, places, pictures

    async def obey(self, text: str, asked: Asked, reply: Reply) -> None:
        """Raises UserError, BackendErrors: both are for the person."""
        command = parse.command(text)
        if SPEC[command.verb].mutating:
            await self.change(command, asked)  # type: ignore[arg-type]  # the registry says that it is one
            return
        command = self._engine.placed(command, "" if is_direct(asked.channel) else asked.channel)
        await self._engine.permit(command, SPEC[command.verb].permission, asked.actor, asked.channel)
        if isinstance(command, Check):
            said = await self._check(command, asked, reply)
        elif isinstance(command, Status):
            said = await self._status(reply)
        else:
            view, said = await self._answer(command, asked.actor)
            await reply.tell(view)
        await self._engine.note(command, asked.actor, asked.channel, said)

    async def change(self, command: Change, asked: Asked) -> None:
        """Ask for a change in the open. Raises UserError, BackendErrors."""
        await self._places.changeable(asked.channel)
        await self._engine.request(command, asked.actor, asked.channel, asked.delivery)

    async def _answer(self, command: Command, actor: Person) -> tuple[View, str]:
        """The answer, and what the journal remembers of it."""
        engine = self._engine
        match command:
            case DryPlan():
                plan = await engine.dry_plan(command, actor)
                return answers.plan_view(plan), tr("{count} steps", count=len(plan.steps))
            case ListExposures():
                return answers.exposures_view(await engine.overview()), tr("shown")
            case History():
                return history.history_view(await engine.history(command.namespace), command.namespace), tr("shown")
            case Audit():
                report = await engine.audit()
                return history.audit_view(report), report.problem or tr("intact")
            case WhoAmI():
                return answers.whoami_view(actor, await engine.roles(actor)), tr("shown")
            case Help():
                return answers.help_view(await engine.permissions(actor)), tr("shown")
        raise AssertionError(f"{command.verb} has no answer")

    async def _status(self, reply: Reply) -> str:
        """The words at once; the pictures as soon as Slack has them."""
        picture = await self._engine.overview()
        await reply.tell(answers.overview_view(picture))
        blocks = list((await self._pictures.blocks(scenes(picture))).values())
        if not blocks:
            return tr("shown")
        for pause in PAUSES_S[:2]:  # a response URL takes five answers
            if await reply.tell(answers.pictures_view(blocks)):
                return tr("shown with pictures")
            await self._engine.context.env.sleep(pause)
        shown = await reply.tell(answers.pictures_view(blocks))
        return tr("shown with pictures") if shown else tr("shown")

    async def _check(self, command: Check, asked: Asked, reply: Reply) -> str:
        """Walking a path may take seconds: say so at once, then put the answer in the same message."""
        if is_direct(asked.channel):
            view, said = await self._checked(command)
            await reply.tell(view)
            return said
        await self._places.joined(asked.channel)
        text, blocks = answers.checking_view(command)
        posting = self._client.chat_postMessage(channel=asked.channel, text=text, blocks=blocks, **QUIET)
        posted = await call("chat.postMessage", posting)
        view, said = await self._checked(command)
        text, blocks = sendable(*view)
        update = self._client.chat_update(channel=posted["channel"], ts=posted["ts"], text=text, blocks=blocks)
        await call("chat.update", update)
        return said

    async def _checked(self, command: Check) -> tuple[View, str]:
        try:
            report = await self._engine.check(command)
        except BotError as error:
            return answers.sentence_view(sentence(error)), str(error)
        return answers.report_view(report, command), report.summary


def sentence(error: Exception) -> str:
    """An error as a person should read it: what a backend could not do is nobody's change."""
    return tr("{error}. Nothing was changed.", error=error) if isinstance(error, BackendError) else str(error)
