"""Cases of the corpus and what came of them, whichever network carried the packets."""

from dataclasses import dataclass

from bot.model.site import CheckLimits
from lab.corpus.corpus import SINGLES, pairs, true_codes
from lab.corpus.fault import Fault

LIMITS = CheckLimits(deadline_s=12, facts_s=4, probe_s=2, doubt_s=0.4)
"""Short patience: nothing in the lab takes long but what never answers; enough of it for a loaded machine."""


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
class Said:
    """A check's answer: its verdict, the codes of its findings in order, and the text that people read."""

    verdict: str
    codes: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Result:
    """What a check said about a case; `impossible` says why the network could not make the fault at all."""

    case: Case
    said: Said
    seconds: float
    impossible: str = ""

    @property
    def first(self) -> str:
        return self.said.codes[0] if self.said.codes else "nothing"

    @property
    def right(self) -> bool:
        """A true cause first, and of a single fault all that it shows; a harmless one anywhere, under a "passed"."""
        if self.harmless:
            return self.said.verdict == "passed" and self.case.made[0].code in self.said.codes
        shown = all(code in self.said.codes for fault in self.case.made for code in fault.shows)
        return self.first in true_codes(*self.case.made) and (shown or len(self.case.made) > 1)

    @property
    def harmless(self) -> bool:
        return all(fault.kind == "harmless" for fault in self.case.made)

    @property
    def false_passed(self) -> bool:
        return self.said.verdict == "passed" and not self.harmless

    @property
    def shrug(self) -> bool:
        """Undetermined although no signal was taken away."""
        return self.said.verdict == "undetermined" and all(fault.kind != "blind" for fault in self.case.made)

    @property
    def bad(self) -> bool:
        return not self.right or self.false_passed or self.shrug


def cases(count: int, seed: int, only: str = "") -> list[Case]:
    """Every single fault with each of its questions, then random pairs."""
    index = {fault: number for number, fault in enumerate(SINGLES)}
    singles = [Case((index[fault],), ask) for fault in SINGLES for ask in fault.asks]
    doubles = [Case((index[one], index[other]), ask) for one, other, ask in pairs(count, seed)]
    return [case for case in (*singles, *doubles) if only in case.name]


def impossible(case: Case, why: str) -> Result:
    """The result of a case that a network cannot make."""
    return Result(case, Said("", (), ""), 0.0, why)
