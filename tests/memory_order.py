"""A firewall in memory on which the first match decides: where its policies stand is a thing that it holds, too."""

from collections.abc import Mapping, Sequence

from bot.engine.targets import Outcome, Precedence
from bot.model.resources import Ahead, Key, Policy, Position, Resource
from bot.model.steps import Step
from tests.memory import MemoryTarget

WALL = Ahead(row=50, name="no-clusters", matches="0badcafe")


class OrderedFirewall(MemoryTarget):
    """Policies stand before everything else, until `displace` puts one behind a deny."""

    def displace(self, policy: Policy) -> None:
        position = Position(policy=policy.name, row=policy.row or 0, owner=policy.mark, behind=(WALL,))
        self.resources[position.key] = position

    async def precedence(self, wishes: Sequence[Resource]) -> Mapping[Key, Precedence]:
        return {wish.key: self._precedence(wish) for wish in wishes if isinstance(wish, Policy)}

    def _precedence(self, policy: Policy) -> Precedence:
        now = self.resources.get(Key(kind="position", name=policy.name))
        if not isinstance(now, Position) or not now.behind:
            return Precedence()
        better = (now, now.before(now.behind[0]))
        return Precedence(hiding=(f"{policy.name} is hidden",), better=better, moving=(f"{policy.name} is moved",))

    def _decide(self, step: Step) -> Outcome | None:
        now = self.resources.get(step.key)
        if not isinstance(step.before, Position):
            return super()._decide(step)
        if now == step.after:
            return Outcome(kind="already")
        return None if now == step.before else Outcome(kind="refused", detail="the order has changed")
