"""The requests of the vendor's Terraform provider against the simulator: see `terraform`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from lab.fortigate.profile import RELEASES
from tests.lab.fortigate.conftest import TOKEN, Lab
from tests.lab.fortigate.terraform import (
    ADDRESS,
    GROUP,
    KINDS,
    POLICY,
    ROUTE,
    Crashed,
    Failed,
    Json,
    Kind,
    Provider,
    planned,
    sent_on_update,
    state_of,
)

VERSIONS = [version for version, _ in RELEASES.values()]
CONFIGURATION: dict[Kind, Json] = {
    ADDRESS: {"name": "pods of qa/1", "type": "ipmask", "subnet": "172.20.0.0/16", "comment": "by terraform"},
    GROUP: {"name": "qa", "member": [{"name": "pods of qa/1"}, {"name": "test-servers"}], "color": 7},
    ROUTE: {"seq-num": 30, "dst": "172.20.0.0 255.255.0.0", "gateway": "172.16.1.106", "device": "Test",
            "comment": "by terraform", "weight": 5},
    POLICY: {"policyid": 30, "name": "to-qa", "srcintf": [{"name": "internal"}], "dstintf": [{"name": "Test"}],
             "srcaddr": [{"name": "office"}], "dstaddr": [{"name": "qa"}], "action": "accept", "schedule": "always",
             "service": [{"name": "ALL_UDP"}, {"name": "ALL_TCP"}], "comments": "by terraform"},
}  # fmt: skip
CHANGES: dict[Kind, tuple[Json, tuple[str, ...]]] = {
    ADDRESS: ({"subnet": "172.20.0.0 255.255.128.0"}, ("comment",)),
    GROUP: ({"member": [{"name": "pods of qa/1"}]}, ("color",)),
    ROUTE: ({"gateway": "172.16.1.107"}, ("comment", "weight")),
    POLICY: ({"service": [{"name": "ALL_TCP"}], "status": "disable"}, ("comments",)),
}
"""For each resource what changes in a person's configuration, and what is taken out of it."""

Start = Callable[..., Awaitable[Lab]]


async def provider(lab: Lab, token: str = TOKEN, vdom: str = "root") -> Provider:
    return Provider(await lab.new_client(), token, vdom)


async def applied(terraform: Provider) -> dict[Kind, tuple[str, Json]]:
    """All four resources created, and their state."""
    made = {}
    for kind in KINDS:
        identity = await terraform.create(kind, CONFIGURATION[kind])
        row = await terraform.read(kind, identity)
        assert row is not None
        made[kind] = identity, state_of(row, CONFIGURATION[kind])
    return made


async def refreshed(terraform: Provider, kind: Kind, identity: str, before: Json) -> Json:
    row = await terraform.read(kind, identity)
    assert row is not None
    return state_of(row, before)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("vdom", ["root", ""])
async def test_create_plan_change_and_destroy(start: Start, version: str, vdom: str) -> None:
    """As `terraform apply`, `plan`, `apply` and `destroy` do it; a plan after an apply is empty."""
    lab = await start(version)
    terraform = await provider(lab, vdom=vdom)
    assert await terraform.check() == 401
    await terraform.learn_version()
    assert terraform.version == version
    made = await applied(terraform)
    for kind, (_, state) in made.items():
        assert planned(CONFIGURATION[kind], state) == {}
    for kind, (identity, state) in made.items():
        change, taken_out = CHANGES[kind]
        wanted = {name: v for name, v in (CONFIGURATION[kind] | change).items() if name not in taken_out}
        assert await terraform.update(kind, identity, sent_on_update(kind, wanted, state, taken_out)) == identity
        after = await refreshed(terraform, kind, identity, wanted)
        assert planned(wanted, after) == {}
        assert not any(after[name] for name in taken_out)
        unchanged = {name for name in state if name not in {*change, *taken_out}}
        assert {name: after[name] for name in unchanged} == {name: state[name] for name in unchanged}
    for kind in reversed(KINDS):
        await terraform.delete(kind, made[kind][0])
        assert await terraform.read(kind, made[kind][0]) is None
    assert [entry for entry in lab.server.api.audit if entry.alarm] == []


