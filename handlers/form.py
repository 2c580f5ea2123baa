"""`/k8snet` alone: a form with the namespaces of the live clusters."""

import logging

from slack_sdk.web.async_client import AsyncWebClient

from bot.engine.engine import Engine
from bot.model.errors import BotError, Rejected, UserError
from bot.model.people import Person
from bot.model.wording import tr
from handlers.views import form
from handlers.web_api import call

log = logging.getLogger(__name__)


class Form:
    """Opens before anything is looked up: a trigger is good for three seconds, a cluster may take longer."""

    def __init__(self, engine: Engine, client: AsyncWebClient) -> None:
        self._engine, self._client = engine, client

    async def open(self, actor: Person, channel: str, trigger: str) -> None:
        """Raises UserError, BackendErrors when Slack shows no form; whatever else is wrong is said in it.

        `channel` is where the card will be unless the person chooses another one; "" for none yet.
        """
        opening = self._client.views_open(trigger_id=trigger, view=form.loading())
        try:
            opened = (await call("views.open", opening))["view"]
        except Rejected as error:
            if "trigger" not in error.problem:
                raise
            raise UserError(
                tr("The form took too long to open. Try again, or type it: `/k8snet expose <namespace>`.")
            ) from None
        try:
            view = form.filled(await self._engine.choices(actor, channel), self._engine.offices(), channel)
        except BotError as error:
            view = form.refusal(str(error))
        filling = self._client.views_update(view_id=opened["id"], hash=opened["hash"], view=view)
        try:
            await call("views.update", filling)
        except Rejected as error:
            if "not_found" not in error.problem:
                raise
            log.info("the form was closed before it was filled")
