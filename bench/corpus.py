"""Is the right hop named? The real check, its real back ends, and every fault that the lab can make, on both networks.

    python -m bench.corpus [--network simulated|kernel|both] [--pairs 220] [--kernel-s 180] [--seed 1] [--jobs N]
                           [--only TEXT] [--json FILE] [--verbose]

Prints a confusion table for each network. Exit 0 only when the bars are met on both: the right code on 99 % of single
faults, a true cause first on 95 % of pairs, no fault at all under a "passed", and no shrug where nothing was hidden.
On the kernel network all single faults are made, and then as many pairs as fit into `--kernel-s` seconds.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import corpus_kernel, corpus_simulated
from bench.corpus_case import Case, Result, cases
from bench.offices import exposed_office
from lab.corpus.corpus import SINGLES, true_codes
from lab.network.kernel_requirements import missing

SINGLE_BAR, PAIR_BAR = 0.99, 0.95


def confusion(network: str, results: Sequence[Result]) -> Table:
    """Expected code by found code, for single faults; a row where all is right is one line."""
    table = Table("expected", "cases", "right", "found instead", title=f"single faults, {network} network")
    for code in sorted({fault.code for fault in SINGLES}):
        of_code = [result for result in results if result.case.made[0].code == code]
        wrong = Counter(result.first for result in of_code if not result.right)
        if of_code:
            said = ", ".join(f"{first} ×{count}" for first, count in wrong.most_common())
            table.add_row(code, str(len(of_code)), str(sum(result.right for result in of_code)), said)
    return table


def share(results: Sequence[Result]) -> float:
    return sum(result.right for result in results) / len(results) if results else 1.0


def explained(result: Result) -> str:
    expected = " or ".join(sorted(true_codes(*result.case.made)))
    said = result.said
    return f"{result.case.name} ({result.case.ask}): expected {expected}; {said.verdict}: {', '.join(said.codes)}"


class Judged:
    """What came of one network's cases."""

    def __init__(self, network: str, results: Sequence[Result], seconds: float) -> None:
        self.network = network
        self.made = [result for result in results if not result.impossible]
        self.impossible = [result for result in results if result.impossible]
        self.singles = [result for result in self.made if len(result.case.faults) == 1]
        self.doubles = [result for result in self.made if len(result.case.faults) == 2]
        self.seconds = seconds

    @property
    def figures(self) -> dict[str, Any]:
        return {
            "single faults": len({result.case.faults for result in self.singles}),
            "single cases": len(self.singles),
            "right code on single cases": round(share(self.singles), 4),
            "pairs": len(self.doubles),
            "true cause first on pairs": round(share(self.doubles), 4),
            "false passed": sum(result.false_passed for result in self.made),
            "undetermined without need": sum(result.shrug for result in self.made),
            "slowest case with its office, s": round(max((r.seconds for r in self.made), default=0), 2),
            "seconds": round(self.seconds, 1),
        }

    @property
    def bars(self) -> list[tuple[str, str, str, bool]]:
        """Each bar: what it is about, what is wanted, what was measured, whether it was kept."""
        false, shrugs = (sum(said) for said in zip(*((r.false_passed, r.shrug) for r in self.made), strict=True))
        single, pair = share(self.singles), share(self.doubles)
        return [
            (
                f"right code on {len(self.singles)} single cases",
                f"≥ {SINGLE_BAR:.0%}",
                f"{single:.1%}",
                single >= SINGLE_BAR,
            ),
            (f"true cause first on {len(self.doubles)} pairs", f"≥ {PAIR_BAR:.0%}", f"{pair:.1%}", pair >= PAIR_BAR),
            ('a fault under a "passed"', "0", str(false), not false),
            ("undetermined without need", "0", str(shrugs), not shrugs),
        ]

    @property
    def met(self) -> bool:
        return bool(self.made) and all(kept for *_, kept in self.bars)

    def show(self, console: Console, verbose: bool) -> None:
        console.print(confusion(self.network, self.singles))
        reasons = {r.case.made[0].name: r.impossible for r in self.impossible if len(r.case.faults) == 1}
        for name, why in reasons.items():
            console.print(f"not made here: {name}, because {why}", markup=False)
        for result in self.made:
            if result.bad:
                console.print(explained(result), markup=False)
                if verbose:
                    console.print(result.said.text, markup=False, highlight=False)
        bars = Table("", "wanted", "measured", "", title=f"bars, {self.network} network, {self.seconds:.0f} s")
        for *row, kept in self.bars if self.made else ():
            bars.add_row(*row, "✓" if kept else "✗")
        console.print(bars)


def judged(network: str, wanted: Sequence[Case], options: argparse.Namespace) -> Judged:
    """Run the cases on a network. Raises `KernelUnavailable` where the kernel one cannot be built."""
    started = time.perf_counter()
    state = asyncio.run(exposed_office())
    if network == "kernel":
        results = corpus_kernel.run_everywhere(wanted, state, options.networks, options.kernel_s)
    else:
        results = corpus_simulated.run_everywhere(wanted, state, options.jobs)
    return Judged(network, results, time.perf_counter() - started)


def main() -> int:
    processors = os.cpu_count() or 1
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=("simulated", "kernel", "both"), default="both")
    parser.add_argument("--pairs", type=int, default=220)
    parser.add_argument("--kernel-s", type=float, default=180, help="seconds for pairs on the kernel")
    parser.add_argument("--seed", type=int, default=1, help="of the pairs")
    parser.add_argument("--jobs", type=int, default=processors, help="processes of the simulated network")
    parser.add_argument("--networks", type=int, default=processors, help="kernel networks at once")
    parser.add_argument("--only", default="", help="only cases with this text in their name")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--verbose", action="store_true", help="print the report of every case that went wrong")
    options = parser.parse_args()
    console = Console()
    wanted = cases(options.pairs, options.seed, options.only)
    networks = ["simulated", "kernel"] if options.network == "both" else [options.network]
    if "kernel" in networks and (problem := missing()):
        console.print(f"no kernel network here: {problem}", markup=False)
        networks.remove("kernel")
    done = []
    for network in networks:
        done.append(judged(network, wanted, options))
        done[-1].show(console, options.verbose)
    if options.json:
        options.json.write_text(
            json.dumps({"seed": options.seed} | {one.network: one.figures for one in done}, indent=2)
        )
    return 0 if done and all(one.met for one in done) else 1


if __name__ == "__main__":
    sys.exit(main())
