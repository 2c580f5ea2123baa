"""In which order routes move: what people miss comes back first."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from bot.model.intent import ClusterIntent, Exposure
from bot.model.move import missed_first, routes_as_in
from bot.model.resources import Address, Forwarder, Resource, Route
from bot.model.steps import Step
from tests.office import REDIS, WEB, cluster_facts

OLD, NEW = IPv4Address("172.16.1.106"), IPv4Address("172.16.1.107")
NETWORKS = [IPv4Network(f"172.20.{number}.0/24") for number in range(20)] + [IPv4Network("10.68.0.0/16")]
FACTS = cluster_facts()


def step(make: Callable[[IPv4Address], Resource]) -> Step:
    return Step(target="fw", before=make(OLD), after=make(NEW))


def route(network: IPv4Network) -> Step:
    return step(lambda gateway: Route(destination=network, gateway=gateway, device="Test"))


ROUTES = [route(network) for network in NETWORKS]
OTHERS = [
    step(lambda gateway: Address(name="gateway", network=IPv4Network(gateway))),
    step(lambda gateway: Forwarder(zone="default.svc.cluster.local", masters=(gateway,))),
]
plans = st.lists(st.sampled_from(ROUTES + OTHERS), unique_by=lambda one: str(one.key))


def leads_to(one: Step, address: IPv4Address) -> bool:
    return isinstance(one.after, Route) and address in one.after.destination


def routes_of(steps: tuple[Step, ...]) -> list[Step]:
    return [one for one in steps if isinstance(one.after, Route)]


@given(plans)
def test_routes_change_places_with_routes_only(steps: list[Step]) -> None:
    moved = missed_first(steps, ClusterIntent(), FACTS)
    assert sorted(map(str, moved)) == sorted(map(str, steps))
    assert [one for one in moved if one in OTHERS] == [one for one in steps if one in OTHERS]
    assert [one in OTHERS for one in moved] == [one in OTHERS for one in steps]


@given(plans)
def test_the_ways_to_services_come_first(steps: list[Step]) -> None:
    routes = routes_of(missed_first(steps, ClusterIntent(), FACTS))
    used = [any(leads_to(one, each) for each in (REDIS, WEB, IPv4Address("172.20.3.9"))) for one in routes]
    assert used == sorted(used, reverse=True)


def test_what_is_exposed_comes_before_other_services() -> None:
    services = tuple(
        one.model_copy(update={"namespace": "monitoring"}) if one.name == "web-abc" else one for one in FACTS.services
    )
    facts = FACTS.model_copy(update={"services": services})
    intent = ClusterIntent(exposures=(Exposure(namespace="default", office="hq"),))
    steps = [
        route(IPv4Network("10.68.0.0/16")),
        route(IPv4Network("172.20.9.0/24")),
        route(IPv4Network("172.20.4.0/24")),
    ]
    first, second, third = routes_of(missed_first(steps, intent, facts))
    assert leads_to(first, REDIS)
    assert leads_to(second, WEB)
    assert leads_to(third, IPv4Address("172.20.9.1"))


@given(plans, st.randoms(use_true_random=False))
def test_a_plan_made_again_keeps_the_order_that_somebody_said_yes_to(steps: list[Step], shuffle: object) -> None:
    approved = missed_first(steps, ClusterIntent(), FACTS)
    routes = routes_of(approved)
    shuffle.shuffle(routes)  # type: ignore[attr-defined]  # hypothesis' Random
    shuffled = iter(routes)
    again = [next(shuffled) if isinstance(one.after, Route) else one for one in approved]
    assert routes_as_in(approved, again) == approved
