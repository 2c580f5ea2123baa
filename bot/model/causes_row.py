"""One row of the diagnosis."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.model.diagnosis import Evidence, Finding, Fix, HopName, Verdict


@dataclass(frozen=True)
class Row:
    """One cause. `applies` answers with the evidence that proves it, or nothing; `when` says the same for people.

    A `symptom` says that something is wrong but not why: it is shown only when no cause is found. A row with the
    verdict "passed" is a note: worth knowing, and nothing is broken.
    """

    code: str
    hop: HopName
    applies: Callable[[Evidence], Sequence[str]]
    when: str
    explanation: str
    remedy: str
    verdict: Verdict = "failed"
    fix: Fix | None = None
    symptom: bool = False

    def finding(self, proof: Sequence[str]) -> Finding:
        return Finding(
            code=self.code,
            hop=self.hop,
            verdict=self.verdict,
            explanation=self.explanation,
            evidence=tuple(proof),
            remedy=self.remedy,
            fix=self.fix,
        )
