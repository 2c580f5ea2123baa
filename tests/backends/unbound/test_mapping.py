"""What Unbound's lists say, as unbound-control prints them."""

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.unbound import mapping
from bot.model.resources import Forwarder, Mark

ZONE = "default.svc.cluster.local"
FORWARDS = (
    ". IN forward 127.0.0.1 127.0.0.1",
    "Default.svc.Cluster.local. IN forward +i 10.68.0.3 10.68.0.2",
    "six.example. IN forward 2001:db8::1",
    "named.example. IN forward ns.example.",
    "empty.example. IN forward",
)


def test_forward_zones_are_found_whatever_their_spelling_and_order() -> None:
    zones = mapping.forward_zones(FORWARDS)
    expected = Forwarder(zone=ZONE, masters=(IPv4Address("10.68.0.2"), IPv4Address("10.68.0.3")))
    assert mapping.forwarder_in(zones, ZONE) == expected
    assert mapping.forwarder_in(zones, "other.svc.cluster.local") is None


def test_a_forward_zone_to_a_name_is_explained() -> None:
    with pytest.raises(mapping.Unfit, match="not addresses"):
        mapping.forwarder_in(mapping.forward_zones(FORWARDS), "named.example")


def test_a_forward_zone_may_point_at_either_kind_of_address() -> None:
    found = mapping.forwarder_in(mapping.forward_zones(FORWARDS), "six.example")
    assert found is not None
    assert {master.version for master in found.masters} >= {6}


@pytest.mark.parametrize(
    ("local_zones", "authority", "stubs", "says"),
    [
        (["local. static"], [], [], "local-zone local of type static"),
        (["Cluster.Local. redirect"], [], [], "local-zone cluster.local of type redirect"),
        ([f"{ZONE}. always_nxdomain"], [], [], f"local-zone {ZONE} of type always_nxdomain"),
        ([], ["cluster.local.\tserial 7"], [], "auth-zone cluster.local"),
        ([], [], [f"{ZONE}. IN stub noprime 10.0.0.2"], f"stub zone {ZONE}"),
        (["local. transparent"], [], [], ""),
        (["local. static", f"{ZONE}. transparent"], [], [], ""),
        ([f"web.{ZONE}. static", "calhost. static"], [".\tserial 7"], [". IN stub prime A.ROOT-SERVERS.NET."], ""),
        ([], [], ["cluster.local. IN stub noprime 10.0.0.2"], ""),
    ],
)
def test_a_name_that_the_server_answers_itself_is_refused_with_the_remedy(
    local_zones: list[str], authority: list[str], stubs: list[str], says: str
) -> None:
    held = mapping.local(local_zones, authority, stubs)
    told = mapping.obstacle(held, ZONE)
    assert says in told if says and told else told is None and not says


def test_a_forward_zone_above_is_told_of_but_not_the_one_for_everything() -> None:
    zones = mapping.forward_zones([". IN forward 127.0.0.1", "svc.cluster.local. IN forward 10.1.1.1"])
    told = mapping.overshadowed(zones, ZONE)
    assert told is not None
    assert "it sends svc.cluster.local to 10.1.1.1 so far" in told
    assert mapping.overshadowed(zones, "default.svc.k8s.example") is None


def test_a_wish_is_spelt_as_it_will_read_back() -> None:
    wish = Forwarder(
        zone="Default.SVC.cluster.local.",
        masters=(IPv4Address("10.68.0.3"), IPv4Address("10.68.0.2")),
        timeout_s=9,
        mark=Mark(cluster="qa", operation="op1", fingerprint="0" * 8),
    )
    assert mapping.canonical_forwarder(wish, "ns1") == Forwarder(zone=ZONE, masters=tuple(sorted(wish.masters)))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"recursion": True}, "cannot be told at run time"),
        ({"masters": ()}, "between 1 and 16"),
        ({"masters": (IPv4Address("172.16.2.4"),)}, "the DNS server itself"),
        ({"zone": "local"}, "top-level domain"),
        ({"zone": "a b.local"}, "no DNS label"),
    ],
)
def test_what_it_cannot_hold_is_refused(changes: dict[str, object], says: str) -> None:
    wish = Forwarder(zone=ZONE, masters=(IPv4Address("10.68.0.2"),)).model_copy(update=changes)
    with pytest.raises(ValueError, match=says):
        mapping.canonical_forwarder(wish, "172.16.2.4")


@given(st.text(max_size=60))
def test_no_zone_name_can_become_a_second_word_or_line(text: str) -> None:
    wish = Forwarder(zone=text, masters=(IPv4Address("10.68.0.2"),))
    try:
        zone = mapping.canonical_forwarder(wish, "").zone
    except ValueError:
        return
    assert not set(zone) - set("abcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert not zone.startswith(("-", "+"))
