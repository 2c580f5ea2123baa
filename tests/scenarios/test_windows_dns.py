"""What a person in the office sees when names are exposed: on simulated Windows DNS servers, by the real client."""

from ipaddress import IPv4Address

from bot.model.commands import Expose, Unexpose
from lab.windows_dns import Zone
from tests.asking import ask, change
from tests.office import REDIS, WEB
from tests.scenarios.windows_office import proof, windows_office

NAME = "web-abc.default.svc.cluster.local"
UNEXPOSE = Unexpose(namespace="default")
OTHER = Expose(namespace="monitoring")  # it has no services, but its zone exists
FROM_THE_ROOT = "nxdomain ."


async def test_a_name_that_somebody_asked_for_too_early_works_at_once_after_expose() -> None:
    async with windows_office("dc1") as office:
        assert await office.look_up(NAME) == FROM_THE_ROOT
        cached = office.servers["dc1"].server.cache.view()
        assert len(list(cached)) > 0  # for 15 minutes, unless somebody clears it
        assert (await change(office.engine)).state == "done"
        assert await office.look_up(NAME) == str(WEB)
        assert await office.look_up("redis-abc-gns.default.svc.cluster.local") == str(REDIS)
        assert await office.look_up("never-asked.default.svc.cluster.local") == "nxdomain cluster.local"


async def test_after_unexpose_the_name_stops_resolving_at_once() -> None:
    async with windows_office("dc1") as office:
        await change(office.engine)
        assert await office.look_up(NAME) == str(WEB)
        gone = await change(office.engine, UNEXPOSE, "d2")
        assert gone.state == "done"
        assert await office.look_up(NAME) == FROM_THE_ROOT
        assert office.servers["dc1"].zone() is None


async def test_a_plan_right_after_the_apply_is_empty_whatever_the_settings_say_of_forwarders() -> None:
    async with windows_office("dc1", forwarder={"timeout_s": 7, "recursion": True}) as office:
        assert (await change(office.engine)).state == "done"
        held = office.servers["dc1"].zone()
        assert held is not None
        assert (held.timeout, held.use_recursion) == (7, True)
        assert (await ask(office.engine, delivery="d2")).state == "nothing-to-do"


async def test_every_server_that_is_written_to_is_proven() -> None:
    async with windows_office("dc1", "dc2") as office:
        for server in ("dc1", "dc2"):
            assert await office.look_up(NAME, server) == FROM_THE_ROOT
        assert (await change(office.engine)).state == "done"
        for server in ("dc1", "dc2"):
            assert await office.look_up(NAME, server) == str(WEB)


async def test_when_only_one_of_two_resolves_the_result_says_which_one_lags() -> None:
    async with windows_office("dc1", "dc2") as office:
        for server in ("dc1", "dc2"):
            assert await office.look_up(NAME, server) == FROM_THE_ROOT
        # The forwarder is made there, but what the server remembers stays.
        office.servers["dc2"].server.faults.add("error", "Clear-DnsServerCache", code=5, count=10)
        failed = await change(office.engine)
        assert failed.state == "rolled-back"
        passed = {result.what: result.passed for result in proof(failed).results}
        assert (passed[f"dc1 resolves {NAME}"], passed[f"dc2 resolves {NAME}"]) == (True, False)
        said = failed.entries[-1].reason  # type: ignore[union-attr]
        assert f"dc2 resolves {NAME}: NXDOMAIN (SOA .)" in said
        assert "dc1" not in said
        assert [dc.zone() for dc in office.servers.values()] == [None, None]


async def test_a_forwarder_that_spreads_by_active_directory_is_waited_for() -> None:
    async with windows_office("dc1", "dc2", replication_s=120) as office:
        assert (await change(office.engine, OTHER, "d0")).state == "done"
        done = await change(office.engine)
        assert done.state == "done"
        assert office.servers["dc2"].writes() == []
        assert await office.look_up("redis-abc-gns.default.svc.cluster.local", "dc2") == str(REDIS)
        gone = await change(office.engine, UNEXPOSE, "d2")
        assert gone.state == "done"
        assert office.servers["dc2"].zone() is None


async def test_every_server_of_the_office_forgets_what_it_was_asked_too_early() -> None:
    """Also those that learn the forwarder from another one: each has a cache of its own."""
    async with windows_office("dc1", "dc2", replication_s=120, forgets=True) as office:
        for server in ("dc1", "dc2"):
            assert await office.look_up(NAME, server) == FROM_THE_ROOT
        done = await change(office.engine)
        assert done.state == "done"
        assert done.plan is not None
        assert "dc2 learns the forwarder from dc1, within 300 s. Its cache is cleared then." in done.plan.warnings
        assert office.servers["dc2"].writes() == ["Clear-DnsServerCache"]  # once, and nothing else
        for server in ("dc1", "dc2"):
            assert await office.look_up(NAME, server) == str(WEB)
        [told] = [result for result in proof(done).results if result.what.startswith("dc2 ")]
        assert told.evidence.endswith("its cache was cleared")
        assert (await change(office.engine, UNEXPOSE, "d2")).state == "done"
        assert await office.look_up(NAME) == FROM_THE_ROOT
        # It has no way to the cluster any more; its answer from before is gone, too.
        assert await office.look_up(NAME, "dc2") == "servfail None"
        await office.servers["dc2"].server.clock.advance(120)
        assert await office.look_up(NAME, "dc2") == FROM_THE_ROOT


