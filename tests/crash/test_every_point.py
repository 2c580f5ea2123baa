"""Stop the bot at every journal append and every call to a device or probe, start it again, and look.

A crash is `Dead`, raised inside the call: before its effect, or after it and before the answer is seen. What was in
memory is gone; journal and devices stay. Afterwards the change is either whole and proven, or undone without a trace.
"""

from collections.abc import Sequence
from typing import Any

import pytest

from bot.engine.announcing import AUDITED_KINDS, Outbox
from bot.engine.engine import Engine
from bot.engine.presence import claim_name
from bot.model.commands import Change, ClearDnsCache, Drill, Expose, Failover, Unexpose
from bot.model.errors import BotError
from bot.model.journal import Intended
from bot.model.people import Person
from bot.model.resources import Policy
from tests.asking import change
from tests.crash.reaper import Dead, Mortal, MortalTarget, Reaper, mortal_engine
from tests.memory import MemoryTarget
from tests.memory_order import OrderedFirewall
from tests.office import ADA, DANA, OLGA, OMAR, Company


async def live(engine: Engine, command: Change) -> None:
    """Ask and confirm, as two people would, and let the bot work until it rests or dies."""
    outbox = Outbox(engine.context)
    await claim_name(engine.context)
    try:
        identifier = await engine.request(command, _asking(command), "C1", "the-delivery")
        await outbox.flush()
        operation = (await engine.context.journal.world()).operations[identifier]
        if operation.plan is not None and operation.state == "awaiting":
            await engine.confirm(operation.id, operation.plan.digest, _confirming(command))
        await engine.context.env.idle()  # type: ignore[attr-defined]  # the virtual one
        await outbox.flush()
    except Dead:
        await engine.context.env.idle()  # type: ignore[attr-defined]  # what was spawned dies as well


def _asking(command: Change) -> Person:
    return OLGA if isinstance(command, Failover | Drill) else DANA


def _confirming(command: Change) -> Person:
    return ADA if isinstance(command, Failover | Drill) else OMAR


async def revive(company: Company) -> Engine:
    """A new life: recovery takes up what is unfinished; a person confirms what still waits for a yes."""
    engine = company.engine()
    await claim_name(engine.context)
    for _ in range(3):
        await engine.recover()
        await company.env.idle()
    assert not company.env.failures
    return engine


COMMANDS: dict[str, tuple[list[Change], Change]] = {
    "expose": ([], Expose(namespace="default")),
    "expose a second": ([Expose(namespace="monitoring")], Expose(namespace="default")),
    "unexpose": ([Expose(namespace="default")], Unexpose(namespace="default")),
    "failover": ([Expose(namespace="default")], Failover(node="node-03")),
    "clear-dns-cache": ([Expose(namespace="default")], ClearDnsCache(namespace="default")),
    "drill": ([Expose(namespace="default")], Drill(node="node-03")),
    "move policies back": ([Expose(namespace="default")], Expose(namespace="default")),
}


async def prepared(before: Sequence[Change], displaced: bool = False) -> Company:
    """A company after these changes; its policies `displaced` behind somebody's deny."""
    firewall = OrderedFirewall("fw", keeps_marks=True)
    company = Company(firewall=firewall)
    engine = company.engine()
    for number, command in enumerate(before):
        await change(engine, command, f"before-{number}")
    for policy in [one for one in firewall.resources.values() if isinstance(one, Policy) and displaced]:
        firewall.displace(policy)
    return company


async def begun(story: str) -> Company:
    return await prepared(COMMANDS[story][0], displaced=story == "move policies back")


async def moments(story: str) -> int:
    company, reaper = await begun(story), Reaper(None)
    await live(mortal_engine(company, reaper), COMMANDS[story][1])
    return reaper.count


@pytest.mark.parametrize("story", COMMANDS)
async def test_at_whatever_moment_it_dies_the_change_is_finished_or_undone(story: str) -> None:
    _, command = COMMANDS[story]
    whole = await begun(story)
    clean = whole.resources()
    await live(whole.engine(), command)
    complete = whole.resources()
    total = await moments(story)
    assert total > 30
    endings: set[str] = set()
    for fatal in range(1, total + 1):
        company = await begun(story)
        await live(mortal_engine(company, Reaper(fatal)), command)
        engine = await revive(company)
        endings.add(await _checked(company, engine, clean, complete, f"{story}, moment {fatal} of {total}"))
    forward_only = isinstance(command, Failover)  # its way back may lead to a dead node
    assert endings == {"never asked", "awaiting", "done"} | ({"rolled-back"} if not forward_only else set())


async def _checked(company: Company, engine: Engine, clean: Any, complete: Any, where: str) -> str:
    world = await engine.context.journal.world()
    operation = next((o for o in world.operations.values() if o.request.delivery == "the-delivery"), None)
    if operation is None:
        assert company.resources() == clean, where
        return "never asked"
    if operation.state == "done":
        assert contents(company.resources()) == contents(complete), where
    else:
        assert operation.state in ("awaiting", "rolled-back"), where
        assert company.resources() == clean, where
    assert world.holder(("fw", "dc1")) is None, where
    written = [w for device in (company.firewall, company.dns_server) for w in device.writes]
    intended = [e for e in operation.entries if isinstance(e, Intended)]
    assert all(e.steps for e in intended) if operation.plan else not written, where
    return operation.state


def contents(held: Any) -> Any:
    """Marks name the operation, whose id differs from life to life."""
    return {
        (name, key): resource.model_copy(update={"mark": None})
        for name, of in held.items()
        for key, resource in of.items()
    }


async def test_dying_again_and_again_during_recovery_still_ends_well() -> None:
    command = Expose(namespace="default")
    total = await moments("expose")
    for fatal in range(20, total, 7):
        company = await prepared([])
        await live(mortal_engine(company, Reaper(fatal)), command)
        for again in range(3, 30, 4):
            engine = mortal_engine(company, Reaper(again))
            await claim_name(engine.context)
            try:
                await engine.recover()
            except (Dead, BotError):
                continue
            finally:
                await engine.context.env.idle()  # type: ignore[attr-defined]  # the virtual one
        world = await (await revive(company)).context.journal.world()
        assert all(operation.final or operation.state == "awaiting" for operation in world.operations.values())
        done = any(operation.state == "done" for operation in world.operations.values())
        assert [len(held) for held in company.resources().values()] == ([9, 1] if done else [0, 0])


async def test_every_message_says_the_end_after_a_crash_and_none_is_posted_twice() -> None:
    total = await moments("expose")
    for fatal in range(1, total, 5):
        company = await prepared([])
        await live(mortal_engine(company, Reaper(fatal)), Expose(namespace="default"))
        engine = await revive(company)
        await Outbox(engine.context).flush()
        world = await engine.context.journal.world()
        for operation in world.operations.values():
            assert company.wall.shown[operation.id].state == operation.state
        assert company.wall.posts == len(world.operations)
        audited = [record.seq for record in company.wall.audited]
        assert audited == [record.seq for record in world.records if record.entry.kind in AUDITED_KINDS]


def test_the_dead_stay_dead() -> None:
    """The harness itself: after the fatal moment nothing gets out any more."""
    reaper = Reaper(2)
    reaper.moment()
    for _ in range(2):
        with pytest.raises(Dead):
            reaper.moment()
    assert isinstance(MortalTarget(MemoryTarget("x"), reaper, set()), Mortal)
