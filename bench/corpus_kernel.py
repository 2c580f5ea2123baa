"""The corpus on the kernel network: the bot asks from its own machine, and its packets are routed by the kernel.

The simulators listen in their machines' namespaces; the engine runs as a process in the bot's. Several networks work
at once, each through its share of the cases: most of a check's time is waiting for silence.
"""

import asyncio
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

from bench.corpus_case import Case, Result, Said, impossible
from bench.corpus_simulated import broken, mended
from lab.corpus.ground import Impossible
from lab.corpus.kernel_office import corpus_network, kernel_office
from lab.corpus.office import Office, State
from lab.network.kernel import KernelNetwork
from lab.topology import BOT

_ROOT = Path(__file__).resolve().parents[1]
_PATIENCE_S = 30.0


class Bot:
    """The engine on the bot's machine; made by `bot`."""

    def __init__(self, reader: asyncio.StreamReader, questions: int) -> None:
        self._reader = reader
        self._questions = questions

    async def line(self) -> str:
        async with asyncio.timeout(_PATIENCE_S):
            return (await self._reader.readline()).decode()

    async def check(self, place: Office, ask: str) -> Said:
        """What a check says; TimeoutError when it says nothing."""
        question = {"config": str(place.config), "environ": place.environ, "ask": ask}
        os.write(self._questions, json.dumps(question).encode() + b"\n")
        said = json.loads(await self.line())
        return Said(said["verdict"], tuple(said["codes"]), said["text"])


@asynccontextmanager
async def bot(net: KernelNetwork) -> AsyncIterator[Bot]:
    """Start the engine in the bot's namespace; it ends with the context."""
    reads, writes = os.pipe()
    try:
        argv = [sys.executable, "-m", "bench.corpus_bot"]
        errors = net.sandbox.directory / "bot.log"
        with errors.open("wb") as log:
            process = await net.spawn(BOT, argv, stdin=reads, stdout=subprocess.PIPE, stderr=log, cwd=str(_ROOT))
        assert process.stdout is not None
        running = Bot(process.stdout, writes)
        if await running.line() != "ready\n":
            raise RuntimeError(f"the engine did not start: {errors.read_text()}")
        yield running
        await process.kill()
    finally:
        os.close(reads)
        os.close(writes)


async def run(case: Case, state: State, net: KernelNetwork, engine: Bot) -> Result:
    """An office on this network with these faults, and one check from the bot's machine."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="k8snet-corpus-") as folder:
        async with kernel_office(net, Path(folder), state) as place:
            try:
                await broken(case, place)
            except Impossible as why:
                return impossible(case, str(why))
            said = await engine.check(place, case.ask)
            mended(place)
    return Result(case, said, time.perf_counter() - started)


def _run_all(batch: Sequence[Case], state: State, pairs_s: float) -> list[Result]:
    """Single faults first, then the pairs that can be begun within so many seconds."""
    logging.disable(logging.CRITICAL)  # what the faults make simulators say

    async def work() -> list[Result]:
        singles = [case for case in batch if len(case.faults) == 1]
        pairs = [case for case in batch if len(case.faults) > 1]
        async with corpus_network() as net, bot(net) as engine:
            done = [await run(case, state, net, engine) for case in singles]
            until = time.monotonic() + pairs_s
            return done + [await run(case, state, net, engine) for case in pairs if time.monotonic() < until]

    return asyncio.run(work())


def run_everywhere(wanted: Sequence[Case], state: State, networks: int, pairs_s: float) -> list[Result]:
    """All single faults, and the pairs that can be begun within so many seconds, spread over so many networks.

    Raises `KernelUnavailable` where none can be built.
    """
    shares = [wanted[start::networks] for start in range(min(networks, len(wanted)))]
    with ProcessPoolExecutor(networks) as pool:
        done = pool.map(_run_all, shares, [state] * len(shares), [pairs_s] * len(shares))
        return [result for results in done for result in results]
