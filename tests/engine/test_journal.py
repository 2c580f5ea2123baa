"""The chain: whatever is done to a record that somebody relied on, nothing is decided on the journal any more."""

import pytest

from bot.engine.journal import STREAM
from bot.model.commands import Expose
from bot.model.errors import BrokenJournal
from tests.office import DANA, OMAR, Company


async def a_history() -> Company:
    company = Company()
    engine = company.engine()
    identifier = await engine.request(Expose(namespace="default"), DANA, "C1", "d1")
    plan = (await engine.context.journal.world()).operations[identifier].plan
    assert plan is not None
    await engine.confirm(identifier, plan.digest, OMAR)
    await company.env.idle()
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
