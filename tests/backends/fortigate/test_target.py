"""The target on the simulator: traps of the API that have hurt others, each with its test."""

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from bot.model.errors import Rejected, Unreachable
from bot.model.resources import Address, AddressGroup, Key, Policy, Resource, Route, fingerprint
from lab.fortigate import article
from tests.backends.fortigate.conftest import Office, Open, ours, step
from tests.backends.fortigate.rounds import Rounds
from tests.contract.fortigate_subject import TOKEN, refs

PODS = Address(name="k8snet-qa-pods", network=IPv4Network("10.68.0.0/16"))
SERVICES = Address(name="k8snet-qa-services", network=IPv4Network("10.69.0.0/16"))
GROUP = AddressGroup(name="k8snet-qa", members=(PODS.name, SERVICES.name))
ROUTE = Route(destination=PODS.network, gateway=IPv4Address("172.16.1.67"), device="Test")
POLICY = Policy(
    name="k8snet-qa-office",
    source_interfaces=("internal",),
    destination_interfaces=("Test",),
    sources=("office",),
    destinations=(PODS.name,),
    services=("ALL_TCP",),
)


async def apply(office: Office, before: Resource | None, after: Resource | None) -> str:
    return (await office.target.apply(step(before, after))).kind


async def create(office: Office, resource: Resource, row: int | None = None) -> Resource:
    made = ours(resource, row)
    assert await apply(office, None, made) == "applied"
    return made


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


# --- several steps together


def everything() -> list[Resource]:
    """Shaped like the first exposure: 4 addresses, 2 routes, 3 policies."""
    pods_route, services_route = ROUTE, ROUTE.model_copy(update={"destination": SERVICES.network})
    addresses = [
        PODS,
        SERVICES,
        Address(name="k8snet-office", network=IPv4Network("172.16.0.0/24")),
        Address(name="k8snet-dns", network=IPv4Network("172.16.2.3/32")),
    ]
    policies = [
        POLICY,
        POLICY.model_copy(update={"name": "k8snet-qa-ping", "services": ("PING",)}),
        POLICY.model_copy(
            update={
                "name": "k8snet-qa-dns",
                "source_interfaces": ("dmz",),
                "sources": ("k8snet-dns",),
                "destinations": (SERVICES.name,),
                "services": ("DNS",),
            }
        ),
    ]
    return [
        *(ours(address) for address in addresses),
        *(ours(route, 1000 + number) for number, route in enumerate((pods_route, services_route))),
        *(ours(policy, 1000 + number) for number, policy in enumerate(policies)),
    ]


async def test_a_first_exposure_costs_its_writes_and_three_round_trips(office_with: Open) -> None:
    wishes = everything()
    steps = [step(None, wish) for wish in wishes]
    release, look, four_addresses = [1], [3], [1] * 4
    # The addresses are read back beside the first route, the routes beside the first policy.
    rounds = Rounds([*release, *look, *four_addresses, 2, 1, 2, 1, 1, 1])
    assert len(rounds.left) == len(wishes) + 3
    office = await office_with(rounds=rounds)
    assert {outcome.kind for outcome in await office.target.apply_all(steps)} == {"applied"}
    assert rounds.left == []
    assert len(office.writes) == len(wishes)


async def test_what_a_first_exposure_wrote_is_there(office: Office) -> None:
    wishes = everything()
    assert {outcome.kind for outcome in await office.target.apply_all([step(None, wish) for wish in wishes])} == {
        "applied"
    }
    # One for the release, one look for each table, and one read-back for each table.
    assert office.requests() == 1 + 3 + len(wishes) + 3
    assert await office.target.read([wish.key for wish in wishes]) == {wish.key: wish for wish in wishes}


async def test_taking_it_all_back_costs_the_writes_and_two_round_trips(office_with: Open) -> None:
    steps = [step(None, wish) for wish in everything()]
    expose, look, three_policies = [1, 3, *[1] * 4, 2, 1, 2, 1, 1, 1], [3], [1] * 3
    rounds = Rounds([*expose, *look, *three_policies, 2, 1, 2, 1, 1, 1, 1])
    assert len(rounds.left) - len(expose) == len(steps) + 2
    office = await office_with(rounds=rounds)
    await office.target.apply_all(steps)
    outcomes = await office.target.apply_all([one.inverse() for one in reversed(steps)])
    assert {outcome.kind for outcome in outcomes} == {"applied"}
    assert rounds.left == []


