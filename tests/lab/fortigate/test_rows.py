"""Checks 14 to 31: creating, reading, changing and deleting rows."""

from __future__ import annotations

from urllib.parse import quote

import pytest

PODS = {"name": "pods", "subnet": "172.20.0.0/16"}
ROUTE = {"dst": "172.20.0.0/16", "gateway": "172.16.1.106", "device": "Test"}
POLICY = {
    "name": "to-pods",
    "srcintf": [{"name": "internal"}],
    "dstintf": [{"name": "Test"}],
    "srcaddr": [{"name": "office"}],
    "dstaddr": [{"name": "all"}],
    "action": "accept",
    "schedule": "always",
    "service": [{"name": "ALL"}],
}


async def snapshot(lab):
    return lab.device.to_json()["vdoms"]


async def test_check_14_create_answers_200_with_the_key(lab):
    address = await lab.post("firewall/address", PODS)
    assert (address.status_code, address.json()["mkey"]) == (200, "pods")
    route = await lab.post("router/static", ROUTE)
    assert (route.status_code, route.json()["mkey"]) == (200, 2)
    policy = await lab.post("firewall/policy", POLICY)
    assert (policy.status_code, policy.json()["mkey"]) == (200, 8)


@pytest.mark.parametrize(("version", "key"), [("v6.2.3", "1"), ("v6.4.14", 1), ("v7.4.4", 1)])
async def test_check_15_old_firmware_answers_put_with_a_text_key(start, version, key):
    lab = await start(version)
    answer = await lab.put("router/static/1", {"comment": "default"})
    assert answer.json()["mkey"] == key
    assert (await lab.get("router/static/1")).json()["mkey"] == 1


async def test_check_16_existing_name_is_refused(lab):
    await lab.created("firewall/address", PODS)
    before = await snapshot(lab)
    answer = await lab.post("firewall/address", {"name": "pods", "subnet": "10.0.0.0/8"})
    assert answer.status_code == 500
    assert answer.json()["error"] == -5
    assert answer.json()["revision_changed"] is False
    assert await snapshot(lab) == before


@pytest.mark.parametrize("path", ["firewall/address/absent", "router/static/77", "firewall/policy/77"])
async def test_check_17_unknown_key_is_404_without_error(lab, path):
    for answer in (await lab.get(path), await lab.put(path, {"comment": "x"}), await lab.delete(path)):
        assert answer.status_code == 404
        assert not answer.json().keys() & {"error", "results"}


@pytest.mark.parametrize("path", ["firewall/address", "firewall/address/", "router/static?vdom=root"])
async def test_check_17_delete_without_key_is_405_and_raises_an_alarm(lab, path):
    before = await snapshot(lab)
    assert (await lab.delete(path)).status_code == 405
    assert await snapshot(lab) == before
    [entry] = await lab.control("GET", "audit")
    assert "whole table" in entry["alarm"]


@pytest.mark.parametrize("version", ["v6.4.14", "v7.4.4"])
async def test_check_18_referenced_rows_are_not_deleted(start, version):
    lab = await start(version)
    await lab.created("firewall/address", PODS)
    await lab.created("firewall/addrgrp", {"name": "cluster", "member": [{"name": "pods"}]})
    body = (await lab.delete("firewall/address/pods")).json()
    assert (body["http_status"], body["error"]) == (500, -23)
    expected = "The entry is used by other 1 entries\nCommand fail. Return code -23\n"
    assert body.get("cli_error") == (expected if version == "v7.4.4" else None)
    await lab.created("firewall/policy", {**POLICY, "dstaddr": [{"name": "cluster"}]})
    assert (await lab.delete("firewall/addrgrp/cluster")).json()["error"] == -23
    assert (await lab.delete("firewall/policy/8")).status_code == 200
    assert (await lab.delete("firewall/addrgrp/cluster")).status_code == 200
    assert (await lab.delete("firewall/address/pods")).status_code == 200


