"""How fast a check is, beside what a person would type and beside a bare loop, all in one run on loopback.

    python -m bench.check [--services 1000] [--rounds 20] [--json FILE]

The lab's office is in a process of its own, as in life, and the network costs nothing, so that what is measured is the
bot. A healthy check is measured on the simulated network and, where there are the rights for one, on the kernel's,
whose figures then count: no proxy stands between. It is measured a second time with everything 50 ms away: there it
shows whether anything waits for anything else. The command line is measured with its byte code in place, as an
installed package has it.

Processors of shared machines run at half their speed for seconds at a time, which no median of some rounds outlives.
The medians are held against the bars all the same; the quietest round beside them tells more about the code.
"""

import argparse
import asyncio
import gc
import json
import logging
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from backends.probes.dns_line import OUTSTANDING
from bench.check_healthy import Figures, in_kernel, simulated, timed
from bench.check_loopback import DOMAIN, address_of, answering, bare, context_for
from bench.offices import engine_for, exposed_office, served_office
from bot.engine.checking.check import check
from bot.engine.engine import Engine
from bot.env import collect_garbage_late
from bot.model.commands import Check
from bot.model.diagnosis import Report
from bot.model.site import CheckLimits
from lab.corpus.fault import HEADLESS
from lab.corpus.office import Office, State, office
from lab.network.kernel import KernelUnavailable

KERNEL = "kernel network: "
HEALTHY_BAR_MS = 10.0
SLOWEST_BAR = 1.2
BLACK_HOLE_BAR = 1.1
COLD_ROUNDS = 10
COLD_BAR_S = 0.6
MANY_BAR_S, MANY_BAR_MB = 2.0, 120.0
LOOP_BAR = 0.8
NSLOOKUP_S = 15.0
"""How long a person's `nslookup` waits for a silent server."""


@asynccontextmanager
async def place_of(state: State | None) -> AsyncIterator[tuple[Office, Engine]]:
    with tempfile.TemporaryDirectory(prefix="k8snet-bench-") as folder:
        async with office(Path(folder), state) as place, engine_for(place) as engine:
            yield place, engine


async def checked(engine: Engine, name: str, limits: CheckLimits | None = None) -> Report:
    return await check(engine.context, Check(name=name), limits or CheckLimits())


async def black_holed(state: State) -> Figures:
    """The gateway is frozen: every packet to it vanishes, each probe waits for its whole time-out."""
    limits = CheckLimits()
    async with place_of(state) as (place, engine):
        await checked(engine, HEADLESS)
        await place.ground.freeze_node("k8s-qa-node-02")
        report = await checked(engine, HEADLESS)
        seconds = report.elapsed_ms / 1000
    silent = sum(" timeout " in line or ": timeout" in line for line in report.proof)
    return {
        "black-holed gateway, s": round(seconds, 2),
        "one probe's time-out, s": limits.probe_s,
        "times its own time-out": round(seconds / limits.probe_s, 2),
        "the same one after the other, s": round(max(silent, 2) * limits.probe_s + NSLOOKUP_S, 1),
        "verdict": f"{report.verdict} {report.findings[0].code}",
    }


def cold(state: State) -> Figures:
    """The command line, from nothing: interpreter, imports, one check."""

    async def run(byte_code: str) -> tuple[list[float], int]:
        async with served_office(state) as place:
            environ = {**os.environ, **place.environ, "PYTHONPYCACHEPREFIX": byte_code}
            environ.pop("PYTHONDONTWRITEBYTECODE", None)
            seconds = []
            code = 0
            for _ in range(1 + COLD_ROUNDS):
                started = time.perf_counter()
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "bot",
                    "check",
                    HEADLESS,
                    "--config",
                    str(place.config),
                    env=environ,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.PIPE,
                )
                await process.communicate()
                code = process.returncode or code
                seconds.append(time.perf_counter() - started)
            return seconds[1:], code  # the first one compiles, as an installation does

    with tempfile.TemporaryDirectory(prefix="k8snet-code-") as byte_code:
        seconds, code = asyncio.run(run(byte_code))
    return {
        "command line, cold, s": round(statistics.median(seconds), 2),
        "command line, cold, quietest round, s": round(min(seconds), 2),
        "its exit code": code,
    }


# --- a thousand services -------------------------------------------------------------------------------------------


async def a_namespace(engine: Engine, services: int, dns_port: int, port: int, rounds: int) -> Figures:
    """Our check of the namespace, and a loop that does nothing but resolve and connect, alternating."""
    context = context_for(engine, services, dns_port, port)
    ours, loop = [], []
    for _ in range(rounds):
        gc.collect()
        started = time.perf_counter()
        report = await check(context, Check(name="*.default"), CheckLimits())
        ours.append(time.perf_counter() - started)
        assert report.verdict == "passed", report.summary
        gc.collect()
        loop.append(await timed(bare(services, dns_port, port)))
    return {
        "services": services,
        "our check of the namespace, s": round(min(ours), 2),
        "bare resolve-and-connect loop, s": round(min(loop), 2),
        "ours of the loop's speed": round(min(loop) / min(ours), 2),
        "our names with data per second": round(services / min(ours)),
        "questions on one socket, at most": OUTSTANDING,
    }


