"""One login serves the calls that follow soon; a connection that is no longer what it was serves none."""

import asyncio
import logging
from pathlib import Path

import pytest

from backends.windows_dns.line import REST_S
from backends.windows_dns.target import WindowsDns
from bot.model.errors import Unreachable
from tests.backends.windows_dns.clock import DEADLINE_S, ManualClock
from tests.backends.windows_dns.fault_proxy import FaultProxy
from tests.backends.windows_dns.simulated import KEY, WISH, Login, Office, office, step

SEALED_OR_NOT: list[Login] = ["basic over https", "ntlm over https", "ntlm over http", "credssp over https"]
ONE_CALL = 5
"""Requests once somebody is logged in: open a shell, run, receive, end the command, close the shell."""


class Asked:
    """Counts requests as the HTTP library sends them, and the connections it opens."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._log = caplog
        caplog.set_level(logging.DEBUG, "urllib3.connectionpool")

    def since(self) -> tuple[int, int]:
        """Requests and new connections since the last time."""
        said = [record.getMessage() for record in self._log.records]
        self._log.clear()
        return sum('"POST /wsman' in text for text in said), sum("Starting new" in text for text in said)


@pytest.fixture
def asked(caplog: pytest.LogCaptureFixture) -> Asked:
    return Asked(caplog)


@pytest.mark.parametrize("login", SEALED_OR_NOT)
async def test_the_second_call_need_not_log_in(asked: Asked, login: Login) -> None:
    async with office(auth_credssp=True) as dc:
        door = dc.target(login)
        assert await door.read([KEY]) == {}
        first, connections = asked.since()
        assert first >= ONE_CALL
        assert connections == 1
        assert (await door.apply(step(None, WISH))).kind == "applied"
        assert asked.since() == (ONE_CALL, 0)
        assert await door.read([KEY]) == {KEY: WISH}
        assert asked.since() == (ONE_CALL, 0)
        await door.close()
        assert await dc.shells() == 0


async def test_a_connection_that_rested_too_long_is_not_used_again(dc: Office, asked: Asked) -> None:
    passed = 0.0
    door = dc.target("ntlm over http", clock=ManualClock(lambda: passed))
    for pause, connections in ((0.0, 1), (REST_S - 1, 0), (REST_S - 1, 0), (REST_S, 1)):
        passed += pause
        await door.read([KEY])
        assert asked.since()[1] == connections
    await door.close()


@pytest.mark.parametrize("login", SEALED_OR_NOT)
async def test_a_write_over_a_connection_that_the_server_has_closed_meanwhile_is_made_once(
    asked: Asked, login: Login
) -> None:
    async with office(auth_credssp=True) as dc:
        door = dc.target(login)
        await door.read([KEY])
        asked.since()
        dc.server.faults.add("drop", "Create")  # as a server does that has just thrown the connection away
        assert (await door.apply(step(None, WISH))).kind == "applied"
        assert asked.since()[1] == 1
        assert dc.writes().count("Add-DnsServerConditionalForwarderZone") == 1
        await door.close()
        assert await dc.shells() == 0


async def test_a_write_over_a_connection_that_ended_while_it_rested_is_made_once(dc: Office, asked: Asked) -> None:
    async with FaultProxy.before(dc.http.wsman_url) as proxy:
        door = dc.target(endpoint=proxy.endpoint)
        await door.read([KEY])
        asked.since()
        proxy.hang_up()
        assert (await door.apply(step(None, WISH))).kind == "applied"
        requests, connections = asked.since()
        assert (requests % ONE_CALL, connections) == (0, 1)
        assert dc.writes().count("Add-DnsServerConditionalForwarderZone") == 1
        await door.close()


async def test_two_failures_one_after_the_other_are_an_error(dc: Office) -> None:
    door = dc.target("ntlm over http")
    await door.read([KEY])
    dc.server.faults.add("drop", "Create")
    dc.server.faults.add("drop", "Create")
    with pytest.raises(Unreachable):
        await door.read([KEY])
    assert await door.read([KEY]) == {}
    await door.close()


async def test_calls_at_the_same_time_have_connections_of_their_own(dc: Office, asked: Asked) -> None:
    door = dc.target("ntlm over http")
    shell = door._shell
    both = [shell.run("cmd.exe", [], {}, timeout_s=DEADLINE_S, writes=False) for _ in range(2)]
    await asyncio.gather(*both)
    assert asked.since()[1] == 2
    again = [shell.run("cmd.exe", [], {}, timeout_s=DEADLINE_S, writes=False) for _ in range(2)]
    await asyncio.gather(*again)
    assert asked.since() == (2 * ONE_CALL, 0)
    await door.close()


async def test_a_call_that_was_given_up_leaves_no_connection_for_others(dc: Office, asked: Asked) -> None:
    door: WindowsDns = dc.target("ntlm over http")
    await door.read([KEY])
    dc.server.calls.clear()
    dc.server.faults.add("hang_before", "Get-DnsServerZone")
    call = asyncio.create_task(
        door._shell.ask("forwarder.read", {"names": [KEY.name]}, timeout_s=DEADLINE_S, writes=False)
    )
    await dc.called("Get-DnsServerZone")
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    asked.since()
    dc.server.faults.clear()
    assert await door.read([KEY]) == {}
    assert asked.since()[1] == 1
    await door.close()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_target_that_is_closed_leaves_nothing_open(dc: Office) -> None:
    door = dc.target("ntlm over https")
    await door.read([KEY])
    before = open_files()
    await door.close()
    assert open_files() < before
    await door.close()  # harmless
