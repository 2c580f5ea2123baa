"""The last day as the overview tells it: signals of the watch, availability of what is exposed, kept over restarts."""

from datetime import timedelta

import pytest

from bot.engine.availability import Availability
from bot.model.errors import Unreachable
from tests.engine.watched import ADDRESS, GATEWAY, NEXT, Watched, watched
from tests.memory_store import MemoryStore
from tests.office import OLGA, Company


async def looked(office: Watched, minutes: int) -> None:
    """So many minutes with one look at the exposures each."""
    for _ in range(minutes):
        await looking(office).tick()
        office.pass_time(60)


def looking(office: Watched) -> Availability:
    found = office.engine.availability("qa")
    assert found is not None
    return found


async def test_the_watch_leaves_a_trace_of_every_node_and_a_dead_gateway_shows() -> None:
    office = await watched()
    await office.rounds(60)
    office.company.wire.dead.add(ADDRESS[GATEWAY])
    await office.rounds(60)
    (cluster,) = (await office.engine.overview()).clusters
    days = {(day.subject, day.family): day for day in cluster.days}
    assert list(days)[:3] == [(GATEWAY, "data"), (GATEWAY, "machine"), (NEXT, "machine")]
    assert days[GATEWAY, "data"].states[-1] == "bad"
    assert days[NEXT, "machine"].states[-1] == "good"
    assert days[NEXT, "machine"].share == 1.0
    share = days[GATEWAY, "machine"].share
    assert share is not None
    assert 0.3 < share < 0.7


async def test_exposures_are_asked_for_names_and_data() -> None:
    office = await watched()
    await looked(office, 3)
    office.company.wire.dead.add(ADDRESS[GATEWAY])
    await looked(office, 1)
    (exposure,) = (await office.engine.overview()).exposures
    assert (exposure.names, exposure.data) == ("bad", "bad")
    assert exposure.day is not None
    assert exposure.day.share == pytest.approx(0.75)


async def test_the_day_outlives_the_bot() -> None:
    office = await watched()
    await looked(office, 10)
    office.engine = office.company.engine()
    (exposure,) = (await office.engine.overview()).exposures
    assert exposure.day is not None
    assert (exposure.day.share, exposure.data) == (1.0, "good")
    office.pass_time(timedelta(hours=25).total_seconds())
    (exposure,) = (await office.engine.overview()).exposures
    assert exposure.day is not None
    assert not exposure.day.known


async def test_a_cluster_whose_api_is_away_does_not_make_its_exposures_unavailable() -> None:
    office = await watched()
    await looked(office, 1)
    office.company.cluster.away = True
    await looked(office, 1)
    (exposure,) = (await office.engine.overview()).exposures
    assert (exposure.names, exposure.data) == ("good", "good")


async def test_what_was_just_exposed_is_looked_at_soon_and_everything_else_in_its_time() -> None:
    office = Watched()
    availability = looking(office)
    await availability.tick()
    assert not await availability.due()
    await office.expose()
    assert await availability.due()
    await availability.tick()
    assert not await availability.due()
    office.pass_time(60)
    assert await availability.due()


async def test_a_gateway_in_trouble_is_a_reason_to_look_and_the_last_look_tells_what_is_so_now() -> None:
    office = await watched()
    await looking(office).tick()
    office.company.wire.dead.add(ADDRESS[GATEWAY])
    await office.rounds(5)
    assert await looking(office).due()
    await looking(office).tick()
    (exposure,) = (await office.engine.overview()).exposures
    assert (exposure.names, exposure.data) == ("bad", "bad")
    await office.click(await office.asked(), OLGA)
    assert await looking(office).due()
    await looking(office).tick()
    (exposure,) = (await office.engine.overview()).exposures
    assert (exposure.names, exposure.data) == ("good", "good")


async def test_others_see_a_look_at_once() -> None:
    office = await watched()
    await looking(office).tick()
    (exposure,) = (await office.company.engine(instance="other").overview()).exposures
    assert (exposure.names, exposure.data) == ("good", "good")


async def test_only_one_of_several_bots_looks() -> None:
    office = await watched()
    other = office.company.engine(instance="other").availability("qa")
    assert other is not None
    assert await looking(office).leads()
    assert not await other.leads()


class Forgetful(MemoryStore):
    """Takes no samples."""

    async def keep_sample(self, stream: str, minute: int, body: str, oldest: int) -> None:
        raise Unreachable("store", "away")

    async def samples(self, stream: str, since: int) -> list[tuple[int, str]]:
        raise Unreachable("store", "away")


async def test_a_store_that_takes_no_samples_costs_the_picture_and_nothing_else() -> None:
    office = Watched()
    office.engine = office.company.engine(samples=Forgetful(office.company.clock))
    await office.expose()
    await looked(office, 3)
    await office.rounds(60)
    overview = await office.engine.overview()
    assert overview.clusters[0].days == ()
    assert overview.exposures[0].day is not None
    assert not overview.exposures[0].day.known


async def test_nothing_is_asked_while_nothing_is_exposed() -> None:
    company = Company()
    availability = company.engine().availability("qa")
    assert availability is not None
    await availability.tick()
    assert company.contents.samples == {}


async def test_a_clock_that_was_set_back_does_not_hide_what_is_so_now() -> None:
    office = await watched()
    await looked(office, 10)
    await office.engine.overview()
    office.company.wire.dead.add(ADDRESS[GATEWAY])
    office.pass_time(-3600)
    await looking(office).tick()
    (exposure,) = (await office.engine.overview()).exposures
    assert (exposure.names, exposure.data) == ("bad", "bad")
