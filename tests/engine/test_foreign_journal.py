"""Records where nobody wrote them: followed or refused as a whole, and the same way each time."""

import asyncio
import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.engine.journal import STREAM, Journal
from bot.engine.ports import Stored
from bot.model.errors import BrokenJournal
from bot.model.journal import GENESIS, AnyEntry, Resumed, Sealed, Stuck, TurnedBack, unsealed
from tests.engine.watched import dead, watched
from tests.memory_store import Contents, MemoryStore
from tests.office import OLGA
from tests.virtual import START


async def told() -> list[Stored]:
    """An exposure, an incident, a move."""
    office = await watched()
    await dead(office)
    await office.click(await office.asked(), OLGA)
    return list(office.company.contents.streams[STREAM])


STORY = asyncio.run(told())
PLACES = st.integers(0, len(STORY) - 1)
HARM = st.lists(st.tuples(st.sampled_from(["drop", "repeat", "swap"]), PLACES, PLACES), min_size=1, max_size=3)


def harmed(harm: Sequence[tuple[str, int, int]]) -> list[Stored]:
    """The story after that, sealed anew: what somebody could write who may write to the store."""
    log = list(STORY)
    for kind, place, other in harm:
        place, other = place % len(log), other % len(log)
        if kind == "drop":
            del log[place]
        elif kind == "repeat":
            log.insert(other, log[place])
        else:
            log[place], log[other] = log[other], log[place]
    head, made = GENESIS, []
    for seq, one in enumerate(log, 1):
        body = Sealed.model_validate_json(one.body).model_copy(update={"previous": head}).model_dump_json()
        made.append(Stored(seq=seq, at=one.at, body=body))
        head = unsealed(seq, one.at, body).hash
    return made


@given(harm=HARM)
def test_what_cannot_be_followed_is_refused_again_and_again(harm: Sequence[tuple[str, int, int]]) -> None:
    contents = Contents()
    contents.streams[STREAM] = harmed(harm)
    journal = Journal(MemoryStore(lambda: START, contents))
    said = [asyncio.run(_read(journal)) for _ in range(3)]
    assert said[0] == said[1] == said[2]


@pytest.mark.parametrize("kind", ["requested", "planned", "confirmed", "intended", "turned-back", "resumed", "stuck"])
async def test_what_is_over_is_not_done_again(kind: str) -> None:
    office = await watched()
    log = office.company.contents.streams[STREAM]
    again = next((one for one in reversed(log) if f'"kind":"{kind}"' in one.body), None)
    body = again.body if again else Sealed(previous=GENESIS, entry=_of_the_end(log[-1], kind)).model_dump_json()
    (operation,) = (await office.engine.context.journal.world()).operations
    entry = Sealed.model_validate_json(body).entry
    await office.engine.context.journal.append(entry)
    before = office.company.resources(), len(office.company.firewall.writes)
    engine = office.company.engine()
    await engine.recover()
    await office.company.env.idle()
    assert (await engine.context.journal.world()).operations[operation].state == "done"
    assert (office.company.resources(), len(office.company.firewall.writes)) == before


def _of_the_end(last: Stored, kind: str) -> AnyEntry:
    """An entry of that kind about the operation that ended last."""
    operation = json.loads(last.body)["entry"]["operation"]
    made = {
        "turned-back": TurnedBack(operation=operation, reason="x"),
        "stuck": Stuck(operation=operation, reason="x"),
        "resumed": Resumed(operation=operation, actor=OLGA),
    }
    return made[kind]


async def _read(journal: Journal) -> str:
    try:
        return (await journal.world()).head
    except BrokenJournal as error:
        return str(error)
