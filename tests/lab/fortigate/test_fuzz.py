"""Whatever a client sends, the API answers, and what it refuses changes nothing."""

from __future__ import annotations

import json
from ipaddress import IPv4Address

from hypothesis import given, settings
from hypothesis import strategies as st

from lab.fortigate import article
from lab.fortigate.api import Api
from lab.fortigate.call import Call
from lab.fortigate.clock import Clock
from lab.fortigate.device import Device
from lab.fortigate.monitor import ENDPOINTS
from lab.fortigate.packets import Packet

DEVICE = Device.from_json(article.state("token", profile="super_admin"), clock=Clock(frozen_at=1_750_075_200.0))
TABLES = sorted(DEVICE.tables)
# Locking oneself out or changing the token would end the game early.
SAFE = [name for name in TABLES if name not in ("system/api-user", "system/accprofile", "system/vdom")]

scalars = st.sampled_from(
    ["", "x", "all", "office", "Test", "enable", "disable",
     "10.0.0.0/8", "10.0.0.1", "0", "7", 0, 1, 7, -1, 10**12, 1.5,
     None, True, [], {}, "10.0.0.0 255.0.0.0", "08:00", "80:1-2", "5-", "accept", "always", "ALL", "é" * 300, "<b>",
     "2025-01-01 00:00:00", "2025-13-01 00:00:00", "08:00 2025/01/01", "iprange", "interface-subnet", "IP", "ICMP"]
)  # fmt: skip
members = st.lists(
    st.one_of(scalars, st.dictionaries(st.sampled_from(["name", "interface-name", "subnet", "ip", "id"]), scalars)),
    max_size=2,
)


@st.composite
def bodies(draw):
    table = draw(st.sampled_from(SAFE))
    attributes = [attribute.name for attribute in DEVICE.tables[table].attributes]
    values = st.one_of(scalars, members)
    return table, draw(st.dictionaries(st.sampled_from(attributes), values, max_size=5))


keys = st.sampled_from(
    ["", "/office", "/1", "/0", "/x", "/office/member", "/1/service", "/1/service/ALL", "/a/b/c/d", "//"]
)
queries = st.sampled_from(
    ["", "?vdom=*", "?vdom=none", "?vdom=", "?action=move&before=2", "?action=clone&nkey=9", "?action=schema",
     "?filter=a", "?filter=name==x,y", "?filter=policyid>x", "?start=-5&count=-1", "?count=x", "?format=",
     "?with_meta=1&datasource=1", "?key=name&pattern=all", "?global=1", "?%00=%FF", "?action=default",
     "?skip=1&exclude-default-values=1"]
)  # fmt: skip
raw_bodies = st.sampled_from([b"", b"null", b"[]", b"3", b'"x"', b"{", b"\xff\xfe", b'{"policy":"x"}', b'{"json":{}}'])


def call(method, target, body=b"", **headers):
    return Call(method, target, "127.0.0.1", {"authorization": "Bearer token", **headers}, body)


@settings(max_examples=400)
@given(bodies(), keys, queries, st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]), raw_bodies, st.booleans())
def test_configuration_calls_are_always_answered(content, key, query, method, raw, use_raw):
    table, body = content
    api = Api(Device.from_json(DEVICE.to_json(), clock=DEVICE.clock))
    before = api.device.to_json()
    answer = api.handle(
        call(method, f"/api/v2/cmdb/{table}{key}{query}", raw if use_raw else json.dumps(body).encode())
    )
    assert answer.status in (200, 400, 403, 404, 405, 424, 500)
    answer.encode()
    if answer.status != 200 or method == "GET":
        assert api.device.to_json() == before
    # Whatever was accepted can be judged by, dumped and loaded.
    api.device.evaluate(Packet(IPv4Address("172.16.0.10"), IPv4Address("10.0.0.1")), "internal")
    Device.from_json(api.device.to_json())


values = st.sampled_from(
    ["", "x", "0", "-1", "172.16.0.10", "internal", "99999999999", "%00", "tcp", "root", "*", "policy"]
)
names = st.sampled_from(
    ["vdom", "count", "start", "destination", "srcintf", "sourceip", "dest", "protocol", "destport", "ip_mask", "scope",
     "q_path", "q_name", "mkey", "policyid", "operator", "interface_name", "saddr"]
)  # fmt: skip


@settings(max_examples=400)
@given(
    st.sampled_from(sorted(ENDPOINTS)),
    st.lists(st.tuples(names, values), max_size=5),
    st.sampled_from(["GET", "POST"]),
    raw_bodies,
)
def test_monitor_calls_are_always_answered(endpoint, parameters, method, body):
    api = Api(Device.from_json(DEVICE.to_json(), clock=DEVICE.clock))
    query = "&".join(f"{name}={value}" for name, value in parameters)
    answer = api.handle(call(method, f"/api/v2/monitor/{endpoint}?{query}", body))
    assert answer.status in (200, 400, 403, 404, 405, 500)
    answer.encode()


@settings(max_examples=100)
@given(
    st.sampled_from(["start", "commit", "abort", "list", "show", "dance"]),
    st.sampled_from(["GET", "POST", "PUT"]),
    raw_bodies
    | st.sampled_from([b'{"timeout":"x"}', b'{"timeout":1}', b'{"transaction-id":1}', b'{"transaction-id":[]}']),
    st.sampled_from(["", "1", "x"]),
)
def test_transaction_calls_are_always_answered(action, method, body, number):
    api = Api(Device.from_json(DEVICE.to_json(), clock=DEVICE.clock))
    headers = {"x-transaction-id": number} if number else {}
    answer = api.handle(call(method, f"/api/v2/cmdb?action=transaction-{action}", body, **headers))
    assert answer.status in (200, 400, 403, 405, 424, 500)
    written = api.handle(call("POST", "/api/v2/cmdb/firewall/address", b'{"name":"a"}', **headers))
    assert written.status in (200, 500)
