"""Checks 40 to 44: cluster, latency, transactions, backup, audit; and every fault."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from lab.fortigate.faults import KINDS
from lab.fortigate.misbehaviour import BEHAVIOURS

PODS = {"name": "pods", "subnet": "172.20.0.0/16"}
STATUS = "/api/v2/monitor/system/status"


def has(lab, name, table="firewall/address", vdom="root"):
    return lab.device.configuration(vdom, table).get(table, name) is not None


async def test_check_40_failover_breaks_connections_and_keeps_everything_else(lab):
    await lab.created("firewall/address", PODS)
    before = (await lab.get(STATUS)).json()["serial"]
    idle = await lab.new_client(Authorization=lab.client.headers["authorization"])
    await idle.get(STATUS)
    [connection] = idle._transport._pool.connections
    await lab.control("POST", "failover")
    after = (await lab.get(STATUS)).json()
    assert after["serial"] != before
    assert (await lab.get("firewall/address/pods")).status_code == 200
    peers = (await lab.get("/api/v2/monitor/system/ha-peer")).json()["results"]
    assert [peer["serial_no"] for peer in peers if peer["primary"]] == [after["serial"]]
    assert (await idle.get(STATUS)).status_code == 200
    assert connection not in idle._transport._pool.connections


async def test_check_40_answer_can_be_lost_after_the_write(lab):
    await lab.arm("lose-answer", method="POST")
    with pytest.raises(httpx.ReadError):
        await lab.post("firewall/address", PODS)
    assert (await lab.get("firewall/address/pods")).status_code == 200


async def test_check_41_latency_is_per_request_and_per_connection(start):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    lab = await start(sleep=sleep)
    await lab.control("PUT", "latency", {"low": 0.01, "high": 0.05, "connection": 1.0})
    for _ in range(5):
        await lab.get(STATUS)
    second = await lab.new_client(Authorization=lab.client.headers["authorization"])
    await second.get(STATUS)
    # The first client's connection was made by the control request, which does not wait.
    assert [delay >= 1.0 for delay in slept] == [True, False, False, False, False, True]
    assert all(0.01 <= delay % 1.0 <= 0.05 for delay in slept)


async def test_check_41_read_after_write_404(lab):
    await lab.arm("not-found", method="GET", path="*/firewall/address/pods", count=2)
    await lab.created("firewall/address", PODS)
    for _ in range(2):
        answer = await lab.get("firewall/address/pods")
        assert answer.status_code == answer.json()["http_status"] == 404
        assert "results" not in answer.json()
    assert (await lab.get("firewall/address/pods")).status_code == 200


async def test_check_41_read_after_write_404_hides_the_row_in_lists_too(lab):
    await lab.arm("not-found", method="GET", path="*/firewall/address")
    await lab.created("firewall/address", PODS)
    assert await lab.rows("firewall/address?filter=name==pods") == []
    assert len(await lab.rows("firewall/address?filter=name==pods")) == 1


@pytest.mark.parametrize("effect", [False, True])
@pytest.mark.parametrize("code", [500, 503, 401, 403, 429])
async def test_check_41_html_errors_with_and_without_effect(lab, code, effect):
    await lab.arm("status", method="POST", path="*/address", options={"code": code, "effect": effect})
    answer = await lab.post("firewall/address", PODS)
    assert answer.status_code == code
    assert answer.headers["content-type"].startswith("text/html")
    assert has(lab, "pods") is effect


@pytest.mark.parametrize(("kind", "effect"), [("refuse", False), ("lose-answer", True)])
async def test_check_41_connection_resets(lab, kind, effect):
    await lab.arm(kind, method="POST")
    with pytest.raises(httpx.ReadError):
        await lab.post("firewall/address", PODS)
    assert has(lab, "pods") is effect


async def test_check_41_slow_body(lab):
    await lab.arm("drip", options={"pieces": 8, "delay": 0})
    async with lab.client.stream("GET", "/api/v2/cmdb/firewall/address") as answer:
        chunks = [chunk async for chunk in answer.aiter_raw()]
    assert len(chunks) >= 8
    assert b'"status": "success"' in b"".join(chunks)


@pytest.mark.parametrize("kind", ["truncate", "reset-mid-body"])
async def test_body_breaks_off_although_the_write_was_done(lab, kind):
    await lab.arm(kind, method="POST")
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await lab.post("firewall/address", PODS)
    assert has(lab, "pods")


async def test_body_is_garbled(lab):
    await lab.arm("garble", method="POST")
    answer = await lab.post("firewall/address", PODS)
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert has(lab, "pods")


async def test_body_is_huge_and_still_json(lab):
    await lab.arm("huge", options={"bytes": 5_000_000})
    answer = await lab.get("firewall/address/office")
    assert len(answer.content) == 5_000_000
    assert answer.json()["mkey"] == "office"


@pytest.mark.parametrize(
    ("kind", "options", "during", "after"),
    [
        ("hang-before", {}, False, False),
        ("hang-before", {"then": "apply"}, False, True),
        ("hang-after", {}, True, True),
    ],
)
async def test_requests_hang_until_released(lab, kind, options, during, after):
    await lab.arm(kind, method="POST", path="*/cmdb/*", options=options)
    request = asyncio.create_task(lab.post("firewall/address", PODS))
    other = await lab.new_client()
    while not (await other.get("/lab/faults")).json()[0]["hits"]:
        assert not request.done()
    assert has(lab, "pods") is during
    await other.request("DELETE", "/lab/faults")
    with pytest.raises(httpx.ReadError):
        await request
    assert has(lab, "pods") is after


async def test_a_client_that_gives_up_does_not_stop_the_write(start):
    gate = asyncio.Event()
    entered = asyncio.Event()

    async def sleep(_seconds):
        entered.set()
        await gate.wait()

    lab = await start(sleep=sleep)
    lab.server.latency.low = lab.server.latency.high = 1.0
    written = asyncio.Event()
    lab.device.subscribe(lambda _change: written.set())
    request = asyncio.create_task(lab.post("firewall/address", PODS))
    await entered.wait()
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    assert not has(lab, "pods")
    gate.set()
    await asyncio.wait_for(written.wait(), 10)
    assert has(lab, "pods")


async def test_no_effect_says_success(lab):
    await lab.arm("no-effect", method="POST")
    before = lab.device.to_json()
    answer = (await lab.post("firewall/address", PODS)).json()
    assert (answer["status"], answer["revision_changed"], answer["mkey"]) == ("success", True, "pods")
    assert lab.device.to_json() == before


@pytest.mark.parametrize(("which", "error"), [("first", None), ("second", -5)])
async def test_applied_twice(lab, which, error):
    await lab.arm("apply-twice", method="POST", options={"answer": which})
    assert (await lab.post("firewall/address", PODS)).json().get("error") == error
    assert [entry["status"] for entry in await lab.control("GET", "audit") if "cmdb" in entry["target"]] == [200, 500]


async def test_applied_twice_makes_two_rows_where_nothing_is_unique(lab):
    await lab.arm("apply-twice", method="POST")
    body = {name: value for name, value in (await lab.rows("firewall/policy/1"))[0].items() if name != "uuid"}
    await lab.created("firewall/policy", {**body, "policyid": 0, "name": ""})
    assert [row["policyid"] for row in await lab.rows("firewall/policy?filter=policyid>7")] == [8, 9]


async def test_forgets_a_write_after_some_reads(lab):
    await lab.arm("forget", method="*", path="*/firewall/address*", count=2, after=0, options={"reads": 2})
    await lab.created("firewall/address", PODS)
    await lab.put("firewall/address/office", {"comment": "changed"})
    for _ in range(2):
        assert (await lab.get("firewall/address/pods")).status_code == 200
    assert (await lab.get("firewall/address/pods")).status_code == 404
    assert (await lab.rows("firewall/address/office"))[0]["comment"] == ""


async def test_forgets_a_deletion_and_puts_the_row_back_in_its_place(lab):
    await lab.arm("forget", method="DELETE", options={"reads": 1})
    assert (await lab.delete("firewall/policy/3")).status_code == 200
    assert 3 not in [row["policyid"] for row in await lab.rows("firewall/policy?format=policyid")]
    assert [row["policyid"] for row in await lab.rows("firewall/policy?format=policyid")] == [1, 2, 3, 4, 5, 6, 7]


async def test_deletes_what_is_referenced(lab):
    await lab.arm("delete-referenced", method="DELETE")
    assert (await lab.delete("firewall/address/dns-server")).status_code == 200
    assert (await lab.rows("firewall/policy/2"))[0]["dstaddr"][0]["name"] == "dns-server"
    verdict = await lab.control("POST", "packet", {"source": "172.16.1.106", "destination": "172.16.2.3",
                                                   "protocol": 17, "destination_port": 53})  # fmt: skip
    assert verdict["policy_id"] == 0
    assert (await lab.delete("firewall/address/office")).json()["error"] == -23


async def test_faults_wait_and_count(lab):
    await lab.arm("error", method="POST", path="*/address", after=2, count=2, options={"code": -361})
    codes = [(await lab.post("firewall/address", {"name": f"a{i}"})).json().get("error") for i in range(6)]
    assert codes == [None, None, -361, -361, None, None]
    await lab.arm("status", count=None)
    assert [(await lab.get(STATUS)).status_code for _ in range(3)] == [503] * 3
    await lab.control("DELETE", "faults")
    assert (await lab.get(STATUS)).status_code == 200


async def test_unknown_faults_are_explained(lab):
    answer = await lab.client.post("/lab/faults", json={"kind": "explode"})
    assert answer.status_code == 400
    assert "there are: refuse" in answer.json()["error"]
    assert (await lab.client.post("/lab/faults", json={"method": "GET"})).status_code == 400
    assert (await lab.control("GET", "faults/kinds")).keys() == BEHAVIOURS.keys() == KINDS.keys()


async def test_the_host_can_vanish_and_come_back(start):
    lab = await start(control_port=0)
    await lab.control("POST", "listening", {"on": False})
    with pytest.raises(httpx.TransportError):
        await lab.get(STATUS)
    with pytest.raises(httpx.ConnectError):
        await lab.get(STATUS)
    await lab.control("POST", "listening", {"on": True})
    assert (await lab.get(STATUS)).status_code == 200


async def test_check_42_table_full(lab):
    await lab.arm("table-full", method="POST", path="*/address")
    assert (await lab.post("firewall/address", PODS)).json()["error"] == -4
    await lab.control("PUT", "limits", {"firewall/address": len(await lab.rows("firewall/address")) + 1})
    await lab.created("firewall/address", PODS)
    answer = await lab.post("firewall/address", {"name": "more"})
    assert (answer.status_code, answer.json()["error"]) == (500, -4)
    await lab.delete("firewall/address/pods")
    await lab.created("firewall/address", {"name": "more"})


async def begin(lab, timeout=60):
    answer = (await lab.post("/api/v2/cmdb?action=transaction-start&vdom=root", {"timeout": timeout})).json()
    assert (answer["action"], answer["revision_changed"], answer["http_status"]) == ("transaction-start", False, 200)
    return answer["results"]["transaction-id"]


async def end(lab, action, number):
    return await lab.post(f"/api/v2/cmdb?action=transaction-{action}&vdom=root", {"transaction-id": number})


async def test_check_42_staged_writes_are_invisible_until_commit(lab):
    number = await begin(lab)
    mine = {"headers": {"X-TRANSACTION-ID": str(number)}}
    staged = await lab.post("firewall/address", PODS, **mine)
    assert (staged.status_code, staged.json()["revision_changed"]) == (200, False)
    route = await lab.post(
        "router/static", {"dst": "172.20.0.0/16", "gateway": "172.16.1.106", "device": "Test"}, **mine
    )
    assert route.json()["mkey"] == 2
    assert (await lab.get("firewall/address/pods")).status_code == 404
    assert (await lab.get("firewall/address/pods", **mine)).status_code == 200
    assert (await lab.put("firewall/address/pods", {"comment": "staged"}, **mine)).status_code == 200
    shown = (await lab.get(f"/api/v2/cmdb?action=transaction-show&transaction-id={number}")).json()["results"]
    assert [(item["command"], item["table"], item["mkey"]) for item in shown] == [
        ("create", "firewall/address", "pods"),
        ("create", "router/static", 2),
        ("update", "firewall/address", "pods"),
    ]
    assert (await end(lab, "commit", number)).status_code == 200
    assert (await lab.get("firewall/address/pods")).status_code == 200
    assert (await lab.get("router/static/2")).status_code == 200
    assert (await end(lab, "commit", number)).json()["error"] == -3


async def test_check_42_abort_and_timeout_discard(lab, clock):
    number = await begin(lab)
    await lab.post("firewall/address", PODS, headers={"X-TRANSACTION-ID": str(number)})
    assert (await end(lab, "abort", number)).status_code == 200
    number = await begin(lab, timeout=30)
    await lab.post("firewall/address", PODS, headers={"X-TRANSACTION-ID": str(number)})
    listed = (await lab.get("/api/v2/cmdb?action=transaction-list")).json()["results"]
    assert [item["transaction-id"] for item in listed] == [number]
    clock.advance(31)
    assert (await lab.get("/api/v2/cmdb?action=transaction-list")).json()["results"] == []
    assert (await end(lab, "commit", number)).json()["error"] == -3
    late = await lab.post("firewall/address", PODS, headers={"X-TRANSACTION-ID": str(number)})
    assert late.status_code == 500
    assert not has(lab, "pods")


async def test_check_42_touched_tables_are_locked_for_others(lab):
    number = await begin(lab)
    await lab.post("firewall/address", PODS, headers={"X-TRANSACTION-ID": str(number)})
    assert (await lab.post("firewall/address", {"name": "other"})).json()["error"] == -14
    assert (await lab.put("router/static/1", {"comment": "free"})).status_code == 200
    second = await begin(lab)
    other = await lab.post("firewall/address", {"name": "x"}, headers={"X-TRANSACTION-ID": str(second)})
    assert other.json()["error"] == -14
    await end(lab, "commit", number)
    await lab.created("firewall/address", {"name": "other"})
    assert (await lab.rows("router/static/1"))[0]["comment"] == "free"


async def test_check_42_a_failed_staged_write_does_not_end_the_transaction(lab):
    number = await begin(lab)
    mine = {"headers": {"X-TRANSACTION-ID": str(number)}}
    bad = await lab.post("firewall/addrgrp", {"name": "g", "member": [{"name": "pods"}]}, **mine)
    assert bad.json()["error"] == -651
    await lab.post("firewall/address", PODS, **mine)
    assert (await lab.post("firewall/addrgrp", {"name": "g", "member": [{"name": "pods"}]}, **mine)).status_code == 200
    await end(lab, "commit", number)
    assert has(lab, "g", "firewall/addrgrp")


async def test_check_43_backup_by_get_until_7_4(start, state):
    lab = await start("v7.4.4")
    answer = await lab.get("/api/v2/monitor/system/config/backup?scope=global")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "config firewall address" in answer.text
    assert '    edit "office"' in answer.text
    assert "        set subnet 172.16.0.0 255.255.255.0" in answer.text
    assert "lab-token" not in answer.text
    assert (await lab.post("/api/v2/monitor/system/config/backup", {"scope": "global"})).status_code == 405
    state["api_users"][0]["accprofile"] = "net-assistant"
    answer = await (await start()).get("/api/v2/monitor/system/config/backup?scope=global")
    assert answer.status_code == 403


async def test_check_43_backup_by_post_since_7_6(start):
    lab = await start("v7.6.6")
    path = "/api/v2/monitor/system/config/backup"
    assert (await lab.get(f"{path}?scope=global")).status_code == 405
    answer = await lab.post(path, {"destination": "file", "scope": "global"})
    assert "config router static" in answer.text


async def test_check_44_every_write_is_recorded(lab):
    await lab.get("firewall/address")
    await lab.post("firewall/address", PODS)
    await lab.put("firewall/address/pods", PODS)
    await lab.delete("firewall/address/office")
    stranger = await lab.new_client()
    await stranger.post("/api/v2/cmdb/firewall/address?access_token=guessed", json={"name": "x"})
    entries = await lab.control("GET", "audit")
    assert [
        (entry["user"], entry["source"], entry["method"], entry["target"], entry["status"], entry["effective"])
        for entry in entries
    ] == [
        ("k8snet", "127.0.0.1", "POST", "/api/v2/cmdb/firewall/address", 200, True),
        ("k8snet", "127.0.0.1", "PUT", "/api/v2/cmdb/firewall/address/pods", 200, False),
        ("k8snet", "127.0.0.1", "DELETE", "/api/v2/cmdb/firewall/address/office", 500, False),
        ("", "127.0.0.1", "POST", "/api/v2/cmdb/firewall/address?access_token=***", 401, False),
    ]
    assert entries[0]["body"] == PODS
    await lab.control("DELETE", "audit")
    assert await lab.control("GET", "audit") == []


async def test_state_is_dumped_and_loaded(lab):
    await lab.created("firewall/address", PODS)
    dumped = await lab.control("GET", "state")
    await lab.delete("firewall/address/pods")
    await lab.control("PUT", "state", dumped)
    assert has(lab, "pods")
    assert await lab.control("GET", "state") == dumped
    dumped["vdoms"]["root"]["firewall/policy"][2]["srcaddr"] = [{"name": "nobody"}]
    answer = await lab.client.put("/lab/state", json=dumped)
    assert answer.status_code == 400
    assert "vdoms.root: firewall/policy, row 3: node_check_object fail! for name nobody" in answer.json()["error"]
    assert has(lab, "pods")
