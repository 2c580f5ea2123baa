"""The article, done by hand in a company of real programs, until a person's redis-cli gets its PONG."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from lab.network.kernel_article import article_tables, dns_policy
from lab.network.kernel_company import Company, company
from lab.network.kernel_forward import forwarded
from lab.network.kernel_requirements import missing
from lab.topology import BOT, PC

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(missing() is not None, reason=f"no kernel network here: {missing()}"),
]

REDIS = "redis-abc-gns.default.svc.cluster.local"
WEB = "web-abc.default.svc.cluster.local"
GATEWAY = "k8s-qa-node-02"


@pytest.fixture
async def lab() -> AsyncIterator[Company]:
    async with company() as running:
        yield running


async def rest(lab: Company, method: str, path: str, body: Any = None) -> Any:
    """One call to the firewall's API, from the bot's host."""
    leg = lab.access.fortigate_url.removeprefix("https://")
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=lab.access.fortigate_ca), force_close=True)
    headers = {"Authorization": f"Bearer {lab.secrets.fortigate}"}
    async with (
        forwarded(lab.net, BOT, leg, 443) as port,
        aiohttp.ClientSession(connector=connector, headers=headers) as session,
        session.request(method, f"https://localhost:{port}/api/v2/{path}", json=body) as response,
    ):
        answer = await response.json()
        assert response.status == 200, answer
        return answer


async def follow_the_article(lab: Company) -> None:
    """Addresses, routes, policies, the forgotten policy for DNS, and the conditional forwarder."""
    tables = article_tables()
    for row in tables["firewall/address"][1:]:
        await rest(lab, "POST", "cmdb/firewall/address", row)
    for row in tables["router/static"]:
        await rest(lab, "POST", "cmdb/router/static", row)
    for row in [*tables["firewall/policy"], dns_policy()]:
        await rest(lab, "POST", "cmdb/firewall/policy", {**row, "name": f"article-{row['policyid']}"})
    state = await lab.control("windows_dns", "GET", "/lab/state")
    state["zones"].append({"name": "svc.cluster.local", "type": "Forwarder", "masters": ["10.68.0.2"]})
    await lab.control("windows_dns", "PUT", "/lab/state", state)


async def ping_redis(lab: Company) -> str:
    done = await lab.net.run(PC, ["redis-cli", "-h", REDIS, "ping"])
    return done.stdout.strip() or done.stderr.strip()


async def test_names_do_not_resolve_before_anything_was_done(lab: Company) -> None:
    assert "Name or service not known" in await ping_redis(lab)


async def test_the_article_by_hand_lets_people_use_services_by_name(lab: Company) -> None:
    await follow_the_article(lab)
    assert await ping_redis(lab) == "PONG"
    page = await lab.net.run(PC, ["curl", "--silent", "--max-time", "5", f"http://{WEB}/hello"])
    assert '"client": "172.16.1.106"' in page.stdout or '"client": "172.20.3.1"' in page.stdout
    assert "GET /hello" in page.stdout


async def test_sessions_of_the_api_are_those_of_the_kernel_and_end_there(lab: Company) -> None:
    """Somebody talks to the redis pod; once the firewall has forgotten that, the next word gets no answer."""
    state = await lab.control("fortigate", "GET", "/lab/state")
    state["accprofiles"][0]["sysgrp-permission"]["cfg"] = "read-write"
    await lab.control("fortigate", "PUT", "/lab/state", state)
    await follow_the_article(lab)
    async with forwarded(lab.net, BOT, "172.20.4.222", 6379) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"PING\r\n")
        assert await reader.readline() == b"+PONG\r\n"
        listed = (await rest(lab, "GET", "monitor/firewall/session?count=20&destination=172.20.4.222"))["results"]
        [flow] = listed["details"]
        assert (flow["proto"], flow["saddr"], flow["dport"], flow["policyid"]) == ("tcp", "172.16.0.50", 6379, 101)
        assert flow["rcvdbyte"] > 0
        body = {"pro": flow["proto"], **{name: flow[name] for name in ("saddr", "sport", "daddr", "dport")}}
        await rest(lab, "POST", "monitor/firewall/session/close", body)
        listed = (await rest(lab, "GET", "monitor/firewall/session?count=20&destination=172.20.4.222"))["results"]
        assert listed["details"] == []
        writer.write(b"PING\r\n")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await reader.readline()
        writer.close()
    assert await ping_redis(lab) == "PONG"


async def test_hit_counters_of_the_api_are_those_of_the_kernel(lab: Company) -> None:
    await follow_the_article(lab)
    assert await ping_redis(lab) == "PONG"
    rows = {row["policyid"]: row for row in (await rest(lab, "GET", "monitor/firewall/policy/select"))["results"]}
    assert rows[101]["hit_count"] == 1
    assert rows[101]["packets"] >= 6
    assert "hit_count" not in rows[100]


async def test_new_endpoints_reach_every_node(lab: Company) -> None:
    await follow_the_article(lab)
    away = await lab.net.run(PC, ["curl", "--silent", "--max-time", "5", "http://10.68.0.99/"])
    assert away.returncode == 7, "a service without endpoints refuses"
    piece = next(
        each
        for each in (await lab.control("cluster", "GET", "/lab/state"))["objects"]
        if each["kind"] == "EndpointSlice" and each["metadata"]["name"] == "empty-abc-lab01"
    )
    ready = {"addresses": ["172.20.4.31"], "conditions": {"ready": True}, "nodeName": "k8s-qa-node-03"}
    await lab.control("cluster", "PUT", "/lab/objects", {**piece, "endpoints": [ready]})
    await lab.net.programmed(lambda ruleset: "10.68.0.99 tcp dport 80 dnat to 172.20.4.31:8080" in ruleset)
    page = await lab.net.run(PC, ["curl", "--silent", "--max-time", "5", "http://10.68.0.99/"])
    assert '"pod"' in page.stdout


async def test_a_dead_gateway_can_be_replaced_and_comes_back(lab: Company) -> None:
    await follow_the_article(lab)
    await lab.kill_node(GATEWAY)
    lost = await lab.net.run(PC, ["curl", "--silent", "--max-time", "1", "http://172.20.4.31:8080/"])
    assert lost.returncode == 28
    for number in (10, 11):
        await rest(lab, "PUT", f"cmdb/router/static/{number}", {"gateway": "172.16.1.108"})
    page = await lab.net.run(PC, ["curl", "--silent", "--max-time", "5", "http://172.20.4.31:8080/"])
    assert '"pod"' in page.stdout
    await lab.revive_node(GATEWAY)
    page = await lab.net.run(PC, ["curl", "--silent", "--max-time", "5", "http://172.20.3.31:8080/"])
    assert '"pod"' in page.stdout


async def test_only_the_bot_may_use_the_firewalls_api(lab: Company) -> None:
    leg = lab.access.fortigate_url
    asked = ["curl", "--silent", "--max-time", "5", "--cacert", str(lab.access.fortigate_ca), "--output", "/dev/null",
             "--write-out", "%{http_code}", "--header", "@-", f"{leg}/api/v2/cmdb/firewall/policy"]  # fmt: skip
    header = f"Authorization: Bearer {lab.secrets.fortigate}\n"
    assert (await lab.net.run(BOT, asked, stdin=header)).stdout == "200"
    assert (await lab.net.run(PC, asked, stdin=header)).stdout == "401"


async def test_every_control_endpoint_answers_the_driver_outside(lab: Company) -> None:
    assert await lab.control("fortigate", "GET", "/lab/audit") == []
    assert await lab.control("windows_dns", "GET", "/lab/writes") == []
    assert "objects" in await lab.control("cluster", "GET", "/lab/state")
    assert await lab.control("slack", "GET", "/lab/faults") is not None
    assert set(lab.bot_environment()) >= {"FORTIGATE_TOKEN", "SLACK_BOT_TOKEN", "KUBECONFIG"}


async def test_a_cable_pulled_out_of_the_firewall_takes_its_routes(lab: Company) -> None:
    await follow_the_article(lab)
    await lab.control("fortigate", "POST", "/lab/links", {"interface": "Test", "up": False})
    shown = (await lab.net.run("firewall", ["ip", "route"], check=True)).stdout
    assert "172.20.0.0/16" not in shown
    await lab.control("fortigate", "POST", "/lab/links", {"interface": "Test", "up": True})
    assert "172.20.0.0/16 via 172.16.1.106" in (await lab.net.run("firewall", ["ip", "route"], check=True)).stdout
    assert await ping_redis(lab) == "PONG"


async def test_a_hung_node_is_silent_until_it_is_revived(lab: Company) -> None:
    await follow_the_article(lab)
    health = ["curl", "--silent", "--max-time", "1", "http://172.16.1.106:10256/healthz"]
    assert (await lab.net.run(BOT, health)).returncode == 0
    await lab.freeze_node(GATEWAY)
    assert (await lab.net.run(BOT, health)).returncode == 28
    lost = await lab.net.run(PC, ["curl", "--silent", "--max-time", "1", "http://172.20.4.31:8080/"])
    assert lost.returncode == 28
    await lab.revive_node(GATEWAY)
    page = await lab.net.run(PC, ["curl", "--silent", "--max-time", "5", "http://172.20.4.31:8080/"])
    assert '"pod"' in page.stdout