@pytest.mark.parametrize(("version", "code"), [("v6.4.14", -3), ("v7.4.4", -651)])
@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("firewall/policy", {**POLICY, "srcintf": [{"name": "port2032"}]}, "port2032"),
        ("firewall/policy", {**POLICY, "dstaddr": [{"name": "nobody"}]}, "nobody"),
        ("firewall/policy", {**POLICY, "service": [{"name": "all"}]}, "all"),
        ("firewall/policy", {**POLICY, "schedule": "never"}, "never"),
        ("router/static", {**ROUTE, "device": "port2032"}, "port2032"),
        ("firewall/addrgrp", {"name": "g", "member": [{"name": "nobody"}]}, "nobody"),
        ("system/zone", {"name": "z", "interface": [{"interface-name": "port2032"}]}, "port2032"),
    ],
)
async def test_check_19_missing_objects_are_named(start, version, code, path, body, name):
    lab = await start(version)
    before = await snapshot(lab)
    answer = (await lab.post(path, body)).json()
    assert (answer["http_status"], answer["error"]) == (500, code)
    if version == "v7.4.4":
        assert f"node_check_object fail! for name {name}\n" in answer["cli_error"]
    assert await snapshot(lab) == before


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("firewall/address", {"name": "n" * 80}, -166),
        ("firewall/address", {"name": "a", "comment": "c" * 256}, -51),
        ("firewall/address", {"name": "a<b"}, -173),
        ("firewall/address", {"name": "a", "comment": 'said "no"'}, -173),
        ("firewall/address", {"name": ""}, -56),
        ("firewall/address", {"name": "a", "subnet": "10.0.0.300/8"}, -8),
        ("firewall/address", {"name": "a", "subnet": "10.0.0.0 255.0.255.0"}, -9),
        ("firewall/address", {"name": "a", "subnet": "172.20.0.0/16 255.255.0.0"}, -9),
        ("firewall/address", {"name": "a", "subnet": "10.0.0.0 0.0.0.255"}, -9),
        ("firewall/address", {"name": "a", "type": "network"}, -651),
        ("firewall/address", {"name": "a", "color": 33}, -650),
        ("firewall/address", {"name": "a", "type": "iprange", "start-ip": "10.0.0.9", "end-ip": "10.0.0.10"}, None),
        ("firewall/address", {"name": "a", "type": "iprange", "start-ip": "10.0.0.10", "end-ip": "10.0.0.9"}, -73),
        ("firewall/addrgrp", {"name": "g"}, -56),
        ("firewall/addrgrp", {"name": "office", "member": [{"name": "all"}]}, -163),
        ("router/static", {**ROUTE, "distance": 0}, -650),
        ("router/static", {**ROUTE, "distance": 256}, -650),
        ("router/static", {**ROUTE, "gateway": "here"}, -8),
        ("router/static", {"dst": "10.0.0.0/8", "gateway": "172.16.1.1"}, -56),
        ("firewall/policy", {**POLICY, "name": "n" * 36}, -51),
        ("firewall/policy", {**POLICY, "action": "allow"}, -651),
        ("firewall/policy", {**POLICY, "schedule": ""}, -56),
        ("firewall/policy", {**POLICY, "srcaddr": []}, -56),
        ("firewall/policy", {**POLICY, "policyid": "ten"}, -651),
        ("firewall.service/custom", {"name": "s", "tcp-portrange": "70000"}, -651),
    ],
)
async def test_check_20_bad_values_are_refused_without_effect(lab, path, body, code):
    before = await snapshot(lab)
    answer = await lab.post(path, body)
    assert answer.json().get("error") == code
    assert answer.status_code == (200 if code is None else 500)
    assert (await snapshot(lab) == before) == (code is not None)


async def test_check_20_a_body_that_is_not_json_is_refused(lab):
    answer = await lab.client.post("/api/v2/cmdb/firewall/address", content=b"{name: pods}")
    assert answer.status_code == 424
    assert (await lab.post("firewall/address", ["pods"])).status_code == 500


async def test_check_21_ids_are_allocated(lab):
    assert await lab.created("firewall/policy", {**POLICY, "policyid": 0}) == 8
    assert await lab.created("firewall/policy", {**POLICY, "policyid": 100, "name": "b"}) == 100
    assert await lab.created("firewall/policy", {**POLICY, "name": "c"}) == 101
    assert await lab.created("router/static", {**ROUTE, "seq-num": 0}) == 2


