"""`/k8snet` alone: a form with the namespaces of the live clusters."""

from slack_sdk.web.async_client import AsyncWebClient

from bot.engine.engine import Engine
from bot.model.errors import BotError
from bot.model.people import Person
from handlers.views import form
from handlers.web_api import call


class Form:
    """Opens before anything is looked up: a trigger is good for three seconds, a cluster may take longer."""

    def __init__(self, engine: Engine, client: AsyncWebClient) -> None:
        self._engine, self._client = engine, client

    async def open(self, actor: Person, channel: str, trigger: str) -> None:
        """Raises BackendErrors when Slack shows no form; whatever else is wrong is said in it.

        `channel` is where the card will be unless the person chooses another one; "" for none yet.
        """
        opening = self._client.views_open(trigger_id=trigger, view=form.loading())
        opened = (await call("views.open", opening))["view"]
        try:
            view = form.filled(await self._engine.choices(actor, channel), self._engine.offices(), channel)
        except BotError as error:
            view = form.refusal(str(error))
        await call("views.update", self._client.views_update(view_id=opened["id"], hash=opened["hash"], view=view))
