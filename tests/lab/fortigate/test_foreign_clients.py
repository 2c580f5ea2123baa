"""What other people's clients send, request by request, and what they then rely on."""

from __future__ import annotations

import pytest

ADDRESS = {"comment": "made elsewhere", "name": "pods", "subnet": "172.20.0.0 255.255.0.0", "type": "ipmask"}


async def test_ansible_creates_repeats_and_deletes(lab):
    """GET by key decides between POST and PUT; `revision_changed` decides about "changed"."""
    path = "firewall/address/pods?vdom=root"
    assert (await lab.get(path)).status_code == 404
    assert (await lab.post("firewall/address?vdom=root", ADDRESS)).json()["revision_changed"] is True
    assert (await lab.get(path)).status_code == 200
    assert (await lab.put(path, ADDRESS)).json()["revision_changed"] is False
    assert (await lab.put(path, {**ADDRESS, "comment": "new"})).json()["revision_changed"] is True
    deleted = await lab.client.request("DELETE", f"/api/v2/cmdb/{path}", content=b"null")
    assert deleted.json()["revision_changed"] is True


async def test_ansible_sends_attributes_that_no_device_has(lab):
    route = {"device": "Test", "dst": "172.20.0.0 255.255.0.0", "gateway": "172.16.1.106", "seq-num": 10, "seq_num": 10}
    assert await lab.created("router/static?vdom=root", route) == 10
    assert "seq_num" not in (await lab.rows("router/static/10"))[0]


async def test_ansible_adds_and_removes_members(lab):
    assert (await lab.get("firewall/policy/1/service/PING?vdom=root")).status_code == 404
    assert (await lab.post("firewall/policy/2/service?vdom=root", {"name": "PING"})).status_code == 200
    assert (await lab.get("firewall/policy/2/service/PING?vdom=root")).json()["results"] == [
        {"name": "PING", "q_origin_key": "PING"}
    ]
    answer = await lab.client.request("DELETE", "/api/v2/cmdb/firewall/policy/2/service/PING?vdom=root", content=b"")
    assert answer.json()["mkey"] == "PING"


async def test_ansible_reads_facts(lab):
    answer = await lab.get("firewall/address?vdom=root&filter=name%3D%3Doffice&format=name|subnet")
    assert answer.json()["results"] == [
        {"name": "office", "q_origin_key": "office", "subnet": "172.16.0.0 255.255.255.0"}
    ]
    assert (await lab.get("/api/v2/monitor/system/status?vdom=root")).json()["version"] == "v7.4.4"


@pytest.mark.parametrize("query", ["scope=global", "vdom=root&scope=global"])
async def test_terraform_reads_global_tables(lab, query):
    assert (await lab.get(f"system/global?{query}")).json()["results"]["hostname"] == "office-firewall"


async def test_global_scope_of_ansible_gives_a_list(lab):
    [envelope] = (await lab.get("system/global?global=1")).json()
    assert envelope["results"]["admin-lockout-threshold"] == 3


async def test_a_row_as_read_may_be_written_back(lab):
    [row] = await lab.rows("firewall/policy/1")
    answer = await lab.put("firewall/policy/1", row)
    assert (answer.status_code, answer.json()["revision_changed"]) == (200, False)
    [row] = await lab.rows("system/accprofile/net-assistant")
    answer = await lab.put("system/accprofile/net-assistant", row)
    assert (answer.status_code, answer.json()["revision_changed"]) == (200, False)


async def test_a_secret_as_shown_is_not_a_new_secret(lab):
    [row] = await lab.rows("system/api-user/k8snet")
    assert row["api-key"] == "ENC XXXX"
    await lab.put("system/api-user/k8snet", {**row, "comments": "seen"})
    assert (await lab.get("/api/v2/monitor/system/status")).status_code == 200
