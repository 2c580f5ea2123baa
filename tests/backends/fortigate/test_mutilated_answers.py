"""An answer in which one value is another than the device would give ends in an answer or an error in words."""

import copy
from collections.abc import Awaitable, Callable
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network
from random import Random
from typing import Any

import pytest

from backends.fortigate.target import FortiGate
from bot.model.errors import BackendError, Unreachable
from bot.model.probes import Packet
from bot.model.resources import Key
from lab.fortigate.call import Answer, Call
from tests.backends.fortigate.conftest import Office, Open, step
from tests.backends.fortigate.objects import POLICY, VERSIONS, deny, wishes
from tests.contract.fortigate_subject import refs

STRANGE: tuple[Any, ...] = (
    None, True, 0, -1, 1 << 70, 1.5, float("nan"), "", "x" * 5000, "0", "\ufffd", [], {}, [[]], [{}], [None], {"a": 1},
    "enable", "9" * 21, "10.0.0.0 255.0.0.0", "::1",
)  # fmt: skip
PC, POD, PODS = IPv4Address("172.16.0.5"), IPv4Address("10.68.0.1"), IPv4Network("10.68.0.0/16")
PACKET = Packet(interface="internal", source=PC, destination=POD, protocol="TCP", port=80)

QUESTIONS: tuple[Callable[[FortiGate], Awaitable[object]], ...] = (
    lambda fw: fw.read([wish.key for wish in wishes()]),
    lambda fw: fw.read([Key(kind="position", name=POLICY.name)]),
    lambda fw: fw.foresee(wishes()),
    lambda fw: fw.precedence(wishes()),
    lambda fw: fw.detours([PACKET]),
    lambda fw: fw.free_rows("policy", 2),
    lambda fw: fw.route(POD),
    lambda fw: fw.policy("internal", PC, POD, "TCP", 80),
    lambda fw: fw.hits(POLICY.name),
    lambda fw: fw.sessions(POD, "TCP", 80),
    lambda fw: fw.open_sessions([POLICY.name], [PODS]),
    lambda fw: fw.clear_sessions([POLICY.name], [PODS], 1),
    lambda fw: fw.apply_all([step(wish, None) for wish in reversed(wishes())]),
)


def mutilated(answer: Any, random: Random) -> Any:
    """The answer with one value, wherever it stands, replaced by another or left out."""
    holder = [copy.deepcopy(answer)]
    places: list[tuple[Any, Any]] = []

    def walk(container: Any) -> None:
        for at in list(container) if isinstance(container, dict) else range(len(container)):
            places.append((container, at))
            if isinstance(container[at], dict | list):
                walk(container[at])

    walk(holder)
    container, at = random.choice(places)
    if isinstance(container, dict) and random.random() < 0.2:
        del container[at]
    else:
        container[at] = copy.deepcopy(random.choice(STRANGE))
    return holder[0]


@pytest.mark.parametrize("version", VERSIONS)
async def test_whatever_stands_in_an_answer_no_error_of_the_language_comes_out(office_with: Open, version: str) -> None:
    office = await office_with({"version": version})
    for wish in wishes():
        assert (await office.target.apply(step(None, wish))).kind == "applied"
    deny(office, srcaddr=refs(("office",)), service=refs(("HTTP", "DNS")))
    office.device.create("router/policy", {"seq-num": 1, "dst": [{"subnet": "10.68.0.0/17"}], "dstaddr": refs(("all",)),
                                           "gateway": "172.16.1.9", "output-device": "Test"})  # fmt: skip
    random, api = Random(version), office.server.api
    whole = api.handle

    def handle(call: Call) -> Answer:
        answer = whole(call)
        if not isinstance(answer.payload, dict) or random.random() < 0.5:
            return answer
        return Answer(answer.status, mutilated(answer.payload, random), answer.content_type)

    api.handle = handle  # type: ignore[method-assign]
    for _ in range(40):
        for ask in QUESTIONS:
            with suppress(BackendError):
                await ask(office.target)


@pytest.mark.parametrize("odd", [{"gateway": "over there"}, {"dst": [{"subnet": "10.68.0.0.0"}]}, {"src": [{}]}])
async def test_a_policy_route_to_no_address_is_an_answer_that_cannot_be_read(
    office: Office, odd: dict[str, Any]
) -> None:
    office.device.create("router/policy", {"seq-num": 1, "gateway": "172.16.1.9", "output-device": "Test"})
    whole = office.server.api.handle

    def handle(call: Call) -> Answer:
        answer = whole(call)
        if "router/policy" in call.path:
            answer.payload["results"][0] |= odd
        return answer

    office.server.api.handle = handle  # type: ignore[method-assign]
    with pytest.raises(Unreachable, match="rows that k8snet cannot read"):
        await office.target.detours([PACKET])
