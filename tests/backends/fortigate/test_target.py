"""The target on the simulator: traps of the API that have hurt others, each with its test."""

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from bot.model.errors import Rejected
from bot.model.resources import Address, Key, fingerprint
from tests.backends.fortigate.conftest import Office, Open, ours, step
from tests.backends.fortigate.objects import PODS, POLICY, ROUTE, apply, create
from tests.contract.fortigate_subject import refs

# --- what is written


async def test_the_mark_is_in_the_comment(office: Office) -> None:
    pods = await create(office, PODS)
    await create(office, ROUTE, 1000)
    await create(office, POLICY, 1000)
    expected = f"k8snet:qa op=op1 h={fingerprint(PODS)} | made by k8snet, do not edit"
    assert office.row("firewall/address", "name", PODS.name)["comment"] == expected
    assert office.row("router/static", "seq-num", 1000)["comment"].startswith("k8snet:qa op=op1 ")
    assert office.row("firewall/policy", "policyid", 1000)["comments"].startswith("k8snet:qa op=op1 ")
    assert pods.mark is not None
    assert pods.mark.fingerprint == fingerprint(PODS)


async def test_a_route_never_becomes_the_default_route(office: Office) -> None:
    """Left out, `dst` means 0.0.0.0/0; so it goes with every write, also with one that changes only the gateway."""
    there = await create(office, ROUTE, 1000)
    changed = ours(ROUTE.model_copy(update={"gateway": IPv4Address("172.16.1.68")}), 1000, "op2")
    assert await apply(office, there, changed) == "applied"
    assert [entry.body["dst"] for entry in office.writes] == ["10.68.0.0 255.255.0.0"] * 2
    defaults = [row["seq-num"] for row in office.device.rows("router/static") if row["dst"].startswith("0.0.0.0")]
    assert defaults == [1]


async def test_a_default_route_cannot_even_be_wished_for(office: Office) -> None:
    wish = ours(ROUTE.model_copy(update={"destination": IPv4Network("0.0.0.0/0")}), 1000)
    with pytest.raises(Rejected, match="default route"):
        office.target.normalise(wish)
    assert await apply(office, None, wish) == "refused"
    assert office.writes == []


async def test_numbers_are_always_ours(office: Office) -> None:
    for wish in (ROUTE, POLICY.model_copy(update={"destinations": ("test-servers",)})):
        outcome = await office.target.apply(step(None, ours(wish)))
        assert (outcome.kind, "no row number" in outcome.detail) == ("refused", True)
        assert await apply(office, None, ours(wish, 0)) == "refused"
    assert office.writes == []


async def test_an_answer_that_names_row_zero_is_not_believed(office: Office) -> None:
    await create(office, PODS)
    office.server.faults.arm("mkey-zero", method="POST", count=None)
    policy, route = await create(office, POLICY, 1007), await create(office, ROUTE, 1008)
    office.server.clear_faults()
    assert office.row("firewall/policy", "name", POLICY.name)["policyid"] == 1007
    assert await apply(office, policy, None) == "applied"
    assert await apply(office, route, None) == "applied"


async def test_a_row_that_shows_late_is_waited_for(office: Office) -> None:
    """Under load a read right after a successful write answered as if nothing were there."""
    await create(office, PODS)
    office.server.faults.arm("not-found", method="GET", path="*/firewall/policy", after=1, count=2)
    await create(office, POLICY, 1000)
    assert office.clock.time == 1000.0 + 0.25 + 0.5


async def test_a_row_that_never_shows_is_unknown(office: Office) -> None:
    office.server.faults.arm("no-effect", method="POST")
    outcome = await office.target.apply(step(None, ours(PODS)))
    assert outcome.kind == "unknown"
    assert "not to be seen" in outcome.detail
    assert await apply(office, None, ours(PODS)) == "applied"


async def test_what_people_set_beside_our_columns_survives_a_change(office: Office) -> None:
    await create(office, PODS)
    there = await create(office, POLICY, 1000)
    office.device.update("firewall/policy", 1000, {"logtraffic": "all", "label": "Kubernetes"})
    changed = ours(POLICY.model_copy(update={"services": ("ALL",)}), 1000, "op2")
    assert await apply(office, there, changed) == "applied"
    row = office.row("firewall/policy", "policyid", 1000)
    assert (row["logtraffic"], row["label"]) == ("all", "Kubernetes")


async def test_adoption_keeps_a_persons_words(office: Office) -> None:
    office.device.create("firewall/address", {"name": PODS.name, "subnet": "10.68.0.0/16", "comment": "ticket 4711"})
    adopt = step(PODS, ours(PODS))
    assert (await office.target.apply(adopt)).kind == "applied"
    assert office.row("firewall/address", "name", PODS.name)["comment"].endswith(" | ticket 4711")
    assert (await office.target.apply(adopt.inverse())).kind == "applied"
    assert office.row("firewall/address", "name", PODS.name)["comment"] == "ticket 4711"


