"""`check` as a use case: what a text means, and that it always answers, whoever is silent."""

import asyncio
from ipaddress import IPv4Address

import pytest

from bot.engine.checking.check import check
from bot.engine.checking.known import known
from bot.engine.checking.one import MISSED, attempts
from bot.engine.context import Context
from bot.engine.engine import Engine
from bot.model.commands import Check, Expose
from bot.model.diagnosis import Report
from bot.model.errors import Rejected, Unreachable, UserError
from bot.model.facts import ClusterFacts
from bot.model.probes import ConnectAnswer, DnsAnswer
from bot.model.site import CheckLimits
from tests.asking import change
from tests.memory import Fault
from tests.office import OMAR, Company, cluster_facts

QUICK = CheckLimits(deadline_s=2, facts_s=0.2, probe_s=0.5, doubt_s=0.2)
REDIS = "redis-abc-gns.default"


async def exposed() -> tuple[Company, Engine]:
    """An office in which the namespace default was exposed."""
    company = Company(self_confirm=True)
    engine = company.engine()
    await change(engine, Expose(namespace="default"), "d1", OMAR, OMAR)
    return company, engine


async def asked(context: Context, name: str) -> Report:
    return await check(context, Check(name=name), QUICK)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (REDIS, REDIS),
        ("Redis-ABC-gns.default.", REDIS),
        ("redis-abc-gns.default:6379", f"{REDIS}:6379"),
        ("redis-abc-gns.default.svc", REDIS),
        ("redis-abc-gns.default.svc.cluster.local:6379", f"{REDIS}:6379"),
        ("redis-abc-gns", REDIS),
        ("172.20.4.222", "172.20.4.222"),
        ("10.68.0.80:80", "10.68.0.80:80"),
        ("default", "namespace default"),
        ("*.default", "namespace default"),
        ("", "everything exposed on qa"),
    ],
)
async def test_every_way_to_say_it(text: str, name: str) -> None:
    _, engine = await exposed()
    report = await asked(engine.context, text)
    assert (report.name, report.verdict) == (name, "passed")


async def test_a_pod_is_found_by_its_own_name() -> None:
    company, engine = await exposed()
    redis, *others = company.cluster.now.services
    [endpoint] = redis.endpoints
    named = redis.model_copy(update={"endpoints": (endpoint.model_copy(update={"hostname": "redis-0"}),)})
    company.cluster.now = company.cluster.now.model_copy(update={"services": (named, *others)})
    report = await asked(engine.context, "redis-0.redis-abc-gns.default")
    assert any(line.startswith("172.20.4.222:6379/TCP: data") for line in report.proof)
    wrong = await asked(engine.context, "redis-1.redis-abc-gns.default")
    assert wrong.findings[0].code == "K8SNET-NAME-07"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("8.8.8.8", "nothing else is probed"),
        ("172.16.1.106", "nothing else is probed"),
        ("10.68.0.0/16", "not an IPv4 address"),
        ("300.1.1.1", "not an IPv4 address"),
        ("www.example.com.evil.org", "not a service name"),
        ("redis abc", "not a service name"),
        ("redis-abc-gns.default:0", "not a port"),
        ("redis-abc-gns.default:http", "not a port"),
        ("redis-abc-gns.default.svc.other.domain", "is not the domain"),
        ("redis-abc-gnz", "Did you mean redis-abc-gns?"),
        ("*.defualt", "Did you mean default?"),
        ("default.svc.cluster.local", "For all services: *.default"),
        (":6379", "not a service name"),
    ],
)
async def test_what_cannot_be_meant_is_refused_with_a_way_out(text: str, says: str) -> None:
    _, engine = await exposed()
    with pytest.raises(UserError) as refusal:
        await asked(engine.context, text)
    assert says in str(refusal.value)


async def test_a_bare_name_in_several_namespaces_asks_which() -> None:
    company, engine = await exposed()
    facts = company.cluster.now
    twin = facts.services[0].model_copy(update={"namespace": "monitoring"})
    company.cluster.now = facts.model_copy(update={"services": (*facts.services, twin)})
    with pytest.raises(UserError) as question:
        await asked(engine.context, "redis-abc-gns:6379")
    assert "redis-abc-gns.default:6379, redis-abc-gns.monitoring:6379" in str(question.value)


async def test_a_namespace_is_summed_up_service_by_service() -> None:
    company, engine = await exposed()
    empty = company.cluster.now.services[1].model_copy(update={"endpoints": (), "name": "empty"})
    company.cluster.now = company.cluster.now.model_copy(update={"services": (*company.cluster.now.services, empty)})
    report = await asked(engine.context, "default")
    assert (report.verdict, report.summary) == ("failed", "namespace default: 1 broken, 2 work.")
    assert [(part.name, part.verdict, part.code) for part in report.parts] == [
        ("empty.default", "failed", "K8SNET-SVC-01"),
        ("redis-abc-gns.default", "passed", ""),
        ("web-abc.default", "passed", ""),
    ]


async def test_nothing_exposed_is_nothing_to_check() -> None:
    report = await asked(Company().engine().context, "")
    assert report.verdict == "undetermined"
    assert report.summary == "everything exposed on qa: there is nothing to check. Expose a namespace first."


