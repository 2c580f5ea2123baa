"""Is the right hop named? The real check, its real back ends, and every fault that the lab can make.

    python -m bench.corpus [--pairs 200] [--seed 1] [--jobs N] [--only TEXT] [--json FILE] [--verbose]

Prints a confusion table. Exit 0 only when the bars are met: the right code on 99 % of single faults, a true cause first
on 95 % of pairs, no fault at all under a "passed", and no shrug where nothing was hidden.
"""

import argparse
import asyncio
import json
import logging
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from inspect import isawaitable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.offices import engine_for, exposed_office
from bot.engine.checking import check
from bot.engine.checking_asking import Limits
from bot.model.commands import Check
from bot.model.diagnosis import Report
from handlers.views.lines import report_lines
from lab.corpus.corpus import SINGLES, pairs
from lab.corpus.fault import Fault
from lab.corpus.office import State, office

LIMITS = Limits(deadline_s=8, facts_s=2.5, probe_s=1, doubt_s=0.4)
"""Short patience: nothing in the lab takes long but what never answers."""
SINGLE_BAR, PAIR_BAR = 0.99, 0.95
_ROUND = 8  # cases a worker takes at a time


@dataclass(frozen=True)
class Case:
    """One or two faults by their place in `SINGLES`, and what is asked."""

    faults: tuple[int, ...]
    ask: str

    @property
    def made(self) -> tuple[Fault, ...]:
        return tuple(SINGLES[index] for index in self.faults)

    @property
    def name(self) -> str:
        return " + ".join(fault.name for fault in self.made)


@dataclass(frozen=True)
class Result:
    """What a check said about a case."""

    case: Case
    verdict: str
    codes: tuple[str, ...]
    text: str
    seconds: float

    @property
    def first(self) -> str:
        return self.codes[0] if self.codes else "nothing"

    @property
    def right(self) -> bool:
        """A true cause first; a harmless one anywhere, under a "passed"."""
        codes = [fault.code for fault in self.case.made]
        if self.harmless:
            return self.verdict == "passed" and codes[0] in self.codes
        return self.first in codes

    @property
    def harmless(self) -> bool:
        return all(fault.kind == "harmless" for fault in self.case.made)

    @property
    def false_passed(self) -> bool:
        return self.verdict == "passed" and not self.harmless

    @property
    def shrug(self) -> bool:
        """Undetermined although no signal was taken away."""
        return self.verdict == "undetermined" and all(fault.kind != "blind" for fault in self.case.made)


def cases(count: int, seed: int, only: str = "") -> list[Case]:
    """Every single fault with each of its questions, then random pairs."""
    index = {fault: number for number, fault in enumerate(SINGLES)}
    singles = [Case((index[fault],), ask) for fault in SINGLES for ask in fault.asks]
    doubles = [Case((index[one], index[other]), ask) for one, other, ask in pairs(count, seed)]
    return [case for case in (*singles, *doubles) if only in case.name]


async def run(case: Case, state: State) -> Result:
    """A fresh office with these faults, and one check in it."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="k8snet-corpus-") as folder:
        async with office(Path(folder), state) as place, engine_for(place) as engine:
            for fault in case.made:
                done = fault.apply(place)
                if isawaitable(done):
                    await done
            report = await check(engine.context, Check(name=case.ask), LIMITS)
            place.firewall.clear_faults()
            place.cluster.faults.clear()
    return _result(case, report, time.perf_counter() - started)


def _result(case: Case, report: Report, seconds: float) -> Result:
    codes = tuple(finding.code for finding in report.findings)
    return Result(case, report.verdict, codes, "\n".join(report_lines(report)), seconds)


def _run_all(batch: Sequence[Case], state: State) -> list[Result]:
    """In a process of its own, one after the other: an office must not wait for another's."""
    logging.disable(logging.CRITICAL)  # what the faults make back ends and simulators say

    async def work() -> list[Result]:
        return [await run(case, state) for case in batch]

    return asyncio.run(work())


def run_everywhere(wanted: Sequence[Case], jobs: int) -> list[Result]:
    """All cases, spread over processes."""
    state = asyncio.run(exposed_office())
    batches = [wanted[start : start + _ROUND] for start in range(0, len(wanted), _ROUND)]
    with ProcessPoolExecutor(jobs) as pool:
        return [result for done in pool.map(_run_all, batches, [state] * len(batches)) for result in done]


# --- what came of it -----------------------------------------------------------------------------------------------


def confusion(results: Sequence[Result]) -> Table:
    """Expected code by found code, for single faults; a row where all is right is one line."""
    table = Table("expected", "cases", "right", "found instead", title="single faults")
    for code in sorted({fault.code for fault in SINGLES}):
        of_code = [result for result in results if result.case.made[0].code == code]
        wrong = Counter(result.first for result in of_code if not result.right)
        if of_code:
            said = ", ".join(f"{first} ×{count}" for first, count in wrong.most_common())
            table.add_row(code, str(len(of_code)), str(sum(result.right for result in of_code)), said)
    return table


def share(results: Sequence[Result]) -> float:
    return sum(result.right for result in results) / len(results) if results else 1.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="only cases with this text in their name")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--verbose", action="store_true", help="print the report of every case that went wrong")
    options = parser.parse_args()
    console = Console()
    started = time.perf_counter()
    results = run_everywhere(cases(options.pairs, options.seed, options.only), options.jobs)
    singles = [result for result in results if len(result.case.faults) == 1]
    doubles = [result for result in results if len(result.case.faults) == 2]
    console.print(confusion(singles))
    bad = [result for result in results if not result.right or result.false_passed or result.shrug]
    for result in bad:
        expected = " or ".join(dict.fromkeys(fault.code for fault in result.case.made))
        console.print(
            f"{result.case.name} ({result.case.ask}): expected {expected}; {result.verdict}: {', '.join(result.codes)}",
            markup=False,
        )
        if options.verbose:
            console.print(result.text, markup=False, highlight=False)
    passed, shrugs = [r for r in results if r.false_passed], [r for r in results if r.shrug]
    figures = {
        "single faults": len({result.case.faults for result in singles}),
        "single cases": len(singles),
        "right code on single cases": round(share(singles), 4),
        "pairs": len(doubles),
        "seed": options.seed,
        "true cause first on pairs": round(share(doubles), 4),
        "false passed": len(passed),
        "undetermined without need": len(shrugs),
        "slowest check with its office, s": round(max((r.seconds for r in results), default=0), 2),
        "seconds": round(time.perf_counter() - started, 1),
    }
    console.print(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))
    met = share(singles) >= SINGLE_BAR and share(doubles) >= PAIR_BAR and not passed and not shrugs
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
