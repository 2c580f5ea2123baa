"""What a FortiGate can hold is known before anything is sent."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from backends.fortigate.wishes import canonical, objections
from bot.model.resources import Address, AddressGroup, Forwarder, Mark, Policy, Resource, Route

ADDRESS = Address(name="pods", network=IPv4Network("10.68.0.0/16"))
GROUP = AddressGroup(name="g", members=("a",))
ROUTE = Route(destination=IPv4Network("10.68.0.0/16"), gateway=IPv4Address("172.16.1.7"), device="port3", row=1000)
POLICY = Policy(
    name="p",
    source_interfaces=("port2",),
    destination_interfaces=("port3",),
    sources=("lan",),
    destinations=("pods",),
    services=("ALL",),
    row=1000,
)


@pytest.mark.parametrize("wish", [ADDRESS, GROUP, ROUTE, POLICY])
def test_an_ordinary_wish_meets_no_objection(wish: Resource) -> None:
    assert list(objections(wish)) == []
    assert canonical(wish) == wish


def test_sets_become_ordered_and_lose_duplicates() -> None:
    wish = POLICY.model_copy(update={"sources": ("b", "a", "b"), "services": ("DNS", "ALL_TCP")})
    assert canonical(wish) == POLICY.model_copy(update={"sources": ("a", "b"), "services": ("ALL_TCP", "DNS")})
    assert canonical(GROUP.model_copy(update={"members": ("b", "a")})).members == ("a", "b")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (ROUTE.model_copy(update={"destination": IPv4Network("0.0.0.0/0")}), "default route"),
        (ROUTE.model_copy(update={"gateway": IPv4Address("0.0.0.0")}), "cannot be a gateway"),
        (ROUTE.model_copy(update={"distance": 0}), "distance 0"),
        (ROUTE.model_copy(update={"row": 0}), "0 is not a row number"),
        (ROUTE.model_copy(update={"device": ""}), "interface name '' is empty"),
        (POLICY.model_copy(update={"row": 0}), "0 is not a row number"),
        (POLICY.model_copy(update={"name": "p" * 36}), "longer than 35"),
        (POLICY.model_copy(update={"sources": ()}), "no source address"),
        (POLICY.model_copy(update={"services": ()}), "no service"),
        (ADDRESS.model_copy(update={"name": "a" * 80}), "longer than 79"),
        (ADDRESS.model_copy(update={"name": "ü" * 40}), "longer than 79"),
        (ADDRESS.model_copy(update={"name": "a<b"}), "refuses"),
        (ADDRESS.model_copy(update={"name": "a\nb"}), "refuses"),
        (ADDRESS.model_copy(update={"name": ".."}), "meaning of its own"),
        (ADDRESS.model_copy(update={"name": " a"}), "blank"),
        (GROUP.model_copy(update={"members": ()}), "no member"),
        (GROUP.model_copy(update={"members": tuple(f"m{n}" for n in range(601))}), "at most 600"),
        (ADDRESS.model_copy(update={"mark": Mark(cluster="q a", operation="o", fingerprint="0" * 8)}), "written"),
        (
            ADDRESS.model_copy(update={"mark": Mark(cluster="q" * 250, operation="o", fingerprint="0" * 8)}),
            "room for 255",
        ),
        (Forwarder(zone="svc.cluster.local", masters=(IPv4Address("10.0.0.1"),)), "no conditional forwarders"),
    ],
)
def test_a_wish_it_could_never_hold_is_explained(wish: Resource, words: str) -> None:
    assert words in "; ".join(objections(wish))


def test_all_objections_come_at_once() -> None:
    wish = ROUTE.model_copy(update={"distance": 0, "device": "", "row": 0})
    assert len(list(objections(wish))) == 3
