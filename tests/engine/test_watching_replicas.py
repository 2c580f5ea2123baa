"""Two bots, two connections, one real Redis: one of them watches, and the other takes over without a second message."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from pydantic import SecretStr

from backends.store import StoreSettings, open_store
from bot.engine.engine import Engine
from bot.engine.watching import GatewayWatch
from bot.model.commands import Expose
from tests.asking import change
from tests.engine.watched import ADDRESS, GATEWAY, RULES, Watched
from tests.office import OLGA
from tests.redis_server import RedisServer


class Replicas:
    """Both bots in one company, and a hand on both their clocks."""

    def __init__(self, office: Watched, engines: list[Engine]) -> None:
        self.office, self.engines = office, engines
        self.looks: Counter[int] = Counter()

    @property
    def watches(self) -> list[GatewayWatch]:
        return [watch for engine in self.engines if (watch := engine.watch("qa")) is not None]

    async def rounds(self, count: int, alive: tuple[int, ...] = (0, 1)) -> None:
        """So many looks of every living bot, all at the same time."""
        for _ in range(count):
            await asyncio.gather(*(self.watches[number].sampler.refresh() for number in alive))
            await asyncio.gather(*(self.watches[number].turn() for number in alive))
            self.looks.update(number for number in alive if self.watches[number].leading)
            for engine in self.engines:
                engine.context.env.time += timedelta(seconds=RULES.interval_s)  # type: ignore[attr-defined]


@pytest.fixture
async def replicas(redis_server: RedisServer, request: pytest.FixtureRequest) -> AsyncIterator[Replicas]:
    async with AsyncExitStack() as stack:
        office, engines = Watched(), []
        for name in ("one", "other"):
            settings = StoreSettings(url=SecretStr(redis_server.url()), prefix=f"t{abs(hash(request.node.name))}")
            store = await open_store(settings)
            stack.push_async_callback(store.close)
            office.company.env.time = await store.now()  # which decides whether a plan has expired
            engines.append(office.company.engine(store, instance=name))
        office.engine = engines[1]
        await change(engines[1], Expose(namespace="default"), "d0")
        yield Replicas(office, engines)


async def test_one_of_two_looks_and_one_message_asks(replicas: Replicas) -> None:
    await replicas.rounds(4)
    replicas.office.company.wire.dead.add(ADDRESS[GATEWAY])
    await replicas.rounds(10)
    assert len(replicas.looks) == 1
    for engine in replicas.engines:
        world = await engine.context.journal.world()
        assert [one.state for one in world.incidents.values()] == ["open"]


async def test_a_bot_that_stops_is_followed_at_once_by_the_other_in_the_same_incident(replicas: Replicas) -> None:
    await replicas.rounds(4)
    (leader,) = replicas.looks
    other = 1 - leader
    replicas.office.company.wire.dead.add(ADDRESS[GATEWAY])
    await replicas.rounds(6)
    await replicas.engines[leader].stop()
    await replicas.rounds(10, alive=(other,))
    assert replicas.looks[other] == 10
    world = await replicas.engines[other].context.journal.world()
    (incident,) = world.incidents.values()
    assert incident.state == "open"
    await replicas.engines[other].fail_over(incident.id, incident.version, incident.picture.eligible[0], OLGA)
    await replicas.engines[other].context.env.idle()  # type: ignore[attr-defined]
    assert (await replicas.engines[leader].context.journal.world()).incidents[incident.id].state == "resolved"


async def test_both_bots_are_clicked_at_and_the_routes_move_once(replicas: Replicas) -> None:
    await replicas.rounds(4)
    replicas.office.company.wire.dead.add(ADDRESS[GATEWAY])
    await replicas.rounds(6)
    (incident,) = (await replicas.engines[0].context.journal.world()).incidents.values()
    node = incident.picture.eligible[0]
    writes = len(replicas.office.firewall.writes)
    clicks = [engine.fail_over(incident.id, incident.version, node, OLGA) for engine in replicas.engines]
    said = await asyncio.gather(*clicks, return_exceptions=True)
    for engine in replicas.engines:
        await engine.context.env.idle()  # type: ignore[attr-defined]
    assert sum(isinstance(one, Exception) for one in said) == 1
    assert len(replicas.office.firewall.writes) == writes + 2