async def test_adoption_is_refused_when_a_persons_words_leave_no_room(office: Office) -> None:
    office.device.create("firewall/address", {"name": PODS.name, "subnet": "10.68.0.0/16", "comment": "x" * 240})
    outcome = await office.target.apply(step(PODS, ours(PODS)))
    assert (outcome.kind, "room for 255" in outcome.detail) == ("refused", True)
    assert office.writes == []


# --- what is there already


async def test_several_routes_to_one_destination_are_named_not_hidden(office: Office) -> None:
    for number, gateway in ((5, "172.16.1.67"), (6, "172.16.1.68")):
        office.device.create(
            "router/static", {"seq-num": number, "dst": "10.68.0.0/16", "gateway": gateway, "device": "Test"}
        )
    with pytest.raises(Rejected, match="seq-num 5 and seq-num 6"):
        await office.target.read([ROUTE.key])
    outcome = await office.target.apply(step(None, ours(ROUTE, 1000)))
    assert (outcome.kind, "seq-num 5 and seq-num 6" in outcome.detail) == ("refused", True)
    assert office.writes == []


@pytest.mark.parametrize(
    ("table", "row", "key", "words"),
    [
        ("firewall/address", {"name": "x", "type": "fqdn", "fqdn": "a.example"}, Key(kind="address", name="x"), "fqdn"),
        (
            "firewall/policy",
            {
                "policyid": 9, "name": "x", "srcintf": refs(("internal",)), "dstintf": refs(("Test",)),
                "srcaddr": refs(("office",)), "dstaddr": refs(("test-servers",)), "service": refs(("ALL",)),
                "action": "accept", "schedule": "always", "dstaddr-negate": "enable",
            },
            Key(kind="policy", name="x"),
            "dstaddr-negate=enable",
        ),
        (
            "router/static",
            {"seq-num": 9, "dst": "10.9.0.0/16", "blackhole": "enable"},
            Key(kind="route", name="10.9.0.0/16"),
            "blackhole=enable",
        ),
    ],
)  # fmt: skip
async def test_a_row_that_does_more_than_we_can_say_is_named_and_left_alone(
    office: Office, table: str, row: dict[str, Any], key: Key, words: str
) -> None:
    office.device.create(table, row)
    with pytest.raises(Rejected, match=words):
        await office.target.read([key])
    assert office.writes == []


async def test_names_are_compared_exactly_whatever_the_devices_filter_does(office: Office) -> None:
    await create(office, PODS)
    assert await office.target.read([Key(kind="address", name=PODS.name.upper())]) == {}


@pytest.mark.parametrize("name", ["a/b", "a,b", "a&b=c", "a b", "50%", "ü", "a+b", "#1", "all==", "x?y", "*"])
async def test_names_of_any_kind_are_found_changed_and_removed(office: Office, name: str) -> None:
    other = await create(office, PODS)
    there = await create(office, Address(name=name, network=IPv4Network("10.1.0.0/16")))
    assert await office.target.read([there.key]) == {there.key: there}
    changed = ours(Address(name=name, network=IPv4Network("10.2.0.0/16")), operation="op2")
    assert await apply(office, there, changed) == "applied"
    assert await apply(office, changed, None) == "applied"
    assert await office.target.read([there.key, other.key]) == {other.key: other}


async def test_what_no_firewall_holds_is_not_asked_for(office: Office) -> None:
    with pytest.raises(Rejected, match="no forwarder"):
        await office.target.read([Key(kind="forwarder", name="svc.cluster.local")])
    with pytest.raises(Rejected, match="is not a network"):
        await office.target.read([Key(kind="route", name="everywhere")])


# --- somebody else is faster


async def test_an_identical_one_made_between_look_and_write_is_already(office_with: Open) -> None:
    """POST answers -5, and the read-back tells why."""
    row = {"name": PODS.name, "subnet": "10.68.0.0/16"}
    office = await office_with(arriving=lambda n: n == 3 and office.device.create("firewall/address", row))
    assert await apply(office, None, ours(PODS)) == "already"
    assert [entry.status for entry in office.writes] == [500]
    assert office.row("firewall/address", "name", PODS.name)["comment"] == ""


async def test_another_one_made_between_look_and_write_is_refused(office_with: Open) -> None:
    row = {"name": PODS.name, "subnet": "10.99.0.0/16"}
    office = await office_with(arriving=lambda n: n == 3 and office.device.create("firewall/address", row))
    outcome = await office.target.apply(step(None, ours(PODS)))
    assert (outcome.kind, "exists already" in outcome.detail) == ("refused", True)
    assert office.row("firewall/address", "name", PODS.name)["subnet"] == "10.99.0.0 255.255.0.0"


