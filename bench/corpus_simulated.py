"""The corpus on the simulated network: a fresh office for every case, in processes of their own."""

import asyncio
import logging
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from inspect import isawaitable
from pathlib import Path

from bench.corpus_case import LIMITS, Case, Result, Said, impossible
from bench.offices import engine_for
from bot.engine.checking.check import check
from bot.engine.engine import Engine
from bot.model.commands import Check
from bot.model.errors import UserError
from handlers.lines.check import report_lines
from lab.corpus.ground import Impossible
from lab.corpus.office import Office, State, office

_ROUND = 8  # cases a worker takes at a time


async def broken(case: Case, place: Office) -> None:
    """Make the case's faults, and wait until whoever follows the cluster has noticed.

    Raises Impossible where the network cannot, and RuntimeError when the faults do not go together.
    """
    try:
        for fault in case.made:
            done = fault.apply(place)
            if isawaitable(done):
                await done
        await place.ground.settle()
    except Impossible:
        raise
    except Exception as error:  # of any simulator; the worker's process cannot hand all of them over
        raise RuntimeError(f"{case.name}: {type(error).__name__}: {error}") from error


def mended(place: Office) -> None:
    """Let go of what hangs because of a fault, so that the office can be closed."""
    place.firewall.clear_faults()
    place.cluster.faults.clear()


async def answer(engine: Engine, ask: str) -> Said:
    """What a check says, or what the bot asks back."""
    try:
        report = await check(engine.context, Check(name=ask), LIMITS)
    except UserError as question:
        return Said("asked back", ("asks back",), str(question))
    return Said(report.verdict, tuple(one.code for one in report.findings), "\n".join(report_lines(report)))


async def run(case: Case, state: State) -> Result:
    """A fresh office with these faults, and one check in it."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="k8snet-corpus-") as folder:
        async with office(Path(folder), state) as place, engine_for(place) as engine:
            try:
                await broken(case, place)
            except Impossible as why:
                return impossible(case, str(why))
            said = await answer(engine, case.ask)
            mended(place)
    return Result(case, said, time.perf_counter() - started)


def _run_all(batch: Sequence[Case], state: State) -> list[Result]:
    """In a process of its own, one after the other: an office must not wait for another's."""
    logging.disable(logging.CRITICAL)  # what the faults make back ends and simulators say

    async def work() -> list[Result]:
        return [await run(case, state) for case in batch]

    return asyncio.run(work())


def run_everywhere(wanted: Sequence[Case], state: State, jobs: int) -> list[Result]:
    """All cases, spread over processes."""
    batches = [wanted[start : start + _ROUND] for start in range(0, len(wanted), _ROUND)]
    with ProcessPoolExecutor(jobs) as pool:
        return [result for done in pool.map(_run_all, batches, [state] * len(batches)) for result in done]
