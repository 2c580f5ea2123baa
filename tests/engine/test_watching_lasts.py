"""The watch outlives what happens around it."""

from ipaddress import IPv4Address

from bot.model.probes import PingAnswer
from tests.engine.watched import ADDRESS, watched, watched_facts
from tests.virtual import START


async def test_a_node_that_leaves_the_cluster_in_the_middle_of_a_look_does_not_end_the_watch() -> None:
    office = await watched()
    office.company.cluster.now = watched_facts(**{f"node_{name[-2:]}": {"lease_renewed": START} for name in ADDRESS})
    await office.rounds(2)
    ping = office.company.wire.ping

    async def scaled_down(address: IPv4Address, timeout_s: float) -> PingAnswer:
        now = office.company.cluster.now
        if len(now.nodes) == len(ADDRESS):
            office.company.cluster.now = now.model_copy(update={"nodes": now.nodes[:-1]})
            await office.watch.sampler.refresh()
        return await ping(address, timeout_s)

    office.company.wire.ping = scaled_down  # type: ignore[method-assign]  # the autoscaler waits for nobody
    await office.watch.turn()
    assert office.watch.leading
