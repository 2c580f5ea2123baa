"""The failures that are rehearsed, and what must come of each."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from lab.network.kernel_company import Company
from lab.network.topology import ARTICLE, BOT

GATEWAY = ARTICLE.gateway_node
API = next(node.name for node in ARTICLE.nodes if node.control_plane)
Expected = Literal["asked", "told", "nothing"]


@dataclass(frozen=True)
class Scenario:
    """`asked`: on-call is called and one click repairs it · `told`: a notice without a call · `nothing`: silence.

    `patience_s` is how long the drill waits for a message, or for its absence.
    """

    name: str
    break_it: Callable[[Company], Awaitable[object]]
    expected: Expected
    patience_s: float = 25.0


async def _loss(company: Company, share: float, seconds: float, pause_s: float, times: int) -> None:
    for _ in range(times):
        await company.net.change_node(GATEWAY, loss=share)
        await asyncio.sleep(seconds)
        await company.net.change_node(GATEWAY, loss=0.0)
        await asyncio.sleep(pause_s)


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
)
