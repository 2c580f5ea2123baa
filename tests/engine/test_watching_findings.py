"""What the watch finds out about the gateway and the routes beside whether it works."""

from ipaddress import IPv4Address, IPv4Network

from bot.model.commands import Failover
from tests.asking import change
from tests.engine.watched import ADDRESS, GATEWAY, HOST, NEXT, ROUTES, Watched, watched, watched_facts
from tests.office import ADA, OLGA


async def test_a_node_that_came_back_with_another_address_is_told_with_the_way_to_follow_it() -> None:
    office = await watched()
    office.company.cluster.now = watched_facts(node_02={"internal_ip": IPv4Address("172.16.1.116")})
    await office.rounds(1)
    incident = await office.asked()
    assert incident.picture.severity == "notice"
    assert incident.picture.findings == (
        f"{GATEWAY} has another address now: 172.16.1.116. The routes 10.68.0.0/16, 172.20.0.0/16 still lead to "
        f"{HOST}. `failover to {GATEWAY}` makes them follow.",
    )
    await change(office.engine, Failover(node=GATEWAY), "d7", OLGA, ADA)
    assert office.gateways() == {IPv4Address("172.16.1.116")}
    await office.rounds(6)
    assert (await office.asked()).state == "withdrawn"


async def test_routes_that_somebody_pointed_elsewhere_are_told() -> None:
    office = await watched()
    for key in ROUTES:
        route = office.company.firewall.resources[key]
        office.company.firewall.resources[key] = route.model_copy(update={"gateway": ADDRESS["k8s-qa-node-05"]})
    await office.rounds(1)
    (finding,) = (await office.asked()).picture.findings
    assert finding == (
        f"The routes 10.68.0.0/16, 172.20.0.0/16 lead to k8s-qa-node-05 (172.16.1.109), not to the gateway {GATEWAY}."
    )


async def test_a_second_route_left_behind_is_told_and_no_move_is_promised_over_it() -> None:
    office = await watched()
    office.firewall.doubled.add(ROUTES[0])
    await office.rounds(1)
    picture = (await office.asked()).picture
    assert picture.severity == "notice"
    assert "share the connections between them (ECMP). fw: 2 rows of router/static" in picture.findings[0]
    assert (picture.steps, "2 rows of router/static" in picture.problem) == ((), True)
    office.firewall.doubled.clear()
    await office.rounds(6)
    assert (await office.asked()).state == "withdrawn"


async def test_a_route_that_is_preferred_to_ours_is_told() -> None:
    office = await watched()
    office.firewall.preferred[IPv4Network("10.68.0.0/17")] = ADDRESS["k8s-qa-node-06"]
    await office.rounds(1)
    (finding,) = (await office.asked()).picture.findings
    assert finding == (
        f"The firewall sends 10.68.0.1 to 172.16.1.110, although our route says {HOST}: another route is preferred."
    )


async def test_what_comes_and_goes_is_one_incident_that_says_so_and_lasts_until_it_is_quiet() -> None:
    office = await watched()
    for _ in range(3):
        office.company.wire.not_forwarding.add(HOST)
        await office.rounds(6)
        office.company.wire.not_forwarding.clear()
        await office.rounds(6)
    incident = await office.asked()
    assert incident.state == "open"
    assert "It comes and goes: moving may help for good, waiting will not." in incident.picture.findings
    await office.rounds(200)
    assert (await office.asked()).state == "open"
    await office.rounds(150)
    assert (await office.asked()).state == "withdrawn"


async def test_a_gateway_that_vanished_from_the_cluster_is_told_and_can_be_left() -> None:
    office = await watched()
    facts = watched_facts()
    rest = tuple(node for node in facts.nodes if node.name != GATEWAY)
    office.company.cluster.now = facts.model_copy(update={"nodes": rest})
    await office.rounds(1)
    incident = await office.asked()
    assert incident.picture.findings == (f"The gateway node {GATEWAY} is no longer in the cluster.",)
    await office.click(incident, OLGA)
    assert office.gateways() == {ADDRESS[NEXT]}


async def test_nothing_exposed_means_nothing_to_watch() -> None:
    office = Watched()
    office.company.wire.dead.add(HOST)
    await office.rounds(20)
    assert await office.incident() is None
