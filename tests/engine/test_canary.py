"""Canaries: a route of its own to each candidate, made and taken away with the rest, and believed before a move."""

from ipaddress import IPv4Address

import pytest

from bot.model.canary import canary_name
from bot.model.commands import Failover, Unexpose
from bot.model.errors import UserError
from bot.model.facts import ClusterFacts, Service, ServicePort
from bot.model.resources import Key, Route
from tests.asking import change
from tests.engine.watched import ADDRESS, GATEWAY, NEXT, ROUTES, Watched, watched_facts
from tests.office import ADA, OLGA

CANARIES = {name: IPv4Address(f"10.68.0.{10 + number}") for number, name in enumerate(ADDRESS)}
AFTER_NEXT = "k8s-qa-node-04"


def with_canaries(facts: ClusterFacts) -> ClusterFacts:
    port = ServicePort(name="http", protocol="TCP", port=7580)
    return facts.model_copy(update={"services": (*facts.services, *(_service(node, port) for node in CANARIES))})


def _service(node: str, port: ServicePort) -> Service:
    return Service(
        namespace="k8snet",
        name=canary_name(node),
        type="ClusterIP",
        cluster_ip=CANARIES[node],
        headless=False,
        external_name=None,
        publish_not_ready=False,
        internal_traffic_local=False,
        ports=(port,),
        endpoints=(),
    )


async def company() -> Watched:
    office = Watched(canary="k8snet")
    office.company.cluster.now = with_canaries(watched_facts())
    await office.expose()
    await office.rounds(4)
    return office


def ways(office: Watched) -> dict[str, IPv4Address]:
    routes = [one for one in office.firewall.resources.values() if isinstance(one, Route)]
    return {str(one.destination): one.gateway for one in routes}


async def test_an_exposure_brings_a_marked_route_to_each_candidate_and_takes_it_away_again() -> None:
    office = await company()
    assert {name: ways(office)[f"{address}/32"] for name, address in CANARIES.items()} == ADDRESS
    key = Key(kind="route", name=f"{CANARIES[NEXT]}/32")
    assert office.firewall.resources[key].mark is not None
    await change(office.engine, Unexpose(namespace="default"), "d9")
    assert office.firewall.resources == {}


async def test_without_the_setting_there_are_none() -> None:
    office = Watched()
    office.company.cluster.now = with_canaries(watched_facts())
    await office.expose()
    assert set(ways(office)) == {"10.68.0.0/16", "172.20.0.0/16"}


async def test_a_candidate_that_carries_nothing_is_not_offered_and_the_reason_is_shown() -> None:
    office = await company()
    office.company.wire.without_proxy.add(ADDRESS[NEXT])
    office.company.wire.dead.add(ADDRESS[GATEWAY])
    await office.rounds(6)
    picture = (await office.asked()).picture
    assert picture.eligible[0] == AFTER_NEXT
    against = {one.node: one.against for one in picture.candidates}
    assert any("no data passes through it to its canary" in reason for reason in against[NEXT])
    notes = {one.node: one.notes for one in picture.candidates}
    assert "carries data to its canary" in notes[AFTER_NEXT]


async def test_a_move_leaves_the_canaries_where_they_are() -> None:
    office = await company()
    before = {name: gateway for name, gateway in ways(office).items() if name.endswith("/32")}
    office.company.wire.dead.add(ADDRESS[GATEWAY])
    await office.rounds(5)
    incident = await office.asked()
    assert {str(step.key) for step in incident.picture.steps} == {str(key) for key in ROUTES}
    await office.click(incident, OLGA)
    after = {name: gateway for name, gateway in ways(office).items() if name.endswith("/32")}
    assert after == before
    office.company.wire.dead.clear()
    await office.rounds(10)
    assert (await office.asked()).state == "resolved"


async def test_a_planned_move_to_a_node_that_carries_nothing_is_refused_before_anybody_notices() -> None:
    office = await company()
    office.company.wire.without_proxy.add(ADDRESS[NEXT])
    identifier = await office.engine.request(Failover(node=NEXT), OLGA, "C1", "d9")
    operation = (await office.engine.context.journal.world()).operations[identifier]
    assert operation.state == "unplannable"
    assert "no data passes through it to its canary" in operation.entries[-1].reason


async def test_a_canary_without_its_route_is_no_evidence() -> None:
    """It would be reached through the gateway, and say nothing about the candidate."""
    office = Watched(canary="k8snet")
    await office.expose()
    office.company.cluster.now = with_canaries(watched_facts())
    await office.rounds(4)
    office.company.wire.without_proxy.add(ADDRESS[GATEWAY])
    await office.rounds(8)
    picture = (await office.asked()).picture
    assert picture.eligible[0] == NEXT
    assert all("canary" not in note for one in picture.candidates for note in (*one.notes, *one.against))


async def test_a_canary_that_is_gone_from_the_cluster_is_no_finding_about_the_gateway() -> None:
    office = await company()
    office.company.cluster.now = watched_facts()
    await office.rounds(8)
    assert await office.incident() is None


async def test_a_canary_that_died_at_the_click_stops_it() -> None:
    office = await company()
    office.company.wire.dead.add(ADDRESS[GATEWAY])
    await office.rounds(5)
    incident = await office.asked()
    office.company.wire.without_proxy.add(ADDRESS[NEXT])
    with pytest.raises(UserError, match="no data passes through it to its canary"):
        await office.engine.fail_over(incident.id, incident.version, NEXT, ADA)
