"""What a fault of the corpus is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from lab.corpus.office import Office

HEADLESS = "redis-abc-gns.default"
"""One pod, on another node than the gateway."""
SPREAD = "web-abc.default"
"""A service address, one pod on the gateway and two elsewhere."""
LOCAL = "redis-abc.default"
"""A service address, its one pod on the gateway."""
EVERYWHERE = (HEADLESS, SPREAD, LOCAL)
ADDRESSED = (SPREAD, LOCAL)

Kind = Literal["broken", "blind", "harmless"]


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, and the code by which a check must name it ("asks back": the answer is a question).

    `asks` are the questions that show it. `part` is what it breaks: two faults of one part exclude each other.
    `broken`: users suffer; `blind`: only the check is deprived of a signal, so it must not say "passed" nor blame
    anybody; `harmless`: worth a note, and nothing else.
    """

    name: str
    code: str
    part: str
    apply: Callable[[Office], Awaitable[None] | None]
    asks: tuple[str, ...] = EVERYWHERE
    kind: Kind = "broken"
    also: tuple[str, ...] = ()
    """Codes that are as right: what it is called where another fault hides a part of it."""
    shows: tuple[str, ...] = ()
    """Codes that must be among the findings, too."""
    blind: tuple[str, ...] = ()
    """Codes when the cluster's API is silent, too: what this fault then looks like from outside."""


def nothing(_: Office) -> None:
    """For faults that lie in the question alone."""
