"""How soon Slack hears that a command has arrived while many people type at once.

    python -m bench.acknowledging [--commands 100] [--rounds 3] [--mode socket|http] [--json FILE]

A whole company runs here, the bot as a process of its own. All commands are sent at the same moment; measured is the
time from the workspace's sending to the acknowledgement's arrival there, for which Slack waits three seconds.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lab.company import Company, Transport, company
from lab.slack.driver import driving

BAR_MS = 100.0
WAYS: dict[str, str] = {"socket": "envelope", "http": "http"}
TYPED = (
    "check redis-abc-gns.default",
    "status",
    "plan default",
    "whoami",
    "check web-abc.default",
    "list",
    "history",
    "help",
    "check echo-udp.default",
    "expose default",
)


async def acknowledged(office: Company, commands: int) -> list[float]:
    """Milliseconds of each acknowledgement, the shortest first."""
    transcript = office.slack.slack.transcript
    before = transcript.count
    async with driving(office.slack.page_url) as slack:
        await asyncio.gather(*(slack.say(f"/k8snet {TYPED[n % len(TYPED)]}", by="omar") for n in range(commands)))
    kind = WAYS["http" if office.slack.slack.delivery.request_url else "socket"]
    sent = [
        one
        for one in transcript.entries
        if one["n"] > before and (one["kind"], one["name"]) == (kind, "slash_commands")
    ]
    if len(sent) != commands or any(one["outcome"] != "ok" for one in sent):
        raise RuntimeError(f"{sum(one['outcome'] == 'ok' for one in sent)} of {commands} commands were acknowledged")
    return sorted(one["ms"] for one in sent)


async def measured(commands: int, rounds: int, mode: Transport) -> list[list[float]]:
    """The rounds' acknowledgements, each round against a fresh company: nothing is left over from the one before."""
    found = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="k8snet-bench-") as folder:
            async with company(Path(folder), transport=mode) as office, office.bot():
                found.append(await acknowledged(office, commands))
    return found


def share(sorted_ms: Sequence[float], part: float) -> float:
    """The time within which that part of them came."""
    return sorted_ms[min(len(sorted_ms) - 1, int(len(sorted_ms) * part))]


def main() -> int:
    """Print a table; exit 0 when the middle round meets the bar."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--commands", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mode", choices=tuple(WAYS), default="socket")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rounds = asyncio.run(measured(options.commands, options.rounds, options.mode))
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    table = Table("round", "median", "p99", "slowest", title=f"{options.commands} commands at once (ms), {load}")
    for number, times in enumerate(rounds, 1):
        table.add_row(
            str(number), *(f"{value:.0f}" for value in (statistics.median(times), share(times, 0.99), times[-1]))
        )
    Console().print(table)
    middle = statistics.median(share(times, 0.99) for times in rounds)
    print(f"{'met' if middle <= BAR_MS else 'NOT MET'}  p99 of the middle round: {middle:.0f} ms (bar {BAR_MS:.0f})")
    if options.json:
        options.json.write_text(json.dumps({"load": load, "p99_ms": middle, "rounds": rounds}, indent=2))
    return 0 if middle <= BAR_MS else 1


if __name__ == "__main__":
    sys.exit(main())
