"""Comparisons of a check: none while all is well, and a second word on what is silent among them."""

import random
from collections import Counter
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from bot.engine.checking.check import check
from bot.engine.context import Context
from bot.model.commands import Check
from bot.model.diagnosis import Report
from bot.model.facts import Protocol
from bot.model.probes import ConnectAnswer, ConnectOutcome, PolicyAnswer
from bot.model.site import CheckLimits
from tests.asking import change
from tests.memory_firewall import MemoryFirewall
from tests.model.comparing import ASKED, GATEWAY, Cluster, Fault, cluster, outcomes
from tests.office import Company

NODES = IPv4Network("172.16.1.0/24")
LIMITS = CheckLimits(deadline_s=5, facts_s=1, probe_s=2, doubt_s=1)


class Clearing(MemoryFirewall):
    """Lets everything through, and says so."""

    async def policy(self, *flow: Any) -> PolicyAnswer:
        return (await super().policy(*flow)).model_copy(update={"allowed": True, "policy": "k8snet-qa-hq"})


class Walked:
    """A wire that leads into a cluster with a fault. What is in `lost` gets no answer to the first question."""

    def __init__(self, company: Company, there: Cluster, fault: Fault) -> None:
        self.there, self.fault = there, fault
        self.lost: set[IPv4Address] = set()
        self.asked: Counter[IPv4Address] = Counter()
        self.dns = company.wire.dns
        self._nodes = company.wire.connect

    async def connect(
        self, address: IPv4Address, port: int, protocol: Protocol, speak: str, timeout_s: float
    ) -> ConnectAnswer:
        answer = await self._nodes(address, port, protocol, speak, timeout_s)
        if address in NODES:
            return answer
        self.asked[address] += 1
        chance = address in self.lost and self.asked[address] == 1
        outcome = "timeout" if chance else outcomes(self.there, self.fault, address)[0]
        return answer.model_copy(update={"outcome": outcome})


async def walked(fault: Fault) -> tuple[Context, Walked]:
    """An office that was exposed; its cluster has more to compare with, and the asked service two pods."""
    company = Company(firewall=Clearing())
    engine = company.engine()
    there = cluster(random.Random(1), headless=False, namespaces=0, services=0, nodes=5, rich=True)
    company.cluster.now = there.facts
    await change(engine)
    wire = Walked(company, there, fault)
    return replace(engine.context, prober=wire), wire


async def checked(context: Context) -> Report:
    return await check(context, Check(name="asked.default"), LIMITS)


async def test_what_works_is_compared_with_nothing() -> None:
    context, wire = await walked(Fault())
    assert (await checked(context)).verdict == "passed"
    assert set(wire.asked) == {ASKED}


async def test_what_answers_is_asked_once_and_what_is_silent_twice_together_with_another_like_it() -> None:
    context, wire = await walked(Fault(addresses={ASKED}))
    calm = await checked(context)
    assert calm.findings[0].code == "K8SNET-SVC-08"
    before, wire.asked = wire.asked, Counter()
    elsewhere, another = IPv4Address("10.68.2.3"), IPv4Address("10.68.2.4")
    assert (before[elsewhere], before[another]) == (1, 0)
    wire.lost = {elsewhere}
    assert (await checked(context)).findings == calm.findings
    assert wire.asked - before == Counter({elsewhere: 1, another: 1})


async def test_two_that_stay_silent_are_believed() -> None:
    context, wire = await walked(Fault(way=_not_masqueraded))
    report = await checked(context)
    assert report.findings[0].code == "K8SNET-GW-08"
    assert wire.asked[IPv4Address("10.68.2.4")] == 1


def _not_masqueraded(kind: str, node: str) -> ConnectOutcome:
    return "timeout" if kind == "service" and node != GATEWAY else "data"
