"""The contract that every target keeps, whatever stands behind it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from bot.engine.targets import NumbersRows
from bot.model.errors import BackendError, Unreachable
from bot.model.resources import Policy, Resource, Route, marked, same_content
from bot.model.steps import Step
from tests.contract.fortigate_subject import fortigate
from tests.contract.subjects import Start, Subject, memory, memory_without_marks
from tests.contract.unbound_subject import unbound
from tests.contract.windows_dns_subject import windows_dns, windows_dns_jea

SUBJECTS: Mapping[str, Start] = {
    "memory": memory,
    "memory without marks": memory_without_marks,
    "fortigate": fortigate,
    "windows dns": windows_dns,
    "windows dns by jea": windows_dns_jea,
    "unbound": unbound,
}


@pytest.fixture(params=SUBJECTS.values(), ids=SUBJECTS.keys())
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    async with request.param(tmp_path) as started:
        yield started
        await started.target.close()


async def wish(subject: Subject, resource: Resource, operation: str = "op1") -> Resource:
    """The resource as a plan would have it: normalised, marked, with a row number where there are any."""
    target = subject.target
    if isinstance(resource, Route | Policy) and isinstance(target, NumbersRows):
        [row] = await target.free_rows(resource.kind, 1)
        resource = resource.model_copy(update={"row": row})
    return marked(target.normalise(resource), "qa", operation)


def step(subject: Subject, before: Resource | None, after: Resource | None) -> Step:
    return Step(target=subject.target.name, before=before, after=after)


async def read(subject: Subject, resource: Resource) -> Resource | None:
    return (await subject.target.read([resource.key])).get(resource.key)


async def created(subject: Subject, resource: Resource) -> Resource:
    """A resource of ours that exists, as it reads."""
    made = await wish(subject, resource)
    assert (await subject.target.apply(step(subject, None, made))).kind == "applied"
    there = await read(subject, made)
    assert there is not None
    return there if subject.target.keeps_marks else there.model_copy(update={"mark": made.mark})


def as_kept(subject: Subject, resource: Resource) -> Resource:
    return resource if subject.target.keeps_marks else resource.model_copy(update={"mark": None})


# --- reading


async def test_what_does_not_exist_is_missing_from_the_answer(subject: Subject) -> None:
    assert await subject.target.read([one.key for one, _ in subject.pairs]) == {}


async def test_nothing_is_read_when_nothing_is_asked_for(subject: Subject) -> None:
    assert await subject.target.read([]) == {}


async def test_a_change_behind_our_back_shows_in_the_next_read(subject: Subject) -> None:
    for one, other in subject.pairs:
        there = await created(subject, one)
        foreign = there.model_copy(update={"mark": None, **_differences(one, other)})
        await subject.put(foreign)
        assert await read(subject, one) == subject.target.normalise(foreign)
        await subject.drop(one.key)
        assert await read(subject, one) is None


def _differences(one: Resource, other: Resource) -> dict[str, object]:
    return {name: value for name, value in dict(other).items() if value != dict(one)[name]}


# --- writing


async def test_what_was_applied_reads_back_exactly_as_planned(subject: Subject) -> None:
    """The plan made right after an apply is empty."""
    for one, other in subject.pairs:
        before = None
        for wanted in (one, other):
            after = await wish(subject, wanted)
            if before is not None and isinstance(before, Route | Policy):
                after = after.model_copy(update={"row": before.row})
            assert (await subject.target.apply(step(subject, before, after))).kind == "applied"
            assert await read(subject, one) == as_kept(subject, after)
            before = after


async def test_a_wish_once_normalised_stays_as_it_is(subject: Subject) -> None:
    for resource in (resource for pair in subject.pairs for resource in pair):
        once = subject.target.normalise(resource)
        assert subject.target.normalise(once) == once


async def test_the_same_step_again_writes_nothing(subject: Subject) -> None:
    for one, other in subject.pairs:
        there = await created(subject, one)
        changed = (await wish(subject, other)).model_copy(update={"row": there.row} if hasattr(there, "row") else {})
        for again in (step(subject, None, there), step(subject, there, changed), step(subject, changed, None)):
            await subject.target.apply(again)
            written = subject.writes()
            assert (await subject.target.apply(again)).kind == "already"
            assert subject.writes() == written


async def test_the_inverse_undoes_a_step(subject: Subject) -> None:
    for one, other in subject.pairs:
        there = await created(subject, one)
        changed = (await wish(subject, other)).model_copy(update={"row": there.row} if hasattr(there, "row") else {})
        for done in (step(subject, there, changed), step(subject, there, None)):
            assert (await subject.target.apply(done)).kind == "applied"
            assert (await subject.target.apply(done.inverse())).kind == "applied"
            assert await read(subject, one) == as_kept(subject, there)


async def test_removing_what_is_gone_is_harmless(subject: Subject) -> None:
    for one, _ in subject.pairs:
        there = await created(subject, one)
        await subject.drop(one.key)
        written = subject.writes()
        assert (await subject.target.apply(step(subject, there, None))).kind == "already"
        assert subject.writes() == written


# --- a world that is not as planned


async def test_nothing_is_written_over_a_changed_world(subject: Subject) -> None:
    for one, other in subject.pairs:
        there = await created(subject, one)
        changed = there.model_copy(update=_differences(one, other))
        third = await wish(subject, one, "op2")
        await subject.put(changed)
        found = await read(subject, one)
        written = subject.writes()
        # Into the same content nothing needs to be written; a change of the mark alone must be refused here.
        for refused in (step(subject, there, None), step(subject, there, third)):
            if same_content(third, there) and not subject.target.keeps_marks and refused.after is not None:
                continue
            outcome = await subject.target.apply(refused)
            assert outcome.kind == "refused"
            assert outcome.detail
        assert subject.writes() == written
        assert await read(subject, one) == found
        await subject.drop(one.key)


async def test_another_one_with_the_same_key_is_left_alone(subject: Subject) -> None:
    for one, other in subject.pairs:
        theirs = (await wish(subject, other)).model_copy(update={"mark": None})
        await subject.put(theirs)
        wanted = await wish(subject, one)
        written = subject.writes()
        assert (await subject.target.apply(step(subject, None, wanted))).kind == "refused"
        assert subject.writes() == written
        assert await read(subject, one) == theirs


async def test_an_identical_one_made_by_hand_is_used_and_left_alone(subject: Subject) -> None:
    for one, _ in subject.pairs:
        theirs = (await wish(subject, one)).model_copy(update={"mark": None})
        await subject.put(theirs)
        written = subject.writes()
        assert (await subject.target.apply(step(subject, None, await wish(subject, one)))).kind == "already"
        assert subject.writes() == written
        assert await read(subject, one) == theirs


async def test_what_does_not_carry_our_mark_is_never_removed_or_changed(subject: Subject) -> None:
    if not subject.target.keeps_marks:
        pytest.skip("the journal is the only proof of ownership here")
    for one, other in subject.pairs:
        ours = await wish(subject, one)
        theirs = ours.model_copy(update={"mark": None})
        await subject.put(theirs)
        changed = marked(ours.model_copy(update=_differences(one, other)), "qa", "op2")
        written = subject.writes()
        for before in (theirs, ours):  # planned as foreign; planned as ours, and the mark is gone
            for after in (None, changed):
                assert (await subject.target.apply(step(subject, before, after))).kind == "refused"
        assert subject.writes() == written
        assert await read(subject, one) == theirs


async def test_adopting_puts_the_mark_on_and_takes_it_off_again(subject: Subject) -> None:
    if not subject.target.keeps_marks:
        pytest.skip("there is no place for a mark here")
    for one, _ in subject.pairs:
        adopted = await wish(subject, one)
        theirs = adopted.model_copy(update={"mark": None})
        await subject.put(theirs)
        adopt = step(subject, theirs, adopted)
        assert (await subject.target.apply(adopt)).kind == "applied"
        assert await read(subject, one) == adopted
        assert (await subject.target.apply(adopt.inverse())).kind == "applied"
        assert await read(subject, one) == theirs


# --- trouble


async def test_a_lost_answer_is_never_taken_for_a_no(subject: Subject) -> None:
    for one, _ in subject.pairs:
        made = await wish(subject, one)
        create = step(subject, None, made)
        subject.trouble("answer lost")
        assert (await subject.target.apply(create)).kind in ("applied", "unknown")
        subject.calm()
        assert await read(subject, one) == as_kept(subject, made)
        assert (await subject.target.apply(create)).kind == "already"


async def test_a_lost_request_is_unknown_and_may_be_sent_again_after_a_look(subject: Subject) -> None:
    for one, _ in subject.pairs:
        create = step(subject, None, await wish(subject, one))
        subject.trouble("request lost")
        assert (await subject.target.apply(create)).kind == "unknown"
        subject.calm()
        assert await read(subject, one) is None
        assert (await subject.target.apply(create)).kind == "applied"


async def test_a_no_of_the_device_writes_nothing_and_has_a_reason(subject: Subject) -> None:
    for one, _ in subject.pairs:
        create = step(subject, None, await wish(subject, one))
        subject.trouble("refused")
        outcome = await subject.target.apply(create)
        assert (outcome.kind, bool(outcome.detail)) == ("refused", True)
        subject.calm()
        assert await read(subject, one) is None


async def test_an_unreachable_device_is_said_to_be_unreachable(subject: Subject) -> None:
    one, _ = subject.pairs[0]
    create = step(subject, None, await wish(subject, one))
    subject.trouble("unreachable")
    with pytest.raises(Unreachable, match=subject.target.name):
        await subject.target.read([one.key])
    with pytest.raises(Unreachable, match=subject.target.name):
        await subject.target.apply(create)
    subject.calm()
    assert subject.writes() == 0
    assert (await subject.target.apply(create)).kind == "applied"


async def test_nothing_is_sent_once_its_time_is_up(subject: Subject) -> None:
    for one, _ in subject.pairs:
        create = step(subject, None, await wish(subject, one))
        assert (await subject.target.apply(create, lambda: False)).kind == "refused"
        assert subject.writes() == 0
        assert await read(subject, one) is None


async def test_one_writer_at_a_time(subject: Subject) -> None:
    """Of two equal steps at the same moment one writes, and the other sees that there is nothing left to do."""
    for one, _ in subject.pairs:
        create = step(subject, None, await wish(subject, one))
        outcomes = await asyncio.gather(*(subject.target.apply(create) for _ in range(3)))
        assert sorted(outcome.kind for outcome in outcomes) == ["already", "already", "applied"]


async def test_no_secret_is_ever_said(subject: Subject, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    one, other = subject.pairs[0]
    said = [repr(subject.target), str(vars(subject.target))]
    create = step(subject, None, await wish(subject, one))
    for trouble in ("refused", "request lost", "answer lost", "unreachable"):
        subject.trouble(trouble)
        try:
            said.append(repr(await subject.target.apply(create)))
        except BackendError as error:
            said.append(repr(error) + str(error))
        subject.calm()
    said.append(repr(await subject.target.apply(step(subject, None, await wish(subject, other)))))
    assert not subject.secret or subject.secret not in "".join([*said, caplog.text])


# --- rows


async def test_free_rows_are_free_and_used_rows_are_not(subject: Subject) -> None:
    target = subject.target
    if not isinstance(target, NumbersRows):
        pytest.skip("its rows have names")
    for one in (one for one, _ in subject.pairs if isinstance(one, Route | Policy)):
        first = await target.free_rows(one.kind, 3)
        assert len(set(first)) == 3
        there = await created(subject, one)
        assert isinstance(there, Route | Policy)
        assert there.row == first[0]
        assert list(await target.free_rows(one.kind, 2)) == list(first[1:])


async def test_a_row_taken_since_the_plan_is_not_overwritten(subject: Subject) -> None:
    target = subject.target
    if not isinstance(target, NumbersRows):
        pytest.skip("its rows have names")
    for one in (one for one, _ in subject.pairs if isinstance(one, Route | Policy)):
        wanted = await wish(subject, one)
        squatter = _elsewhere(one).model_copy(update={"row": getattr(wanted, "row", None)})
        await subject.put(squatter)
        written = subject.writes()
        outcome = await target.apply(step(subject, None, wanted))  # type: ignore[attr-defined]
        assert outcome.kind == "refused"
        assert str(getattr(wanted, "row", None)) in outcome.detail
        assert subject.writes() == written
        assert await read(subject, squatter) == squatter


def _elsewhere(one: Route | Policy) -> Resource:
    """One with another key."""
    if isinstance(one, Policy):
        return one.model_copy(update={"name": "by-hand"})
    return one.model_copy(update={"destination": one.destination.supernet().supernet()})
