"""Whatever goes wrong on the way, an outcome never lies, and what follows an unknown one is safe."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import TypeVar

import pytest

from backends.windows_dns.settings import IDLE_TIMEOUT_S
from backends.windows_dns.wsman import CLEANUP_S
from bot.model.errors import Rejected, Unreachable
from lab.windows_dns import Zone
from tests.backends.windows_dns.clock import DEADLINE_S, ManualClock
from tests.backends.windows_dns.fault_proxy import ACTIONS, FAULTS, Action, Fault, FaultProxy
from tests.backends.windows_dns.simulated import KEY, OTHER, PASSWORD, WISH, ZONE, Login, Office, step
from tests.backends.windows_dns.trouble import TROUBLE, write_through_trouble

WRITE_LIMIT_S = 20
Result = TypeVar("Result")
MADE = Zone(name=ZONE, masters=["10.68.0.10"], timeout=3)


@pytest.fixture
async def proxy(dc: Office) -> AsyncIterator[FaultProxy]:
    async with FaultProxy.before(dc.http.wsman_url) as started:
        yield started


async def despite(proxy: FaultProxy, clock: ManualClock, call: Coroutine[None, None, Result]) -> Result:
    """What a call comes to; its deadline passes when it is stuck."""
    proxy.stuck.clear()
    calling = asyncio.create_task(call)
    stuck = asyncio.create_task(proxy.stuck.wait())
    await asyncio.wait({calling, stuck}, return_when=asyncio.FIRST_COMPLETED)
    if not calling.done():
        clock.expire()
    stuck.cancel()
    return await calling


def expected(fault: Fault, action: Action) -> set[str]:
    """What a write may come to when this fault hits its conversation."""
    if action == "Create" and fault.answer in ("reset", "huge"):
        return {"applied"}  # a connection that ends before anything is begun over it is replaced, once
    if action == "Create":
        return {"refused"} if fault.reaches < 2 else {"applied"}
    if action in ("Signal", "Delete") or (action == "Receive" and fault.reaches == 2):
        return {"applied"} if action != "Receive" else {"applied", "unknown"}
    if action == "Command" and fault.answer in ("401", "403", "429"):
        return {"refused"}
    if action == "Command" and fault.reaches == 2:
        return {"applied", "already"}
    return {"unknown"}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_write_through_trouble(dc: Office, proxy: FaultProxy, fault: Fault, action: Action) -> None:
    clock = dc.clock()
    target = dc.target(clock=clock, endpoint=proxy.endpoint)
    proxy.arm(fault, action, skip=1)  # the first conversation asks for the clock
    outcome = await despite(proxy, clock, target.apply(step(None, WISH)))
    assert outcome.kind in expected(fault, action)
    if outcome.kind in ("applied", "already", "refused"):
        assert dc.zone() == (None if outcome.kind == "refused" else MADE)

    seen = await target.read([KEY])
    assert seen == ({} if dc.zone() is None else {KEY: WISH})
    again = await target.apply(step(None, WISH))
    assert again.kind == ("already" if seen else "applied")
    assert dc.writes().count("Add-DnsServerConditionalForwarderZone") == 1
    assert PASSWORD not in outcome.detail
    await target.close()


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_read_through_trouble(dc: Office, proxy: FaultProxy, fault: Fault, action: Action) -> None:
    dc.server.zones.put(MADE)
    clock = dc.clock()
    target = dc.target(clock=clock, endpoint=proxy.endpoint)
    await target.read([KEY])  # so that there is an answer of another command
    proxy.arm(fault, action)
    with contextlib.suppress(Unreachable, Rejected):
        assert await despite(proxy, clock, target.read([KEY])) == {KEY: WISH}
    assert await target.read([KEY]) == {KEY: WISH}
    await target.close()


@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if fault.answer not in ("whole", "of another command")], ids=str
)
async def test_trouble_before_a_write_is_sent_is_an_error_and_no_outcome(
    dc: Office, proxy: FaultProxy, fault: Fault
) -> None:
    clock = dc.clock()
    target = dc.target(clock=clock, endpoint=proxy.endpoint)
    proxy.arm(fault, "Receive")
    with pytest.raises(Rejected if fault.answer in ("401", "403") else Unreachable):
        await despite(proxy, clock, target.apply(step(None, WISH)))
    assert dc.server.calls == []
    await target.close()


async def test_a_write_that_arrives_too_late_has_no_effect(dc: Office, proxy: FaultProxy) -> None:
    """The request hangs somewhere on the way until the server's clock has passed its limit."""
    clock = dc.clock()
    target = dc.target(clock=clock, endpoint=proxy.endpoint)
    proxy.hold("Command", skip=1)
    proxy.arm(Fault(0, "reset"), "Delete", skip=1)  # or the server would know that nobody waits any more
    assert (await despite(proxy, clock, target.apply(step(None, WISH)))).kind == "unknown"
    await dc.server.clock.advance(WRITE_LIMIT_S)
    proxy.release.set()
    await dc.called("Get-DnsServerZone")  # the script runs now
    assert await target.read([KEY]) == {}
    assert {call.cmdlet for call in dc.server.calls} == {"Get-DnsServerZone"}
    assert dc.writes() == []
    await target.close()