class Mute:
    """A cluster whose API takes the question and never answers."""

    async def facts(self) -> ClusterFacts:
        await asyncio.Event().wait()
        return cluster_facts()

    async def close(self) -> None:
        """Nothing is open."""


class Refusing(Mute):
    async def facts(self) -> ClusterFacts:
        raise Rejected("qa", "it does not accept our credentials")


class Gone(Mute):
    async def facts(self) -> ClusterFacts:
        raise Unreachable("qa", "nobody listens there")


@pytest.mark.parametrize(
    ("cluster", "code"), [(Mute(), "K8SNET-API-01"), (Gone(), "K8SNET-API-01"), (Refusing(), "K8SNET-API-02")]
)
async def test_without_the_api_the_path_is_walked_all_the_same(cluster: Mute, code: str) -> None:
    """What is missing is part of the report, names and data are proven from what the journal tells."""
    _, engine = await exposed()
    context = with_parts(engine.context, clusters={"qa": cluster})
    report = await asked(context, f"{REDIS}:6379")
    assert (report.verdict, report.findings[0].code) == ("undetermined", code)
    assert "data comes back" in report.summary
    assert dict(report.hops)["office DNS"] == "passed"
    assert dict(report.hops)["cluster"] == "undetermined"


async def test_a_wedged_firewall_costs_no_more_than_the_deadline() -> None:
    company, engine = await exposed()
    for nth in range(1, 40):
        company.firewall.fail("read", Fault.HANG_BEFORE, nth)
    started = asyncio.get_running_loop().time()
    report = await asked(engine.context, REDIS)
    assert asyncio.get_running_loop().time() - started < 2 * QUICK.deadline_s
    assert (report.verdict, report.findings[0].code) == ("undetermined", "K8SNET-FW-01")
    company.firewall.release()


class Blackhole:
    """A wire on which nothing ever answers, not even the probe's own time-out."""

    async def dns(self, *_: object) -> DnsAnswer:
        return await self._never()

    async def connect(self, *_: object) -> ConnectAnswer:
        return await self._never()

    async def _never(self) -> "DnsAnswer | ConnectAnswer":
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_wire_that_swallows_everything_ends_at_the_deadline_and_leaves_nothing_running() -> None:
    _, engine = await exposed()
    before = asyncio.all_tasks()
    started = asyncio.get_running_loop().time()
    report = await asked(with_parts(engine.context, prober=Blackhole()), REDIS)
    assert asyncio.get_running_loop().time() - started < 2 * QUICK.deadline_s
    assert report.verdict == "undetermined"
    assert report.findings[0].code == "K8SNET-ASK-02"
    assert asyncio.all_tasks() == before


class Broken(Blackhole):
    async def _never(self) -> "DnsAnswer | ConnectAnswer":
        raise Unreachable("probes", "this host could not send the probe")


async def test_a_host_that_cannot_send_says_so_of_itself() -> None:
    _, engine = await exposed()
    report = await asked(with_parts(engine.context, prober=Broken()), REDIS)
    assert (report.verdict, report.findings[0].code) == ("undetermined", "K8SNET-BOT-01")


def with_parts(context: Context, **parts: object) -> Context:
    from dataclasses import replace

    return replace(context, **parts)  # type: ignore[arg-type]  # each test gives what fits


async def test_only_known_ports_are_connected_to() -> None:
    """A check must not be a port scanner: an unknown port is answered from the facts."""
    company, engine = await exposed()
    seen: list[int] = []
    connect = company.wire.connect

    class Listening:
        dns = company.wire.dns

        async def connect(self, address: IPv4Address, port: int, *rest: object) -> ConnectAnswer:
            seen.append(port)
            return await connect(address, port, *rest)  # type: ignore[arg-type]  # passed on as it came

    report = await asked(with_parts(engine.context, prober=Listening()), "172.20.4.222:22")
    assert report.findings[0].code == "K8SNET-NAME-03"
    assert 22 not in seen


@pytest.mark.parametrize("pods", range(2, 6))
def test_a_service_address_is_tried_until_a_bad_pod_is_most_probably_met(pods: int) -> None:
    tries = attempts(pods, 100)
    assert (1 - 1 / pods) ** tries <= MISSED
    assert (1 - 1 / pods) ** (tries - 1) > MISSED


def test_it_is_tried_no_more_often_than_allowed_and_one_pod_but_once() -> None:
    assert attempts(1, 16) == attempts(0, 16) == 1
    assert attempts(300, 16) == 16


async def test_where_nodes_cannot_be_read_the_gateways_address_is_the_applied_one() -> None:
    """Without it a route that somebody bent could not be told from a right one."""
    company, engine = await exposed()
    context = engine.context
    world = await context.journal.world()
    blind = company.cluster.now.model_copy(update={"nodes": (), "unreadable": ("nodes: not allowed",)})
    assert known(blind, world, context.cluster(None)).gateway_address == IPv4Address("172.16.1.106")
    others = company.cluster.now.model_copy(update={"nodes": company.cluster.now.nodes[1:]})
    assert known(others, world, context.cluster(None)).gateway_address is None
