"""A part of the fault corpus on real packets: the bot asks from its own machine, the kernel routes. Run by `make e2e`.

All of it: python -m bench.corpus --network kernel.
"""

import asyncio
import math
import os
from pathlib import Path

import pytest

from bench.corpus_case import Result, cases
from bench.corpus_kernel import bot, run_everywhere
from bench.offices import exposed_office
from lab.corpus.fault import EVERYWHERE
from lab.corpus.kernel_office import corpus_network, kernel_office
from lab.network.kernel_requirements import missing

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

SINGLES = tuple({case.made[0].code: case for case in reversed(cases(0, 1)) if case.made[0].part != "question"}.values())
"""One case a code that packets have to do with."""
PAIRS = tuple(case for case in cases(24, 7) if len(case.faults) == 2)[::8]
NETWORKS = os.cpu_count() or 1


async def test_what_works_passes_without_a_finding_on_real_packets(tmp_path: Path) -> None:
    if problem := missing():
        pytest.skip(f"no kernel lab here: {problem}")
    state = await exposed_office()
    async with corpus_network() as net, bot(net) as engine, kernel_office(net, tmp_path, state) as place:
        for ask in (*EVERYWHERE, "172.20.4.222", "10.68.0.80:80"):
            said = await engine.check(place, ask)
            assert (said.verdict, said.codes) == ("passed", ()), said.text


def test_faults_are_named_on_real_packets() -> None:
    """Each network in a process of its own: what one office keeps busy must not silence another's machines."""
    if problem := missing():
        pytest.skip(f"no kernel lab here: {problem}")
    done = run_everywhere([*SINGLES, *PAIRS], asyncio.run(exposed_office()), NETWORKS, math.inf)
    made = [result for result in done if not result.impossible]
    assert len(made) > len(SINGLES)
    assert not any(result.bad for result in made), told(made)


def told(some: list[Result]) -> str:
    return "\n\n".join(
        f"{r.case.name} ({r.case.ask}): {r.said.verdict} {r.said.codes}\n{r.said.text}" for r in some if r.bad
    )
