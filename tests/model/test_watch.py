"""When is a gateway dead? Examples, properties, and a month of losses for each kind of weather."""

import itertools
import math
import random
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.watch import DATA, SIGNALS, Health, Reading, Round, Rules, Signal, Watch, step

INTERVAL_S = 2.0
MONTH_ROUNDS = int(30 * 86400 / INTERVAL_S)
REFERENCES = 7
GOOD, BAD, UNKNOWN = Reading(True), Reading(False), Reading(None)
FINE = dict.fromkeys(SIGNALS, GOOD)


def seen(at: float, *bad: Signal, answered: int = REFERENCES, candidate: bool = True) -> Round:
    signals = {**FINE, **dict.fromkeys(bad, BAD)}
    return Round(at, signals, REFERENCES, answered, {"k8s-qa-node-03": candidate})


def after(*rounds: Iterable[Signal] | None, watch: Watch | None = None, start: float = 0.0) -> Watch:
    """The watch after these rounds: what was bad in each, or None for a round in which nothing answered."""
    watch = watch or Watch()
    for number, bad in enumerate(rounds):
        at = start + number * INTERVAL_S
        watch = step(watch, seen(at, *SIGNALS, answered=0) if bad is None else seen(at, *bad))
    return watch


DEAD: tuple[Signal, ...] = ("service", "pod", "host")
NO_DATA: tuple[Signal, ...] = ("service", "pod")


@pytest.mark.parametrize(
    ("rounds", "health"),
    [
        ([DEAD] * 4, "healthy"),
        ([DEAD] * 5, "down"),
        ([DEAD, (), DEAD, (), DEAD, DEAD, (), DEAD], "down"),
        ([DEAD, (), DEAD, (), DEAD, (), DEAD, ()], "healthy"),
        ([NO_DATA] * 5, "degraded"),
        ([("service",)] * 5, "healthy"),
        ([("service",)] * 6, "degraded"),
        ([("pod",)] * 6, "degraded"),
        ([("host",)] * 60, "healthy"),
        ([("lease", "ready")] * 60, "healthy"),
        ([("service", "lease")] * 5, "down"),
        ([("service", "proxy")] * 5, "down"),
        ([None] * 2, "healthy"),
        ([None] * 3, "isolated"),
        ([*[DEAD] * 4, *[None] * 50, ()], "healthy"),
        ([*[None] * 50, *[DEAD] * 5], "down"),
        ([*[DEAD] * 5, *[()] * 4], "down"),
        ([*[DEAD] * 5, *[()] * 5], "healthy"),
        ([*[NO_DATA] * 6, *[DEAD] * 5], "down"),
        ([*[DEAD] * 8, *[NO_DATA] * 20], "down"),
    ],
)
def test_every_row_of_the_table(rounds: list[Iterable[Signal] | None], health: Health) -> None:
    assert after(*rounds).health == health


def test_a_hard_failure_is_known_within_five_rounds() -> None:
    watch, number = Watch(), 0
    while watch.health == "healthy":
        watch, number = step(watch, seen(number * INTERVAL_S, *DEAD)), number + 1
    assert number == 5
    assert watch.began == 0.0


@pytest.mark.parametrize("window", range(2, 10))
@pytest.mark.parametrize(("bad", "health"), [(("service",), "degraded"), (("service", "lease"), "down")])
def test_whatever_the_window_what_is_bad_for_ever_is_noticed(
    window: int, bad: tuple[Signal, ...], health: Health
) -> None:
    watch = Watch(rules=Rules(bad=min(5, window), window=window))
    assert after(*[bad] * 20, watch=watch).health == health


def test_what_is_not_known_is_not_held_against_the_gateway() -> None:
    watch = Watch()
    for number in range(100):
        watch = step(watch, Round(number, dict.fromkeys(SIGNALS, UNKNOWN), REFERENCES, REFERENCES, {}))
    assert watch.health == "healthy"
    assert step(watch, Round(101, {}, REFERENCES, REFERENCES, {})).health == "healthy"


