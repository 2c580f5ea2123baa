"""The journal: no decision on an old world, without the right to it, or on a record that somebody touched."""

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest

from bot.engine.journal import STREAM, TakenOver
from bot.engine.ports import Hold, Stored
from bot.model.commands import Status
from bot.model.errors import BrokenJournal, OutcomeUnknown
from bot.model.journal import Asked, Record
from bot.model.world import World
from tests.asking import change
from tests.memory_store import MemoryStore
from tests.office import DANA, Company


async def a_history() -> Company:
    company = Company()
    engine = company.engine()
    await change(engine)
    return company


async def test_an_untouched_journal_gives_every_reader_the_same_world() -> None:
    company = await a_history()
    one, other = await company.engine().context.journal.world(), await company.engine().context.journal.world()
    assert (one.head, one.operations) == (other.head, other.operations)


@pytest.mark.parametrize("harm", ["changed", "removed", "swapped", "garbled", "back-dated"])
@pytest.mark.parametrize("place", range(1, 7))
async def test_a_record_that_was_touched_stops_everything(harm: str, place: int) -> None:
    company = await a_history()
    records = company.contents.streams[STREAM]
    victim = records[place - 1]
    if harm == "changed":
        records[place - 1] = victim.model_copy(update={"body": victim.body.replace("default", "kube-system", 1)})
        if records[place - 1] == victim:
            records[place - 1] = victim.model_copy(update={"body": victim.body.replace("operation", "Operation", 1)})
    elif harm == "removed":
        del records[place - 1]
    elif harm == "swapped":
        records[place - 1], records[place] = (
            records[place].model_copy(update={"seq": place}),
            victim.model_copy(update={"seq": place + 1}),
        )
    elif harm == "garbled":
        records[place - 1] = victim.model_copy(update={"body": victim.body[:-5]})
    else:
        records[place - 1] = victim.model_copy(update={"at": victim.at.replace(year=2020)})
    with pytest.raises(BrokenJournal):
        await company.engine().context.journal.world()


def asked(by: str) -> Asked:
    return Asked(actor=DANA, command=Status(), channel="C1", answer=by, allowed=True)


def answers(world: World) -> list[str]:
    return [record.entry.answer for record in world.records if isinstance(record.entry, Asked)]


async def test_a_decision_is_taken_again_when_somebody_else_was_faster() -> None:
    company = Company()
    one, other = company.engine().context.journal, company.engine().context.journal
    await one.world()
    await other.append(asked("other"))
    seen = []

    def decide(world: World) -> Asked:
        seen.append(answers(world))
        return asked("one")

    record = await one.commit(decide)
    assert isinstance(record, Record)
    assert record.seq == 2
    assert seen == [[], ["other"]]


async def test_an_answer_that_writes_nothing_is_of_the_newest_world_too() -> None:
    company = Company()
    one, other = company.engine().context.journal, company.engine().context.journal
    await one.world()
    await other.append(asked("other"))
    assert await one.commit(lambda world: answers(world)) == ["other"]


async def test_whoever_lost_its_lease_writes_nothing_and_is_told() -> None:
    company = Company()
    one, other = company.engine().context.journal, company.engine().context.journal
    hold = Hold(name="driver", owner="one", ttl_s=60)
    assert isinstance(await one.commit(lambda _: asked("one"), holding=[hold]), Record)
    company.env.time += timedelta(seconds=61)
    assert await other.lease("driver", "other", 60)
    with pytest.raises(TakenOver):
        await one.commit(lambda _: asked("too late"), holding=[hold])
    await other.append(asked("other"))
    with pytest.raises(TakenOver):
        await one.commit(lambda _: asked("too late again"), holding=[hold])
    assert answers(await one.world()) == ["one", "other"]


async def test_a_journal_of_a_version_that_knew_fewer_fields_is_as_whole_as_ever() -> None:
    company = await a_history()
    log, head = company.contents.streams[STREAM], "0" * 64
    for place, one in enumerate(log):
        sealed = {**json.loads(one.body), "previous": head}
        entry = sealed["entry"]
        entry.get("command", {}).pop("reason", None)
        entry.get("plan", {}).get("command", {}).pop("reason", None)
        log[place] = one.model_copy(update={"body": json.dumps(sealed)})
        covered = {"at": f"{one.at:%Y-%m-%dT%H:%M:%SZ}", "entry": entry, "previous": head, "seq": one.seq}
        text = json.dumps(covered, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        head = hashlib.sha256(text.encode()).hexdigest()
    engine = company.engine()
    world = await engine.context.journal.world()
    assert (world.head, [operation.state for operation in world.operations.values()]) == (head, ["done"])
    assert (await engine.audit()).problem == ""


class LateOnce(MemoryStore):
    """The first record takes its time: no answer, nothing to read, and it arrives when the next one is sent."""

    late: tuple[str, int, str] | None = None
    done = False

    async def append(self, stream: str, expected: int, body: str, *rest: Any) -> Stored | None:
        if not self.done:
            self.late, self.done = (stream, expected, body), True
            raise OutcomeUnknown("store", "no answer in time")
        if self.late is not None:
            late, self.late = self.late, None
            await super().append(*late)
        return await super().append(stream, expected, body, *rest)


async def test_a_record_that_arrives_after_it_was_given_up_is_not_written_twice() -> None:
    company = Company()
    journal = company.engine(LateOnce(company.clock, company.contents)).context.journal
    assert (await journal.append(asked("one"))).seq == 1
    assert (await journal.append(asked("two"))).seq == 2
    assert answers(await journal.world()) == ["one", "two"]
