"""The Home tab: what one person sees and may press, kept current."""

from typing import Any

from bot.model.people import Person
from handlers.app import http_session
from handlers.home import Homes
from handlers.pictures import Pictures
from handlers.web_api import web_client
from lab.slack import people
from lab.slack.model import TEAM
from tests.engine.watched import ADDRESS, GATEWAY, NEXT
from tests.scenarios.chat import chat, expose_asked, home, made_long, settings_for, watched_chat


def labels(view: dict[str, Any]) -> list[str]:
    return [button["label"] for button in view["buttons"]]


async def test_everybody_sees_the_same_state_and_only_the_buttons_that_are_theirs(transport: str) -> None:
    async with chat(transport) as room:
        await expose_asked(room)
        for by in ("dana", "omar", "gus"):
            await room.slack.open_home(by=by)
        dana = await home(room, "dana", "Your roles: developer")
        assert labels(dana) == ["Ask for a change", "Refresh"]
        assert "To confirm you need the role operator or admin" in dana["plain"]
        assert "+ forwarder default.svc.cluster.local" in dana["plain"]
        omar = await home(room, "omar", "Your roles: operator")
        assert labels(omar) == ["Ask for a change", "Refresh", "Confirm", "Cancel"]
        assert "gateway k8s-qa-node-02" in omar["plain"]
        assert labels(await home(room, "gus", "You may not use k8snet: guests may not")) == []


async def test_a_yes_on_the_home_tab_counts_like_one_on_the_card_and_both_are_brought_up_to_date(
    transport: str,
) -> None:
    async with chat(transport) as room:
        await expose_asked(room)
        await room.slack.open_home()
        await home(room, "omar", "asked by @dana")
        await room.slack.post("click", "omar", surface="home", label="Confirm")
        await room.slack.until(contains="applied and proven")
        view = await home(room, "omar", "Done: 10 steps applied and proven")
        assert "default on qa → office hq" in view["plain"]
        assert "Confirm" not in labels(view)


async def test_a_refusal_on_the_home_tab_is_told_there(transport: str) -> None:
    async with chat(transport) as room:
        await expose_asked(room)
        await room.slack.open_home()
        await home(room, "omar", "asked by @dana")
        await room.slack.post("group", None, group="net-operators", users=["olga"])
        await room.slack.post("click", "omar", surface="home", label="Confirm")
        await home(room, "omar", "To confirm you need the role operator or admin")
        assert not room.company.firewall.writes


async def test_the_home_tab_opens_the_form_and_the_card_goes_where_the_person_says(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.open_home(by="dana")
        await home(room, "dana", "Your roles: developer")
        await room.slack.post("click", "dana", surface="home", label="Ask for a change")
        await room.slack.logged(kind="api", name="views.update")
        await room.slack.submit({"namespace": "default", "channel": "net-ops"}, by="dana")
        await room.slack.until(contains="waits for a yes")


async def test_a_long_plan_is_confirmed_on_its_card_only(transport: str) -> None:
    async with chat(transport) as room:
        made_long(room)
        await expose_asked(room)
        await room.slack.open_home()
        view = await home(room, "omar", "Too long to be confirmed here")
        assert "Confirm" not in labels(view)


async def test_an_incident_is_answered_on_the_home_tab_by_those_who_may(transport: str) -> None:
    async with watched_chat(transport) as room:
        room.company.wire.dead.add(ADDRESS[GATEWAY])
        asked = await room.slack.until(contains="The gateway of qa is down")
        for by in ("dana", "olga"):
            await room.slack.open_home(by=by)
        dana = await home(room, "dana", "The gateway of qa needs an answer")
        assert "To fail over you need the role oncall or admin on cluster qa" in dana["plain"]
        assert not [label for label in labels(dana) if label.startswith("Fail over")]
        await home(room, "olga", "The gateway of qa needs an answer")
        await room.slack.post("click", "olga", surface="home", label=f"Fail over to {NEXT}")
        moved = await room.slack.until(contains="The gateway of qa was down")
        assert moved.ts == asked.ts
        olga = await home(room, "olga", "Last incidents")
        assert f"{GATEWAY} of qa down for" in olga["plain"]
        assert not [label for label in labels(olga) if label.startswith("Fail over")]


async def test_nobody_is_shown_again_what_they_see_already() -> None:
    async with chat() as room, http_session() as session:

        async def published() -> int:
            entries = await room.slack.transcript()
            return sum((entry["kind"], entry["name"]) == ("api", "views.publish") for entry in entries)

        client = web_client(settings_for(room.workspace, "socket"), session)
        homes, omar = (
            Homes(room.engine, client, Pictures(client, room.engine.context.env.spawn)),
            Person(team=TEAM, user=people.OMAR),
        )
        await homes.open(omar)
        await homes.publish(omar, picture=await room.engine.overview())
        assert await published() == 1
        room.company.wire.dead.add(ADDRESS[GATEWAY])
        await homes.publish(omar, picture=await room.engine.overview())
        assert await published() == 2
        assert "DOES NOT ANSWER" in (await home(room, "omar", GATEWAY))["plain"]
