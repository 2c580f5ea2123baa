"""Every fault that a call to a firewall can meet, for each verb: the outcome never says more than the truth."""

import asyncio
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from backends.fortigate.target import FortiGate
from bot.engine.targets import Outcome
from bot.model.errors import BackendError, Unreachable
from bot.model.resources import Resource, Route
from bot.model.steps import Step
from tests.backends.fortigate.clock import ManualClock
from tests.backends.fortigate.conftest import Office, Open, ours, step
from tests.contract.fortigate_subject import WRITES, settings

ROUTE = ours(Route(destination=IPv4Network("10.68.0.0/16"), gateway=IPv4Address("172.16.1.67"), device="Test"), 1000)
MOVED = ours(ROUTE.model_copy(update={"gateway": IPv4Address("172.16.1.68")}), 1000, "op2")
STEPS = {"create": step(None, ROUTE), "change": step(ROUTE, MOVED), "remove": step(ROUTE, None)}


@dataclass(frozen=True)
class Case:
    """A fault of the simulator on the write, and the outcomes that are true then."""

    kind: str
    outcomes: frozenset[str]
    options: dict[str, Any]
    timeout_s: float = 20.0


def case(kind: str, *outcomes: str, timeout_s: float = 20.0, **options: Any) -> Case:
    return Case(kind, frozenset(outcomes), options, timeout_s)


CASES = {
    "reset before effect": case("refuse", "unknown"),
    "time-out before effect": case("hang-before", "unknown", timeout_s=0.5),
    "time-out after effect": case("hang-after", "applied", timeout_s=0.5),
    "reset after effect": case("lose-answer", "applied"),
    "reset mid-body after effect": case("reset-mid-body", "applied"),
    "garbage after effect": case("garble", "applied"),
    "truncated after effect": case("truncate", "applied"),
    "huge after effect": case("huge", "applied", bytes=16 * 1024 * 1024),
    "slow drip past the deadline": case("drip", "applied", timeout_s=0.5, delay=0.2),
    "500 without effect": case("status", "unknown", code=500),
    "500 after effect": case("status", "applied", code=500, effect=True),
    "503 without effect": case("status", "unknown", code=503),
    "503 after effect": case("status", "applied", code=503, effect=True),
    "404 after effect": case("status", "applied", "already", code=404, effect=True),
    "404 without effect": case("status", "refused", code=404),
    "401 in the middle": case("status", "refused", code=401),
    "403 in the middle": case("status", "refused", code=403),
    "429 in the middle": case("status", "refused", code=429),
    "405": case("status", "refused", code=405),
    "424": case("status", "refused", code=424),
    "an error of the configuration layer": case("error", "refused", code=-361),
    "the configuration layer was too slow": case("error", "unknown", code=-360),
    "the configuration layer was too slow, and did it": case("error", "applied", code=-360, effect=True),
    "no effect in spite of a yes": case("no-effect", "unknown"),
    "forgotten after a moment": case("forget", "applied", "unknown"),
    "effect twice, first answer": case("apply-twice", "applied", answer="first"),
    "effect twice, second answer": case("apply-twice", "applied", "already", answer="second"),
    "row zero": case("mkey-zero", "applied"),
}


async def world(office: Office) -> Resource | None:
    """What the device really holds, past every fault."""
    office.server.clear_faults()
    rows = [row for row in office.device.rows("router/static") if row["dst"] == "10.68.0.0 255.255.0.0"]
    assert len(rows) <= 1
    return None if not rows else ROUTE if rows[0]["gateway"] == "172.16.1.67" else MOVED


@pytest.mark.parametrize("verb", STEPS)
@pytest.mark.parametrize("fault", CASES)
async def test_an_outcome_is_never_more_than_the_truth(office_with: Open, verb: str, fault: str) -> None:
    chosen, wanted = CASES[fault], STEPS[verb]
    office = await office_with(request_timeout_s=chosen.timeout_s)
    await prepare(office, wanted)
    office.server.faults.arm(chosen.kind, method=WRITES, options=chosen.options)
    outcome = await office.target.apply(wanted)
    assert outcome.kind in chosen.outcomes, outcome
    assert outcome.detail or outcome.kind in ("applied", "already")
    if fault != "forgotten after a moment":  # the device changes its mind after it was asked: nobody can know
        await check_truth(office, wanted, outcome)
    assert [entry for entry in office.writes if entry.alarm] == []


