"""A part of the fault corpus in every run: single faults of each family and a few pairs, on real protocols.

All of it: python -m bench.corpus.
"""

import pytest

from bench.corpus_case import Case, Result, cases
from bench.corpus_simulated import run
from bench.offices import exposed_office
from bot.model.causes.table import CAUSES
from lab.corpus.corpus import SINGLES, pairs
from lab.corpus.faults_doubts import UNMADE
from lab.corpus.office import State

# One case a code, and every eighth pair of twenty-four.
CHOSEN = tuple({case.made[0].code: case for case in reversed(cases(0, 1))}.values())
PAIRS = tuple(case for case in cases(24, 7) if len(case.faults) == 2)[::8]


_exposed: list[State] = []


@pytest.fixture
async def state() -> State:
    """An office in which the namespace was exposed by the bot itself, once for all tests of a process."""
    if not _exposed:
        _exposed.append(await exposed_office())
    return _exposed[0]


def explained(result: Result) -> str:
    return f"{result.said.verdict}: {', '.join(result.said.codes)}\n{result.said.text}"


@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: case.name)
async def test_a_fault_is_named_by_its_code(case: Case, state: State) -> None:
    result = await run(case, state)
    if result.impossible:
        pytest.skip(f"made on the kernel network only: {result.impossible}")
    assert result.right, explained(result)
    assert not result.false_passed
    assert not result.shrug, explained(result)


@pytest.mark.parametrize("case", PAIRS, ids=lambda case: case.name)
async def test_of_two_faults_one_is_named_first_and_none_passes(case: Case, state: State) -> None:
    result = await run(case, state)
    if result.impossible:
        pytest.skip(f"made on the kernel network only: {result.impossible}")
    assert result.right, explained(result)
    assert not result.false_passed


def test_every_code_is_made_by_the_lab_or_says_why_not() -> None:
    made = {code for fault in SINGLES for code in (fault.code, *fault.also, *fault.shows, *fault.blind)}
    codes = {row.code for row in CAUSES}
    assert codes - made == UNMADE.keys()
    assert made - codes == {"asks back"}


def test_the_corpus_is_as_large_as_promised_and_always_the_same() -> None:
    assert len(SINGLES) >= 64
    assert len({fault.name for fault in SINGLES}) == len(SINGLES)
    assert len(pairs(200, 1)) == 200
    assert pairs(200, 1) == pairs(200, 1)
    assert pairs(200, 1) != pairs(200, 2)
