"""Every state of an incident's message, block for block, and what is said below it."""

import json
import re
from dataclasses import replace

import pytest

from backends.oncall.rotation import Rotation
from backends.oncall.settings import RotationSettings
from bot.engine.announcing import Outbox
from bot.engine.engine import Engine
from bot.model.incident import Incident
from handlers.views.incident import incident_view, said_below, timeline
from tests.engine.watched import ADDRESS, GATEWAY, NEXT, RULES, Watched, watched, watched_facts
from tests.golden import assert_golden, in_every_language
from tests.office import OLGA

STATES = (
    *("down", "degraded", "notice", "no-candidate", "snoozed", "planned", "escalated"),
    *("withdrawn", "moved", "moved-back", "by-itself", "no-schedule"),
)


async def story(name: str) -> Incident:
    office = await watched(RULES.model_copy(update={"auto": name == "by-itself"}))
    match name:
        case "degraded":
            office.company.wire.not_forwarding.add(ADDRESS[GATEWAY])
            await office.rounds(5)
        case "notice":
            office.company.cluster.now = watched_facts(node_02={"schedulable": False})
            await office.watch.sampler.refresh()
            await office.rounds(1)
        case "by-itself":
            await died(office)
            await office.company.env.idle()
        case "no-schedule":
            settings = RotationSettings(url="http://127.0.0.1:1/nobody-listens-there")
            rotations = {"qa": Rotation(settings, office.company.env.monotonic)}
            office.engine = Engine(replace(office.engine.context, rotations=rotations))
            await office.rounds(4)
            await died(office)
        case "no-candidate":
            changes = {f"node_{name[-2:]}": {"ready": False} for name in ADDRESS if name != GATEWAY}
            office.company.cluster.now = watched_facts(**changes)
            await office.watch.sampler.refresh()
            await died(office)
        case _:
            await died(office)
            await answered(office, name)
    return await office.asked()


async def died(office: Watched) -> None:
    office.company.wire.dead.add(ADDRESS[GATEWAY])
    await office.rounds(5)


async def answered(office: Watched, name: str) -> None:
    office.pass_time(0.3)
    await Outbox(office.engine.context).flush()
    incident = await office.asked()
    match name:
        case "snoozed" | "planned":
            await office.engine.snooze(incident.id, OLGA, planned=name == "planned")
        case "escalated":
            office.pass_time(RULES.escalate_after_s)
            await office.rounds(1)
        case "withdrawn":
            office.company.wire.dead.clear()
            await office.rounds(5)
        case "moved":
            office.pass_time(20)
            await office.click(incident, OLGA)
        case "moved-back":
            office.company.wire.without_proxy.add(ADDRESS[NEXT])
            await office.click(incident, OLGA)


@pytest.mark.parametrize("name", STATES)
@in_every_language
async def test_an_incidents_message(name: str) -> None:
    incident = await story(name)
    assert_golden(f"incident-{name}", incident_view(incident))


@pytest.mark.parametrize("name", STATES)
async def test_only_what_waits_for_an_answer_has_buttons_and_slacks_limits_are_kept(name: str) -> None:
    incident = await story(name)
    text, blocks = incident_view(incident)
    buttons = [b["action_id"] for block in blocks if block["type"] == "actions" for b in block["elements"]]
    moves = [f"failover-{number}" for number in range(0 if name == "no-candidate" else 3)]
    assert buttons == ([*moves, "snooze", "planned"] if incident.state == "open" else [])
    assert len(text) <= 4000
    assert len(blocks) <= 50
    assert all(len(json.dumps(block)) < 12000 for block in blocks)


@pytest.mark.parametrize("name", STATES)
@in_every_language
async def test_what_is_said_below(name: str) -> None:
    incident = await story(name)
    said = [below for record in incident.records if (below := said_below(record, incident)) is not None]
    assert_golden(f"incident-{name}-below", ("\n".join(said), []))


async def test_the_timeline_tells_every_station_with_its_seconds() -> None:
    lines = timeline(await story("moved"))
    stations = [re.fullmatch(r"[0-9:]{8} UTC  (.*?) \(\+([0-9.]+) s\)", line) for line in lines[1:-1]]
    told = [(match[1].split(" by ")[0], float(match[2])) for match in stations if match is not None]
    assert [what for what, _ in told] == ["detected", "asked", "clicked", "moved", "proven", "done"]
    seconds = dict(told)
    assert list(seconds.values()) == sorted(seconds.values())
    assert seconds["clicked"] - seconds["asked"] >= 20  # so long olga thought
    assert lines[-1] == f"{seconds['proven'] - seconds['clicked']:.1f} s from yes to proof"