@pytest.mark.parametrize("version", VERSIONS)
async def test_everything_read_may_be_sent_back_and_changes_nothing(start: Start, version: str) -> None:
    """A refresh only, then an apply for another attribute's sake: all that was computed goes out again."""
    lab = await start(version)
    terraform = await provider(lab)
    for kind, (identity, state) in (await applied(terraform)).items():
        revision = (await lab.get(kind.table)).json()["revision"]
        assert await terraform.update(kind, identity, sent_on_update(kind, {}, state)) == identity
        assert (await lab.get(kind.table)).json()["revision"] == revision


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_exists_is_updated_when_asked_for_and_an_error_otherwise(start: Start, version: str) -> None:
    lab = await start(version)
    terraform = await provider(lab)
    await applied(terraform)
    for kind in KINDS:
        with pytest.raises(Failed, match=r"^Internal Server Error \(500\)"):
            await terraform.create(kind, CONFIGURATION[kind])
        change, _ = CHANGES[kind]
        await terraform.create(kind, CONFIGURATION[kind] | change, update_if_exist=True)
        row = await refreshed(terraform, kind, str(CONFIGURATION[kind][kind.key]), CONFIGURATION[kind] | change)
        assert planned(change, row) == {}


@pytest.mark.parametrize("version", VERSIONS)
async def test_numbers_that_the_device_chooses_become_the_identity(start: Start, version: str) -> None:
    lab = await start(version)
    terraform = await provider(lab)
    for kind in (ROUTE, POLICY):
        body = {name: value for name, value in CONFIGURATION[kind].items() if name != kind.key}
        if kind is POLICY:
            body["dstaddr"] = [{"name": "all"}]
        identity = await terraform.create(kind, body)
        assert int(identity) > 0
        await terraform.delete(kind, identity)


@pytest.mark.parametrize("version", VERSIONS)
async def test_destroying_in_the_wrong_order_and_twice_are_errors(start: Start, version: str) -> None:
    lab = await start(version)
    terraform = await provider(lab)
    made = await applied(terraform)
    with pytest.raises(Failed) as refusal:
        await terraform.delete(ADDRESS, made[ADDRESS][0])
    assert ("Return code -23" in str(refusal.value)) == (version >= "v7")
    await terraform.delete(POLICY, made[POLICY][0])
    with pytest.raises(Failed, match=r"^Resource Not Found \(404\)"):
        await terraform.delete(POLICY, made[POLICY][0])
    with pytest.raises(Failed, match=r"^Resource Not Found \(404\)"):
        await terraform.update(POLICY, made[POLICY][0], {"status": "enable"})


@pytest.mark.parametrize("version", VERSIONS)
async def test_policies_are_moved_and_listed(start: Start, version: str) -> None:
    lab = await start(version)
    terraform = await provider(lab)
    await terraform.move("7", "before", "2")
    assert await terraform.policy_order() == [1, 7, 2, 3, 4, 5, 6]
    await terraform.move("1", "after", "6")
    assert await terraform.policy_order() == [7, 2, 3, 4, 5, 6, 1]
    with pytest.raises(Failed, match="status 500"):
        await terraform.move("1", "after", "99")


@pytest.mark.parametrize("ascending", [True, False])
async def test_policies_are_sorted(lab: Lab, ascending: bool) -> None:
    terraform = await provider(lab)
    await terraform.move("7", "before", "2")
    await terraform.sort(ascending=ascending)
    assert await terraform.policy_order() == sorted(range(1, 8), reverse=not ascending)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_changed_name_renames_the_row_and_its_users(start: Start, version: str) -> None:
    lab = await start(version)
    terraform = await provider(lab)
    made = await applied(terraform)
    change: Json = {"name": "pods"}
    for kind, user, attribute in ((ADDRESS, GROUP, "member"), (GROUP, POLICY, "dstaddr")):
        identity, state = made[kind]
        body = sent_on_update(kind, CONFIGURATION[kind] | change, state)
        assert await terraform.update(kind, identity, body) == change["name"]
        row = await terraform.read(user, made[user][0])
        assert row is not None
        assert change["name"] in [item["name"] for item in row[attribute]]
        change = {"name": "of-qa", "member": [{"name": "pods"}]}


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_default_that_the_provider_takes_for_a_difference_is_sent_as_null(start: Start, version: str) -> None:
    """Its issues 426 and 428: in release 1.25 an unconfigured session_ttl is planned from "0" to null for ever."""
    lab = await start(version)
    terraform = await provider(lab)
    identity, state = (await applied(terraform))[POLICY]
    assert state["session-ttl"] == "0"
    revision = (await lab.get(POLICY.table)).json()["revision"]
    await terraform.update(
        POLICY, identity, sent_on_update(POLICY, CONFIGURATION[POLICY], state, taken_out=("session-ttl",))
    )
    assert (await refreshed(terraform, POLICY, identity, state))["session-ttl"] == "0"
    assert (await lab.get(POLICY.table)).json()["revision"] == revision


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ("schedule==always", [1, 2, 3, 4, 5, 6, 7]),
        ("policyid>3", [4, 5, 6, 7]),
        ("name==office-to-test,name==test-to-dns", [1, 4]),
        ("policyid>3&action==accept,action==deny", [4, 5, 6, 7]),
        ("name=@to-DNS", [2, 4]),
        ("name!=office-to-test&policyid<3", [2]),
    ],
)
async def test_lists_are_filtered_as_the_guide_says(lab: Lab, filters: str, found: list[int]) -> None:
    assert await (await provider(lab)).listed(POLICY, filters) == found


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_number_answered_as_text_crashes_the_provider(start: Start, version: str) -> None:
    lab = await start(version)
    await lab.arm("mkey-zero", method="POST", path="*/router/static", count=1)
    with pytest.raises(Crashed):
        await (await provider(lab)).create(ROUTE, CONFIGURATION[ROUTE])


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_old_kind_of_route_sends_numbers_as_text(start: Start, version: str) -> None:
    lab = await start(version)
    terraform = await provider(lab, vdom="")
    body: dict[str, Any] = {
        "dst": "110.2.2.122/32", "gateway": "172.16.1.106", "blackhole": "disable", "distance": "22", "weight": "3",
        "priority": "4", "device": "Test", "comment": "", "status": "enable",
    }  # fmt: skip
    number = await terraform.create_old_route(body)
    [row] = await lab.rows(f"router/static/{number}")
    assert (row["dst"], row["distance"], row["weight"], row["priority"]) == ("110.2.2.122 255.255.255.255", 22, 3, 4)
    with pytest.raises(Crashed):  # but the device has done it
        await terraform.update_old_route(number, body | {"distance": "33"})
    [row] = await lab.rows(f"router/static/{number}")
    assert row["distance"] == 33


