"""How a check asks: everything at once, everything within one deadline, no question's failure another's."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from bot.model.diagnosis import Unread
from bot.model.errors import BackendError, Rejected
from bot.model.site import CheckLimits
from bot.model.wording import tr

Answer = TypeVar("Answer")


async def all_of(questions: Iterable[Awaitable[Answer]]) -> list[Answer]:
    """The answers to what is asked at the same time; of a single question without a task of its own for it."""
    asked = list(questions)
    return [await asked[0]] if len(asked) == 1 else list(await asyncio.gather(*asked))


class Asking:
    """The questions of one check, and a note of those that got no answer."""

    def __init__(self, limits: CheckLimits) -> None:
        self.limits = limits
        self.unread: list[Unread] = []
        self._deadline = asyncio.get_running_loop().time() + limits.deadline_s

    async def ask(self, system: str, what: Callable[[], str], question: Awaitable[Answer]) -> Answer | None:
        """The answer, or None after a note of who could not be asked what, and why. `what` is said only then."""
        try:
            return await self.insist(question)
        except BackendError as error:
            self.note(error)
        except TimeoutError:
            self.late(system, what())
        return None

    async def insist(self, question: Awaitable[Answer]) -> Answer:
        """The answer within the deadline. Raises what the question raises, and TimeoutError."""
        async with asyncio.timeout_at(self._deadline):
            return await question

    def note(self, error: BackendError) -> None:
        kind = "rejected" if isinstance(error, Rejected) else "unreachable"
        self._add(Unread.model_validate({"system": error.system, "kind": kind, "problem": error.problem}))

    def late(self, system: str, what: str) -> None:
        self._add(Unread(system=system, kind="late", problem=tr("no answer in time: {what}", what=what)))

    def _add(self, unread: Unread) -> None:
        if unread not in self.unread:
            self.unread.append(unread)