async def test_once_read_nothing_can_happen_any_more(dc: Office, proxy: FaultProxy) -> None:
    """The read waits until the server itself has given up on whatever might still be on its way."""
    clock = dc.clock()
    target = dc.target(clock=clock, endpoint=proxy.endpoint)
    proxy.hold("Command", skip=1)
    proxy.arm(Fault(0, "reset"), "Delete", skip=1)
    assert (await despite(proxy, clock, target.apply(step(None, WISH)))).kind == "unknown"
    assert await target.read([KEY]) == {}
    assert sum(clock.slept) > WRITE_LIMIT_S + IDLE_TIMEOUT_S
    proxy.release.set()
    await proxy.forwarded_late.wait()
    assert await target.read([KEY]) == {}
    assert dc.writes() == []
    await target.close()


async def test_a_write_that_arrives_late_but_in_time_is_seen_by_the_next_read(dc: Office, proxy: FaultProxy) -> None:
    clock = dc.clock()
    target = dc.target(clock=clock, endpoint=proxy.endpoint)
    proxy.hold("Command", skip=1)
    proxy.arm(Fault(0, "reset"), "Delete", skip=1)
    assert (await despite(proxy, clock, target.apply(step(None, WISH)))).kind == "unknown"
    proxy.release.set()
    await proxy.forwarded_late.wait()
    assert await target.read([KEY]) == {KEY: WISH}
    await target.close()


async def test_a_write_redirected_to_another_machine_has_no_effect(dc: Office, proxy: FaultProxy) -> None:
    target = dc.target(endpoint=proxy.endpoint)
    proxy.hold("Command", skip=1)
    write = asyncio.create_task(target.apply(step(None, WISH)))
    await proxy.until("Command", 2)
    dc.server.settings.hostname = "DC2"
    proxy.release.set()
    outcome = await write
    assert outcome.kind == "refused"
    assert "two servers" in outcome.detail
    assert dc.zone() is None
    await target.close()


async def test_a_clock_that_stands_still_leaves_an_unknown_outcome_unreadable(dc: Office, proxy: FaultProxy) -> None:
    target = dc.target(clock=ManualClock(), endpoint=proxy.endpoint)  # the server's time does not pass
    proxy.arm(Fault(0, "reset"), "Command", skip=1)
    assert (await target.apply(step(None, WISH))).kind == "unknown"
    with pytest.raises(Unreachable, match="clock does not move on"):
        await target.read([KEY])
    with pytest.raises(Unreachable, match="clock does not move on"):
        await target.apply(step(None, WISH))
    await target.close()


