"""What is shown to on-call about one gateway, and so what a click says yes to: evidence, candidates, exact changes."""

from datetime import datetime
from ipaddress import IPv4Address
from typing import Literal

from bot.model.candidates import Candidate
from bot.model.steps import Step
from bot.model.value import Value

Severity = Literal["notice", "degraded", "down"]
SEVERITIES: tuple[Severity, ...] = ("notice", "degraded", "down")
SHOWN_CANDIDATES = 5


class Picture(Value):
    """A gateway in trouble, at one moment.

    `steps` is what moving to the first candidate would change; `problem` says why that could not be told.
    `self_check` is why the bot trusts its own eyes; `recently` who moved the routes last, and when.
    """

    cluster: str
    severity: Severity
    gateway: str
    address: IPv4Address | None
    began: datetime
    evidence: tuple[str, ...]
    self_check: str
    candidates: tuple[Candidate, ...]
    steps: tuple[Step, ...]
    problem: str = ""
    warnings: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    recently: str = ""

    @property
    def eligible(self) -> tuple[str, ...]:
        """The nodes that a button is offered for, the best first."""
        return tuple(one.node for one in self.candidates if one.eligible)

    def outdated_by(self, newer: "Picture") -> bool:
        """Whether what a person would decide by has changed: how bad it is, where to go, what would be written."""
        mine, other = ((one.severity, one.gateway, one.eligible, one.findings, one.steps) for one in (self, newer))
        return mine != other
