"""Whatever stands in whatever order: a move changes one place, lets ours take effect, and is undone by one."""

import random
from ipaddress import IPv4Address
from typing import Any

import pytest

from bot.model.resources import Key
from lab.fortigate.packets import TCP, Packet
from tests.backends.fortigate.conftest import Office, step
from tests.backends.fortigate.objects import deny, wishes
from tests.contract.fortigate_subject import refs

KEY = Key(kind="position", name="k8snet-qa-hq")
PACKET = Packet(IPv4Address("172.16.0.10"), IPv4Address("10.68.0.20"), TCP, 1024, 6379)


def order(office: Office) -> list[int]:
    return [row["policyid"] for row in office.device.rows("firewall/policy")]


def scattered(office: Office, dice: random.Random) -> list[int]:
    """Some policies of a person's that deny everything, parts and other things, and ours somewhere among them; answers
    with those that deny everything, in their order."""
    walls = set()
    kinds: list[dict[str, Any]] = [
        {},
        {"service": refs(("HTTP",))},
        {"srcaddr": refs(("dmz-servers",))},
        {"status": "disable"},
        {"srcintf": refs(("dmz",))},
        {"schedule": "none"},
        {"action": "accept", "srcintf": refs(("internal",)), "dstintf": refs(("wan1",))},
    ]
    for number in range(50, 50 + dice.randint(1, 8)):
        kind = dice.choice(kinds)
        deny(office, number, **kind)
        walls |= set() if kind else {number}
    for _ in range(12):
        one, other = dice.sample(order(office), 2)
        office.device.move("firewall/policy", one, other, after=dice.random() < 0.5)
    return [number for number in order(office) if number in walls]


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_the_order_a_move_changes_one_place_and_is_undone_by_one(office: Office, seed: int) -> None:
    dice = random.Random(seed)
    for wish in wishes():
        assert (await office.target.apply(step(None, wish))).kind == "applied"
    for _ in range(4):
        hidden = scattered(office, dice)[:1]
        [one] = (await office.target.precedence(wishes())).values()
        before, deciding = order(office), office.device.evaluate(PACKET, "internal").policy_id
        assert (one.better is None) == (not hidden or before.index(hidden[0]) > before.index(1000))
        if one.better is not None:
            assert deciding != 1000
            assert (await office.target.apply(step(*one.better))).kind == "applied"
            after = order(office)
            assert [number for number in after if number != 1000] == [number for number in before if number != 1000]
            assert after.index(hidden[0]) == after.index(1000) + 1
            assert office.device.evaluate(PACKET, "internal").policy_id == 1000
            assert (await office.target.apply(step(*one.better[::-1]))).kind == "applied"
            assert (await office.target.read([KEY]))[KEY] == one.better[0]
        for number in [number for number in order(office) if 50 <= number < 1000]:
            office.device.delete("firewall/policy", number)