async def test_check_21_fault_answers_zero_for_a_real_id(lab):
    await lab.arm("mkey-zero", method="POST", path="*/firewall/policy")
    assert await lab.created("firewall/policy", POLICY) == "0"
    [row] = await lab.rows("firewall/policy?filter=name==to-pods")
    assert row["policyid"] == 8


@pytest.mark.parametrize("path", ["firewall/policy/0", "router/static/0"])
async def test_check_22_put_to_zero_is_405(lab, path):
    answer = await lab.put(path, {"comment": "x"})
    assert answer.status_code == 405
    assert "error" not in answer.json()
    assert (await lab.get(path)).status_code == 200


async def test_check_23_identical_route_is_refused_another_distance_is_not(lab):
    await lab.created("router/static", ROUTE)
    refused = (await lab.post("router/static", {**ROUTE, "seq-num": 50, "distance": 10})).json()
    assert refused["error"] == -15
    assert refused["cli_error"] == (
        "Duplicated entry.\nobject set operator error, -15 discard the setting\nCommand fail. Return code -15\n"
    )
    assert await lab.created("router/static", {**ROUTE, "distance": 20}) == 3
    assert (await lab.put("router/static/3", {"distance": 10})).json()["error"] == -15


async def test_check_23_what_was_deleted_or_changed_may_be_made_again(lab):
    await lab.created("router/static", ROUTE)
    await lab.delete("router/static/2")
    await lab.created("router/static", {**ROUTE, "seq-num": 50})
    await lab.put("router/static/50", {"distance": 20})
    assert await lab.created("router/static", ROUTE) == 51
    await lab.created("firewall/policy", POLICY)
    await lab.delete("firewall/policy/8")
    await lab.created("firewall/policy", {**POLICY, "policyid": 100})


async def test_check_24_cidr_is_written_and_masks_are_read(lab):
    await lab.created("firewall/address", {"name": "a", "subnet": "10.68.7.9/16"})
    await lab.created("firewall/address", {"name": "b", "subnet": "10.68.0.0 255.255.0.0"})
    await lab.created("router/static", ROUTE)
    for name in "ab":
        [row] = await lab.rows(f"firewall/address/{name}")
        assert row["subnet"] == "10.68.0.0 255.255.0.0"
    assert (await lab.rows("router/static/2"))[0]["dst"] == "172.20.0.0 255.255.0.0"
    routes = (await lab.get("/api/v2/monitor/router/ipv4")).json()["results"]
    assert "172.20.0.0/16" in [row["ip_mask"] for row in routes]


async def test_check_25_numbers_may_be_written_as_text(lab):
    assert await lab.created("router/static", {**ROUTE, "seq-num": "8", "distance": "5"}) == 8
    [row] = await lab.rows("router/static/8")
    assert (row["seq-num"], row["distance"]) == (8, 5)


async def test_check_26_reads_fill_in_defaults(lab):
    await lab.created("firewall/address", PODS)
    [address] = await lab.rows("firewall/address/pods")
    assert (address["allow-routing"], address["color"], address["comment"]) == ("disable", 0, "")
    assert len(address["uuid"]) == 36
    await lab.created("router/static", ROUTE)
    [route] = await lab.rows("router/static/2")
    assert (route["priority"], route["distance"], route["blackhole"]) == (1, 10, "disable")
    body = {name: value for name, value in POLICY.items() if name != "action"}
    await lab.created("firewall/policy", body)
    [policy] = await lab.rows("firewall/policy/8")
    assert (policy["action"], policy["q_origin_key"]) == ("deny", 8)
    assert policy["srcaddr"] == [{"name": "office", "q_origin_key": "office"}]


@pytest.mark.parametrize(("version", "priority"), [("v6.4.14", 0), ("v7.0.15", 1)])
async def test_check_26_defaults_follow_the_version(start, version, priority):
    lab = await start(version)
    await lab.created("router/static", ROUTE)
    [route] = await lab.rows("router/static/2")
    assert route["priority"] == priority
    assert "preferred-source" not in route


