"""What a plan asks of the devices: what will probably be needed at once, the rest when it is known.

A round trip to a firewall takes longer than anything else in a plan. So questions whose need is only likely go beside
those that decide about it; an answer counts only when its question is the one that turns out to be right.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from bot.engine.context import Context
from bot.engine.ports import Foresees, Foresight, NumbersRows, OrdersPolicies, Precedence
from bot.engine.side_by_side import together
from bot.model.desired import Placed
from bot.model.diff import Place
from bot.model.errors import BackendError, Unreachable
from bot.model.resources import Address, AddressGroup, Key, Kind, Mark, Policy, Resource, Route, TargetId, content
from bot.model.steps import Step

Numbered = tuple[TargetId, Kind]
FreeRows = Mapping[Numbered, Sequence[int]]
Wishes = Mapping[TargetId, Sequence[Resource]]
Foretold = Mapping[TargetId, Foresight]


class Survey:
    """The state of the devices as one plan sees it. `owned` is what the journal says is ours, with its marks."""

    def __init__(self, context: Context, owned: Mapping[Place, Mark]) -> None:
        self._context = context
        self._owned = owned
        self.actual: dict[Place, Resource] = {}
        self._asked: set[Place] = set()
        self._silent: dict[Place, Unreachable] = {}
        self._rows: tuple[Mapping[Numbered, int], FreeRows] = ({}, {})
        self._foretold: tuple[Wishes, Foretold] = ({}, {})

    async def guess_places(self, places: Collection[Place]) -> None:
        """Begin to read what will probably be needed. What went wrong counts in `read`, for what is needed indeed."""
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

    async def guess_rows(self, steps: Sequence[Step]) -> None:
        """Ask for row numbers as if these were the plan's steps. Whatever goes wrong is met again in `rows`."""
        needed = self._needed(steps)
        try:
            self._rows = needed, await self._free(needed)
        except BackendError:
            return

    async def rows(self, steps: Sequence[Step]) -> FreeRows:
        """Row numbers that nothing has yet, as many as the steps make routes and policies. Raises BackendErrors."""
        needed = self._needed(steps)
        known, free = self._rows
        return free if needed == known else await self._free(needed)

    async def guess_foretold(self, steps: Sequence[Step]) -> None:
        """Ask what devices foretell as if these were the plan's steps. What goes wrong is met again in `foretold`."""
        wishes = self._wishes(steps)
        try:
            self._foretold = wishes, await self._foreseen(wishes)
        except BackendError:
            return

    async def foretold(self, steps: Sequence[Step]) -> Foretold:
        """What each target that can tell foresees of what is to be made or changed on it. Raises BackendErrors."""
        wishes = self._wishes(steps)
        known, foretold = self._foretold
        return foretold if _judged(wishes) == _judged(known) else await self._foreseen(wishes)

    async def precedence(self, wanted: Sequence[Placed]) -> Mapping[Place, Precedence]:
        """What stands before each of the policies, there or not. Raises BackendErrors."""
        wishes: dict[TargetId, list[Resource]] = defaultdict(list)
        for placed in wanted:
            wishes[placed.target].append(placed.resource)
        asked = {name: target for name in wishes if isinstance(target := self._context.targets[name], OrdersPolicies)}
        parts = await together([target.precedence(wishes[name]) for name, target in asked.items()])
        return {(name, key): one for name, part in zip(asked, parts, strict=True) for key, one in part.items()}

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
            if step.after is not None and isinstance(self._context.targets[step.target], Foresees):
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
