"""Who is called: the schedule's people, or app.yaml's when the schedule is away; real requests to a real server."""

from dataclasses import replace

from pydantic import SecretStr

from backends.oncall.rotation import Rotation
from backends.oncall.settings import RotationSettings
from lab.oncall.server import Schedule, serving
from tests.engine.watched import RULES, Watched, dead, watched, watched_facts

TOKEN = "the-token"


async def office_with(schedule: Schedule) -> Watched:
    office = await watched()
    settings = RotationSettings.model_validate(
        {
            "url": f"{schedule.url}/oncalls?schedule_ids[]=PNET",
            "format": "pagerduty",
            "token": SecretStr(TOKEN),
            "people": {"POLGA": "U0OLGA0001", "PADA": "U0ADA00001"},
            "timeout_s": 0.5 if schedule.temper == "hangs" else 5,
        }
    )
    rotation = Rotation(settings, office.company.env.monotonic)
    context = replace(office.engine.context, rotations={"qa": rotation})
    office.engine = type(office.engine)(context)
    await office.rounds(4)
    return office


async def test_the_one_who_is_on_call_now_is_called() -> None:
    async with serving(TOKEN) as schedule:
        schedule.levels = {1: ["POLGA"], 2: ["PADA"]}
        office = await office_with(schedule)
        await dead(office)
        assert (await office.asked()).opened.mention == ("U0OLGA0001",)


async def test_a_schedule_that_is_away_costs_nobody_the_call_and_the_message_says_so() -> None:
    async with serving(TOKEN) as schedule:
        schedule.temper = "hangs"
        office = await office_with(schedule)
        await dead(office)
        incident = await office.asked()
        assert incident.opened.mention == RULES.oncall
        assert (
            "Who is on call could not be asked (on-call rotation: no answer within 0.5 s); "
            "the list of app.yaml was called."
        ) in incident.picture.warnings


async def test_an_unanswered_call_goes_to_whoever_is_on_call_then_and_to_the_lists() -> None:
    async with serving(TOKEN) as schedule:
        schedule.levels = {1: ["POLGA"]}
        office = await office_with(schedule)
        await dead(office)
        schedule.levels = {1: ["PADA"]}
        office.pass_time(RULES.escalate_after_s)
        await office.rounds(1)
        (called,) = [
            record.entry.mention
            for record in (await office.asked()).records
            if record.entry.kind == "incident-escalated"
        ]
        assert called == ("U0ADA00001", *RULES.oncall, *RULES.fallback)


async def test_a_notice_asks_the_schedule_nothing() -> None:
    async with serving(TOKEN) as schedule:
        office = await office_with(schedule)
        office.company.cluster.now = watched_facts(node_02={"schedulable": False})
        await office.rounds(2)
        assert (await office.asked()).picture.severity == "notice"
        assert schedule.asked == 0