async def test_check_26_attributes_of_other_types_are_hidden(lab):
    await lab.created("firewall/address", {"name": "site", "type": "fqdn", "fqdn": "example.com"})
    [site] = await lab.rows("firewall/address/site")
    assert site["fqdn"] == "example.com"
    assert "subnet" not in site
    [office] = await lab.rows("firewall/address/office?skip=1")
    assert not office.keys() & {"fqdn", "cache-ttl", "sdn", "country"}


async def test_check_27_put_merges_and_replaces_lists(lab):
    for name in ("pods", "services", "nodes"):
        await lab.created("firewall/address", {"name": name})
    members = [{"name": "pods"}, {"name": "services"}]
    await lab.created("firewall/addrgrp", {"name": "g", "member": members, "comment": "old"})
    await lab.put("firewall/addrgrp/g", {"member": [{"name": "nodes"}], "unknown-attribute": 1})
    [group] = await lab.rows("firewall/addrgrp/g")
    assert [member["name"] for member in group["member"]] == ["nodes"]
    assert group["comment"] == "old"


async def test_check_27_child_table_adds_and_removes_one_member(lab):
    await lab.created("firewall/address", PODS)
    await lab.created("firewall/addrgrp", {"name": "g", "member": [{"name": "office"}]})
    added = await lab.post("firewall/addrgrp/g/member", {"name": "pods"})
    assert added.json()["revision_changed"] is True
    assert [row["name"] for row in await lab.rows("firewall/addrgrp/g/member")] == ["office", "pods"]
    assert (await lab.post("firewall/addrgrp/g/member", {"name": "pods"})).json()["error"] == -5
    assert (await lab.post("firewall/addrgrp/g/member", {"name": "nobody"})).json()["error"] == -651
    assert (await lab.delete("firewall/addrgrp/g/member/office")).status_code == 200
    assert (await lab.delete("firewall/addrgrp/g/member/office")).status_code == 404
    assert (await lab.delete("firewall/addrgrp/g/member/pods")).json()["error"] == -56
    assert [row["name"] for row in await lab.rows("firewall/addrgrp/g/member")] == ["pods"]


@pytest.mark.parametrize("name", ["a/b", "a b", "50%", "what?", "a#b", "a+b", "größe", "a%2Fb"])
async def test_check_28_keys_are_decoded_once(lab, name):
    await lab.created("firewall/address", {"name": name})
    answer = await lab.get(f"firewall/address/{quote(name, safe='')}")
    assert answer.json()["results"][0]["name"] == answer.json()["mkey"] == name
    assert (await lab.delete(f"firewall/address/{quote(name, safe='')}")).status_code == 200


async def test_check_28_plus_is_not_a_space(lab):
    await lab.created("firewall/address", {"name": "a b"})
    assert (await lab.get("firewall/address/a+b")).status_code == 404


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("filter=name==office-to-dns", [2]),
        ("filter=name==OFFICE-to-dns", []),
        ("filter=name=*OFFICE-to-dns", [2]),
        ("filter=name=@DNS", [2, 4]),
        ("filter=name!=office-to-dns", [1, 3, 4, 5, 6, 7]),
        ("filter=name!@office", [4]),
        ("filter=name==office-to-dns,name==test-to-dns", [2, 4]),
        ("filter=name%3D%3Doffice-to-dns%2Cname%3D%3Dtest-to-dns", [2, 4]),
        ("filter=srcintf==internal&filter=service==ALL", [1, 3, 7]),
        ("filter=srcintf==internal&filter=nat==enable", [7]),
        ("filter=policyid>=6", [6, 7]),
        ("filter=policyid%3C3", [1, 2]),
        ("filter=policyid==5", [5]),
        ("filter=policyid==5&filter=name==other", []),
        ("filter=name==office%2Cdns", []),
        ("filter=nonsense==1", []),
        ("key=name&pattern=office-to-dns", [2]),
    ],
)
async def test_check_29_filters(lab, query, ids):
    answer = await lab.get(f"firewall/policy?{query}")
    assert answer.status_code == 200
    assert [row["policyid"] for row in answer.json()["results"]] == ids


