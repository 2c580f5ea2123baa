"""What every store promises, asked of the one in memory, of SQLite and of a real Redis."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.engine.ports import Hold, Store
from bot.model.errors import Unreachable
from tests.contract.stores import Subject, in_file, in_memory, in_redis

HOUR = timedelta(hours=1)


@pytest.fixture(params=["memory", "sqlite", "redis"])
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    match request.param:
        case "memory":
            subject = in_memory()
        case "sqlite":
            subject = in_file(tmp_path)
        case _:
            subject = in_redis(request.getfixturevalue("redis_server"))
    yield subject
    await subject.close()


@pytest.fixture
async def store(subject: Subject) -> Store:
    return await subject.store()


async def test_numbers_count_from_one_without_gaps(store: Store) -> None:
    written = [await store.append("op/1", number, f"record {number}") for number in range(3)]
    assert [record.seq for record in written if record] == [1, 2, 3]
    assert list(await store.read("op/1")) == written


async def test_samples_replace_each_other_stay_apart_are_kept_and_forgotten_after_a_day(subject: Subject) -> None:
    store = await subject.store()
    for minute, body in ((100, "a"), (102, "two words"), (101, '{"b":1}'), (101, "again")):
        await store.keep_sample("signals/qa", minute, body, 0)
    await store.keep_sample("availability/qa", 101, "other", 0)
    other = await subject.store()
    assert list(await other.samples("signals/qa", 0)) == [(100, "a"), (101, "again"), (102, "two words")]
    assert list(await other.samples("signals/qa", 101)) == [(101, "again"), (102, "two words")]
    await other.keep_sample("signals/qa", 103, "c", 102)
    assert list(await store.samples("signals/qa", 0)) == [(102, "two words"), (103, "c")]
    assert list(await store.samples("availability/qa", 0)) == [(101, "other")]
    assert list(await store.samples("nobody", 0)) == []


async def test_notes_are_kept_once_stay_apart_and_are_kept_until_they_are_dropped(subject: Subject) -> None:
    store = await subject.store()
    for note in ("a", '{"b": 1}', "a"):
        await store.keep_note("checks/one", note)
    await store.keep_note("checks/two", "other")
    await store.close()
    again = await subject.store()
    assert sorted(await again.notes("checks/one")) == ["a", '{"b": 1}']
    await again.drop_note("checks/one", "a")
    await again.drop_note("checks/one", "never kept")
    assert list(await again.notes("checks/one")) == ['{"b": 1}']
    assert list(await again.notes("checks/two")) == ["other"]
    assert list(await again.notes("nobody")) == []


async def test_a_record_is_stamped_with_the_stores_clock_in_utc(store: Store) -> None:
    before = await store.now()
    record = await store.append("op/1", 0, "x")
    assert record is not None
    assert before <= record.at <= await store.now()
    assert record.at.utcoffset() == timedelta(0)
    assert (await store.read("op/1"))[0].at == record.at


@pytest.mark.parametrize("expected", [0, 2, 7])
async def test_an_unexpected_number_writes_nothing(store: Store, expected: int) -> None:
    await store.append("op/1", 0, "first")
    assert await store.append("op/1", expected, "late") is None
    assert [record.body for record in await store.read("op/1")] == ["first"]


async def test_nothing_is_written_after_not_after(store: Store) -> None:
    now = await store.now()
    assert await store.append("op/1", 0, "late", not_after=now - timedelta(microseconds=1)) is None
    assert await store.read("op/1") == []
    assert await store.append("op/1", 0, "in time", not_after=now + HOUR) is not None


async def test_not_after_of_another_time_zone_is_the_same_moment(store: Store) -> None:
    now = (await store.now()).astimezone()
    assert await store.append("op/1", 0, "late", not_after=now - HOUR) is None
    assert await store.append("op/1", 0, "in time", not_after=now + HOUR) is not None


async def test_of_a_hundred_appends_at_once_one_wins(subject: Subject) -> None:
    handles = [await subject.store() for _ in range(2)]
    answers = await asyncio.gather(*(handles[n % 2].append("op/1", 0, str(n)) for n in range(100)))
    winners = [answer for answer in answers if answer is not None]
    assert len(winners) == 1
    assert list(await handles[0].read("op/1")) == winners


async def test_writers_who_read_and_try_again_all_get_their_own_number(subject: Subject) -> None:
    handles = [await subject.store() for _ in range(2)]

    async def write(writer: int) -> int:
        store = handles[writer % 2]
        while True:
            record = await store.append("op/1", len(await store.read("op/1")), str(writer))
            if record is not None:
                return record.seq

    numbers = await asyncio.gather(*(write(writer) for writer in range(20)))
    assert sorted(numbers) == list(range(1, 21))
    records = await handles[0].read("op/1")
    assert {record.seq: int(record.body) for record in records} == {seq: n for n, seq in enumerate(numbers)}


async def test_reading_after_a_number_leaves_out_what_is_known(store: Store) -> None:
    for number in range(5):
        await store.append("op/1", number, str(number))
    assert [(record.seq, record.body) for record in await store.read("op/1", after=3)] == [(4, "3"), (5, "4")]
    assert list(await store.read("op/1", after=5)) == []
    assert list(await store.read("op/1", after=99)) == []


async def test_streams_know_nothing_of_each_other(store: Store) -> None:
    names = ["a", "A", "a ", "a/b", "a:b", "{a}", "a*", "ä", "a%"]
    for name in names:
        assert await store.append(name, 0, f"body of {name}") is not None
    for name in names:
        assert [record.body for record in await store.read(name)] == [f"body of {name}"]
    assert list(await store.read("never written")) == []


BODIES = {
    "empty": "",
    "spaces": " leading and trailing ",
    "unicode": "日本語 🐘 e\u0301 \u202e",
    "zero byte": "zero\x00byte",
    "lines": "two\r\nlines\n",
    "quotes": "'; DROP TABLE record; --",
    "numbers": "7 8",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
async def test_a_body_comes_back_as_it_was_written(store: Store, body: str) -> None:
    assert await store.append(body or "stream", 0, body) is not None
    assert [record.body for record in await store.read(body or "stream")] == [body]


async def test_a_large_body_comes_back_whole(store: Store) -> None:
    body = "Großer Plan ✓ " * 300_000
    assert await store.append("op/1", 0, body) is not None
    assert (await store.read("op/1"))[0].body == body


async def test_what_was_written_outlives_the_handle(subject: Subject, store: Store) -> None:
    written = await store.append("op/1", 0, "kept")
    assert await store.lease("driver", "one", 3600)
    await store.close()
    again = await subject.store()
    assert list(await again.read("op/1")) == [written]
    assert await again.append("op/1", 0, "late") is None
    assert not await again.lease("driver", "two", 3600)


async def test_two_handles_see_each_others_writes_at_once(subject: Subject) -> None:
    one, two = await subject.store(), await subject.store()
    await one.append("op/1", 0, "from one")
    assert await two.append("op/1", 1, "from two") is not None
    assert [record.body for record in await one.read("op/1")] == ["from one", "from two"]


async def test_a_lease_is_held_by_one_owner_who_may_renew_it(store: Store) -> None:
    assert await store.lease("driver", "one", 3600)
    assert not await store.lease("driver", "two", 3600)
    assert await store.lease("driver", "one", 3600)
    assert await store.lease("another", "two", 3600)


async def test_of_many_who_ask_at_once_one_gets_the_lease(subject: Subject) -> None:
    handles = [await subject.store() for _ in range(2)]
    answers = await asyncio.gather(*(handles[n % 2].lease("driver", f"owner {n}", 3600) for n in range(50)))
    assert sum(answers) == 1


async def test_a_lease_that_ran_out_is_free(subject: Subject, store: Store) -> None:
    assert await store.lease("driver", "one", 0.002)
    await subject.elapse(store, 0.005)
    assert await store.lease("driver", "two", 3600)
    assert not await store.lease("driver", "one", 3600)


async def test_renewing_makes_a_lease_last_longer(subject: Subject, store: Store) -> None:
    assert await store.lease("driver", "one", 0.002)
    assert await store.lease("driver", "one", 3600)
    await subject.elapse(store, 0.005)
    assert not await store.lease("driver", "two", 3600)


async def test_a_lease_lasts_no_longer_than_the_next_owner_asks_for(subject: Subject, store: Store) -> None:
    assert await store.lease("driver", "one", 3600)
    assert not await store.lease("driver", "two", 0.05)
    await subject.elapse(store, 0.06)
    assert await store.lease("driver", "two", 0.05)


async def test_only_the_owner_can_release(store: Store) -> None:
    await store.lease("driver", "one", 3600)
    await store.release("driver", "two")
    assert not await store.lease("driver", "two", 3600)
    await store.release("driver", "one")
    assert await store.lease("driver", "two", 3600)
    await store.release("never taken", "one")


async def test_an_append_renews_the_leases_that_it_holds(subject: Subject, store: Store) -> None:
    assert await store.lease("driver", "one", 0.05)
    holds = [Hold(name="driver", owner="one", ttl_s=3600), Hold(name="name", owner="process", ttl_s=3600)]
    assert await store.append("op/1", 0, "x", holding=holds) is not None
    await subject.elapse(store, 0.06)
    assert not await store.lease("driver", "two", 3600)
    assert not await store.lease("name", "another process", 3600)


@pytest.mark.parametrize("order", [1, -1])
async def test_an_append_without_one_of_its_leases_changes_nothing(store: Store, order: int) -> None:
    assert await store.lease("driver", "two", 3600)
    holds = [Hold(name="driver", owner="one", ttl_s=3600), Hold(name="name", owner="process", ttl_s=3600)]
    assert await store.append("op/1", 0, "x", holding=holds[::order]) is None
    assert list(await store.read("op/1")) == []
    assert await store.lease("name", "another process", 3600)
    assert await store.append("op/1", 0, "of somebody who needs none") is not None


async def test_an_append_that_comes_second_or_too_late_renews_no_lease(subject: Subject, store: Store) -> None:
    assert await store.append("op/1", 0, "first") is not None
    hold = Hold(name="driver", owner="one", ttl_s=3600)
    assert await store.append("op/1", 0, "second", holding=[hold]) is None
    assert await store.append("op/1", 1, "late", await store.now() - HOUR, [hold]) is None
    assert await store.lease("driver", "two", 3600)


async def test_the_clock_goes_forward(subject: Subject, store: Store) -> None:
    before = await store.now()
    await subject.elapse(store, 0.001)
    assert await store.now() > before
    assert before.utcoffset() == timedelta(0)


async def test_closing_twice_is_harmless_and_a_closed_store_says_so(store: Store) -> None:
    await store.close()
    await store.close()
    for call in (store.append("s", 0, "x"), store.read("s"), store.lease("l", "o", 1), store.release("l", "o")):
        with pytest.raises(Unreachable, match="closed"):
            await call


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_after_the_clock_was_set_back_a_lease_lasts_no_longer_than_it_would_have(
    kind: str, tmp_path: Path
) -> None:
    """Only where the clock can be set. Whoever asks for a name asks for it as long as its holder did."""
    subject = in_memory() if kind == "memory" else in_file(tmp_path)
    store = await subject.store()
    assert await store.lease("name", "the dead", 8)
    await subject.elapse(store, -3600)
    assert not await store.lease("name", "the living", 8)
    await subject.elapse(store, 7.999999)
    assert not await store.lease("name", "the living", 8)
    await subject.elapse(store, 0.000001)
    assert await store.lease("name", "the living", 8)
    assert not await store.lease("name", "the dead", 8)
    await subject.close()


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_not_after_and_leases_are_exact_to_the_microsecond(kind: str, tmp_path: Path) -> None:
    """Only where the clock can be held still."""
    subject = in_memory() if kind == "memory" else in_file(tmp_path)
    store = await subject.store()
    now = await store.now()
    assert await store.append("op/1", 0, "at the last moment", not_after=now) is not None
    await store.lease("driver", "one", 30)
    await subject.elapse(store, 29.999999)
    assert not await store.lease("driver", "two", 30)
    await subject.elapse(store, 0.000001)
    assert await store.lease("driver", "two", 30)
    await subject.close()
