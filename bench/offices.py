"""The real engine with the real back ends, before the lab's office: what the corpus and the check's benchmark run."""

import asyncio
import json
import os
import pickle
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

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


class Served(NamedTuple):
    """Where a bot's configuration for an office of another process lies, and what its environment must hold."""

    config: Path
    environ: dict[str, str]


@asynccontextmanager
async def served_office(state: State) -> AsyncIterator[Served]:
    """The office in a process of its own, as in life: what it does costs the bot no time but that of waiting."""
    with tempfile.TemporaryDirectory(prefix="k8snet-served-") as folder:
        kept = Path(folder) / "state"
        kept.write_bytes(pickle.dumps(state))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bench.offices",
            str(kept),
            stdout=asyncio.subprocess.PIPE,
            stdin=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            told = json.loads(await process.stdout.readline())
            yield Served(Path(told["config"]), told["environ"])
        finally:
            process.stdin.close()  # it ends by itself then
            await process.wait()


async def _serve(state: State) -> None:
    """Until our input is closed."""
    with tempfile.TemporaryDirectory(prefix="k8snet-office-") as folder:
        async with office(Path(folder), state) as place:
            print(json.dumps({"config": str(place.config), "environ": place.environ}), flush=True)
            await asyncio.to_thread(os.read, sys.stdin.fileno(), 1)


if __name__ == "__main__":
    asyncio.run(_serve(pickle.loads(Path(sys.argv[1]).read_bytes())))  # made by our own parent
