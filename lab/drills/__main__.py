"""Every drill, one after the other, as a table. Exit 0 only when every bar was kept."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from lab.drills.drill import ASK_BAR_S, OUTAGE_BAR_S, Result, drill
from lab.drills.scenarios import SCENARIOS, Scenario
from lab.network.kernel_requirements import missing

HEAD = f"{'scenario':32} {'expected':9} {'asked':>8} {'proven':>8} {'outage':>8} {'names':>8}"


def line(result: Result) -> str:
    """One row of the table."""
    seconds = (result.asked_s, result.proven_s, result.outage_s, result.names_s)
    times = " ".join(f"{'–':>8}" if one is None else f"{one:6.1f} s" for one in seconds)
    return f"{result.scenario:32} {result.expected:9} {times}  {f'✗ {result.problem}' if result.problem else '✓'}"


def chosen(arguments: list[str] | None = None) -> list[Scenario]:
    """The scenarios that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m lab.drills", description=__doc__)
    parser.add_argument("part", nargs="*", help="run only scenarios with one of these parts in their names")
    parts = parser.parse_args(arguments).part
    found = [one for one in SCENARIOS if not parts or any(part in one.name for part in parts)]
    if not found:
        parser.error(f"no such scenario; there are: {', '.join(one.name for one in SCENARIOS)}")
    return found


async def run(scenarios: list[Scenario]) -> int:
    """Print the table as it grows; the exit code."""
    if problem := missing():
        print(f"no kernel lab here: {problem}")
        return 2
    print(f"asked: from the failure to the call (bar {ASK_BAR_S:g} s)")
    print("proven: from the click, or from the message where nobody is asked (bar 3 s; 200 routes or a drill: 10 s)")
    print(f"outage: of new connections after that (bar {OUTAGE_BAR_S:g} s)")
    print(
        "names: after that, until dc1 answered every question again (half of the cluster DNS may die with the node)\n"
    )
    print(HEAD, flush=True)
    kept = True
    for scenario in scenarios:
        with tempfile.TemporaryDirectory(prefix="k8snet-drill-") as folder:
            result = await drill(scenario, Path(folder))
            if result.problem:
                print((Path(folder) / "bot.log").read_text()[-2000:], file=sys.stderr)
        kept = kept and not result.problem
        print(line(result), flush=True)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(run(chosen())))
