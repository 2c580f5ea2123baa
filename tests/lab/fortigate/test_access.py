"""Checks 1 to 7: who is let in, and how refusals look."""

from __future__ import annotations

import ssl

import httpx
import pytest

STATUS = "/api/v2/monitor/system/status"
TOKEN = "lab-token-of-the-tests"


def assert_html(answer, status):
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    with pytest.raises(ValueError, match="Expecting value"):
        answer.json()


async def test_check_01_no_token_is_401_in_html(lab):
    client = await lab.new_client()
    assert_html(await client.get(STATUS), 401)
    assert (await lab.get(STATUS)).status_code == 200


@pytest.mark.parametrize(("version", "status"), [("v7.4.4", 200), ("v7.4.5", 401), ("v7.6.6", 401)])
async def test_check_02_token_in_url_depends_on_the_version(start, version, status):
    lab = await start(version)
    client = await lab.new_client()
    assert (await client.get(f"{STATUS}?access_token={TOKEN}")).status_code == status


async def test_check_02_token_in_url_can_be_switched_on(start):
    lab = await start("v7.6.6")
    client = await lab.new_client()
    assert_html(await client.get(f"{STATUS}?access_token={TOKEN}"), 401)
    answer = await lab.put("system/global", {"rest-api-key-url-query": "enable"})
    assert answer.json()["revision_changed"] is True
    assert (await client.get(f"{STATUS}?access_token={TOKEN}")).status_code == 200


async def test_check_03_three_failures_lock_the_source_out_for_a_minute(lab, clock):
    stranger = await lab.new_client(Authorization="Bearer wrong")
    for _ in range(3):
        assert_html(await stranger.get(STATUS), 401)
    assert_html(await stranger.get(STATUS), 429)
    assert_html(await lab.get(STATUS), 429)
    clock.advance(59)
    assert_html(await lab.get(STATUS), 429)
    clock.advance(2)
    assert (await lab.get(STATUS)).status_code == 200


async def test_check_03_failures_more_than_a_minute_apart_do_not_add_up(lab, clock):
    stranger = await lab.new_client(Authorization="Bearer wrong")
    for _ in range(4):
        assert_html(await stranger.get(STATUS), 401)
        clock.advance(31)
    assert (await lab.get(STATUS)).status_code == 200


async def test_check_03_a_request_without_any_token_is_no_failed_login(lab):
    """The vendor's Ansible collection sends one before each task, and long playbooks work."""
    stranger = await lab.new_client()
    for _ in range(5):
        assert_html(await stranger.get(STATUS), 401)
        assert_html(await stranger.post("/logout"), 404)
    assert (await lab.get(STATUS)).status_code == 200


async def test_check_04_untrusted_source_is_401_and_counts(start, state):
    state["api_users"][0]["trusthost"] = ["10.9.8.7/32"]
    lab = await start()
    for _ in range(3):
        assert_html(await lab.get(STATUS), 401)
    assert_html(await lab.get(STATUS), 429)


async def test_check_04_one_of_several_trusted_hosts_suffices(start, state):
    state["api_users"][0]["trusthost"] = ["10.9.8.7/32", "::1/128", "127.0.0.0/8"]
    lab = await start()
    assert (await lab.get(STATUS)).status_code == 200


async def test_check_05_missing_right_is_403_on_that_table_only(start, state):
    state["api_users"][0]["accprofile"] = "net-assistant"
    lab = await start()
    assert (await lab.get("firewall/address")).status_code == 200
    assert_html(await lab.get("system/api-user"), 403)
    body = {"name": "TCP-6443", "tcp-portrange": "6443"}
    assert_html(await lab.post("firewall.service/custom", body), 403)
    assert (await lab.get("firewall.service/custom/HTTP")).status_code == 200
    assert (await lab.get(STATUS)).status_code == 200


async def test_check_05_read_only_profile_reads_but_does_not_write(start, state):
    state["api_users"][0]["accprofile"] = "super_admin_readonly"
    lab = await start()
    assert (await lab.get("firewall/address")).status_code == 200
    assert_html(await lab.post("firewall/address", {"name": "pods"}), 403)
    assert lab.device.configuration("root", "firewall/address").get("firewall/address", "pods") is None


async def test_check_06_vdom_outside_the_account_is_403(start, state):
    state["vdoms"]["guests"] = {}
    state["api_users"][0] |= {"accprofile": "prof_admin", "vdom": ["root"]}
    lab = await start()
    assert_html(await lab.get("firewall/address?vdom=guests"), 403)
    assert (await lab.get("firewall/address")).json()["vdom"] == "root"
    assert (await lab.get("firewall/address?vdom=root")).status_code == 200


async def test_check_06_omitted_vdom_needs_the_management_vdom(start, state):
    state["vdoms"]["guests"] = {}
    state["api_users"][0] |= {"accprofile": "prof_admin", "vdom": ["guests"]}
    lab = await start()
    assert_html(await lab.get("firewall/address"), 403)
    assert (await lab.get("firewall/address?vdom=guests")).json()["vdom"] == "guests"


async def test_check_07_plain_http_refuses_tokens(start):
    lab = await start(http_port=0)
    async with httpx.AsyncClient() as client:
        url = f"http://127.0.0.1:{lab.server.http_port}{STATUS}"
        assert_html(await client.get(url, headers={"Authorization": f"Bearer {TOKEN}"}), 401)


async def test_check_07_certificate_is_trusted_only_with_its_own_ca(lab, tmp_path):
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.get(lab.server.url + STATUS)
    trust = ssl.create_default_context(cafile=lab.server.write_ca(tmp_path / "ca.pem"))
    async with httpx.AsyncClient(verify=trust) as client:
        assert (await client.get(lab.server.url + STATUS)).status_code == 401


async def test_new_key_replaces_the_old_one_at_once(lab):
    answer = await lab.post("/api/v2/monitor/system/api-user/generate-key", {"api-user": "k8snet"})
    token = answer.json()["results"]["access_token"]
    assert (await lab.get(STATUS)).status_code == 401
    client = await lab.new_client(Authorization=f"Bearer {token}")
    assert (await client.get(STATUS)).status_code == 200
    assert token not in (await client.get("/api/v2/cmdb/system/api-user")).text
