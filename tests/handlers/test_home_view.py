"""The Home tab block for block: who sees what, and who may press what."""

import json

import pytest

from bot.model.commands import Unexpose
from handlers.drawing.overview import scenes
from handlers.views.answers import overview_view
from handlers.views.blocks import Block, image
from handlers.views.home import Waiting, home_view, refused_view
from tests.engine.watched import ADDRESS, GATEWAY, Watched, watched
from tests.golden import assert_golden, in_every_language
from tests.office import ADA, DANA, OLGA, OMAR

STATES = ("quiet", "incident", "incident-without-right", "after-incident", "waiting")


async def story(name: str) -> tuple[Watched, Block]:
    office = await watched()
    availability = office.engine.availability("qa")
    assert availability is not None
    await availability.tick()
    person = {"incident": OLGA, "after-incident": ADA, "waiting": OMAR}.get(name, DANA)
    if "incident" in name:
        office.company.wire.dead.add(ADDRESS[GATEWAY])
        await office.rounds(5)
        await availability.tick()
    if name == "after-incident":
        office.pass_time(20)
        await office.click(await office.asked(), OLGA)
        await office.rounds(5)
    if name == "waiting":
        await office.engine.request(Unexpose(namespace="default"), DANA, "C1", "d1")
    engine, picture = office.engine, await office.engine.overview()
    pending = [one for one in picture.under_way if one.state == "awaiting"]
    return office, home_view(
        roles=await engine.roles(person),
        permissions=await engine.permissions(person),
        waiting=[Waiting(operation=one, why_not=await engine.why_not(one, person)) for one in pending],
        picture=picture,
        latest=(await engine.history())[:5],
        why_not={
            cluster.incident.id: await engine.why_not_answer(cluster.incident, person)
            for cluster in picture.clusters
            if cluster.incident is not None
        },
        pictures={name: image(f"F-{name}", one.alt) for name, one in scenes(picture).items()},
    )


@pytest.mark.parametrize("name", STATES)
@in_every_language
async def test_the_home_tab(name: str) -> None:
    _, view = await story(name)
    assert_golden(f"home-{name}", ("", view["blocks"]))
    assert len(view["blocks"]) <= 100
    assert len(json.dumps(view)) < 250_000


@in_every_language
def test_the_home_tab_of_somebody_refused() -> None:
    assert_golden("home-refused", ("", refused_view("guests may not")["blocks"]))


async def test_only_whose_click_would_count_has_buttons_for_an_incident() -> None:
    def failovers(view: Block) -> list[str]:
        elements = [one for block in view["blocks"] if block["type"] == "actions" for one in block["elements"]]
        return [one["action_id"] for one in elements if one["action_id"].startswith(("failover", "snooze", "planned"))]

    assert failovers((await story("incident"))[1]) == ["failover-0", "failover-1", "failover-2", "snooze", "planned"]
    assert failovers((await story("incident-without-right"))[1]) == []


@in_every_language
async def test_status_tells_the_last_day_in_words() -> None:
    office, _ = await story("incident")
    assert_golden("status-incident", overview_view(await office.engine.overview()))
