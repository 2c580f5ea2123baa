"""Check 21 and the faults inside a command: the server misbehaves on demand, in ways a real one does."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
import requests
from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError, WinRMTransportError

from tests.lab.windows_dns.clients import LOCAL, Client, Lab, client, drive

ADD = "Add-DnsServerConditionalForwarderZone"
SCRIPT = f"{ADD} x.example 10.0.0.1 -ErrorAction Stop; 'added'"


@pytest.fixture
async def each(dc: Lab) -> AsyncIterator[Client]:
    async with client(dc.up, operation_timeout_sec=1, read_timeout_sec=60) as made:
        yield made


def exists(dc: Lab) -> bool:
    return dc.server.zones.get("x.example") is not None


async def test_check_21_dropped_connection_before_anything(dc: Lab, each: Client) -> None:
    shell = await each.open()
    dc.server.faults.add("drop", "Command")
    with pytest.raises(requests.exceptions.ConnectionError):
        await each.start(shell, SCRIPT)
    assert not exists(dc)
    assert (await each.finish(shell, await each.start(shell, SCRIPT))).lines == ["added"]


async def test_check_21_empty_500(dc: Lab, each: Client) -> None:
    dc.server.faults.add("empty_500", "Create")
    with pytest.raises(WinRMTransportError) as error:
        await each.open()
    assert (error.value.code, error.value.response_text) == (500, "")


async def test_check_21_slow_first_byte(dc: Lab, each: Client) -> None:
    dc.server.faults.add("slow", "Create", seconds=40)
    opening = asyncio.create_task(each.open())
    await dc.clock.until_asleep()
    await dc.clock.advance(39)
    assert not opening.done()
    await dc.clock.advance(1)
    assert await opening


async def test_check_21_logged_off_in_the_middle(dc: Lab) -> None:
    async with client(dc.up, "CORP\\svc-k8snet", transport="ntlm") as each:
        shell = await each.open()
        dc.server.faults.add("unauthorized", "Command")
        # The client logs on again on the same connection and repeats the request.
        command = await each.start(shell, SCRIPT)
        assert (await each.finish(shell, command)).lines == ["added"]
    async with client(dc.up) as basic:
        dc.server.faults.add("unauthorized", "Create")
        with pytest.raises(InvalidCredentialsError):
            await basic.open()


async def test_check_21_truncated_xml(dc: Lab, each: Client) -> None:
    dc.server.faults.add("truncate", "Create")
    with pytest.raises(Exception, match=r"no element found|unclosed|not well-formed"):
        await each.open()


async def test_the_answer_to_a_write_can_be_lost(dc: Lab, each: Client) -> None:
    shell = await each.open()
    dc.server.faults.add("lost_answer", "Receive")
    command = await each.start(shell, SCRIPT)
    with pytest.raises(requests.exceptions.ConnectionError):
        await each.call("get_command_output_raw", shell, command)
    assert exists(dc)


async def test_a_command_can_be_carried_out_twice(dc: Lab, each: Client) -> None:
    shell = await each.open()
    dc.server.faults.add("twice", "Command")
    result = await each.finish(shell, await each.start(shell, SCRIPT))
    assert (result.code, b"WIN32 9609" in result.stderr) == (1, True)
    assert [call.cmdlet for call in dc.server.calls] == [ADD, ADD]
    assert len(dc.server.writes) == 1


@pytest.mark.parametrize(("kind", "effect"), [("hang_before", False), ("hang_after", True)])
async def test_a_process_can_hang_before_or_after_its_effect(dc: Lab, each: Client, kind: str, effect: bool) -> None:
    dc.server.faults.add(kind, ADD)
    shell = await each.open()
    command = await each.start(shell, SCRIPT)
    await dc.server.faults.hung.wait()
    assert exists(dc) == effect
    with pytest.raises(WinRMOperationTimeoutError):
        await drive(dc.clock, each.call("get_command_output_raw", shell, command))
    await each.call("cleanup_command", shell, command)
    await each.call("close_shell", shell)
    assert exists(dc) == effect


async def test_a_cmdlet_can_fail_with_any_code(dc: Lab) -> None:
    dc.server.faults.add("error", "Get-DnsServer*", code=1722, skip=1)
    assert (await dc.run("Get-DnsServerZone | % { 'x' }")).code == 0
    assert (await dc.error("Get-DnsServerCache -ErrorAction Stop"))["id"] == "WIN32 1722,Get-DnsServerCache"
    assert (await dc.run("Get-DnsServerCache | % { 'x' }")).lines == ["x"]


async def test_a_fault_acts_as_often_as_it_says(dc: Lab, each: Client) -> None:
    dc.server.faults.add("empty_500", "Create", count=2, skip=1)
    await each.open()
    for _ in range(2):
        with pytest.raises(WinRMTransportError):
            await each.open()
    await each.open()
    assert dc.server.faults.rules == []


async def test_the_control_door(dc: Lab) -> None:
    async with aiohttp.ClientSession() as session:

        async def ask(method: str, name: str, document: object = None):
            url = f"{dc.up.control_url}/{name}"
            async with session.request(method, url, json=document, ssl=False) as response:
                return response.status, await response.json()

        await dc.run(f"{ADD} x.example 10.0.0.1")
        assert (await ask("GET", "writes"))[1][0]["user"] == LOCAL
        assert (await ask("GET", "calls"))[1][0]["parameters"] == {"Name": "x.example", "MasterServers": ["10.0.0.1"]}
        state = (await ask("GET", "state"))[1]
        assert state["zones"][-1]["name"] == "x.example"
        state["zones"] = []
        assert (await ask("PUT", "state", state))[0] == 200
        assert not exists(dc)
        assert (await ask("PUT", "state", {"zones": [{"nam": 1}]}))[0] == 400
        assert (await ask("POST", "faults", {"kind": "drop", "at": "Signal"}))[1][0]["count"] == 1
        assert (await ask("DELETE", "faults"))[1] == []
        before = dc.clock.now()
        assert (await ask("POST", "clock", {"advance": 60}))[0] == 200
        assert dc.clock.now() == before + 60
        await dc.ask("www.example.net")
        assert (await ask("GET", "cache"))[1] == [
            {"name": "www.example.net.", "type": "NXDOMAIN", "seconds": 900, "data": ""}
        ]
        assert (await ask("DELETE", "cache"))[1] == []
        assert (await ask("GET", "shells"))[1] == []
        assert (await ask("GET", "replication"))[1] == []
        assert (await ask("GET", "nothing"))[0] == 404
