"""Rows of theirs and resources of ours, both ways."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.fortigate.mapping import TABLES, BeyondModel, comment_with, mark_of, natural_key, network, row_body
from bot.model.resources import Address, AddressGroup, Key, Mark, Policy, Resource, Route

MARK = Mark(cluster="qa", operation="abc123defg", fingerprint="0123abcd")
OURS = "k8snet:qa op=abc123defg h=0123abcd | made by k8snet, do not edit"


def references(*names: str) -> list[dict[str, str]]:
    """As the device returns a list: each member with its origin."""
    return [{"name": name, "q_origin_key": name} for name in names]


# --- addresses


def test_an_address_reads_from_either_form_of_its_subnet() -> None:
    for subnet in ("10.68.0.0 255.255.0.0", "10.68.0.0/16"):
        found = TABLES["address"].find({"name": "pods", "type": "ipmask", "subnet": subnet, "comment": OURS})
        assert found.resource == Address(name="pods", network=IPv4Network("10.68.0.0/16"), mark=MARK)


def test_everything_the_device_adds_to_an_address_is_ignored() -> None:
    # The recorded answer of a 6.2 device, with fields that came and went in later releases.
    row = {
        "name": "1.1.1.1", "q_origin_key": "1.1.1.1", "uuid": "5d0cb376-025a-51eb-6130-f201926180c8",
        "subnet": "1.1.1.1 255.255.255.255", "type": "ipmask", "sub-type": "sdn", "clearpass-spt": "unknown",
        "start-mac": "00:00:00:00:00:00", "end-mac": "00:00:00:00:00:00", "country": "", "cache-ttl": 0, "sdn": "",
        "fsso-group": [], "interface": "", "comment": "", "visibility": "enable", "associated-interface": "",
        "color": 0, "filter": "", "sdn-addr-type": "private", "obj-id": "", "list": [], "tagging": [],
        "allow-routing": "disable",
    }  # fmt: skip
    assert TABLES["address"].find(row).resource == Address(name="1.1.1.1", network=IPv4Network("1.1.1.1/32"))


@pytest.mark.parametrize("extra", [{"type": "fqdn", "fqdn": "example.com"}, {"type": "iprange"}])
def test_an_address_of_another_sort_is_not_taken_for_a_network(extra: dict[str, str]) -> None:
    with pytest.raises(BeyondModel, match=next(iter(extra))):
        TABLES["address"].find({"name": "x", "subnet": "10.0.0.0 255.0.0.0", **extra})


# --- groups


def test_members_are_a_set_whatever_order_the_device_keeps() -> None:
    found = TABLES["address-group"].find({"name": "g", "member": references("b", "a", "b")})
    assert found.resource == AddressGroup(name="g", members=("a", "b"))


def test_a_group_that_excludes_members_is_not_taken_for_a_plain_one() -> None:
    with pytest.raises(BeyondModel, match="exclude=enable"):
        TABLES["address-group"].find({"name": "g", "member": references("a"), "exclude": "enable"})


# --- routes

ROUTE_ROW = {
    "seq-num": 1001, "q_origin_key": 1001, "status": "enable", "dst": "10.68.0.0 255.255.0.0",
    "src": "0.0.0.0 0.0.0.0", "gateway": "172.16.1.7", "distance": 10, "weight": 0, "priority": 1, "device": "port3",
    "comment": OURS, "blackhole": "disable", "dynamic-gateway": "disable", "dstaddr": "", "internet-service": 0,
    "internet-service-custom": "", "link-monitor-exempt": "disable", "vrf": 0, "bfd": "disable", "sdwan-zone": [],
}  # fmt: skip
ROUTE = Route(
    destination=IPv4Network("10.68.0.0/16"),
    gateway=IPv4Address("172.16.1.7"),
    device="port3",
    row=1001,
    mark=MARK,
)


def test_a_route_reads_from_a_full_row() -> None:
    found = TABLES["route"].find(ROUTE_ROW)
    assert found.resource == ROUTE
    assert found.row == 1001


def test_numbers_may_come_as_text() -> None:
    assert TABLES["route"].find({**ROUTE_ROW, "seq-num": "1001", "distance": "10"}).resource == ROUTE


def test_omitted_fields_have_the_device_defaults() -> None:
    kept = ("seq-num", "dst", "gateway", "device", "comment")
    assert TABLES["route"].find({name: ROUTE_ROW[name] for name in kept}).resource == ROUTE


def test_an_unspecified_vrf_is_the_default_one() -> None:
    assert TABLES["route"].find({**ROUTE_ROW, "vrf": "unspecified"}).resource == ROUTE


@pytest.mark.parametrize(
    "extra",
    [
        {"status": "disable"},
        {"blackhole": "enable"},
        {"dynamic-gateway": "enable"},
        {"src": "172.20.0.0 255.255.0.0"},
        {"dstaddr": "pods"},
        {"internet-service": 65537},
        {"internet-service-fortiguard": "Zoom"},
        {"vrf": 3},
        {"sdwan-zone": references("virtual-wan-link")},
        {"sdwan": "enable"},
    ],
)
def test_a_route_that_does_more_is_not_taken_for_a_plain_one(extra: dict[str, object]) -> None:
    with pytest.raises(BeyondModel, match=next(iter(extra))):
        TABLES["route"].find({**ROUTE_ROW, **extra})


def test_a_route_is_never_sent_without_its_destination() -> None:
    assert row_body(ROUTE, "c")["dst"] == "10.68.0.0 255.255.0.0"


def test_a_route_is_found_by_the_form_the_device_keeps() -> None:
    assert natural_key("route", ROUTE_ROW) == Key(kind="route", name="10.68.0.0/16")


# --- policies

POLICY = Policy(
    name="k8snet-qa-pods",
    source_interfaces=("port2",),
    destination_interfaces=("port3",),
    sources=("office-dns", "office-lan"),
    destinations=("pods", "services"),
    services=("ALL_TCP", "ALL_UDP"),
    row=1002,
    mark=MARK,
)
POLICY_ROW = {
    "policyid": 1002, "name": "k8snet-qa-pods", "status": "enable", "srcintf": references("port2"),
    "dstintf": references("port3"), "srcaddr": references("office-lan", "office-dns"),
    "dstaddr": references("services", "pods"), "srcaddr6": [], "dstaddr6": [], "action": "accept",
    "schedule": "always", "service": references("ALL_UDP", "ALL_TCP"), "nat": "disable", "comments": OURS,
    "srcaddr-negate": "disable", "dstaddr-negate": "disable", "service-negate": "disable",
    "internet-service": "disable", "internet-service-src": "disable", "users": [], "groups": [], "ippool": "disable",
    "utm-status": "disable", "logtraffic": "all", "policy-expiry": "disable", "policy-expiry-date": "0000-00-00",
    "tos-mask": "0x00",
}  # fmt: skip


def test_a_policy_reads_with_its_sets_in_order() -> None:
    assert TABLES["policy"].find(POLICY_ROW).resource == POLICY


def test_a_policy_without_action_denies() -> None:
    row = {name: value for name, value in POLICY_ROW.items() if name != "action"}
    assert TABLES["policy"].find(row).resource == POLICY.model_copy(update={"action": "deny"})


@pytest.mark.parametrize(
    "extra",
    [
        {"srcaddr-negate": "enable"},
        {"dstaddr-negate": "enable"},
        {"service-negate": "enable"},
        {"internet-service": "enable"},
        {"users": references("ana")},
        {"groups": references("staff")},
        {"fsso-groups": references("staff")},
        {"ztna-status": "enable"},
        {"scim-users": references("ana")},
        {"scim-groups": references("staff")},
        {"src-vendor-mac": [{"id": 5}]},
        {"sgt-check": "enable"},
        {"reputation-minimum": 4},
        {"tos-mask": "0x10"},
        {"ippool": "enable"},
        {"utm-status": "enable"},
        {"policy-expiry": "enable"},
        {"action": "ipsec"},
    ],
)
def test_a_policy_that_does_more_is_not_taken_for_a_plain_one(extra: dict[str, object]) -> None:
    with pytest.raises(BeyondModel, match=next(iter(extra))):
        TABLES["policy"].find({**POLICY_ROW, **extra})


# --- there and back

NAME = st.text("abcXYZ019 ._-", min_size=1, max_size=30).map(str.strip).filter(lambda name: name not in ("", ".", ".."))
NAMES = st.sets(NAME, min_size=1, max_size=5).map(lambda names: tuple(sorted(names)))
NETWORK = st.builds(
    lambda address, length: IPv4Network((address, length), strict=False), st.ip_addresses(v=4), st.integers(1, 32)
)
MARKS = st.none() | st.builds(
    Mark,
    cluster=st.from_regex(r"\A[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?\Z"),
    operation=st.text("abcdefghij0123456789", min_size=10, max_size=10),
    fingerprint=st.text("0123456789abcdef", min_size=8, max_size=8),
)
ROW = st.integers(1, 4294967294)
RESOURCE: st.SearchStrategy[Resource] = st.one_of(
    st.builds(Address, name=NAME, network=NETWORK, mark=MARKS),
    st.builds(AddressGroup, name=NAME, members=NAMES, mark=MARKS),
    st.builds(
        Route, destination=NETWORK, gateway=st.ip_addresses(v=4), device=NAME, distance=st.integers(1, 255), row=ROW,
        mark=MARKS,
    ),
    st.builds(
        Policy, name=NAME, source_interfaces=NAMES, destination_interfaces=NAMES, sources=NAMES, destinations=NAMES,
        services=NAMES, action=st.sampled_from(["accept", "deny"]), schedule=NAME, nat=st.booleans(),
        enabled=st.booleans(), row=ROW, mark=MARKS,
    ),
)  # fmt: skip


@given(RESOURCE)
def test_what_is_sent_reads_back_as_the_same_resource(resource: Resource) -> None:
    table = TABLES[resource.kind]
    row = row_body(resource, comment_with(resource.mark, "", table.comment_limit))
    if isinstance(resource, Route | Policy):
        row[table.row_key] = resource.row
    assert table.find(row).resource == resource
    assert natural_key(resource.kind, row) == resource.key


# --- the mark


def test_the_mark_is_written_as_agreed() -> None:
    assert comment_with(MARK, "", 255) == OURS


@given(MARKS.filter(bool), st.text(max_size=60))
def test_a_mark_reads_back_exactly_whatever_a_person_wrote_before(mark: Mark, words: str) -> None:
    comment = comment_with(mark, words, 1023)
    assert mark_of(comment) == mark


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "the office",
        OURS.replace("k8snet:", "K8SNET:"),
        " " + OURS,
        OURS.replace(" h=0123abcd", ""),
        OURS.replace("0123abcd", "0123ABCD"),
        OURS.replace("0123abcd", "0123abcd0"),
        OURS.replace(" | made", " made"),
        "not " + OURS,
    ],
)
def test_anything_else_is_foreign(comment: str) -> None:
    assert mark_of(comment) is None


def test_a_persons_words_survive_adoption_and_its_undoing() -> None:
    adopted = comment_with(MARK, "asked for by Ana, ticket 4711", 255)
    assert mark_of(adopted) == MARK
    assert comment_with(None, adopted, 255) == "asked for by Ana, ticket 4711"


def test_words_of_ours_disappear_with_the_mark() -> None:
    assert comment_with(None, OURS, 255) == ""


def test_a_later_mark_replaces_the_earlier_one() -> None:
    later = MARK.model_copy(update={"operation": "zzz"})
    assert comment_with(later, comment_with(MARK, "words", 255), 255).endswith("op=zzz h=0123abcd | words")


def test_a_comment_without_room_for_the_mark_is_an_error_not_a_cut() -> None:
    with pytest.raises(ValueError, match="room for 255"):
        comment_with(MARK, "x" * 240, 255)


def test_a_mark_that_would_read_back_differently_is_not_written() -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        comment_with(MARK.model_copy(update={"cluster": "q a"}), "", 255)


def test_a_netmask_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="netmask"):
        network("10.0.0.0 255.0.255.0")