def memory_of(services: int) -> Figures:
    """The most memory of a process that holds a bot and checks the namespace once."""

    async def run() -> str:
        async with place_of(None) as (place, _):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "bench.check_loopback",
                str(place.config),
                str(services),
                env={**os.environ, **place.environ},
                stdout=asyncio.subprocess.PIPE,
            )
            said, _ = await process.communicate()
            return said.decode()

    return {"its most memory, MB": round(float(asyncio.run(run())), 1)}


def by_hand(dns_port: int, port: int) -> Figures:
    """What a person would type, as far as the tools are here: one name, one connection, one after the other."""
    name = f"svc-1.default.svc.{DOMAIN}"
    wanted = {
        "dig": ["dig", "+short", "@127.0.0.1", "-p", str(dns_port), name],
        "redis-cli": ["redis-cli", "-h", str(address_of(1)), "-p", str(port), "ping"],
        "nc": ["nc", "-z", str(address_of(1)), str(port)],
    }
    figures: Figures = {}
    for tool, command in wanted.items():
        if shutil.which(tool) is None:
            figures[f"{tool}, ms"] = "not installed"
            continue
        started = time.perf_counter()
        subprocess.run(command, capture_output=True, timeout=10, check=False)
        figures[f"{tool}, ms"] = round((time.perf_counter() - started) * 1000, 1)
    here = shutil.which("dnsperf") is not None
    figures["dnsperf, names per second"] = _dnsperf(dns_port) if here else "not installed: apt-get install dnsperf"
    return figures


def _dnsperf(dns_port: int) -> str:
    names = "".join(f"svc-{number}.default.svc.{DOMAIN} A\n" for number in range(1000))
    with tempfile.NamedTemporaryFile("w", prefix="k8snet-names-") as file:
        file.write(names)
        file.flush()
        command = [
            "dnsperf",
            "-s",
            "127.0.0.1",
            "-p",
            str(dns_port),
            "-l",
            "3",
            "-q",
            str(OUTSTANDING),
            "-d",
            file.name,
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return next((line.split(":")[1].strip() for line in done.stdout.splitlines() if "per second" in line), "no figure")


async def loopback(services: int, rounds: int) -> Figures:
    with answering() as (dns_port, port):
        async with place_of(None) as (_, engine):
            return {**await a_namespace(engine, services, dns_port, port, rounds), **by_hand(dns_port, port)}


def bars(figures: Figures) -> dict[str, bool]:
    """What was promised, and whether it holds here."""

    def number(name: str) -> float:
        return float(figures.get(f"{KERNEL}{name}", figures[name]))

    return {
        f"beyond the API at most {HEALTHY_BAR_MS:g} ms": number("beyond the API, ms") <= HEALTHY_BAR_MS,
        f"at most {SLOWEST_BAR:g} times its slowest question": number("times its slowest question") <= SLOWEST_BAR,
        "a black hole costs its own time-out, never the sum": number("times its own time-out") <= BLACK_HOLE_BAR,
        f"command line cold at most {COLD_BAR_S:g} s": number("command line, cold, s") <= COLD_BAR_S,
        f"the namespace in at most {MANY_BAR_S:g} s": number("our check of the namespace, s") <= MANY_BAR_S,
        f"with at most {MANY_BAR_MB:g} MB": number("its most memory, MB") <= MANY_BAR_MB,
        f"at least {LOOP_BAR:g} of the bare loop's speed": number("ours of the loop's speed") >= LOOP_BAR,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    collect_garbage_late()  # as the bot does
    state = asyncio.run(exposed_office())
    figures: Figures = {"python": platform.python_version(), "machine": f"{platform.machine()}, {os.cpu_count()} CPUs"}
    figures |= asyncio.run(simulated(state, options.rounds))
    try:
        figures |= {f"{KERNEL}{name}": value for name, value in asyncio.run(in_kernel(state, options.rounds)).items()}
    except KernelUnavailable as why:
        figures["kernel network"] = str(why)
    figures |= asyncio.run(black_holed(state))
    figures |= cold(state)
    figures |= asyncio.run(loopback(options.services, max(3, options.rounds // 2)))
    figures |= memory_of(options.services)
    table = Table("what", "measured")
    for name, value in figures.items():
        table.add_row(name, str(value))
    held = bars(figures)
    for name, holds in held.items():
        table.add_row(name, "yes" if holds else "NO")
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps({"figures": figures, "bars": held}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
