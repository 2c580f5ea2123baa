"""What a plan asks of the devices: what will probably be needed at once, the rest when it is known.

A round trip to a firewall takes longer than anything else in a plan. So questions whose need is only likely go beside
those that decide about it; an answer counts only when its question is the one that turns out to be right.
"""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Generic, TypeVar

from bot.engine.context import Context
from bot.engine.side_by_side import together
from bot.engine.targets import Foresees, Foresight, NumbersRows, OrdersPolicies, Precedence
from bot.model.desired import Placed
from bot.model.diff import Place
from bot.model.errors import BackendError, Unreachable
from bot.model.resources import Address, AddressGroup, Key, Kind, Mark, Policy, Resource, Route, TargetId, content
from bot.model.steps import Step

Numbered = tuple[TargetId, Kind]
FreeRows = Mapping[Numbered, Sequence[int]]
Wishes = Mapping[TargetId, Sequence[Resource]]
Foretold = Mapping[TargetId, Foresight]

_Question = TypeVar("_Question")
_Answer = TypeVar("_Answer")


class _Guess(Generic[_Question, _Answer]):
    """A question that was asked before it was certain. Its answer counts when `essence` is that of the right one."""

    def __init__(
        self,
        ask: Callable[[_Question], Awaitable[_Answer]],
        essence: Callable[[_Question], object] = lambda question: question,
    ) -> None:
        self._ask = ask
        self._essence = essence
        self._asked: object = None
        self._answer: _Answer | None = None

    async def guess(self, question: _Question) -> None:
        """Ask, unless that was asked last. What goes wrong is met again in `answer`."""
        essence = self._essence(question)
        if essence == self._asked:
            return
        self._asked, self._answer = essence, None
        try:
            answer = await self._ask(question)
        except BackendError:
            return
        if self._asked is essence:
            self._answer = answer

    async def answer(self, question: _Question) -> _Answer:
        """Raises BackendErrors."""
        if self._answer is not None and self._essence(question) == self._asked:
            return self._answer
        return await self._ask(question)


