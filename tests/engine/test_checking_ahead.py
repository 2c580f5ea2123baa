"""A check in a running bot asks on the facts of last time while the cluster tells those of now."""

import asyncio
from collections import Counter
from ipaddress import IPv4Address
from typing import Any

from bot.engine.checking.check import check
from bot.engine.context import Context
from bot.model.commands import Check
from bot.model.diagnosis import Report
from bot.model.facts import ClusterFacts
from bot.model.probes import ConnectAnswer
from bot.model.site import CheckLimits
from tests.asking import change
from tests.office import WEB, Company

MOVED = IPv4Address("10.68.0.99")


class SlowCluster:
    """Tells its facts only when it is let."""

    def __init__(self, company: Company) -> None:
        self._company = company
        self.may_tell = asyncio.Event()

    async def facts(self) -> ClusterFacts:
        await self.may_tell.wait()
        return await self._company.cluster.facts()

    async def close(self) -> None:
        """Nothing is open."""


class Listening:
    """What was asked of the wire, in order."""

    def __init__(self, wire: Any) -> None:
        self._wire = wire
        self.asked: list[object] = []

    async def dns(self, server: IPv4Address, name: str, transport: str, timeout_s: float) -> Any:
        self.asked.append((server, "fresh" if name.startswith("k8snet-") else name, transport))
        return await self._wire.dns(server, name, transport, timeout_s)

    async def connect(self, address: IPv4Address, port: int, *rest: Any) -> Any:
        self.asked.append((address, port))
        return await self._wire.connect(address, port, *rest)


async def bot(company: Company) -> tuple[Context, SlowCluster, Listening]:
    """At work, with the namespace exposed, and one check behind it."""
    engine = company.engine()
    await change(engine)
    cluster, wire = SlowCluster(company), Listening(company.wire)
    object.__setattr__(engine.context, "clusters", {"qa": cluster})
    object.__setattr__(engine.context, "prober", wire)
    cluster.may_tell.set()
    await check(engine.context, Check(name="web-abc.default"))
    cluster.may_tell.clear()
    wire.asked.clear()
    return engine.context, cluster, wire


async def checked(context: Context, cluster: SlowCluster, wire: Listening) -> tuple[Report, list[object]]:
    """The report, and what was asked before the cluster told anything."""
    checking = asyncio.ensure_future(check(context, Check(name="web-abc.default")))
    for _ in range(50):  # turns of the loop, not time: everything that can be asked is asked
        await asyncio.sleep(0)
    before = list(wire.asked)
    cluster.may_tell.set()
    return await checking, before


async def test_with_the_facts_of_last_time_everything_is_asked_at_once_and_nothing_twice() -> None:
    company = Company()
    context, cluster, wire = await bot(company)
    report, before = await checked(context, cluster, wire)
    assert report.verdict == "passed"
    assert (WEB, 80) in before
    assert wire.asked == before, "the cluster's word brought no new question"
    names = [asked for asked in wire.asked if len(asked) == 3]  # type: ignore[arg-type]
    assert max(Counter(names).values()) == 1


async def test_what_has_changed_meanwhile_is_asked_anew_and_the_old_is_forgotten() -> None:
    company = Company()
    context, cluster, wire = await bot(company)
    facts = company.cluster.now
    services = tuple(
        one.model_copy(update={"cluster_ip": MOVED}) if one.name == "web-abc" else one for one in facts.services
    )
    company.cluster.now = facts.model_copy(update={"services": services})
    report, before = await checked(context, cluster, wire)
    assert (WEB, 80) in before
    assert (MOVED, 80) in wire.asked
    assert report.verdict == "passed"
    assert str(MOVED) in report.summary
    assert not any(str(WEB) in line for line in report.proof)


async def test_a_service_that_is_gone_is_not_said_to_work() -> None:
    company = Company()
    context, cluster, wire = await bot(company)
    facts = company.cluster.now
    company.cluster.now = facts.model_copy(update={"services": facts.services[:1]})
    report, _ = await checked(context, cluster, wire)
    assert report.verdict == "failed"
    assert report.findings[0].code.startswith("K8SNET-NAME")


class BlackHole(Listening):
    """Swallows every connection until something is asked in doubt; notes how long each would have waited."""

    def __init__(self, wire: Any) -> None:
        super().__init__(wire)
        self.waits: set[float] = set()
        self.doubted = asyncio.Event()

    async def connect(self, address: IPv4Address, port: int, protocol: Any, speak: str, timeout_s: float) -> Any:
        if timeout_s < max({timeout_s, *self.waits}):
            self.doubted.set()
        self.waits.add(timeout_s)
        await self.doubted.wait()
        return ConnectAnswer(
            address=address, port=port, protocol=protocol, outcome="timeout", spoke=speak, elapsed_ms=1000
        )


async def test_a_black_hole_costs_its_own_time_out_whatever_else_is_asked_because_of_it() -> None:
    company = Company()
    context, cluster, _ = await bot(company)
    hole = BlackHole(company.wire)
    object.__setattr__(context, "prober", hole)
    cluster.may_tell.set()
    limits = CheckLimits(deadline_s=8, facts_s=1, probe_s=1, doubt_s=0.25)
    report = await check(context, Check(name="web-abc.default"), limits)
    assert report.verdict == "failed"
    assert hole.waits == {1, 0.75, 0.5}, "what is asked in doubt, and in doubt of that, ends with what caused the doubt"
