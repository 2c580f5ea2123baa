"""Several steps at once: their cost, their order, and where they end when one cannot be done."""

import pytest

from tests.backends.fortigate.conftest import Office, Open, ours, step
from tests.backends.fortigate.objects import PODS, SERVICES, everything
from tests.backends.fortigate.rounds import Rounds


async def test_a_first_exposure_costs_its_writes_and_three_round_trips(office_with: Open) -> None:
    wishes = everything()
    steps = [step(None, wish) for wish in wishes]
    release, look, four_addresses = [1], [3], [1] * 4
    # The addresses are read back beside the first route, the routes beside the first policy.
    rounds = Rounds([*release, *look, *four_addresses, 2, 1, 2, 1, 1, 1])
    assert len(rounds.left) == len(wishes) + 3
    office = await office_with(rounds=rounds)
    assert {outcome.kind for outcome in await office.target.apply_all(steps)} == {"applied"}
    assert rounds.left == []
    assert len(office.writes) == len(wishes)


async def test_what_a_first_exposure_wrote_is_there(office: Office) -> None:
    wishes = everything()
    assert {outcome.kind for outcome in await office.target.apply_all([step(None, wish) for wish in wishes])} == {
        "applied"
    }
    # One for the release, one look for each table, and one read-back for each table.
    assert office.requests() == 1 + 3 + len(wishes) + 3
    assert await office.target.read([wish.key for wish in wishes]) == {wish.key: wish for wish in wishes}


async def test_taking_it_all_back_costs_the_writes_and_two_round_trips(office_with: Open) -> None:
    steps = [step(None, wish) for wish in everything()]
    expose, look, three_policies = [1, 3, *[1] * 4, 2, 1, 2, 1, 1, 1], [3], [1] * 3
    rounds = Rounds([*expose, *look, *three_policies, 2, 1, 2, 1, 1, 1, 1])
    assert len(rounds.left) - len(expose) == len(steps) + 2
    office = await office_with(rounds=rounds)
    await office.target.apply_all(steps)
    outcomes = await office.target.apply_all([one.inverse() for one in reversed(steps)])
    assert {outcome.kind for outcome in outcomes} == {"applied"}
    assert rounds.left == []


async def test_a_policy_is_not_begun_before_its_addresses_were_seen(office: Office) -> None:
    office.server.faults.arm("no-effect", method="POST", path="*/firewall/address")
    outcomes = await office.target.apply_all([step(None, wish) for wish in everything()])
    assert outcomes[0].kind == "unknown"
    assert {outcome.kind for outcome in outcomes[6:]} == {"skipped"}
    assert not any("firewall/policy" in entry.target for entry in office.writes)


async def test_nothing_more_is_begun_once_a_read_back_tells_of_trouble(office: Office) -> None:
    """The last address is not there, which comes to light while the routes are written."""
    office.server.faults.arm("no-effect", method="POST", path="*/firewall/address", after=3)
    outcomes = await office.target.apply_all([step(None, wish) for wish in everything()])
    assert [outcome.kind for outcome in outcomes[:4]] == ["applied"] * 3 + ["unknown"]
    assert {outcome.kind for outcome in outcomes[4:6]} <= {"applied", "skipped"}
    assert {outcome.kind for outcome in outcomes[6:]} == {"skipped"}


async def test_doing_it_again_looks_once_and_writes_nothing(office: Office) -> None:
    steps = [step(None, wish) for wish in everything()]
    await office.target.apply_all(steps)
    writes, requests = len(office.writes), office.requests()
    assert {outcome.kind for outcome in await office.target.apply_all(steps)} == {"already"}
    assert len(office.writes) == writes
    assert office.requests() - requests == 3  # side by side: one round trip deep


async def test_taking_it_all_back_leaves_the_device_as_it_was(office: Office) -> None:
    before = {table: office.device.rows(table) for table in ("firewall/address", "router/static", "firewall/policy")}
    steps = [step(None, wish) for wish in everything()]
    await office.target.apply_all(steps)
    outcomes = await office.target.apply_all([one.inverse() for one in reversed(steps)])
    assert {outcome.kind for outcome in outcomes} == {"applied"}
    assert {table: office.device.rows(table) for table in before} == before


async def test_if_one_step_cannot_be_done_none_is_begun(office: Office) -> None:
    office.device.create("firewall/address", {"name": SERVICES.name, "subnet": "10.99.0.0/16"})
    steps = [step(None, wish) for wish in everything()]
    outcomes = await office.target.apply_all(steps)
    assert [outcome.kind for outcome in outcomes] == ["skipped", "refused", *["skipped"] * 7]
    assert "another address k8snet-qa-services is there" in outcomes[1].detail
    assert all("not attempted because of address k8snet-qa-services" in outcomes[n].detail for n in (0, 2, 8))
    assert office.writes == []


async def test_the_first_failure_ends_the_rest(office: Office) -> None:
    office.server.faults.arm("table-full", method="POST", path="*/router/static", after=1)
    outcomes = await office.target.apply_all([step(None, wish) for wish in everything()])
    assert [outcome.kind for outcome in outcomes] == ["applied"] * 5 + ["refused"] + ["skipped"] * 3
    assert "table is full" in outcomes[5].detail
    assert "not attempted because of route 10.69.0.0/16" in outcomes[6].detail


async def test_nothing_leaves_after_its_time(office: Office) -> None:
    outcomes = await office.target.apply_all([step(None, ours(PODS)), step(None, ours(SERVICES))], lambda: False)
    assert [outcome.kind for outcome in outcomes] == ["refused", "skipped"]
    assert "time was over" in outcomes[0].detail
    assert office.writes == []


async def test_time_that_runs_out_between_two_writes_stops_the_second(office_with: Open) -> None:
    office = await office_with(arriving=lambda n: n == 3 and setattr(office.clock, "time", 2000.0))
    steps = [step(None, ours(PODS)), step(None, ours(SERVICES))]
    outcomes = await office.target.apply_all(steps, lambda: office.clock.monotonic() < 1500.0)
    assert [outcome.kind for outcome in outcomes] == ["applied", "refused"]
    assert len(office.writes) == 1


async def test_one_resource_twice_is_a_mistake_of_the_caller(office: Office) -> None:
    with pytest.raises(ValueError, match="fresh look"):
        await office.target.apply_all([step(None, ours(PODS)), step(ours(PODS), None)])