class Survey:
    """The state of the devices as one plan sees it. `owned` is what the journal says is ours, with its marks."""

    def __init__(self, context: Context, owned: Mapping[Place, Mark]) -> None:
        self._context = context
        self._owned = owned
        self.actual: dict[Place, Resource] = {}
        self._asked: set[Place] = set()
        self._silent: dict[Place, Unreachable] = {}
        self._rows = _Guess(self._free)
        self._foretold = _Guess(self._foreseen, _judged)
        self._order = _Guess(self._preceding)

    async def _guess_places(self, places: Collection[Place]) -> None:
        await together([self._try(target, keys) for target, keys in self._unasked(places).items()])

    async def read(self, places: Collection[Place]) -> None:
        """Add to `actual` what exists there, except where that is being read already. Raises BackendErrors."""
        for place in places:
            if (error := self._silent.get(place)) is not None:
                raise error
        await together([self._read(target, keys) for target, keys in self._unasked(places).items()])

    def _unasked(self, places: Collection[Place]) -> Mapping[TargetId, Collection[Key]]:
        keys: dict[TargetId, set[Key]] = defaultdict(set)
        for target, key in set(places) - self._asked:
            keys[target].add(key)
        self._asked.update(places)
        return keys

    async def _read(self, target: TargetId, keys: Collection[Key]) -> None:
        for key, resource in (await self._context.targets[target].read(keys)).items():
            self.actual[target, key] = self._with_mark((target, key), resource)

    async def _try(self, target: TargetId, keys: Collection[Key]) -> None:
        places = {(target, key) for key in keys}
        try:
            await self._read(target, keys)
        except Unreachable as error:
            self._silent |= dict.fromkeys(places, error)
        except BackendError:
            self._asked -= places  # it may be about something that is not needed: to be asked again

    def _with_mark(self, place: Place, resource: Resource) -> Resource:
        if self._context.targets[place[0]].keeps_marks or place not in self._owned:
            return resource
        return resource.model_copy(update={"mark": self._owned[place]})  # the journal's, where a device keeps none

    async def guess(self, wanted: Sequence[Placed], approved: Sequence[Step] | None) -> None:
        """Begin to ask all that a plan for these wishes needs.

        It is taken to take the approved steps, or to make whatever is not ours yet, as when something is exposed first.
        What was asked before is not asked again, and what goes wrong is met again when its answer is needed.
        """
        places = {(placed.target, placed.resource.key): placed for placed in wanted}
        absent = [placed for place, placed in places.items() if place not in self._owned]
        making = [Step(target=placed.target, before=None, after=placed.resource) for placed in absent]
        questions = [self._guess_places({*self._owned, *places}), self._rows.guess(self._needed(approved or making))]
        if approved is None:
            questions.append(self._foretold.guess(self._wishes(making)))
        if approved is None or any(step.key.kind == "position" for step in approved):
            questions.append(self._order.guess(self._ordered(wanted)))
        await together(questions)

    async def rows(self, steps: Sequence[Step]) -> FreeRows:
        """Row numbers that nothing has yet, as many as the steps make routes and policies. Raises BackendErrors."""
        return await self._rows.answer(self._needed(steps))

    async def foretold(self, steps: Sequence[Step]) -> Foretold:
        """What each target that can tell foresees of what is to be made or changed on it. Raises BackendErrors."""
        return await self._foretold.answer(self._wishes(steps))

    async def precedence(self, wanted: Sequence[Placed]) -> Mapping[Place, Precedence]:
        """What stands before each of the policies, there or not. Raises BackendErrors."""
        return await self._order.answer(self._ordered(wanted))

    def _ordered(self, wanted: Sequence[Placed]) -> Wishes:
        """By target that can tell what stands before a policy."""
        wishes: dict[TargetId, list[Resource]] = defaultdict(list)
        for placed in wanted:
            if isinstance(self._context.targets[placed.target], OrdersPolicies):
                wishes[placed.target].append(placed.resource)
        return wishes

    async def _preceding(self, wishes: Wishes) -> Mapping[Place, Precedence]:
        questions = []
        for name, of_target in wishes.items():
            target = self._context.targets[name]
            assert isinstance(target, OrdersPolicies)  # the others are not asked
            questions.append(target.precedence(of_target))
        parts = await together(questions)
        return {(name, key): one for name, part in zip(wishes, parts, strict=True) for key, one in part.items()}

    def _needed(self, steps: Sequence[Step]) -> Mapping[Numbered, int]:
        """How many routes and policies will be made where those have row numbers."""
        made = [step for step in steps if step.before is None and isinstance(step.after, Route | Policy)]
        return Counter(
            (step.target, step.key.kind) for step in made if isinstance(self._context.targets[step.target], NumbersRows)
        )

    async def _free(self, needed: Mapping[Numbered, int]) -> FreeRows:
        questions = []
        for (name, kind), count in needed.items():
            target = self._context.targets[name]
            assert isinstance(target, NumbersRows)  # the others need none
            questions.append(target.free_rows(kind, count))
        return dict(zip(needed, await together(questions), strict=True))

    def _wishes(self, steps: Sequence[Step]) -> Wishes:
        """By target that can judge them."""
        wishes: dict[TargetId, list[Resource]] = defaultdict(list)
        for step in steps:
            if step.after is None or step.key.kind == "position":
                continue
            if isinstance(self._context.targets[step.target], Foresees):
                wishes[step.target].append(step.after)
        return wishes

    async def _foreseen(self, wishes: Wishes) -> Foretold:
        questions = []
        for name, of_target in wishes.items():
            target = self._context.targets[name]
            assert isinstance(target, Foresees)  # the others are not asked
            questions.append(target.foresee(of_target))
        return dict(zip(wishes, await together(questions), strict=True))


def _judged(wishes: Wishes) -> Mapping[TargetId, Mapping[Key, Resource]]:
    """What an opinion depends on. An address lets nothing through: it matters as part of a policy, whoever made it."""
    judged = {
        name: {wish.key: content(wish) for wish in of_target if not isinstance(wish, Address | AddressGroup)}
        for name, of_target in wishes.items()
    }
    return {name: of_target for name, of_target in judged.items() if of_target}