@pytest.mark.parametrize("kind", ["hang_before", "hang_after"])
@pytest.mark.parametrize(
    "cmdlet", ["Add-DnsServerConditionalForwarderZone", "Clear-DnsServerCache", "Get-DnsServerZone"]
)
async def test_a_cmdlet_that_hangs_is_killed_and_its_effect_is_read(dc: Office, kind: str, cmdlet: str) -> None:
    dc.server.faults.add(kind, cmdlet)
    target = dc.target()
    write = asyncio.create_task(target.apply(step(None, WISH)))
    await dc.server.faults.hung.wait()
    await dc.server.clock.advance(DEADLINE_S - CLEANUP_S + 1)
    assert (await write).kind == "unknown"
    assert await dc.shells() == 0
    assert await target.read([KEY]) == ({} if dc.zone() is None else {KEY: WISH})
    again = "applied" if dc.zone() is None else "already"
    assert (await target.apply(step(None, WISH))).kind == again
    await target.close()


async def test_a_cancelled_write_is_read_like_an_unknown_one(dc: Office) -> None:
    clock = dc.clock()
    target = dc.target(clock=clock)
    dc.server.faults.add("hang_before", "Add-DnsServer*")
    write = asyncio.create_task(target.apply(step(None, WISH)))
    await dc.server.faults.hung.wait()
    write.cancel()
    await asyncio.wait({write})
    assert await target.read([KEY]) == {}
    assert sum(clock.slept) > WRITE_LIMIT_S + IDLE_TIMEOUT_S
    await target.close()


@pytest.mark.parametrize("stopped", [True, False])
async def test_a_process_that_could_not_be_stopped_is_waited_for_longer(
    dc: Office, proxy: FaultProxy, stopped: bool
) -> None:
    clock = dc.clock()
    target = dc.target(clock=clock, endpoint=proxy.endpoint)
    proxy.arm(Fault(1, "reset"), "Receive", skip=1)
    if not stopped:
        proxy.arm(Fault(0, "reset"), "Delete", skip=1)
    assert (await target.apply(step(None, WISH))).kind == "unknown"
    assert await target.read([KEY]) == {KEY: WISH}
    assert (sum(clock.slept) > IDLE_TIMEOUT_S) == (not stopped)
    assert sum(clock.slept) > WRITE_LIMIT_S
    await target.close()


@pytest.mark.parametrize("login", ["ntlm over http", "ntlm over https"])
@pytest.mark.parametrize(("kind", "action"), TROUBLE)
async def test_an_authenticated_and_sealed_write_through_trouble(
    dc: Office, login: Login, kind: str, action: Action
) -> None:
    await write_through_trouble(dc, dc.target(login), kind, action)


def standing(dc: Office) -> ManualClock:
    """A clock of ours on which no time passes; sleeping lets the server's go on."""
    return ManualClock(lambda: 0.0, dc.server.clock.advance)


async def test_no_shell_is_left_behind_by_failures(dc: Office) -> None:
    target = dc.target(clock=standing(dc))
    await target.read([KEY])  # it knows the server's clock: the next conversation is the write
    for kind in ("drop", "empty_500", "truncate", "lost_answer"):
        dc.server.faults.add(kind, "Receive")
        assert (await target.apply(step(None, WISH))).kind == "unknown"
        await target.read([KEY])
        dc.server.zones.remove(ZONE)
    assert await dc.shells() == 0
    await target.close()


async def test_a_change_and_a_removal_with_a_lost_answer_are_read_as_they_ended(dc: Office) -> None:
    target = dc.target(clock=standing(dc))
    await target.apply(step(None, WISH))  # from then on it knows the server's clock
    for before, after in ((WISH, OTHER), (OTHER, None)):
        dc.server.faults.add("lost_answer", "Receive")
        assert (await target.apply(step(before, after))).kind == "unknown"
        assert await target.read([KEY]) == ({} if after is None else {KEY: after})
    await target.close()
