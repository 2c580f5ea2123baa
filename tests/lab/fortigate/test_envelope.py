"""Checks 8 to 13: the frame around every answer."""

from __future__ import annotations

import pytest

ALWAYS = {"http_method", "vdom", "path", "name", "status", "http_status", "serial", "version", "build"}
PODS = {"name": "pods", "subnet": "172.20.0.0/16"}


@pytest.mark.parametrize("version", ["v6.4.14", "v7.0.15", "v7.4.4", "v7.6.6"])
async def test_check_08_every_cmdb_answer_has_the_whole_frame(start, version):
    lab = await start(version)
    answers = [
        await lab.get("firewall/address"),
        await lab.post("firewall/address", PODS),
        await lab.post("firewall/address", PODS),
        await lab.put("firewall/address/pods", {"comment": "x"}),
        await lab.get("firewall/address/pods"),
        await lab.get("firewall/address/absent"),
        await lab.put("firewall/policy/0", {"name": "x"}),
        await lab.delete("firewall/address/pods"),
        await lab.delete("firewall/address/office"),
        await lab.get("firewall/nonsense"),
        await lab.get("system/global"),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 500, 200, 200, 404, 405, 200, 500, 404, 200]
    for answer in answers:
        body = answer.json()
        assert body.keys() >= ALWAYS
        assert body["http_status"] == answer.status_code
        assert body["version"] == version
        assert body["status"] == ("success" if answer.status_code == 200 else "error")


async def test_check_09_revision_changes_with_effective_writes_only(lab):
    async def revision(table="firewall/address"):
        return (await lab.get(table)).json()["revision"]

    before, routes = await revision(), await revision("router/static")
    created = (await lab.post("firewall/address", PODS)).json()
    assert created["revision_changed"] is True
    assert created["revision"] == await revision() != before
    same = (await lab.put("firewall/address/pods", PODS)).json()
    assert same["revision_changed"] is False
    assert same["revision"] == await revision() == created["revision"]
    refused = (await lab.post("firewall/address", PODS)).json()
    assert refused["revision_changed"] is False
    assert await revision() == created["revision"]
    assert await revision("router/static") == routes


async def test_check_10_old_revision_is_that_of_the_previous_read(lab):
    before = (await lab.get("firewall/address")).json()["revision"]
    created = (await lab.post("firewall/address", PODS)).json()
    assert created["old_revision"] == before
    deleted = (await lab.delete("firewall/address/pods")).json()
    assert deleted["old_revision"] == created["revision"]


async def test_check_11_old_monitor_answers_name_an_action_and_no_status(start):
    old = (await (await start("v6.4.14")).get("/api/v2/monitor/router/statistics")).json()
    assert "http_status" not in old
    assert old["action"] == "select"
    new = (await (await start("v7.4.4")).get("/api/v2/monitor/router/statistics")).json()
    assert new["http_status"] == 200
    assert "action" not in new


async def test_check_11_the_select_suffix_gives_the_same_data(lab):
    plain = (await lab.get("/api/v2/monitor/firewall/policy")).json()
    suffixed = (await lab.get("/api/v2/monitor/firewall/policy/select")).json()
    assert suffixed["action"] == "select"
    assert suffixed["results"] == plain["results"]


@pytest.mark.parametrize("path", ["firewall/address", "/api/v2/monitor/router/ipv4"])
async def test_check_12_all_vdoms_give_a_list_of_envelopes(start, state, path):
    state["vdoms"]["guests"] = {"system/interface": [{"name": "wifi", "ip": "192.0.2.65 255.255.255.192"}]}
    lab = await start()
    body = (await lab.get(f"{path}?vdom=*")).json()
    assert [envelope["vdom"] for envelope in body] == ["root", "guests"]
    body = (await lab.get(f"{path}?vdom=guests,root")).json()
    assert [envelope["vdom"] for envelope in body] == ["guests", "root"]


async def test_check_13_results_have_the_shape_of_their_kind(lab):
    await lab.created("system/link-monitor", {"name": "wan", "srcintf": "wan1", "server": [{"address": "192.0.2.1"}]})
    assert isinstance((await lab.get("firewall/address/office")).json()["results"], list)
    assert isinstance((await lab.get("system/global")).json()["results"], dict)
    interfaces = (await lab.get("/api/v2/monitor/system/interface")).json()["results"]
    assert interfaces["internal"]["ip"] == "172.16.0.254"
    assert interfaces["internal"]["mask"] == 24
    monitors = (await lab.get("/api/v2/monitor/system/link-monitor")).json()["results"]
    assert monitors["wan"]["wan1"]["status"] == "up"
