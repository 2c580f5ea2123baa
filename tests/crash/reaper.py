"""A bot that dies at a chosen moment: before a call to the outside has its effect, or after it and unseen."""

from collections.abc import Collection, Sequence
from typing import Any

from bot.engine.engine import Engine
from bot.engine.ports import Store, Stored
from bot.engine.targets import MayGo, OrdersPolicies
from bot.model.resources import Key, Resource
from bot.model.steps import Step
from tests.memory_store import MemoryStore
from tests.office import Company


class Dead(BaseException):
    """The process is gone. No `except Exception` may survive it."""


class Reaper:
    """Counts every call to the outside; kills at the chosen moment, and everything that is called afterwards."""

    def __init__(self, fatal: int | None) -> None:
        self.count, self.fatal = 0, fatal

    def moment(self) -> None:
        self.count += 1
        if self.fatal is not None and self.count >= self.fatal:
            raise Dead


class MortalStore(MemoryStore):
    """Every append has a moment before and one after."""

    def __init__(self, company: Company, reaper: Reaper) -> None:
        super().__init__(lambda: company.env.time, company.contents)
        self._reaper = reaper

    async def append(self, *record: Any, **more: Any) -> Stored | None:
        self._reaper.moment()
        stored = await super().append(*record, **more)
        self._reaper.moment()
        return stored


class Mortal:
    """Any other port: the verbs that leave the process have a moment before and one after."""

    def __init__(self, port: Any, reaper: Reaper, verbs: Collection[str]) -> None:
        self._port, self._reaper, self._verbs = port, reaper, verbs

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._port, name)
        if name not in self._verbs:
            return attribute

        async def mortal(*args: Any, **more: Any) -> Any:
            self._reaper.moment()
            answer = await attribute(*args, **more)
            self._reaper.moment()
            return answer

        return mortal


class MortalTarget(Mortal):
    """A device's verbs by name, so that it still is one to `isinstance`."""

    async def read(self, keys: Collection[Key]) -> Any:
        return await Mortal.__getattr__(self, "read")(keys)

    async def apply(self, step: Step, may_go: MayGo | None = None) -> Any:
        return await Mortal.__getattr__(self, "apply")(step, may_go)

    async def forget_answers(self) -> None:
        await Mortal.__getattr__(self, "forget_answers")()

    async def free_rows(self, kind: Any, count: int) -> Sequence[int]:
        return await Mortal.__getattr__(self, "free_rows")(kind, count)  # type: ignore[no-any-return]


class MortalFirewall(MortalTarget):
    """One that tells in which order its policies stand."""

    async def precedence(self, wishes: Sequence[Resource]) -> Any:
        return await Mortal.__getattr__(self, "precedence")(wishes)


def mortal_engine(company: Company, reaper: Reaper) -> Engine:
    store: Store = MortalStore(company, reaper)
    engine = company.engine(store)
    context = engine.context
    targets = {
        name: (MortalFirewall if isinstance(target, OrdersPolicies) else MortalTarget)(
            target, reaper, {"read", "apply", "free_rows", "forget_answers", "precedence"}
        )
        for name, target in context.targets.items()
    }
    object.__setattr__(context, "targets", targets)  # the frozen context of this one life
    object.__setattr__(context, "prober", Mortal(context.prober, reaper, {"dns", "connect"}))
    object.__setattr__(context, "clusters", {"qa": Mortal(context.clusters["qa"], reaper, {"facts"})})
    object.__setattr__(context, "announcer", Mortal(context.announcer, reaper, {"show", "audit"}))
    return engine
