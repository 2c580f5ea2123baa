"""Every state of an incident's message, block for block, and what is said below it."""

import json
import re

import pytest

from handlers.views.incident import incident_view, said_below, timeline
from tests.golden import assert_golden, in_every_language
from tests.handlers.stories import INCIDENT_STATES, incident_story


@pytest.mark.parametrize("name", INCIDENT_STATES)
@in_every_language
async def test_an_incidents_message(name: str) -> None:
    incident = await incident_story(name)
    assert_golden(f"incident-{name}", incident_view(incident))


@pytest.mark.parametrize("name", INCIDENT_STATES)
async def test_only_what_waits_for_an_answer_has_buttons_and_slacks_limits_are_kept(name: str) -> None:
    incident = await incident_story(name)
    text, blocks = incident_view(incident)
    buttons = [b["action_id"] for block in blocks if block["type"] == "actions" for b in block["elements"]]
    moves = [f"failover-{number}" for number in range(0 if name == "no-candidate" else 3)]
    assert buttons == ([*moves, "snooze", "planned"] if incident.state == "open" else [])
    assert len(text) <= 4000
    assert len(blocks) <= 50
    assert all(len(json.dumps(block)) < 12000 for block in blocks)


@pytest.mark.parametrize("name", INCIDENT_STATES)
@in_every_language
async def test_what_is_said_below(name: str) -> None:
    incident = await incident_story(name)
    said = [below for record in incident.records if (below := said_below(record, incident)) is not None]
    assert_golden(f"incident-{name}-below", ("\n".join(said), []))


async def test_the_timeline_tells_every_station_with_its_seconds() -> None:
    lines = timeline(await incident_story("moved"))
    stations = [re.fullmatch(r"[0-9:]{8} UTC  (.*?) \(\+([0-9.]+) s\)", line) for line in lines[1:-1]]
    told = [(match[1].split(" by ")[0], float(match[2])) for match in stations if match is not None]
    assert [what for what, _ in told] == ["detected", "asked", "clicked", "moved", "proven", "done"]
    seconds = dict(told)
    assert list(seconds.values()) == sorted(seconds.values())
    assert seconds["clicked"] - seconds["asked"] >= 20  # so long olga thought
    assert lines[-1] == f"{seconds['proven'] - seconds['clicked']:.1f} s from yes to proof"
