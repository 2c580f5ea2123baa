"""How fast an exposure is on a FortiGate, beside what people use instead, all against one simulator in one run.

    python -m bench.fortigate [--rounds 10] [--delay 0 20] [--json FILE]

Everybody makes the same seven rows: 3 addresses, 2 routes, 2 policies. The bot does more in that time: it plans
(twice, the second time at the yes), writes its journal to disk, reads everything back, sets the forwarder on the DNS
server, and proves the result with DNS questions and connections through the simulated network; the others only write.
`its time at the firewall` is what of that the journal tells: from the record before the seven writes to the one after
their read-back, both on the disk. `firewall alone` is the bot's writer without a bot, with a look of its own before it
writes. `delay` is what the simulated firewall waits before each answer and once more on each new connection, in
milliseconds.
"""

import argparse
import asyncio
import json
import math
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.fortigate_contestants import (
    PLAYBOOK,
    Company,
    Contestant,
    bot,
    curl,
    firewall_alone,
    playbook,
    warm_script,
)
from bot.env import collect_garbage_late

PLAYBOOK_ROUNDS = 2  # each takes a third of a minute
PLAYBOOK_TIMES = {0: 40, 20: 25}  # how many times faster than the playbook an exposure must be, by delay
SCRIPT_TIMES = 2.5  # how many times slower than the warm script it may be
Result = dict[str, Any]


@asynccontextmanager
async def company(folder: Path) -> AsyncIterator[Company]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.fortigate_company", str(folder),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if await process.stdout.readline() != b"ready\n":
            raise SystemExit("the company did not start")
        about = json.loads((folder / "company.json").read_text())
        yield Company(folder, Path(about["config"]), about["environ"], about["url"], Path(about["ca_file"]))
    finally:
        process.stdin.close()
        await process.wait()


async def delay(of: Company, milliseconds: int) -> None:
    seconds = milliseconds / 1000
    async with of.http() as http:
        body = {"low": seconds, "high": seconds, "connection": seconds}
        (await http.put("/lab/latency", json=body)).raise_for_status()


async def measured(contestants: Sequence[Contestant], rounds: int) -> dict[tuple[str, str], list[float]]:
    """Milliseconds of each act, by contestant and act; a first round warms everything up and does not count.

    Everybody has a turn in every round, the playbook in a few that lie far apart: a machine that is slow for a minute
    is slow for all of them.
    """
    times: dict[tuple[str, str], list[float]] = {}
    for number in range(rounds + 1):
        for contestant in contestants:
            if contestant.name == PLAYBOOK and number % math.ceil(rounds / PLAYBOOK_ROUNDS):
                continue
            for act, milliseconds in (await _turn(contestant)).items():
                counted = times.setdefault((contestant.name, act), [])
                if number:
                    counted.append(milliseconds)
    return times


async def _turn(of: Contestant) -> dict[str, float]:
    acts = {"expose": of.expose, "repeat": of.repeat, "unexpose": of.unexpose}
    spent: dict[str, float] = {}
    for name, act in acts.items():
        if act is not None:
            begun = time.perf_counter()
            await act()
            spent[name] = (time.perf_counter() - begun) * 1000
    return spent


async def run(rounds: int, delays: Sequence[int]) -> list[Result]:
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        async with company(Path(name)) as firewall:
            for milliseconds in delays:
                await delay(firewall, milliseconds)
                results += await _against_each_other(firewall, Path(name), rounds, milliseconds)
    return results


async def _against_each_other(firewall: Company, folder: Path, rounds: int, delay_ms: int) -> list[Result]:
    async with AsyncExitStack() as present:
        ours = await present.enter_async_context(bot(firewall))
        others = [
            await present.enter_async_context(starting)
            for starting in (firewall_alone(firewall), warm_script(firewall), curl(firewall))
        ]
        if (slowest := await present.enter_async_context(playbook(firewall, folder))) is None:
            print("The Ansible playbook is left out: there is no .venv-compat (make compat).")
        contestants = [ours, *others, *([] if slowest is None else [slowest])]
        times = await measured(contestants, rounds)
        for act, spent in ours.at_firewall.items():
            times[f"{ours.name}, its time at the firewall", act] = spent[-rounds:]
    return [_result(name, delay_ms, act, spent) for (name, act), spent in times.items()]


def _result(name: str, milliseconds: int, act: str, times: list[float]) -> Result:
    return {
        "contestant": name,
        "delay_ms": milliseconds,
        "act": act,
        "rounds": len(times),
        "median_ms": round(statistics.median(times), 2),
        "max_ms": round(max(times), 2),
        "min_ms": round(min(times), 2),
    }


def report(results: Sequence[Result]) -> Table:
    medians = {(one["contestant"], one["delay_ms"], one["act"]): one["median_ms"] for one in results}
    table = Table(
        "", "delay", "act", "median", "min", "max", "× k8snet", title="3 addresses, 2 routes, 2 policies (ms)"
    )
    for one in results:
        ours = medians.get(("k8snet", one["delay_ms"], one["act"]))
        table.add_row(
            one["contestant"], f"{one['delay_ms']} ms", one["act"], f"{one['median_ms']:.1f}", f"{one['min_ms']:.1f}",
            f"{one['max_ms']:.1f}", f"{one['median_ms'] / ours:.2f}" if ours else "",
        )  # fmt: skip
    return table


def bars(results: Sequence[Result]) -> list[tuple[str, float, float, bool]]:
    """What was aimed at: a sentence, the ratio measured, the ratio demanded, and whether it holds."""
    medians = {(one["contestant"], one["delay_ms"], one["act"]): one["median_ms"] for one in results}
    judged = []
    for (name, milliseconds, act), ours in medians.items():
        if not name.startswith("k8snet") or act == "repeat":
            continue
        theirs = medians.get((PLAYBOOK, milliseconds, act))
        if name == "k8snet" and theirs is not None and milliseconds in PLAYBOOK_TIMES:
            least, ratio = PLAYBOOK_TIMES[milliseconds], theirs / ours
            judged.append((f"{act} at {milliseconds} ms: times faster than the playbook", ratio, least, ratio >= least))
        if script := medians.get(("warm httpx script", milliseconds, act)):
            ratio = ours / script
            sentence = f"{name}, {act} at {milliseconds} ms: times the warm script"
            judged.append((sentence, ratio, SCRIPT_TIMES, ratio <= SCRIPT_TIMES))
    return judged


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--delay", type=int, nargs="+", default=[0, 20], metavar="MS")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there, too")
    options = parser.parse_args()
    collect_garbage_late()  # as the bot does
    results = asyncio.run(run(options.rounds, options.delay))
    judged = bars(results)
    if options.json:
        machine = {"python": platform.python_version(), "machine": platform.machine(), "cpus": os.cpu_count()}
        aims = [dict(zip(("bar", "measured", "demanded", "met"), bar, strict=True)) for bar in judged]
        options.json.write_text(json.dumps({"machine": machine, "results": results, "bars": aims}, indent=2) + "\n")
    console = Console()
    console.print(report(results))
    for sentence, ratio, demanded, met in judged:
        console.print(f"{'met    ' if met else 'NOT MET'}  {sentence}: {ratio:.2f} (bar {demanded})")
    return 0 if all(met for *_, met in judged) else 1


if __name__ == "__main__":
    raise SystemExit(main())
