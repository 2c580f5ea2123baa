"""A look ahead saves the look before the first write; whatever is not exactly that moment is looked at again."""

from typing import Any

import pytest

from bot.engine.targets import LooksAhead
from tests.backends.fortigate.conftest import Office, ours, step
from tests.backends.fortigate.objects import PODS, SERVICES

LOOK, WRITE, READ_BACK = 1, 1, 1
MAKE = step(None, ours(PODS))


@pytest.fixture(autouse=True)
async def _known(office: Office) -> None:
    """The device has told its release."""
    await office.target.read([PODS.key])


async def apply(office: Office, *steps: Any) -> tuple[list[str], int]:
    """The outcomes, and how many requests they took."""
    before = office.requests()
    outcomes = await office.target.apply_all(steps or [MAKE])
    return [outcome.kind for outcome in outcomes], office.requests() - before


async def test_the_same_steps_at_once_need_no_look_of_their_own(office: Office) -> None:
    assert isinstance(office.target, LooksAhead)
    await office.target.look_ahead([MAKE])
    assert await apply(office) == (["applied"], WRITE + READ_BACK)
    assert await apply(office) == (["already"], LOOK)  # and it serves once


async def test_what_a_look_ahead_saw_is_refused_without_another(office: Office) -> None:
    office.device.create("firewall/address", {"name": PODS.name, "subnet": "192.0.2.0/24"})
    await office.target.look_ahead([MAKE])
    assert await apply(office) == (["refused"], 0)
    assert office.writes == []


async def test_a_device_that_changed_after_the_look_is_still_not_overwritten(office: Office) -> None:
    """Between a look and a write somebody else can always be quicker; the device then refuses a second row."""
    await office.target.look_ahead([MAKE])
    office.device.create("firewall/address", {"name": PODS.name, "subnet": "192.0.2.0/24"})
    kinds, _ = await apply(office)
    assert kinds == ["refused"]
    assert office.row("firewall/address", "name", PODS.name)["subnet"] == "192.0.2.0 255.255.255.0"


async def test_an_old_look_does_not_count(office: Office) -> None:
    await office.target.look_ahead([MAKE])
    office.clock.time += 1.0
    assert await apply(office) == (["applied"], LOOK + WRITE + READ_BACK)


async def test_a_look_for_other_steps_does_not_count(office: Office) -> None:
    await office.target.look_ahead([step(None, ours(SERVICES))])
    assert await apply(office) == (["applied"], LOOK + WRITE + READ_BACK)


async def test_a_look_before_another_batch_does_not_count(office: Office) -> None:
    remove = MAKE.inverse()
    await apply(office)
    await office.target.look_ahead([remove])
    await apply(office, step(None, ours(SERVICES)))
    assert await apply(office, remove) == (["applied"], LOOK + WRITE + READ_BACK)


async def test_a_look_ahead_that_fails_is_made_again(office: Office) -> None:
    office.server.faults.arm("refuse", method="GET", path="*/firewall/address", count=2)  # a read is tried twice
    await office.target.look_ahead([MAKE])
    assert await apply(office) == (["applied"], LOOK + WRITE + READ_BACK)