async def prepare(office: Office, wanted: Step) -> None:
    """The world as the step expects it, made before any fault."""
    if wanted.before is not None:
        assert (await office.target.apply(step(None, wanted.before))).kind == "applied"


async def check_truth(office: Office, wanted: Step, outcome: Outcome) -> None:
    there = await world(office)
    match outcome.kind:
        case "applied" | "already":
            assert there == wanted.after
        case "refused":
            assert there == wanted.before
        case _:
            assert there in (wanted.before, wanted.after)


async def test_a_late_effect_shows_in_the_next_look(office_with: Open) -> None:
    """The request is delivered long after we gave it up: unknown, and then a read tells."""
    office = await office_with(request_timeout_s=0.5)
    office.server.faults.arm("hang-before", method="POST", options={"then": "apply"})
    outcome = await office.target.apply(STEPS["create"])
    assert outcome.kind == "unknown"
    assert await world(office) is None  # and clearing the faults lets the late request happen
    while (await office.target.read([ROUTE.key])) != {ROUTE.key: ROUTE}:
        pass
    assert (await office.target.apply(STEPS["create"])).kind == "already"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("refuse", {}),
        ("garble", {}),
        ("truncate", {}),
        ("huge", {"bytes": 16 * 1024 * 1024}),
        ("reset-mid-body", {}),
        ("status", {"code": 500}),
        ("status", {"code": 503}),
        ("status", {"code": 403}),
        ("status", {"code": 401}),
        ("status", {"code": 429}),
    ],
)
async def test_without_a_look_nothing_is_written(office: Office, kind: str, options: dict[str, Any]) -> None:
    office.server.faults.arm(kind, method="GET", count=None, options=options)
    with pytest.raises(BackendError, match="office-fw"):
        await office.target.apply(STEPS["create"])
    with pytest.raises(BackendError, match="office-fw"):
        await office.target.read([ROUTE.key])
    with pytest.raises(BackendError, match="office-fw"):
        await office.target.free_rows("route", 1)
    assert office.writes == []


@pytest.mark.parametrize("answered", [True, False])
async def test_a_write_that_cannot_be_read_back_is_unknown(office: Office, answered: bool) -> None:
    assert await office.target.read([ROUTE.key]) == {}
    office.server.faults.arm("status", method="GET", path="*/router/static", after=1, count=None, options={"code": 500})
    if not answered:
        office.server.faults.arm("lose-answer", method="POST")
    outcome = await office.target.apply(STEPS["create"])
    assert outcome.kind == "unknown"
    assert await world(office) == ROUTE


async def test_a_device_that_went_away_is_unreachable_and_comes_back(office: Office) -> None:
    assert await office.target.read([ROUTE.key]) == {}
    await office.server.stop_listening()
    with pytest.raises(Unreachable, match="no connection"):
        await office.target.read([ROUTE.key])
    with pytest.raises(Unreachable):
        await office.target.apply(STEPS["create"])
    await office.server.listen()
    assert (await office.target.apply(STEPS["create"])).kind == "applied"


class StandingClock(ManualClock):
    """Whoever sleeps does not wake up."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


async def test_a_read_back_and_its_repetitions_end_together(office: Office, tmp_path: Path) -> None:
    """However often it is looked again, and however slow each look: the whole has one limit."""
    target = FortiGate("office-fw", settings(office.server, tmp_path, request_timeout_s=0.5), StandingClock())
    office.server.faults.arm("no-effect", method="POST")
    outcome = await target.apply(STEPS["create"])
    await target.close()
    assert outcome.kind == "unknown"
    assert "more than 1 s together" in outcome.detail
