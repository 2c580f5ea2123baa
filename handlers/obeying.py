"""A command, typed or pressed: who asks where, what the engine says, and where the answer goes."""

import logging
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.engine.engine import Engine
from bot.engine.lasting import going_on
from bot.engine.side_by_side import both
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
from bot.model.diagnosis import Report
from bot.model.errors import BackendError, BotError, Rejected
from bot.model.people import Person
from bot.model.value import Value
from bot.model.wording import tr, tr_n
from handlers import parse
from handlers.drawing.overview import scenes
from handlers.pictures import PAUSES_S, Pictures
from handlers.places import MAY_NOT_POST, Places, is_direct
from handlers.replies import Reply, told_to_wait
from handlers.under_way import ChecksUnderWay, UnderWay
from handlers.views import answers, history
from handlers.views.answers import View
from handlers.views.blocks import sendable
from handlers.views.operation import unseen_view
from handlers.web_api import SYSTEM, call

log = logging.getLogger(__name__)

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
        self._under_way = ChecksUnderWay(engine.context)

    async def obey(self, text: str, asked: Asked, reply: Reply) -> None:
        """Raises UserError, BackendErrors: both are for the person."""
        command = parse.command(text)
        if SPEC[command.verb].mutating:
            await self.change(command, asked, reply)  # type: ignore[arg-type]  # the registry says that it is one
            return
        command = self._engine.placed(command, "" if is_direct(asked.channel) else asked.channel)
        await self._engine.permit(command, SPEC[command.verb].permission, asked.actor, asked.channel)
        if isinstance(command, Check):
            said = await self._check(command, asked, reply)
        elif isinstance(command, Status):
            said = await self._status(reply)
        else:
            view, said = await told_to_wait(self._answer(command, asked.actor), reply, self._engine.context.env)
            await reply.tell(view)
        await self._engine.note(command, asked.actor, asked.channel, said)

    async def change(self, command: Change, asked: Asked, reply: Reply) -> None:
        """Ask for a change in the open. Who asks where Slack takes no card is told so, alone and once.

        Raises UserError, BackendErrors.
        """
        await self._places.changeable(asked.channel)
        operation = await self._engine.request(command, asked.actor, asked.channel, asked.delivery)
        if (unseen := await self._engine.unseen(operation)) is not None:
            await reply.tell(unseen_view(unseen))

    async def _answer(self, command: Command, actor: Person) -> tuple[View, str]:
        """The answer, and what the journal remembers of it."""
        engine = self._engine
        match command:
            case DryPlan():
                plan = await engine.dry_plan(command, actor)
                return answers.plan_view(plan), tr_n("{count} step", "{count} steps", len(plan.steps))
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
        picture = await told_to_wait(self._engine.overview(), reply, self._engine.context.env)
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
        """Walking a path may take seconds: say so at once, then put the answer in the same message, details below."""
        if not await self._places.among_us(asked.channel):
            return await self._check_in_private(command, reply)
        text, blocks = answers.checking_view(command)
        posting = self._client.chat_postMessage(channel=asked.channel, text=text, blocks=blocks, **QUIET)
        try:
            posted = await call("chat.postMessage", posting)
        except Rejected as error:
            if MAY_NOT_POST not in error.problem:
                raise
            return await self._check_in_private(command, reply)
        check = self._under_way.began(posted["channel"], posted["ts"], command)
        report, _ = await both(self._answer_check(check), self._under_way.note(check))
        await self._under_way.forget(check)  # when it fails, or a stop cancels it, the next start sees to it
        if isinstance(report, str):
            return report
        await self._details(report, check.channel, check.timestamp)
        return report.summary

    async def _check_in_private(self, command: Check, reply: Reply) -> str:
        report = await self._checked(command)
        await reply.tell(_said(report, command, whole=True))
        return report if isinstance(report, str) else report.summary

    async def _answer_check(self, check: UnderWay) -> Report | str:
        report = await self._checked(check.command)
        await self._settle(check.channel, check.timestamp, _said(report, check.command))
        return report

    async def put_right(self) -> None:
        """Checks that a bot has left under way say that they were cut short. Never raises."""
        async for check in self._under_way.left():
            with going_on("a message still says that a check is under way"):
                await self._put_right(check)

    async def _put_right(self, check: UnderWay) -> None:
        """Raises BackendErrors when Slack may take it another time."""
        text, blocks = sendable(*answers.cut_short_view(check.command))
        try:
            await self._update(channel=check.channel, ts=check.timestamp, text=text, blocks=blocks)
        except Rejected as error:
            log.info("nobody sees any more that a check was cut short: %s", error)
        await self._under_way.forget(check)

    async def _settle(self, channel: str, timestamp: str, view: View) -> None:
        """Say this in place of "Checking …", or nobody could tell a lost answer from a check that is under way."""
        text, blocks = sendable(*view)
        place = {"channel": channel, "ts": timestamp}
        try:
            await self._update(**place, text=text, blocks=blocks)
        except Rejected as error:
            log.error("%s does not take the answer to a check: %s", SYSTEM, error)
            await self._update(**place, text=text, blocks=[])  # the text says it all

    async def _update(self, **content: Any) -> None:
        """An update may be repeated without harm. Raises BackendErrors when it is still not taken."""
        for pause in PAUSES_S:
            try:
                await call("chat.update", self._client.chat_update(**content))
                return
            except Rejected:
                raise
            except BackendError:
                await self._engine.context.env.sleep(pause)
        await call("chat.update", self._client.chat_update(**content))

    async def _details(self, report: Report, channel: str, thread: str) -> None:
        """Everything that was asked and answered, below the answer; as a file when it is long."""
        view = answers.details_view(report)
        if view is not None:
            text, blocks = sendable(*view)
            posting = self._client.chat_postMessage(
                channel=channel, thread_ts=thread, text=text, blocks=blocks, **QUIET
            )
            await call("chat.postMessage", posting)
            return
        name, content = answers.details_file(report)
        sending = self._client.files_upload_v2(
            channel=channel, thread_ts=thread, filename=name, title=name, content=content
        )
        await call("files.upload", sending)

    async def _checked(self, command: Check) -> Report | str:
        """The report, or why there is none."""
        try:
            return await self._engine.check(command)
        except BotError as error:
            return sentence(error)


def _said(report: Report | str, command: Check, whole: bool = False) -> View:
    return answers.sentence_view(report) if isinstance(report, str) else answers.report_view(report, command, whole)


def sentence(error: Exception) -> str:
    """An error as a person should read it: what a backend could not do is nobody's change."""
    if not isinstance(error, BackendError):
        return str(error)
    if str(error).endswith(("?", "？")):
        return tr("{error} Nothing was changed.", error=error)
    return tr("{error}. Nothing was changed.", error=error)