async def test_a_replica_that_nobody_can_clear_remembers_and_the_plan_says_so() -> None:
    async with windows_office("dc1", "dc2", replication_s=120) as office:
        assert await office.look_up(NAME, "dc2") == FROM_THE_ROOT
        done = await change(office.engine)
        assert done.state == "done"
        assert done.plan is not None
        assert any("may stay unknown there for up to 15 minutes" in warning for warning in done.plan.warnings)
        assert await office.look_up(NAME, "dc2") == FROM_THE_ROOT


async def test_a_cache_that_cannot_be_cleared_is_told_of_and_stops_nothing() -> None:
    async with windows_office("dc1", "dc2", replication_s=120, forgets=True) as office:
        office.servers["dc2"].server.faults.add("error", "Clear-DnsServerCache", code=5, count=10)
        done = await change(office.engine)
        assert done.state == "done"
        [told] = [result for result in proof(done).results if result.what.startswith("dc2 ")]
        assert told.passed
        assert "its cache could not be cleared" in told.evidence
        assert "WIN32 5" in told.evidence


async def test_a_server_that_does_not_learn_in_time_is_named_and_nothing_stays_behind() -> None:
    async with windows_office("dc1", "dc2", replication_s=3600, patience_s=60) as office:
        failed = await change(office.engine)
        assert failed.state == "rolled-back"
        assert "dc2 gets its answers from the cluster: NXDOMAIN (SOA .)" in failed.entries[-1].reason  # type: ignore[union-attr]
        assert office.servers["dc1"].zone() is None


async def test_a_server_that_goes_on_forwarding_after_unexpose_is_named() -> None:
    async with windows_office("dc1", "dc2", replication_s=120, patience_s=150) as office:
        # Another namespace keeps the path open; otherwise the lagging server would get no answer from the cluster.
        assert (await change(office.engine, OTHER, "d0")).state == "done"
        assert (await change(office.engine)).state == "done"
        directory = office.servers["dc1"].server.directory
        assert directory is not None
        directory.delay = 3600
        failed = await change(office.engine, UNEXPOSE, "d2")
        assert failed.state == "rolled-back"
        said = failed.entries[-1].reason  # type: ignore[union-attr]
        assert "dc2 no longer forwards default.svc.cluster.local: NXDOMAIN (SOA cluster.local)" in said


async def test_a_zone_that_would_answer_in_the_forwarders_place_ends_the_planning() -> None:
    async with windows_office("dc1") as office:
        office.servers["dc1"].server.zones.put(Zone(name="cluster.local", type="Primary"))
        operation = await ask(office.engine)
        assert operation.state == "unplannable"
        assert "dc1: it holds the primary zone cluster.local itself" in operation.entries[-1].reason  # type: ignore[union-attr]


async def test_a_server_that_forwards_nothing_ends_the_planning() -> None:
    """Recursion switched off switches forwarders off, too: no plan, instead of a change that is taken back."""
    async with windows_office("dc1") as office:
        office.servers["dc1"].server.settings.recursion = False
        operation = await ask(office.engine)
        assert operation.state == "unplannable"
        assert "dc1: recursion is switched off there" in operation.entries[-1].reason  # type: ignore[union-attr]


async def test_a_server_outside_any_directory_cannot_keep_forwarders_there() -> None:
    async with windows_office("dc1", storage="domain") as office:
        office.servers["dc1"].server.settings.has_directory = False
        operation = await ask(office.engine)
        assert operation.state == "unplannable"
        assert "`storage: domain` cannot work" in operation.entries[-1].reason  # type: ignore[union-attr]


async def test_a_forwarder_that_loses_names_to_the_new_one_is_told_of_in_the_plan() -> None:
    async with windows_office("dc1") as office:
        office.servers["dc1"].server.zones.put(Zone(name="cluster.local", masters=["10.1.1.1"]))
        plan = (await ask(office.engine)).plan
        assert plan is not None
        assert any("dc1: it sends cluster.local to 10.1.1.1 so far" in warning for warning in plan.warnings)


async def test_the_forwarder_points_at_kube_dns() -> None:
    async with windows_office("dc1") as office:
        await change(office.engine)
        held = office.servers["dc1"].zone()
        assert held is not None
        assert [IPv4Address(master) for master in held.masters] == [IPv4Address("10.68.0.2")]
