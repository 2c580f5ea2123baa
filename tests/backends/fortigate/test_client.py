"""What the client sends, and what it makes of the answers of a peer that misbehaves."""

import asyncio
import json
import logging
import subprocess
import sys

import pytest

from backends.fortigate.client import Refused
from backends.fortigate.transport import LARGEST_ANSWER
from backends.fortigate.urls import MonitorUrl, RowUrl
from bot.model.errors import BackendError, OutcomeUnknown, Rejected, Unreachable
from tests.backends.fortigate.calls import GOOD, HTML, TABLE, TOKEN, Start, read, write, yes
from tests.backends.fortigate.peer import Request, always, envelope, http

# --- what is sent


async def test_the_token_goes_into_the_header_and_nowhere_else(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with start(always(GOOD)) as (client, firewall):
        assert await read(client) == []
    [request] = firewall.requests
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in request.target
    assert TOKEN not in caplog.text


async def test_a_write_is_json_and_names_its_vdom(start: Start) -> None:
    async with start(always(http(200, envelope("firewall/address", "POST", vdom="lab"))), vdom="lab") as (client, fw):
        await client.create(TABLE, {"name": "ü"}, yes)
    [request] = fw.requests
    assert (request.method, request.target) == ("POST", "/api/v2/cmdb/firewall/address?vdom=lab")
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {"name": "ü"}


async def test_a_delete_names_its_row(start: Start) -> None:
    async with start(always(http(200, envelope("firewall/address", "DELETE")))) as (client, firewall):
        await client.delete(RowUrl("firewall/address", "a/b"), yes)
    assert firewall.requests[0].target == "/api/v2/cmdb/firewall/address/a%2Fb?vdom=root"


async def test_one_connection_serves_many_requests(start: Start) -> None:
    async with start(always(GOOD)) as (client, firewall):
        for _ in range(5):
            await read(client)
    assert (len(firewall.requests), firewall.connections) == (5, 1)


async def test_reads_run_side_by_side_once_the_token_was_taken(start: Start) -> None:
    together = asyncio.Barrier(3)

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        if "?vdom=root&filter" in request.target:
            await together.wait()  # nobody is answered before all three are here
        writer.write(GOOD)

    async with start(behave) as (client, firewall):
        await read(client)
        await asyncio.gather(*(client.rows(TABLE, (("filter", f"name=={n}"),)) for n in range(3)))
    assert firewall.connections == 3


async def test_the_environment_cannot_put_a_proxy_between(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with start(always(GOOD)) as (client, _):
        assert await read(client) == []


async def test_no_cookie_is_kept(start: Start) -> None:
    answer = http(200, envelope("firewall/address"), Set_Cookie="APSCOOKIE_1=x; path=/")
    async with start(always(answer)) as (client, firewall):
        await read(client)
        await read(client)
    assert "cookie" not in firewall.requests[1].headers


async def test_a_redirect_is_not_followed(start: Start) -> None:
    async with start(always(http(302, "", Location="https://127.0.0.1:9/login"))) as (client, firewall):
        with pytest.raises(BackendError, match="HTTP 302"):
            await read(client)
    assert len(firewall.requests) == 1


# --- answers that are none


NOT_AN_ANSWER = {
    "html": http(200, HTML, "text/html"),
    "html in json's clothes": http(200, HTML),
    "json in html's clothes": http(200, envelope("firewall/address"), "text/html"),
    "nothing": http(200, ""),
    "half": http(200, envelope("firewall/address")[:40]),
    "a list": http(200, "[]"),
    "too deep": http(200, '{"results":' + "[" * 100_000 + "]" * 100_000 + "}"),
    "another table": http(200, envelope("firewall/addrgrp")),
    "another vdom": http(200, envelope("firewall/address", vdom="dmz")),
    "another method": http(200, envelope("firewall/address", "PUT")),
    "no version": http(200, envelope("firewall/address", version="")),
    "rows that are none": http(200, envelope("firewall/address", results=["x"])),
    "no rows": http(200, envelope("firewall/address", results=None)),
    "error 500 in html": http(500, HTML, "text/html"),
    "busy": http(503, HTML, "text/html", Retry_After="5"),
    "too large": http(200, envelope("firewall/address", results=[{"name": "x" * LARGEST_ANSWER}])),
    "compressed": http(200, GOOD, Content_Encoding="gzip"),
}


@pytest.mark.parametrize("answer", NOT_AN_ANSWER.values(), ids=NOT_AN_ANSWER.keys())
async def test_a_read_without_a_proper_answer_may_be_tried_again_by_the_caller(start: Start, answer: bytes) -> None:
    async with start(always(answer)) as (client, firewall):
        with pytest.raises(Unreachable) as caught:
            await read(client)
    assert "office-fw" in str(caught.value)
    assert "Forbidden" not in str(caught.value)
    assert len(firewall.requests) == 1


@pytest.mark.parametrize("name", [name for name in NOT_AN_ANSWER if "rows" not in name])
async def test_a_write_without_a_proper_answer_is_unknown(start: Start, name: str) -> None:
    async with start(always(NOT_AN_ANSWER[name])) as (client, firewall):
        with pytest.raises(OutcomeUnknown):
            await write(client)
    assert len(firewall.requests) == 1


async def test_another_unit_than_the_listed_ones_is_not_believed(start: Start) -> None:
    async with start(always(GOOD), serials=("FGT60F0000000001",)) as (client, _):
        with pytest.raises(Unreachable, match="serial number FGVM02TM20001791"):
            await read(client)


async def test_a_serial_number_makes_no_lines_of_its_own_in_the_log(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    serials = iter(["FG1", "FG2\nERROR all is lost" + "!" * 5000])

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(http(200, envelope("firewall/address", serial=next(serials))))

    async with start(behave) as (client, _):
        for _ in range(2):
            await read(client)
    [warning] = [record.getMessage() for record in caplog.records if "answers now" in record.getMessage()]
    assert "\n" not in warning
    assert len(warning) < 300


async def test_a_release_that_is_too_old_is_named(start: Start) -> None:
    async with start(always(http(200, envelope("system/settings", version="v6.2.3")))) as (client, _):
        with pytest.raises(Rejected, match=r"FortiOS 6\.2\.3 is too old"):
            await client.capabilities()


async def test_the_release_is_asked_for_once_and_noticed_when_it_changes(start: Start) -> None:
    versions = iter(["v7.4.4", "v7.6.0"])

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        table = "system/settings" if "settings" in request.target else "firewall/address"
        writer.write(http(200, envelope(table, version=next(versions))))

    async with start(behave) as (client, firewall):
        assert str(await client.capabilities()) == "FortiOS 7.4.4"
        assert str(await client.capabilities()) == "FortiOS 7.4.4"
        await read(client)
        assert str(await client.capabilities()) == "FortiOS 7.6.0"
    assert len(firewall.requests) == 2


@pytest.mark.parametrize(
    ("results", "policy_based"),
    [({"ngfw-mode": "policy-based"}, True), ({"ngfw-mode": "profile-based"}, False), ({}, False), ([], False)],
)
async def test_the_mode_comes_with_the_release(start: Start, results: object, policy_based: bool) -> None:
    async with start(always(http(200, envelope("system/settings", results=results)))) as (client, firewall):
        assert str(await client.capabilities()) == "FortiOS 7.4.4"
        assert await client.policy_based() is policy_based
    assert len(firewall.requests) == 1


async def test_without_the_right_to_read_settings_the_release_is_told_by_what_everybody_may_read(start: Start) -> None:
    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        forbidden = "settings" in request.target
        writer.write(http(403, HTML, "text/html") if forbidden else http(200, envelope("system/status")))

    async with start(behave) as (client, firewall):
        assert str(await client.capabilities()) == "FortiOS 7.4.4"
        assert await client.policy_based() is False
    assert len(firewall.requests) == 2


# --- a clear no


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (http(403, HTML, "text/html"), "fwgrp.address read-write"),
        (http(403, envelope("firewall/address", "POST", status="error", http_status=403)), "fwgrp.address read-write"),
        (http(404, envelope("firewall/address", "POST", status="error", http_status=404)), "HTTP 404"),
        (http(405, HTML, "text/html"), "HTTP 405"),
        (http(413, "", "text/plain"), "HTTP 413"),
        (http(424, "{}"), "HTTP 424"),
        (http(500, envelope("firewall/address", "POST", status="error", error=-5)), "exists already"),
        (http(500, envelope("firewall/address", "POST", status="error", error=-4)), "table is full"),
        (http(500, envelope("firewall/address", "POST", status="error", error=-99999)), "error -99999"),
    ],
)
async def test_a_no_is_explained_and_not_repeated(start: Start, answer: bytes, words: str) -> None:
    async with start(always(answer)) as (client, firewall):
        with pytest.raises(Refused, match=words):
            await write(client)
    assert len(firewall.requests) == 1


async def test_the_devices_words_are_shown_but_cannot_shape_the_message(start: Start) -> None:
    said = "node_check_object fail! for name *port_2032*\x1b[31m\n<@U0BOSS> `x`\nCommand fail. Return code -651\n"
    answer = http(500, envelope("firewall/address", "POST", status="error", error=-651, cli_error=said + "x" * 999))
    async with start(always(answer)) as (client, _):
        with pytest.raises(Refused, match="fail! for name port_2032") as caught:
            await write(client)
    text = str(caught.value)
    assert not set("\x1b\n`<>*") & set(text)
    assert len(text) < 400


async def test_a_missing_right_for_a_look_up_is_named(start: Start) -> None:
    async with start(always(http(403, HTML, "text/html"))) as (client, _):
        with pytest.raises(Refused, match=r"netgrp\.route-cfg read "):
            await client.look_up(MonitorUrl("router/lookup"), (("destination", "10.68.0.1"),))


def test_the_http_library_is_not_loaded_before_it_is_needed() -> None:
    script = "import sys, backends.fortigate.target; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
