"""How a check asks: everything at once, everything within one deadline, no question's failure another's."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterable
from typing import Any, TypeVar

from bot.model.diagnosis import Unread
from bot.model.errors import BackendError, Rejected
from bot.model.site import CheckLimits
from bot.model.wording import tr

Answer = TypeVar("Answer")


async def all_of(questions: Iterable[Awaitable[Answer]]) -> list[Answer]:
    """The answers to what is asked at the same time; of a single question without a task of its own for it."""
    asked = list(questions)
    return [await asked[0]] if len(asked) == 1 else list(await asyncio.gather(*asked))


async def cancelled(*tasks: "asyncio.Future[Any] | None") -> None:
    """Leave nothing running behind."""
    left = [task for task in tasks if task is not None and not task.done()]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


class Asking:
    """The questions of one check, and a note of those that got no answer."""

    def __init__(self, limits: CheckLimits, label: str = "", ahead: "Ahead | None" = None) -> None:
        """`label` is a word that no name of anybody has; `ahead` what is being asked already."""
        self.limits, self.label = limits, label
        self.probe_s = limits.probe_s  # that a question to the wire may wait from now on
        self.unread: list[Unread] = []
        self._deadline = asyncio.get_running_loop().time() + limits.deadline_s
        self._ahead = ahead
        self._repeated: Counter[Hashable] = Counter()

    def guessing(self) -> "Asking":
        """One that asks the same ahead of time, on facts that may be out of date; nobody reads its notes."""
        return Asking(self.limits, self.label, self._ahead)

    def hurry(self) -> None:
        """Something is silent. What is asked from now on ends with it: a black hole costs one time-out, not two."""
        self.probe_s = max(self.limits.probe_s - self.limits.doubt_s, self.limits.probe_s / 2)

    @property
    def rest_s(self) -> float:
        """For a question that is asked because others have been silent since the doubt's time, and ends with them."""
        return max(self.probe_s - self.limits.doubt_s, self.limits.probe_s / 2)

    async def ask(
        self, system: str, what: Callable[[], str], question: Callable[[], Awaitable[Answer]], *key: Hashable
    ) -> Answer | None:
        """The answer, or None after a note of who could not be asked what, and why. `what` is said only then.

        `key` tells questions apart; the same one asked again is a new one.
        """
        try:
            return await self.insist(question, *key)
        except BackendError as error:
            self.note(error)
        except TimeoutError:
            self.late(system, what())
        return None

    async def insist(self, question: Callable[[], Awaitable[Answer]], *key: Hashable) -> Answer:
        """The answer within the deadline. Raises what the question raises, and TimeoutError."""
        if self._ahead is None or not key:
            async with asyncio.timeout_at(self._deadline):
                return await question()
        self._repeated[key] += 1
        task = self._ahead.under_way((*key, self._repeated[key]), question)
        if not task.done():
            # Not cancelled with this wait: somebody else may be waiting for the same answer.
            await asyncio.wait((task,), timeout=self._deadline - asyncio.get_running_loop().time())
        if not task.done():
            raise TimeoutError
        return task.result()

    def note(self, error: BackendError) -> None:
        kind = "rejected" if isinstance(error, Rejected) else "unreachable"
        self._add(Unread.model_validate({"system": error.system, "kind": kind, "problem": error.problem}))

    def late(self, system: str, what: str) -> None:
        self._add(Unread(system=system, kind="late", problem=tr("no answer in time: {what}", what=what)))

    def _add(self, unread: Unread) -> None:
        if unread not in self.unread:
            self.unread.append(unread)


class Ahead:
    """Questions under way, for whoever comes to ask the same."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Future[Any]] = {}

    def under_way(self, key: Hashable, question: Callable[[], Awaitable[Answer]]) -> "asyncio.Future[Answer]":
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.ensure_future(question())
        return task

    async def close(self) -> None:
        """Leave nothing running behind, nor an error that nobody has looked at."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
