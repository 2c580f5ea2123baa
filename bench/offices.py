"""The real engine with the real back ends, before the lab's office: what the corpus and the check's benchmark run."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.app import terminal
from bot.engine.engine import Engine
from bot.model.commands import Expose
from bot.model.people import Person
from bot.settings import load
from lab.corpus.office import OPERATOR, Office, State, office

NAMESPACE = "default"
_PAUSE_S = 0.05


@asynccontextmanager
async def engine_for(place: Office) -> AsyncIterator[Engine]:
    """A bot without a chat, configured for this office."""
    async with terminal(load(place.config, place.environ)) as engine:
        yield engine


async def exposed_office() -> State:
    """The state of an office in which somebody exposed the namespace through the bot itself.

    Raises RuntimeError when that does not end well.
    """
    with tempfile.TemporaryDirectory(prefix="k8snet-office-") as folder:
        async with office(Path(folder)) as place:
            async with engine_for(place) as engine:
                await _expose(engine)
            return place.state()  # the journal is whole only when its engine has closed it


async def _expose(engine: Engine) -> None:
    context = engine.context
    team = next(iter(grant.people for grant in context.grants if grant.role == "admin" and grant.people))
    person = next(one for one in team if one == Person(team=one.team, user=OPERATOR))
    identifier = await engine.request(Expose(namespace=NAMESPACE), person, "C0", "d1")
    operation = (await context.journal.world()).operations[identifier]
    while not operation.final:
        if operation.state == "awaiting" and operation.plan is not None:
            await engine.confirm(identifier, operation.plan.digest, person)
        await asyncio.sleep(_PAUSE_S)
        operation = (await context.journal.world()).operations[identifier]
    if operation.state != "done":
        raise RuntimeError(f"exposing {NAMESPACE} ended as {operation.state}: {operation.entries[-1]}")