async def test_a_row_number_taken_between_look_and_write_is_refused(office_with: Open) -> None:
    row = {"seq-num": 1000, "dst": "10.99.0.0/16", "gateway": "172.16.1.67", "device": "Test"}
    office = await office_with(arriving=lambda n: n == 3 and office.device.create("router/static", row))
    assert await apply(office, None, ours(ROUTE, 1000)) == "refused"
    assert office.row("router/static", "seq-num", 1000)["dst"] == "10.99.0.0 255.255.0.0"


async def test_a_route_of_ours_that_an_earlier_try_made_under_another_number_counts(office_with: Open) -> None:
    """POST answers -15: the device compares content, not numbers. The mark proves whose it is."""
    row = {
        "seq-num": 7, "dst": "10.68.0.0/16", "gateway": "172.16.1.67", "device": "Test",
        "comment": f"k8snet:qa op=op1 h={fingerprint(ROUTE)} | made by k8snet, do not edit",
    }  # fmt: skip
    office = await office_with(arriving=lambda n: n == 3 and office.device.create("router/static", row))
    assert await apply(office, None, ours(ROUTE, 1000)) == "applied"
    assert [entry.body["seq-num"] for entry in office.writes if not entry.effective] == [1000]
    assert await office.target.read([ROUTE.key]) == {ROUTE.key: ours(ROUTE, 7)}


async def test_a_second_route_made_between_look_and_write_is_not_hidden(office_with: Open) -> None:
    """Its comment differs, so the device accepts ours beside it."""
    row = {"seq-num": 7, "dst": "10.68.0.0/16", "gateway": "172.16.1.67", "device": "Test"}
    office = await office_with(arriving=lambda n: n == 3 and office.device.create("router/static", row))
    outcome = await office.target.apply(step(None, ours(ROUTE, 1000)))
    assert (outcome.kind, "seq-num 7 and seq-num 1000" in outcome.detail) == ("unknown", True)


async def test_an_object_in_use_is_not_removed_and_its_users_are_named(office: Office) -> None:
    pods = await create(office, PODS)
    await create(office, POLICY, 1000)
    outcome = await office.target.apply(step(pods, None))
    assert outcome.kind == "refused"
    assert "still used" in outcome.detail
    assert "firewall.policy 1000" in outcome.detail


async def test_a_missing_reference_is_refused_with_the_devices_own_words(office: Office) -> None:
    outcome = await office.target.apply(step(None, ours(POLICY, 1000)))
    assert outcome.kind == "refused"
    assert PODS.name in outcome.detail


# --- row numbers


async def test_a_comment_in_another_encoding_is_never_written_back(office: Office) -> None:
    """It would come back with other bytes than it had."""
    comment = "办公网".encode("gbk").decode(errors="surrogateescape")
    office.device.create("firewall/address", {"name": PODS.name, "subnet": "10.68.0.0/16", "comment": comment})
    with pytest.raises(Rejected, match="has values that k8snet cannot read; it is not touched"):
        await office.target.read([PODS.key])
    outcome = await office.target.apply(step(PODS, ours(PODS)))
    assert outcome.kind == "refused"
    assert office.row("firewall/address", "name", PODS.name)["comment"] == comment


async def test_free_rows_are_the_lowest_gaps(office: Office) -> None:
    for number in (1000, 1001, 1003):
        destination = IPv4Network((int(IPv4Address("10.0.0.0")) + number * 256, 24))
        await create(office, ROUTE.model_copy(update={"destination": destination}), number)
    assert list(await office.target.free_rows("route", 3)) == [1002, 1004, 1005]
    assert list(await office.target.free_rows("policy", 1)) == [1000]


async def test_all_numbers_there_are_may_be_ours(office_with: Open) -> None:
    """Four thousand million of them are never looked at one by one."""
    everything = (1, 4294967294)
    office = await office_with(ids={"routes": everything, "policies": everything})
    taken = {row["policyid"] for row in office.device.rows("firewall/policy")}
    rows = await office.target.free_rows("policy", 2)
    assert len(rows) == 2
    assert not taken & set(rows)
    highest = everything[1]
    last = await office_with(ids={"routes": (highest, highest)})
    [number] = await last.target.free_rows("route", 1)
    assert (await last.target.apply(step(None, ours(ROUTE, number)))).kind == "applied"
    assert last.row("router/static", "seq-num", highest)["dst"] == "10.68.0.0 255.255.0.0"


async def test_a_range_that_is_used_up_says_which_setting_to_widen(office_with: Open) -> None:
    office = await office_with(ids={"routes": [1, 2], "policies": [1000, 1999]})
    with pytest.raises(Rejected, match=r"only 1 of the row numbers 1 to 2 .* widen ids\.routes"):
        await office.target.free_rows("route", 2)
    with pytest.raises(Rejected, match="has a name"):
        await office.target.free_rows("address", 1)