async def test_a_policy_is_not_begun_before_its_addresses_were_seen(office: Office) -> None:
    office.server.faults.arm("no-effect", method="POST", path="*/firewall/address")
    outcomes = await office.target.apply_all([step(None, wish) for wish in everything()])
    assert outcomes[0].kind == "unknown"
    assert {outcome.kind for outcome in outcomes[6:]} == {"skipped"}
    assert not any("firewall/policy" in entry.target for entry in office.writes)


async def test_nothing_more_is_begun_once_a_read_back_tells_of_trouble(office: Office) -> None:
    """The last address is not there, which comes to light while the routes are written."""
    office.server.faults.arm("no-effect", method="POST", path="*/firewall/address", after=3)
    outcomes = await office.target.apply_all([step(None, wish) for wish in everything()])
    assert [outcome.kind for outcome in outcomes[:4]] == ["applied"] * 3 + ["unknown"]
    assert {outcome.kind for outcome in outcomes[4:6]} <= {"applied", "skipped"}
    assert {outcome.kind for outcome in outcomes[6:]} == {"skipped"}


async def test_doing_it_again_looks_once_and_writes_nothing(office: Office) -> None:
    steps = [step(None, wish) for wish in everything()]
    await office.target.apply_all(steps)
    writes, requests = len(office.writes), office.requests()
    assert {outcome.kind for outcome in await office.target.apply_all(steps)} == {"already"}
    assert len(office.writes) == writes
    assert office.requests() - requests == 3  # side by side: one round trip deep


async def test_taking_it_all_back_leaves_the_device_as_it_was(office: Office) -> None:
    before = {table: office.device.rows(table) for table in ("firewall/address", "router/static", "firewall/policy")}
    steps = [step(None, wish) for wish in everything()]
    await office.target.apply_all(steps)
    outcomes = await office.target.apply_all([one.inverse() for one in reversed(steps)])
    assert {outcome.kind for outcome in outcomes} == {"applied"}
    assert {table: office.device.rows(table) for table in before} == before


async def test_if_one_step_cannot_be_done_none_is_begun(office: Office) -> None:
    office.device.create("firewall/address", {"name": SERVICES.name, "subnet": "10.99.0.0/16"})
    steps = [step(None, wish) for wish in everything()]
    outcomes = await office.target.apply_all(steps)
    assert [outcome.kind for outcome in outcomes] == ["skipped", "refused", *["skipped"] * 7]
    assert "another address k8snet-qa-services is there" in outcomes[1].detail
    assert all("not attempted because of address k8snet-qa-services" in outcomes[n].detail for n in (0, 2, 8))
    assert office.writes == []


async def test_the_first_failure_ends_the_rest(office: Office) -> None:
    office.server.faults.arm("table-full", method="POST", path="*/router/static", after=1)
    outcomes = await office.target.apply_all([step(None, wish) for wish in everything()])
    assert [outcome.kind for outcome in outcomes] == ["applied"] * 5 + ["refused"] + ["skipped"] * 3
    assert "table is full" in outcomes[5].detail
    assert "not attempted because of route 10.69.0.0/16" in outcomes[6].detail


async def test_nothing_leaves_after_its_time(office: Office) -> None:
    outcomes = await office.target.apply_all([step(None, ours(PODS)), step(None, ours(SERVICES))], not_after=1000.0)
    assert [outcome.kind for outcome in outcomes] == ["refused", "skipped"]
    assert "time was over" in outcomes[0].detail
    assert office.writes == []


async def test_time_that_runs_out_between_two_writes_stops_the_second(office_with: Open) -> None:
    office = await office_with(arriving=lambda n: n == 3 and setattr(office.clock, "time", 2000.0))
    outcomes = await office.target.apply_all([step(None, ours(PODS)), step(None, ours(SERVICES))], not_after=1500.0)
    assert [outcome.kind for outcome in outcomes] == ["applied", "refused"]
    assert len(office.writes) == 1


async def test_one_resource_twice_is_a_mistake_of_the_caller(office: Office) -> None:
    with pytest.raises(ValueError, match="fresh look"):
        await office.target.apply_all([step(None, ours(PODS)), step(ours(PODS), None)])


# --- row numbers