def test_without_any_reference_nothing_is_judged() -> None:
    watch = Watch()
    for number in range(10):
        watch = step(watch, Round(number, dict.fromkeys(SIGNALS, BAD), 0, 0, {}))
    assert watch.health == "isolated"


def test_a_candidate_must_be_good_time_after_time() -> None:
    watch = step(step(Watch(), seen(0)), seen(2))
    assert watch.good_rounds == {"k8s-qa-node-03": 2}
    assert step(watch, seen(4, candidate=False)).good_rounds == {"k8s-qa-node-03": 0}


def test_what_comes_and_goes_three_times_is_flapping_and_stays_until_it_is_quiet_for_long() -> None:
    watch, at = Watch(), 0.0
    for _ in range(3):
        watch = after(*[DEAD] * 5, *[()] * 5, watch=watch, start=at)
        at += 100.0
    assert (watch.health, watch.flapping) == ("down", True)
    quiet = after(*[()] * 250, watch=watch, start=at)
    assert quiet.health == "down"
    assert after(*[()] * 60, watch=quiet, start=at + 500).health == "healthy"


def test_three_troubles_in_a_day_are_not_flapping() -> None:
    watch = Watch()
    for hour in range(8, 11):
        watch = after(*[DEAD] * 5, *[()] * 5, watch=watch, start=hour * 3600.0)
    assert watch.health == "healthy"


# --- properties

rounds = st.lists(st.sets(st.sampled_from(SIGNALS)) | st.none(), max_size=60)


@given(rounds)
def test_nothing_is_wrong_without_a_failing_data_signal(history: list[set[Signal] | None]) -> None:
    harmless = [None if bad is None else bad - {"service", "pod"} for bad in history]
    assert after(*harmless).health in ("healthy", "isolated")


@given(rounds)
def test_down_needs_five_bad_rounds_of_two_families(history: list[set[Signal] | None]) -> None:
    watch = after(*history)
    if watch.health == "down":
        clear = [bad for bad in history if bad is not None]
        assert sum(bool({"service", "pod"} & bad) for bad in clear) >= 5
        assert sum(bool({"host", "ping", "proxy", "lease", "ready"} & bad) for bad in clear) >= 3


@given(rounds)
def test_blind_rounds_change_no_verdict(history: list[set[Signal] | None]) -> None:
    sighted = [bad for bad in history if bad is not None]
    assert after(*sighted).trouble == after(*history).trouble


@given(rounds)
def test_enough_good_rounds_end_every_trouble(history: list[set[Signal] | None]) -> None:
    watch = after(*history)
    assert after(*[()] * 300, watch=watch, start=120.0).health == "healthy"


@given(rounds, st.integers(0, 59))
def test_one_more_bad_reading_never_makes_the_gateway_look_better(
    history: list[set[Signal] | None], place: int
) -> None:
    order = ("healthy", "degraded", "down")
    worse = [bad if bad is None or i != place else {*bad, "service"} for i, bad in enumerate(history)]
    ever = [max(order.index(w.trouble) for w in states(h)) for h in (history, worse)]
    assert ever[1] >= ever[0]


def states(history: list[set[Signal] | None]) -> list[Watch]:
    watch, found = Watch(), [Watch()]
    for number, bad in enumerate(history):
        watch = after(bad, watch=watch, start=number * INTERVAL_S)
        found.append(watch)
    return found


@given(rounds)
def test_the_same_rounds_always_give_the_same_watch(history: list[set[Signal] | None]) -> None:
    assert after(*history) == after(*history)


# --- a month, as values


# Silence of kube-proxy's port means nothing, and lease and Ready come through the API, once in a while.
LOSSY: tuple[Signal, ...] = ("service", "pod", "host")
# A round asks for data twice before it calls it bad, and the machine once.
TRIES: dict[Signal, int] = {"service": 2, "pod": 2, "host": 1}


