"""Is the gateway alive? A pure state machine over rounds of readings, with hysteresis and two families of signals.

| what the rounds say                                                       | health   |
|---------------------------------------------------------------------------|----------|
| most references silent too, three rounds in a row                         | isolated |
| a data signal bad in 5 of 8, and the host family failing                  | down     |
| both data signals bad in 5 of 8, or one of them in 6 rounds in a row      | degraded |
| after down or degraded: five rounds in a row without anything bad         | healthy  |
| the same, when that happened for the third time within half an hour       | flapping: stays until ten quiet minutes |

The host family fails when the machine's own port or its ping is silent in 5 of 8, or three rounds in a row say that its
lease is stale, that it is not Ready or that kube-proxy is not healthy. A round in which the references are silent is
no evidence for or against the gateway: whoever cannot see must not judge. What is not known counts as not bad.

At one round in 2 s and 5 % independent loss, one signal is bad in 5 of 8 rounds eleven times a month, six times in a
row once in years, and two signals at once never: so nobody is asked about a single signal's 5 of 8.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Health = Literal["healthy", "degraded", "down", "isolated"]
Signal = Literal["service", "pod", "host", "ping", "proxy", "lease", "ready"]
SIGNALS: tuple[Signal, ...] = ("service", "pod", "host", "ping", "proxy", "lease", "ready")
DATA: tuple[Signal, ...] = ("service", "pod")
MOST_TRUST, MISTRUST = 8, 3
SLOW: tuple[Signal, ...] = ("proxy", "lease", "ready")  # they say the same for a while before they say it at all


@dataclass(frozen=True, slots=True)
class Rules:
    """How many rounds make a verdict; of a smaller window, all of it. The times are seconds."""

    bad: int = 5
    window: int = 8
    alone: int = 6
    slow: int = 3
    blind: int = 3
    recover: int = 5
    flaps: int = 3
    flap_window_s: float = 1800.0
    calm_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What one signal said: good, bad, or (None) nothing that means anything. `evidence` is for people."""

    good: bool | None
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Round:
    """One look at everything. `at` is monotonic, in seconds; `candidates` tells who had nothing wrong with it."""

    at: float
    signals: Mapping[Signal, Reading]
    references: int
    answered: int
    candidates: Mapping[str, bool]

    @property
    def clear(self) -> bool:
        """Whether we can see at all: three of four references answer."""
        return self.references > 0 and self.answered * 4 >= self.references * 3


@dataclass(frozen=True, slots=True)
class Watch:
    """All that is remembered. `bad` has one bit a round for each signal, the newest lowest; `since` its first one."""

    rules: Rules = Rules()
    health: Health = "healthy"
    bad: tuple[int, ...] = (0,) * len(SIGNALS)
    since: tuple[float | None, ...] = (None,) * len(SIGNALS)
    blind: int = 0
    clean: int = 0
    trouble: Health = "healthy"  # what `health` is while we can see
    began: float | None = None  # of the trouble that lasts
    onsets: tuple[float, ...] = ()
    last_bad: float = 0.0
    good_rounds: Mapping[str, int] = field(default_factory=dict)  # of candidates; see `_trust`

    @property
    def flapping(self) -> bool:
        return self.trouble != "healthy" and len(self.onsets) >= self.rules.flaps

    def count(self, signal: Signal) -> int:
        """In how many rounds of the window this signal was bad."""
        return self.bad[SIGNALS.index(signal)].bit_count()

    def first_bad(self, signal: Signal) -> float | None:
        """When this signal was first bad in the window."""
        return self.since[SIGNALS.index(signal)]


def step(watch: Watch, seen: Round) -> Watch:
    """The watch after one more round."""
    if not seen.clear:
        blind = watch.blind + 1
        return replace(watch, blind=blind, health="isolated" if blind >= watch.rules.blind else watch.health)
    rules, mask = watch.rules, (1 << watch.rules.window) - 1
    bad, since, any_bad = [], [], False
    for index, signal in enumerate(SIGNALS):
        reading = seen.signals.get(signal)
        is_bad = reading is not None and reading.good is False
        bits = (watch.bad[index] << 1 | is_bad) & mask
        bad.append(bits)
        since.append((watch.since[index] if watch.since[index] is not None else seen.at) if bits else None)
        any_bad = any_bad or is_bad
    clean = 0 if any_bad else watch.clean + 1
    last_bad = seen.at if any_bad else watch.last_bad
    verdict = _verdict(rules, bad)
    trouble, onsets, began = watch.trouble, watch.onsets, watch.began
    if verdict != "healthy":
        if trouble == "healthy":
            onsets = (*(at for at in onsets if seen.at - at < rules.flap_window_s), seen.at)[-rules.flaps :]
            began = min(at for at in since if at is not None)
        trouble = "down" if "down" in (verdict, trouble) else "degraded"
    elif trouble != "healthy" and _over(rules, onsets, clean, seen.at - last_bad):
        trouble, began = "healthy", None
    good_rounds = {name: _trust(watch.good_rounds.get(name, 0), good) for name, good in seen.candidates.items()}
    return Watch(rules, trouble, tuple(bad), tuple(since), 0, clean, trouble, began, onsets, last_bad, good_rounds)


def _trust(rounds: int, good: bool) -> int:
    """Trust in a candidate: won slowly, and not lost by a single lost packet once there is enough of it."""
    return min(rounds + 1, MOST_TRUST) if good else max(rounds - MISTRUST, 0)


def _failing(rules: Rules, index: int, bits: int) -> bool:
    if SIGNALS[index] in SLOW:
        return _in_a_row(bits) >= min(rules.slow, rules.window)
    return bits.bit_count() >= rules.bad


def _verdict(rules: Rules, bad: list[int]) -> Health:
    if not bad[0] and not bad[1]:
        return "healthy"
    data = sum(_failing(rules, index, bad[index]) for index in range(len(DATA)))
    if data and any(_failing(rules, index, bad[index]) for index in range(len(DATA), len(SIGNALS))):
        return "down"
    if data == len(DATA) or any(_in_a_row(bad[index]) >= min(rules.alone, rules.window) for index in range(len(DATA))):
        return "degraded"
    return "healthy"


def _over(rules: Rules, onsets: tuple[float, ...], clean: int, quiet_s: float) -> bool:
    return quiet_s >= rules.calm_s if len(onsets) >= rules.flaps else clean >= rules.recover


def _in_a_row(bits: int) -> int:
    """How many of the newest rounds in a row were bad: the ones at the lower end."""
    return (bits ^ (bits + 1)).bit_length() - 1
