"""Zones of the server to forwarders of ours, and wishes to parameters."""

from collections.abc import Container
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest

from backends.windows_dns import mapping
from backends.windows_dns.wire import Zone
from bot.model.resources import Forwarder

NAME = "default.svc.cluster.local"
WISH = Forwarder(zone=NAME, masters=(IPv4Address("10.68.0.10"), IPv4Address("10.68.0.11")))


def zone(name: str = NAME, **changes: Any) -> Zone:
    return Zone(
        **{
            "name": name,
            "type": "Forwarder",
            "masters": ["10.68.0.10", "10.68.0.11"],
            "timeout": 3,
            "recursion": False,
            **changes,
        }
    )


def held(*zones: Zone) -> Forwarder | None:
    return mapping.forwarder_in(mapping.by_name(zones), NAME)


def obstacle(*zones: Zone, delegating: Container[str] = ()) -> str:
    return mapping.obstacle(mapping.by_name(zones), NAME, delegating) or ""


def test_a_forwarder_maps_both_ways() -> None:
    assert held(zone()) == WISH
    assert mapping.state(WISH) == "10.68.0.10,10.68.0.11 3 False"
    assert mapping.state(None) == ""


def test_the_spelling_on_the_server_does_not_matter_but_the_order_of_masters_does() -> None:
    swapped = ["10.68.0.11", "10.68.0.10"]
    found = held(zone("Default.svc.Cluster.LOCAL", masters=swapped))
    assert found is not None
    assert found.zone == NAME
    assert found != WISH


def test_nothing_there_is_none() -> None:
    assert held() is None
    assert held(zone("other.svc.cluster.local")) is None


@pytest.mark.parametrize("kind", ["Primary", "Secondary", "Stub"])
def test_another_kind_of_zone_in_its_place_is_explained(kind: str) -> None:
    with pytest.raises(mapping.Unfit, match=f"already a {kind.lower()} zone"):
        held(zone(type=kind, masters=[]))


@pytest.mark.parametrize("kind", ["Primary", "Secondary"])
def test_a_hosted_zone_above_is_explained(kind: str) -> None:
    assert f"the {kind.lower()} zone cluster.local itself" in obstacle(zone("cluster.local", type=kind))


def test_a_hosted_zone_above_that_delegates_is_no_obstacle() -> None:
    above = zone("Cluster.Local", type="Primary")
    assert obstacle(above, delegating=["cluster.local"]) == ""
    assert "`delegating_zones`" in obstacle(above, delegating=["svc.cluster.local"])


@pytest.mark.parametrize("kind", ["Forwarder", "Stub"])
def test_what_only_points_elsewhere_may_stand_above_and_is_told_of(kind: str) -> None:
    above = zone("cluster.local", type=kind, masters=["10.1.1.1"])
    assert obstacle(above) == ""
    told = mapping.overshadowed(mapping.by_name([above]), NAME)
    assert told is not None
    assert "it sends cluster.local to 10.1.1.1 so far" in told
    assert mapping.overshadowed(mapping.by_name([zone("other.local", type=kind)]), NAME) is None


def test_a_forwarder_that_exists_below_a_hosted_zone_can_still_be_seen_and_so_removed() -> None:
    assert held(zone(), zone("cluster.local", type="Primary")) == WISH


def test_masters_may_be_of_either_kind() -> None:
    found = held(zone(masters=["10.68.0.10", "FD00::10"]))
    assert found is not None
    assert found.masters == (IPv4Address("10.68.0.10"), IPv6Address("fd00::10"))
    assert mapping.state(found) == "10.68.0.10,fd00::10 3 False"


@pytest.mark.parametrize("master", ["fe80::5efe:10.1.1.1", "fd00:0:0::10", "dns.example", ""])
def test_a_hand_made_forwarder_whose_masters_windows_spells_its_own_way_is_not_misread(master: str) -> None:
    with pytest.raises(mapping.Unfit, match="cannot read"):
        held(zone(masters=["10.68.0.10", master]))


def test_batches_lose_nothing_and_respect_the_limit() -> None:
    names = [f"{n}.cluster.local" for n in range(100)]
    pieces = list(mapping.batches(names, 200))
    assert [name for piece in pieces for name in piece] == names
    assert all(sum(len(name) + 4 for name in piece) <= 200 for piece in pieces)
    assert list(mapping.batches(["x" * 300], 200)) == [["x" * 300]]


@pytest.mark.parametrize(
    ("storage", "scope"), [("file", ""), ("domain", "Domain"), ("forest", "Forest"), ("legacy", "Legacy")]
)
def test_a_wish_names_both_states_and_the_scope(storage: Any, scope: str) -> None:
    assert mapping.write_parameters(None, WISH, storage) == {
        "zone": NAME,
        "pre": "",
        "post": "10.68.0.10,10.68.0.11 3 False",
        "masters": ["10.68.0.10", "10.68.0.11"],
        "timeout": 3,
        "recursion": False,
        "scope": scope,
    }


def test_a_partition_travels_where_there_is_one() -> None:
    wish = mapping.write_parameters(None, WISH, "custom", "dns.corp.example")
    assert (wish["scope"], wish["partition"]) == ("Custom", "dns.corp.example")


def test_a_removal_wishes_nothing_but_the_absence() -> None:
    assert mapping.write_parameters(WISH, None, "file") == {
        "zone": NAME,
        "pre": "10.68.0.10,10.68.0.11 3 False",
        "post": "",
    }