async def test_free_rows_are_the_lowest_gaps(office: Office) -> None:
    for number in (1000, 1001, 1003):
        destination = IPv4Network((int(IPv4Address("10.0.0.0")) + number * 256, 24))
        await create(office, ROUTE.model_copy(update={"destination": destination}), number)
    assert list(await office.target.free_rows("route", 3)) == [1002, 1004, 1005]
    assert list(await office.target.free_rows("policy", 1)) == [1000]


async def test_a_range_that_is_used_up_says_which_setting_to_widen(office_with: Open) -> None:
    office = await office_with(ids={"routes": [1, 2], "policies": [1000, 1999]})
    with pytest.raises(Rejected, match=r"only 1 of the row numbers 1 to 2 .* widen ids\.routes"):
        await office.target.free_rows("route", 2)
    with pytest.raises(Rejected, match="has a name"):
        await office.target.free_rows("address", 1)


# --- accounts, VDOMs, releases, clusters


async def test_a_read_only_account_learns_which_right_it_lacks(office_with: Open) -> None:
    state = article.state(TOKEN)
    profile = {**state["accprofiles"][0], "fwgrp-permission": {"address": "read", "policy": "read"}}
    office = await office_with({"accprofiles": [profile]})
    outcome = await office.target.apply(step(None, ours(PODS)))
    assert outcome.kind == "refused"
    assert "fwgrp.address read-write" in outcome.detail
    assert await office.target.read([PODS.key]) == {}


async def test_a_wrong_token_is_tried_once(office_with: Open) -> None:
    office = await office_with({"api_users": article.state("another-token")["api_users"]})
    with pytest.raises(Rejected, match="refused the API token"):
        await office.target.read([PODS.key, ROUTE.key, POLICY.key])
    with pytest.raises(Rejected, match="Nothing is sent"):
        await office.target.apply(step(None, ours(PODS)))
    assert office.requests() == 1


async def test_everything_happens_in_the_vdom_of_the_settings(office_with: Open) -> None:
    state = article.state(TOKEN)
    state["api_users"][0]["vdom"] = ["root", "lab"]
    state["vdoms"]["lab"] = {}
    office = await office_with(state, vdom="lab")
    await create(office, PODS)
    assert PODS.name in [row["name"] for row in office.device.rows("firewall/address", "lab")]
    assert PODS.name not in [row["name"] for row in office.device.rows("firewall/address", "root")]


async def test_a_vdom_that_the_account_may_not_enter_is_named(office_with: Open) -> None:
    office = await office_with(vdom="dmz")
    with pytest.raises(Rejected, match="VDOM dmz"):
        await office.target.read([PODS.key])


@pytest.mark.parametrize("version", ["v6.4.14", "v7.0.0", "v7.0.15", "v7.2.8", "v7.4.4", "v7.6.6"])
async def test_a_plan_right_after_an_apply_is_empty_on_every_release(office_with: Open, version: str) -> None:
    office = await office_with({"version": version})
    wishes = [*everything(), ours(GROUP)]
    wishes.sort(key=lambda wish: wish.kind != "address")
    outcomes = await office.target.apply_all([step(None, wish) for wish in wishes])
    assert {outcome.kind for outcome in outcomes} == {"applied"}
    assert await office.target.read([wish.key for wish in wishes]) == {wish.key: wish for wish in wishes}
    changed = ours(ROUTE.model_copy(update={"distance": 20}), 1000, "op2")
    assert await apply(office, ours(ROUTE, 1000), changed) == "applied"


async def test_a_release_that_is_too_old_is_refused(office_with: Open) -> None:
    office = await office_with({"version": "v6.2.3"})
    with pytest.raises(Rejected, match=r"FortiOS 6\.2\.3 is too old"):
        await office.target.read([PODS.key])


async def test_a_fail_over_of_the_cluster_goes_unnoticed(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    there = await create(office, PODS)
    office.server.failover()
    assert await office.target.read([PODS.key]) == {PODS.key: there}
    assert "FGVMEVARTICLE002 answers now instead of FGVMEVARTICLE001" in caplog.text


async def test_a_unit_that_is_not_listed_is_not_believed(office_with: Open) -> None:
    office = await office_with(serials=["FGVMEVARTICLE001"])
    await create(office, PODS)
    office.server.failover()
    with pytest.raises(Unreachable, match="FGVMEVARTICLE002"):
        await office.target.read([PODS.key])