def month(seed: int, loss: float, bursts: Iterable["Burst"] = ()) -> int:
    """How many times on-call would be asked in 30 days of rounds with this weather, nothing being wrong."""
    chance = random.Random(seed)
    bad: dict[int, set[Signal]] = {}
    for signal in LOSSY:
        for number in rare(loss ** TRIES[signal], chance):
            bad.setdefault(number, set()).add(signal)
    silent: dict[int, float] = {}
    for burst in bursts:
        for number in burst.rounds(chance):
            bad.setdefault(number, set()).update(s for s in LOSSY if burst.hits(s, chance))
            silent[number] = max(silent.get(number, loss), burst.reference_loss)
    watch, asked, following = Watch(), 0, 0
    lossy = sorted(number for number, signals in bad.items() if signals & set(DATA))
    for number, fifth in zip(lossy, lossy[Rules().bad - 1 :], strict=False):
        # Nothing is ever wrong without five rounds of bad data in a window: only where those are, is it played.
        if number < following or fifth - number >= Rules().window:
            continue
        first = max(following, number - watch.rules.window)
        for following in itertools.count(first):  # where it stops is where the next one may begin
            lost = silent.get(following, loss)
            answered = sum(chance.random() >= lost for _ in range(REFERENCES))
            before = watch.trouble
            watch = step(watch, seen(following * INTERVAL_S, *bad.get(following, ()), answered=answered))
            asked += before == "healthy" and watch.trouble != "healthy"
            if following > number and not (watch.bad[0] or watch.bad[1]) and watch.trouble == "healthy":
                break
        following += 1
    return asked


def rare(share: float, chance: random.Random) -> Iterator[int]:
    """The rounds in which something of this probability happens."""
    number = -1
    while share:
        number += 1 + int(math.log(1.0 - chance.random()) / math.log(1.0 - share))
        if number >= MONTH_ROUNDS:
            return
        yield number


class Burst:
    """Losses that come together, as networks have them: so many times a month, for some seconds, of these signals."""

    def __init__(
        self, per_month: int, seconds: tuple[int, int], loss: float, *hit: Signal, references: float = 0.0
    ) -> None:
        self.per_month, self.seconds, self.loss = per_month, seconds, loss
        self.hit, self.reference_loss = hit, references

    def rounds(self, chance: random.Random) -> Iterator[int]:
        for _ in range(self.per_month):
            first = chance.randrange(MONTH_ROUNDS)
            yield from range(first, first + chance.randint(*self.seconds) // int(INTERVAL_S))

    def hits(self, signal: Signal, chance: random.Random) -> bool:
        return signal in self.hit and all(chance.random() < self.loss for _ in range(TRIES[signal]))


WEATHER = (
    Burst(60, (2, 30), 1.0, *LOSSY, references=1.0),  # our own uplink, the firewall installing a policy
    Burst(20, (2, 6), 1.0, *LOSSY),  # the port of the gateway's switch reconverges
    Burst(200, (2, 60), 0.03, "pod"),  # one of the three pods that are asked restarts: two answers must get lost
    Burst(10, (2, 8), 1.0, "pod"),  # all three restart at once
    Burst(100, (2, 60), 0.125, "service"),  # behind each of three services half of the endpoints are gone
    Burst(30, (20, 120), 0.1, *LOSSY, references=0.1),  # a saturated line
)


SEEDS = range(24)


def test_a_month_at_one_per_cent_loss_with_bursts_asks_nobody() -> None:
    assert {seed: month(seed, 0.01, WEATHER) for seed in SEEDS} == dict.fromkeys(SEEDS, 0)


def test_a_month_at_five_per_cent_loss_asks_at_most_once() -> None:
    assert max(month(seed, 0.05) for seed in SEEDS) <= 1


def test_the_month_would_notice_a_gateway_that_really_dies() -> None:
    """The simulation itself: an outage of a minute is asked about, once."""
    assert month(7, 0.01, [Burst(1, (60, 60), 1.0, *DEAD)]) == 1
