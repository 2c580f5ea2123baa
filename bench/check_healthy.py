"""A healthy check in a running bot, beside the cluster's API alone and beside the slowest of its own questions.

`simulated` is the network that needs no rights: whatever the bot asks on the wire goes through a SOCKS proxy, which
costs some milliseconds that no real bot pays. `in_kernel` gives the bot, as a process, a machine of its own in the
kernel's network: its sockets are its own. There:

    python -m bench.check_healthy CONFIG ROUNDS

measures and writes one line of JSON; LAB_ENVIRON holds the environment of CONFIG.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from bench.offices import served_office
from bot.app import terminal
from bot.engine.checking.check import check
from bot.engine.context import Context
from bot.engine.targets import PathOracle
from bot.env import collect_garbage_late
from bot.model.commands import Check
from bot.settings import load
from lab.corpus.fault import HEADLESS
from lab.corpus.kernel_office import corpus_network, kernel_office
from lab.corpus.office import State
from lab.topology import BOT

AWAY_S = 0.05
_ROOT = Path(__file__).resolve().parents[1]
_WARM = 5
Figures = dict[str, float | int | str]


async def timed(work: Awaitable[object]) -> float:
    """Seconds."""
    started = time.perf_counter()
    await work
    return time.perf_counter() - started


async def simulated(state: State, rounds: int) -> Figures:
    async with served_office(state) as place:
        return await measured(place.config, place.environ, rounds)


async def in_kernel(state: State, rounds: int) -> Figures:
    """Raises KernelUnavailable where no network can be built."""
    with tempfile.TemporaryDirectory(prefix="k8snet-bench-") as folder:
        async with corpus_network() as net, kernel_office(net, Path(folder), state) as place:
            process = await net.spawn(
                BOT,
                [sys.executable, "-m", "bench.check_healthy", str(place.config), str(rounds)],
                stdout=subprocess.PIPE,
                env={**os.environ, "LAB_ENVIRON": json.dumps(dict(place.environ))},
                cwd=str(_ROOT),
            )
            assert process.stdout is not None
            figures: Figures = json.loads(await process.stdout.read())
            return figures


async def measured(config: Path, environ: dict[str, str], rounds: int) -> Figures:
    """The bot is in this process, the office elsewhere."""
    async with terminal(load(config, environ)) as engine:
        context = engine.context
        for _ in range(_WARM):  # connections, imports and the facts of last time are there in a running bot
            report = await check(context, Check(name=HEADLESS))
            assert report.verdict == "passed", report.summary
        firewall = context.targets["fw"]
        assert isinstance(firewall, PathOracle)
        whole, api, one, busy = [], [], [], []
        for _ in range(rounds):
            began = time.process_time()
            whole.append(await timed(check(context, Check(name=HEADLESS))))
            busy.append(time.process_time() - began)
            api.append(await timed(context.clusters["qa"].facts()))
            one.append(await timed(firewall.route(IPv4Address("172.20.4.222"))))
        questions: list[float] = []
        await check(distant(context, 0, questions), Check(name=HEADLESS))
        asked = len(questions)
        far, slowest = await _far(context, rounds)
    return {
        "healthy check, ms": _ms(whole),
        "of that our own CPU, ms": _ms(busy),
        "questions asked": asked,
        "one question of the firewall alone, ms": _ms(one),
        "the cluster's API alone, ms": _ms(api),
        "beyond the API, ms": round(_ms(whole) - _ms(api), 1),
        "beyond the API, quietest rounds, ms": round((min(whole) - min(api)) * 1000, 1),
        f"healthy check, all {AWAY_S * 1000:g} ms away, ms": _ms(far),
        "its slowest question, ms": _ms(slowest),
        "times its slowest question": round(_ms(far) / _ms(slowest), 2),
    }


async def _far(context: Context, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of the check, and of the slowest question of each."""
    took: list[float] = []
    away = distant(context, AWAY_S, took)
    await check(away, Check(name=HEADLESS))
    whole, slowest = [], []
    for _ in range(rounds):
        took.clear()
        whole.append(await timed(check(away, Check(name=HEADLESS))))
        slowest.append(max(took))
    return whole, slowest


def _ms(seconds: Sequence[float]) -> float:
    return round(statistics.median(seconds) * 1000, 1)


class Distant:
    """A port whose verbs are so many seconds away, and that notes how long each answer took."""

    def __init__(self, port: Any, away_s: float, took: list[float], verbs: Sequence[str]) -> None:
        async def away(verb: Callable[..., Awaitable[Any]], *args: Any, **more: Any) -> Any:
            started = time.perf_counter()
            if away_s:
                await asyncio.sleep(away_s)
            answer = await verb(*args, **more)
            took.append(time.perf_counter() - started)
            return answer

        for name in dir(port):
            if not name.startswith("_"):
                verb = getattr(port, name)
                setattr(self, name, partial(away, verb) if name in verbs else verb)


def distant(context: Context, away_s: float, took: list[float]) -> Context:
    """The same world, farther away. `took` gets the seconds of every single answer."""

    def far(port: Any, *verbs: str) -> Any:
        return Distant(port, away_s, took, verbs)

    return replace(
        context,
        prober=far(context.prober, "dns", "connect"),
        clusters={name: far(one, "facts") for name, one in context.clusters.items()},
        targets={name: far(one, "read", "route", "policy", "detours") for name, one in context.targets.items()},
        seen={},
    )


if __name__ == "__main__":
    collect_garbage_late()  # as the bot does
    there = json.loads(os.environ["LAB_ENVIRON"])
    print(json.dumps(asyncio.run(measured(Path(sys.argv[1]), there, int(sys.argv[2])))))
