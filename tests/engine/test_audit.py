"""`audit`: a journal that was changed, cut or rewritten is never called whole."""

import pytest

from bot.engine.announcing import Outbox
from bot.engine.journal import STREAM
from bot.engine.ports import Stored
from bot.model.journal import Sealed, unsealed
from tests.asking import change
from tests.office import Company


async def worked() -> Company:
    """A company whose journal and audit channel hold one change from the wish to the proof."""
    company = Company()
    engine = company.engine()
    await change(engine)
    await Outbox(engine.context).flush()
    return company


def resealed(log: list[Stored]) -> list[Stored]:
    """The log with every seal made anew, as somebody would who can write to the store and knows how."""
    made: list[Stored] = []
    head = "0" * 64
    for one in log:
        sealed = Sealed.model_validate_json(one.body).model_copy(update={"previous": head})
        made.append(one.model_copy(update={"body": sealed.model_dump_json()}))
        head = unsealed(one.seq, one.at, made[-1].body).hash
    return made


async def test_a_whole_journal_is_whole_and_anchored_in_the_audit_channel() -> None:
    company = await worked()
    report = await company.engine().audit()
    assert report.problem == ""
    assert report.records == len(company.contents.streams[STREAM])
    assert report.anchor is not None
    assert report.anchor.hash == company.wall.audited[-1].hash


@pytest.mark.parametrize("place", [0, 5, -2])
async def test_a_changed_record_is_found_where_it_stands(place: int) -> None:
    company = await worked()
    log = company.contents.streams[STREAM]
    number = log[place].seq
    log[place] = log[place].model_copy(update={"at": log[place].at.replace(year=1999)})
    report = await company.engine().audit()
    assert report.problem == f"record {number + 1} does not follow record {number}"


async def test_garbage_in_the_log_is_a_finding_and_no_crash() -> None:
    company = await worked()
    log = company.contents.streams[STREAM]
    log[4] = log[4].model_copy(update={"body": "{"})
    assert (await company.engine().audit()).problem == "record 5 cannot be read"


async def test_a_log_that_was_cut_off_is_shorter_than_its_anchor() -> None:
    company = await worked()
    log = company.contents.streams[STREAM]
    del log[6:]
    assert "but the journal ends with record 6" in (await company.engine().audit()).problem


async def test_a_log_that_was_rewritten_and_sealed_anew_is_not_the_one_that_was_anchored() -> None:
    company = await worked()
    log = company.contents.streams[STREAM]
    log[2] = log[2].model_copy(update={"body": log[2].body.replace("default", "payroll")})
    company.contents.streams[STREAM][:] = resealed(log)
    assert "is not the one that the audit channel has" in (await company.engine().audit()).problem


async def test_a_log_that_changes_under_a_running_bot_is_noticed_by_its_own_memory() -> None:
    company = await worked()
    engine = company.engine()
    await engine.history()
    company.wall.audited.clear()
    log = company.contents.streams[STREAM]
    log[2] = log[2].model_copy(update={"body": log[2].body.replace("default", "payroll")})
    company.contents.streams[STREAM][:] = resealed(log)
    assert "is not the one that this bot's memory has" in (await engine.audit()).problem
