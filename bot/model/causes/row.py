"""One row of the diagnosis."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.model.diagnosis import Evidence, Finding, Fix, HopName, Verdict
from bot.model.wording import tr


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
        """In the language in force; the table's texts are marked for the catalogues."""
        return Finding(
            code=self.code,
            hop=self.hop,
            verdict=self.verdict,
            explanation=tr(self.explanation),
            evidence=tuple(proof),
            remedy=tr(self.remedy),
            fix=self.fix,
        )