async def test_a_persons_own_request_comes_back_as_it_is(lab: Lab) -> None:
    terraform = await provider(lab)
    body = '{"name":"by-hand","subnet":"10.9.0.0 255.255.0.0"}'
    answer = json.loads(await terraform.generic("POST", "/api/v2/cmdb/firewall/address", body))
    assert (answer["status"], answer["mkey"], answer["vdom"]) == ("success", "by-hand", "root")
    read = await terraform.generic("GET", "/api/v2/cmdb/firewall/address/by-hand", special="format=name")
    assert json.loads(read)["results"] == [{"name": "by-hand", "q_origin_key": "by-hand"}]


async def test_global_settings_are_a_scope(lab: Lab) -> None:
    terraform = await provider(lab, vdom="global")
    answer = json.loads(await terraform.generic("GET", "/api/v2/cmdb/system/global"))
    assert answer["results"]["hostname"] == "office-firewall"


async def test_refusals_before_the_api_are_pages_and_shown_whole(lab: Lab) -> None:
    with pytest.raises(Failed, match="<h1>Unauthorized</h1>"):
        await (await provider(lab, token="wrong")).learn_version()
    with pytest.raises(Failed, match="403 Forbidden"):
        await (await provider(lab, vdom="elsewhere")).create(ADDRESS, CONFIGURATION[ADDRESS])


async def test_asking_without_a_token_when_configured_locks_nobody_out(lab: Lab) -> None:
    terraform = await provider(lab)
    for _ in range(5):
        assert await terraform.check() == 401
    await terraform.learn_version()


@pytest.mark.parametrize("kind", ["lose-answer", "refuse"])
async def test_a_create_whose_connection_broke_is_not_sent_again(lab: Lab, kind: str) -> None:
    """After a lost answer the device holds one, and Terraform believes that it holds none."""
    terraform = await provider(lab)
    await lab.arm(kind, method="POST", path="*/firewall/address", count=1)
    with pytest.raises(Failed, match="lost connection"):
        await terraform.create(ADDRESS, CONFIGURATION[ADDRESS])
    made = [row["name"] for row in await lab.rows("firewall/address?filter=name==pods%20of%20qa/1")]
    assert made == (["pods of qa/1"] if kind == "lose-answer" else [])


async def test_a_delete_and_a_move_that_lost_their_answer_are_sent_again(lab: Lab) -> None:
    terraform = await provider(lab)
    await terraform.create(ADDRESS, CONFIGURATION[ADDRESS])
    await lab.arm("lose-answer", method="DELETE", path="*/firewall/address/*", count=1)
    with pytest.raises(Failed, match=r"^Resource Not Found \(404\)"):
        await terraform.delete(ADDRESS, "pods of qa/1")
    await lab.arm("lose-answer", method="PUT", path="*/firewall/policy/7", count=1)
    await terraform.move("7", "before", "2")
    assert await terraform.policy_order() == [1, 7, 2, 3, 4, 5, 6]


async def test_a_row_that_is_not_there_right_after_it_was_made_is_an_inconsistent_result(lab: Lab) -> None:
    terraform = await provider(lab)
    await lab.arm("not-found", method="GET", path="*/firewall/address/*", count=1)
    with pytest.raises(Failed, match="root object was present, but now absent"):
        await terraform.create(ADDRESS, CONFIGURATION[ADDRESS])