async def test_check_29_filters_see_the_stored_form(lab):
    await lab.created("router/static", ROUTE)
    assert [row["seq-num"] for row in await lab.rows("router/static?filter=dst==172.20.0.0%20255.255.0.0")] == [2]
    assert await lab.rows("firewall/address?filter=name==nobody") == []


async def test_check_30_format_and_window(lab):
    rows = await lab.rows("firewall/policy?format=policyid|name&start=1&count=2")
    assert rows == [
        {"policyid": 2, "q_origin_key": 2, "name": "office-to-dns"},
        {"policyid": 3, "q_origin_key": 3, "name": "office-to-dmz"},
    ]
    everything = [row["policyid"] for row in await lab.rows("firewall/policy?format=policyid")]
    assert everything == [1, 2, 3, 4, 5, 6, 7]
    assert await lab.rows("firewall/policy?start=7&count=5") == []
    body = (await lab.get("firewall/policy?filter=srcintf==internal&count=1")).json()
    assert (body["size"], body["matched_count"]) == (7, 4)


async def test_check_30_defaults_can_be_left_out(lab):
    [row] = await lab.rows("router/static/1?exclude-default-values=true")
    assert row == {"seq-num": 1, "q_origin_key": 1, "gateway": "192.0.2.1", "device": "wan1"}


async def test_check_31_schema_and_meta(lab):
    schema = (await lab.get("firewall/policy?action=schema")).json()["results"]
    assert schema.keys() >= {"name", "category", "children", "mkey"}
    assert (schema["name"], schema["category"], schema["mkey"]) == ("policy", "table", "policyid")
    assert schema["children"]["srcaddr"]["children"]["name"]["size"] == 79
    [row] = await lab.rows("firewall/address/office?with_meta=true")
    assert row["q_ref"] == 6
    assert (row["q_path"], row["q_name"], row["q_mkey_type"]) == ("firewall", "address", "string")
    await lab.put("firewall/policy/1", {"srcaddr": [{"name": "all"}]})
    [row] = await lab.rows("firewall/address/office?with_meta=true")
    assert row["q_ref"] == 5
    [row] = await lab.rows("firewall/policy/1?datasource=1")
    assert row["srcintf"][0]["datasource"] == "system.interface.name"


async def test_renaming_carries_the_references_along(lab):
    answer = (await lab.put("firewall/address/office", {"name": "headquarters"})).json()
    assert (answer["mkey"], answer["revision_changed"]) == ("headquarters", True)
    [policy] = await lab.rows("firewall/policy/1")
    assert policy["srcaddr"] == [{"name": "headquarters", "q_origin_key": "headquarters"}]
    assert (await lab.delete("firewall/address/headquarters")).json()["error"] == -23
    assert (await lab.get("firewall/address/office")).status_code == 404


async def test_clone_copies_a_row_under_a_new_key(lab):
    assert (await lab.post("firewall/address/office?action=clone&nkey=branch")).json()["mkey"] == "branch"
    [original] = await lab.rows("firewall/address/office")
    [copy] = await lab.rows("firewall/address/branch")
    assert copy["subnet"] == original["subnet"]
    assert copy["uuid"] != original["uuid"]


async def test_settings_have_no_rows_and_are_not_deleted(lab):
    assert (await lab.delete("system/global")).status_code == 405
    assert (await lab.post("system/global", {"alias": "x"})).status_code == 405
    assert (await lab.delete("system/global/hostname")).status_code == 404
    assert (await lab.get("system/global")).json()["results"]["hostname"] == "office-firewall"


async def test_an_unknown_action_is_refused(lab):
    assert (await lab.get("firewall/address?action=dance")).json()["error"] == -10000
    assert (await lab.put("firewall/address/office?action=dance", {})).status_code == 400


async def test_usage_names_the_referring_rows(lab):
    answer = await lab.get("/api/v2/monitor/system/object/usage?q_path=firewall&q_name=address&mkey=dns-server")
    users = answer.json()["results"]["currently_using"]
    assert [(user["path"], user["name"], user["mkey"], user["attribute"]) for user in users] == [
        ("firewall", "policy", 2, "dstaddr"),
        ("firewall", "policy", 4, "dstaddr"),
    ]
