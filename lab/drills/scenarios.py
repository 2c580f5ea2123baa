"""The failures that are rehearsed, and what must come of each."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lab.network.kernel_company import Company
from lab.topology import ARTICLE, BOT

GATEWAY = ARTICLE.gateway_node
API = next(node.name for node in ARTICLE.nodes if node.control_plane)
NEXT = "k8s-qa-node-03"
MANY = [f"172.20.{number}.0/24" for number in range(199)]
Expected = Literal["asked", "told", "nothing", "moved", "drilled"]

SICK_S = 10.0  # long enough for the watch to know it


@dataclass(frozen=True)
class Scenario:
    """`asked`: on-call is called and one click repairs it · `told`: a notice without a call · `nothing`: silence ·
    `moved`: the bot moves by itself and says so · `drilled`: on-call gives the command `drill`.

    `patience_s` is how long the drill waits for a message, or for its absence. `cluster` are settings of the cluster,
    `never` is a node that must not be offered, `proof_bar_s` how long it may take from the click to the proof.
    """

    name: str
    break_it: Callable[[Company], Awaitable[object]]
    expected: Expected
    patience_s: float = 25.0
    cluster: Mapping[str, Any] = field(default_factory=dict)
    canaries: bool = False
    never: str = ""
    proof_bar_s: float = 3.0


async def _loss(company: Company, share: float, seconds: float, pause_s: float, times: int) -> None:
    for _ in range(times):
        await company.net.change_node(GATEWAY, loss=share)
        await asyncio.sleep(seconds)
        await company.net.change_node(GATEWAY, loss=0.0)
        await asyncio.sleep(pause_s)


async def _kill_with_a_sick_neighbour(company: Company) -> None:
    """The best candidate answers on every port and is Ready, but carries nothing; only its canary knows."""
    await company.net.change_node(NEXT, running=False)
    await asyncio.sleep(SICK_S)
    await company.kill_node(GATEWAY)


async def _nothing(company: Company) -> None:
    """Everything is well."""


SCENARIOS = (
    Scenario("gateway node killed", lambda made: made.kill_node(GATEWAY), "asked"),
    Scenario("gateway node frozen", lambda made: made.freeze_node(GATEWAY), "asked"),
    Scenario("ip_forward off", lambda made: made.net.ip_forward(GATEWAY, False), "asked"),
    Scenario("kube-proxy rules flushed", lambda made: made.net.change_node(GATEWAY, running=False), "asked"),
    Scenario(
        "kubelet stopped only",
        lambda made: made.control("cluster", "POST", f"/lab/nodes/{GATEWAY}/freeze-lease"),
        "told",
        60.0,
    ),
    Scenario("cable to the API cut", lambda made: made.net.set_link(API, False), "nothing", 40.0),
    Scenario("bot isolated", lambda made: made.net.set_link(BOT, False), "nothing", 30.0),
    Scenario("10 % loss for a minute", lambda made: _loss(made, 0.1, 60, 0, 1), "nothing", 10.0),
    Scenario("30 % loss, three bursts of 8 s", lambda made: _loss(made, 0.3, 8, 12, 3), "nothing", 10.0),
    Scenario(
        "gateway killed, 200 routes",
        lambda made: made.kill_node(GATEWAY),
        "asked",
        cluster={"kubernetes": {"pod_networks": MANY}},
        proof_bar_s=10.0,
    ),
    Scenario(
        "gateway killed, next one sick",
        _kill_with_a_sick_neighbour,
        "asked",
        cluster={"canary": "k8snet"},
        canaries=True,
        never=NEXT,
    ),
    Scenario("gateway killed, auto", lambda made: made.kill_node(GATEWAY), "moved", cluster={"watch": {"auto": True}}),
    Scenario("drill on command", _nothing, "drilled", proof_bar_s=10.0),
)
