"""People ask a bot in memory for a change and say yes to it, as they would in the chat."""

from bot.engine.engine import Engine
from bot.model.commands import Change, Expose
from bot.model.operation import Operation
from bot.model.people import Person
from tests.office import DANA, OMAR

EXPOSE = Expose(namespace="default")


async def ask(engine: Engine, command: Change = EXPOSE, by: Person = DANA, delivery: str = "d1") -> Operation:
    """Asked and planned. A `delivery` is heard once: further changes need others."""
    return await known(engine, await engine.request(command, by, "C1", delivery))


async def say_yes(engine: Engine, operation: Operation, by: Person = OMAR) -> str:
    """What whoever presses Confirm reads; the change goes on by itself."""
    assert operation.plan is not None, operation.entries[-1]
    return await engine.confirm(operation.id, operation.plan.digest, by)


async def now(engine: Engine, operation: Operation) -> Operation:
    """The same operation when nothing moves any more."""
    await engine.context.env.idle()  # type: ignore[attr-defined]  # the virtual one
    assert not engine.context.env.failures  # type: ignore[attr-defined]
    return await known(engine, operation.id)


async def change(
    engine: Engine, command: Change = EXPOSE, delivery: str = "d1", by: Person = DANA, yes_of: Person = OMAR
) -> Operation:
    """Ask, say yes, wait for the end."""
    operation = await ask(engine, command, by, delivery)
    await say_yes(engine, operation, yes_of)
    return await now(engine, operation)


async def known(engine: Engine, identifier: str) -> Operation:
    """The operation of that id as the journal has it."""
    return (await engine.context.journal.world()).operations[identifier]
