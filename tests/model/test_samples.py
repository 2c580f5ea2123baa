"""Samples of a day: what a minute, a bucket and a share say, for whatever was seen."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.candidates import NodeHealth
from bot.model.samples import (
    BUCKETS,
    Day,
    Minute,
    Tally,
    Track,
    decode,
    encode,
    minute_of,
    strip,
    ticks,
    watched,
    worst,
)
from bot.model.watch import Reading, Round

NOW = datetime(2026, 3, 2, 9, 7, 30, tzinfo=UTC)
HOST, PROXY = Track("node-02", "host"), Track("node-02", "proxy")
tracks = st.builds(Track, st.text(max_size=20), st.sampled_from(["service", "pod", "host", "proxy", "lease", "ready"]))
minutes = st.builds(
    Minute,
    st.integers(minute_of(NOW - timedelta(hours=30)), minute_of(NOW)),
    st.dictionaries(tracks, st.builds(Tally, st.integers(0, 99), st.integers(0, 99)), max_size=5),
)


def bad(minutes_ago: int, good: int = 0, failed: int = 30) -> Minute:
    return Minute(minute_of(NOW) - minutes_ago, {HOST: Tally(good, failed)})


@given(minutes)
def test_what_is_kept_reads_back_as_it_was(minute: Minute) -> None:
    assert decode(minute.at, encode(minute)) == minute


@pytest.mark.parametrize("body", ["", "[]", "[1]", '{"a":1}', '{"a":{"b":[1]}}', '{"a":{"b":["x","y"]}}', "null"])
def test_what_was_never_written_is_no_sample(body: str) -> None:
    with pytest.raises(ValueError, match="not a sample"):
        decode(1, body)


@pytest.mark.parametrize(
    ("good", "failed", "state"),
    [(0, 0, "unknown"), (30, 0, "good"), (29, 1, "good"), (26, 4, "doubtful"), (3, 5, "bad"), (0, 1, "bad")],
)
def test_a_lost_packet_is_no_fault_and_five_of_eight_are_one(good: int, failed: int, state: str) -> None:
    assert Tally(good, failed).state == state


@given(st.lists(minutes, max_size=30))
def test_a_strip_is_always_whole_and_its_share_a_share(seen: list[Minute]) -> None:
    for family in ("data", "machine", "exposure"):
        day = strip(seen, "node-02", family, NOW)
        assert len(day.states) == BUCKETS
        assert len(ticks(day.states)) == 24
        assert (day.share is None) == (not day.known)
        assert day.share is None or 0 <= day.share <= 1


def test_a_bucket_is_as_bad_as_its_worst_minute_and_the_newest_is_the_last() -> None:
    day = strip([bad(0), bad(20, good=30, failed=0)], "node-02", "machine", NOW)
    assert day.states[-1] == "bad"
    assert day.states[-2] == "good"
    assert set(day.states[:-2]) == {"unknown"}
    assert day.share == 0.5


def test_what_is_older_than_a_day_is_not_shown() -> None:
    assert not strip([bad(24 * 60 + 1)], "node-02", "machine", NOW).known


def test_one_bad_signal_makes_the_machine_bad_and_says_nothing_of_the_data() -> None:
    minute = Minute(minute_of(NOW), {HOST: Tally(30, 0), PROXY: Tally(0, 30)})
    assert strip([minute], "node-02", "machine", NOW).states[-1] == "bad"
    assert not strip([minute], "node-02", "data", NOW).known


def test_the_newest_minute_that_knows_speaks_for_now_but_not_for_long() -> None:
    unknown = Minute(minute_of(NOW), {HOST: Tally()})
    assert Day((bad(2), unknown), NOW).latest("node-02", "machine") == "bad"
    assert Day((bad(6), unknown), NOW).latest("node-02", "machine") == "unknown"


def test_whoever_cannot_see_has_seen_nothing() -> None:
    round_ = Round(1.0, {"service": Reading(False), "host": Reading(True)}, 4, 4, {})
    health = {"node-03": NodeHealth(host_answers=True, proxy_healthy=None)}
    seen = watched("node-02", round_, health)
    assert (seen[Track("node-02", "service")], seen[Track("node-03", "host")]) == (False, True)
    blind = watched("node-02", Round(1.0, round_.signals, 4, 0, {}), health)
    assert set(blind) == set(seen)
    assert set(blind.values()) == {None}


@given(st.lists(st.sampled_from(["good", "doubtful", "bad", "unknown"])))
def test_the_worst_is_unknown_only_of_nothing_known(states: list) -> None:
    known = set(states) - {"unknown"}
    assert worst(states) == ("unknown" if not known else next(s for s in ("bad", "doubtful", "good") if s in known))
