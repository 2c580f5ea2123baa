"""What a change costs at the firewall: how many round trips one after the other, whatever the speed of the machine."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.engine.checking.check import check
from bot.engine.targets import Foresees
from bot.model.commands import Check, Expose, Unexpose
from bot.model.facts import ClusterFacts
from bot.model.resources import Key
from bot.model.site import CheckLimits
from lab.fortigate import article
from lab.fortigate.device import Device
from lab.fortigate.server import Latency, Server, running
from tests.backends.fortigate.at_work import Work
from tests.backends.fortigate.objects import wishes
from tests.backends.fortigate.rounds import Rounds
from tests.contract.fortigate_subject import TOKEN

EXPOSE, UNEXPOSE = Expose(namespace="default"), Unexpose(namespace="default")
# Each table; free row numbers; names that are meant; what stands before policies, policy routes among it.
LOOK, ROWS, NAMES, ORDER = 3, 2, 3, 4
PLAN = LOOK + ROWS + NAMES + ORDER  # side by side
# Five addresses, two routes, two policies, of which the next kind's first write goes beside the read-back.
WRITES = [1, 1, 1, 1, 1, 2, 1, 2, 1]
REMOVALS = [1, 1, 2, 1, 2, 1, 1, 1, 1]
READ_BACK = 1


@pytest.fixture
def rounds() -> Rounds:
    return Rounds()


@pytest.fixture
async def server(rounds: Rounds) -> AsyncIterator[Server]:
    async def arrived(_: float) -> None:
        await rounds.complete()

    device = Device.from_json(article.state(TOKEN))
    async with running(device, latency=Latency(1.0, 1.0), sleep=arrived) as server:
        yield server


@pytest.fixture
async def bot(work: Any) -> Work:
    """A bot that has planned before: it knows the firewall's release, and that it saves by itself."""
    bot: Work = work()
    target = bot.engine.context.targets["fw"]
    await target.read([Key(kind="address", name="k8snet")])
    assert isinstance(target, Foresees)
    await target.foresee(wishes())
    return bot


async def test_a_first_exposure_waits_for_its_writes_and_three_round_trips(bot: Work, rounds: Rounds) -> None:
    """To plan; at the yes, what the plan is compared with and what the writes are; the last read-back."""
    rounds.left = [PLAN, LOOK + ROWS + LOOK, *WRITES, READ_BACK]
    assert len(rounds.left) == len(WRITES) + 3
    operation = await bot.change(EXPOSE)
    assert operation.state == "done", operation.entries[-1]
    assert rounds.left == []
    assert len(bot.server.api.audit) == len(WRITES)


async def test_exposing_again_waits_for_one_round_trip(bot: Work, rounds: Rounds) -> None:
    await bot.change(EXPOSE)
    rounds.left = [LOOK + ORDER]
    assert (await bot.ask(EXPOSE)).state == "nothing-to-do"
    assert rounds.left == []


async def test_moving_a_policy_back_waits_for_the_move_and_six_round_trips(bot: Work, rounds: Rounds) -> None:
    """To plan, also what the names in the deny mean; at the yes the same again, and the order; right before the move
    and after it the order once more."""
    await bot.change(EXPOSE)
    rows = {row["name"]: row["policyid"] for row in bot.device.rows("firewall/policy")}
    bot.device.create("firewall/policy", {
        "policyid": 50, "name": "no-clusters", "srcintf": [{"name": "any"}], "dstintf": [{"name": "any"}],
        "srcaddr": [{"name": "all"}], "dstaddr": [{"name": "all"}], "service": [{"name": "ALL"}], "schedule": "always",
    })  # fmt: skip
    bot.device.move("firewall/policy", rows["k8snet-qa-hq"], 50, after=True)
    meanings = 3
    rounds.left = [LOOK + ORDER, meanings, LOOK + ORDER + 1, meanings, 1, 1, 1]
    assert (await bot.change(EXPOSE)).state == "done"
    assert rounds.left == []


async def test_taking_it_back_waits_for_its_writes_and_three_round_trips(bot: Work, rounds: Rounds) -> None:
    await bot.change(EXPOSE)
    rounds.left = [LOOK, LOOK + LOOK, *REMOVALS, READ_BACK]
    assert len(rounds.left) == len(REMOVALS) + 3
    assert (await bot.change(UNEXPOSE)).state == "done"
    assert rounds.left == []


async def test_what_was_found_made_by_hand_costs_no_round_trip_of_its_own(bot: Work, rounds: Rounds) -> None:
    bot.device.create("firewall/address", {"name": "office-hq", "subnet": "172.16.0.0/24"})
    await bot.change(EXPOSE)
    rounds.left = [LOOK + ORDER]
    assert (await bot.ask(EXPOSE)).state == "nothing-to-do"
    assert rounds.left == []


async def test_a_cluster_that_was_seen_before_is_not_waited_for(bot: Work, rounds: Rounds) -> None:
    await bot.ask(EXPOSE)
    rounds.left = [PLAN]
    answered = asyncio.Event()
    rounds.whole = answered.set
    facts = bot.cluster.facts

    async def late() -> ClusterFacts:
        await answered.wait()
        return await facts()

    bot.cluster.facts = late  # type: ignore[method-assign]  # a cluster slower than the firewall
    assert (await bot.ask(EXPOSE)).state == "awaiting"
    assert rounds.left == []


async def test_a_guess_that_was_wrong_costs_one_round_trip_and_nothing_else(bot: Work, rounds: Rounds) -> None:
    """The route is there already, made by hand: less is needed than was asked for."""
    route = {"seq-num": 7, "dst": "10.68.0.0/16", "gateway": "172.16.1.106", "device": "Test"}
    bot.device.create("router/static", route)
    rounds.left = [PLAN, ROWS + NAMES]  # free row numbers and what is foretold, for less than was guessed
    operation = await bot.ask(EXPOSE)
    assert operation.state == "awaiting", operation.entries[-1]
    assert operation.plan is not None
    assert [str(found.key) for found in operation.plan.found] == ["route 10.68.0.0/16"]
    assert [step.after.row for step in operation.plan.steps if step.key.kind == "route"] == [1000]
    assert rounds.left == []


async def test_a_check_of_what_is_well_waits_for_two_round_trips(bot: Work, rounds: Rounds) -> None:
    """What it holds, its routes and policy routes, its policies; then the names of those that decide."""
    await bot.change(EXPOSE)
    routes, policy_routes, policies, that_decide = 3, 1, 4, 3
    rounds.left = [LOOK + routes + policy_routes + policies, that_decide]
    report = await check(bot.engine.context, Check(name="redis-abc-gns.default"), CheckLimits())
    assert report.verdict == "passed", report.findings
    assert rounds.left == []
