"""One drill: break something, watch the chat, click like on-call, and measure what people on the office PC notice."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from lab.drills.office import Office, confirmed, exposed
from lab.drills.scenarios import SICK_S, Scenario
from lab.drills.traffic import NAMES, Traffic, traffic
from lab.slack.driver import ChatError, Seen

ON_CALL = "olga"
WARM_UP_S, SETTLE_S = 8.0, 3.0
MENTION = "@net-oncall"
ASK_BAR_S, OUTAGE_BAR_S = 15.0, 1.0
ITSELF = "Nobody was asked"
INCIDENT = "version 1"


@dataclass(frozen=True)
class Result:
    """Seconds; None where nothing of the kind happened. `problem` is empty when every bar was kept."""

    scenario: str
    expected: str
    asked_s: float | None = None
    proven_s: float | None = None
    outage_s: float | None = None
    names_s: float | None = None
    problem: str = ""


async def drill(scenario: Scenario, folder: Path) -> Result:
    """Run a scenario in a fresh company; `folder` must exist and be empty."""
    async with (
        exposed(folder, scenario.cluster, canaries=scenario.canaries) as office,
        traffic(office.company.net) as seen,
    ):
        await _quiet(office, WARM_UP_S)
        if scenario.expected == "drilled":
            return await _drilled(scenario, office, seen)
        broken = time.monotonic() + (SICK_S if scenario.never else 0.0)
        await scenario.break_it(office.company)
        message = await _message(office, scenario.patience_s)
        asked = time.monotonic() - broken
        if message is None:
            problem = "" if scenario.expected == "nothing" else f"no message within {scenario.patience_s:g} s"
            return Result(scenario.name, scenario.expected, problem=problem)
        if scenario.expected not in ("asked", "moved") or MENTION not in message.text:
            return _unasked(scenario, message, asked)
        if scenario.never and f"Fail over to {scenario.never}" in message.buttons:
            return Result(scenario.name, scenario.expected, asked, problem=f"offered: {message.buttons}")
        return await _answered(scenario, office, seen, asked)


async def _answered(scenario: Scenario, office: Office, seen: Traffic, asked: float) -> Result:
    """The click, or the bot's own; outage and proof count from there."""
    clicked = time.monotonic()
    if scenario.expected == "asked":
        await office.slack.click(action_id="failover-0", by=ON_CALL)
    try:
        message = await office.slack.until(contains="Moved and proven", timeout=30)
    except ChatError as error:
        return Result(scenario.name, scenario.expected, asked, problem=str(error))
    proven = time.monotonic() - clicked
    problem = "" if scenario.expected == "asked" or ITSELF in message.text else "it did not say that nobody was asked"
    return await _measured(scenario, seen, clicked, asked, proven, problem)


async def _drilled(scenario: Scenario, office: Office, seen: Traffic) -> Result:
    """There and back by command; the bot's own word about the outage must be in the result."""
    clicked = await confirmed(office.slack, "/k8snet drill", "Done: moved there and back", by=ON_CALL)
    proven = time.monotonic() - clicked
    card = await office.slack.until(contains="Done: moved there and back")
    problem = "" if card.text.count("outage:") == 2 else "the result does not say what was noticed"
    return await _measured(scenario, seen, clicked, None, proven, problem)


async def _measured(
    scenario: Scenario, seen: Traffic, clicked: float, asked: float | None, proven: float, problem: str
) -> Result:
    await asyncio.sleep(SETTLE_S)  # what was begun before must have ended to be counted
    outage = seen.outage_after(clicked)
    names = seen.outage_after(clicked, NAMES)
    bars = (
        ("asked", asked or 0.0, ASK_BAR_S),
        ("proven", proven, scenario.proof_bar_s),
        ("outage", outage, OUTAGE_BAR_S),
    )
    late = [f"{what} after {is_:.1f} s, the bar is {bar:g} s" for what, is_, bar in bars if is_ > bar]
    problem = "; ".join(filter(None, (problem, *late)))
    return Result(scenario.name, scenario.expected, asked, proven, outage, names, problem)


def _unasked(scenario: Scenario, message: Seen, asked: float) -> Result:
    called = MENTION in message.text
    wrong = scenario.expected == "nothing" or called == (scenario.expected == "told")
    says = message.text.splitlines()[0]
    return Result(scenario.name, scenario.expected, asked, problem=f"the bot said: {says}" if wrong else "")


async def _message(office: Office, patience_s: float) -> Seen | None:
    try:
        return await office.slack.until(contains=INCIDENT, timeout=patience_s)
    except ChatError:
        return None


async def _quiet(office: Office, seconds: float) -> None:
    """Let time pass in which nothing may be said. ChatError when something is."""
    if (said := await _message(office, seconds)) is not None:
        raise ChatError(f"the bot asked although nothing was broken: {said.text}")
