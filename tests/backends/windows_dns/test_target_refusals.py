"""What the target refuses, and what the server refuses it: other zones, odd names, missing rights, failing cmdlets."""

import asyncio
import re
from typing import Any

import pytest
from pydantic import SecretStr

from bot.engine.targets import Foresight
from bot.model.errors import Rejected, Unreachable
from bot.model.resources import Address, Key
from lab.windows_dns import Zone
from tests.backends.windows_dns.simulated import KEY, LOGINS, OTHER, PASSWORD, WISH, ZONE, Login, Office, step

# --- other zones


@pytest.mark.parametrize("kind", ["Primary", "Secondary", "Stub"])
async def test_another_kind_of_zone_is_found_when_planning_and_never_touched(dc: Office, kind: Any) -> None:
    theirs = Zone(name=ZONE, type=kind, masters=[] if kind == "Primary" else ["172.16.0.99"])
    dc.server.zones.put(theirs)
    target = dc.target()
    with pytest.raises(Rejected, match=rf"office-dns: {re.escape(ZONE)} is already a {kind.lower()} zone"):
        await target.read([KEY])
    written = dc.writes()
    for before, after in ((None, WISH), (WISH, OTHER), (WISH, None)):
        outcome = await target.apply(step(before, after))
        assert outcome.kind == "refused"
        assert f"found a {kind} zone" in outcome.detail
    assert dc.zone() == theirs
    assert dc.writes() == written
    await target.close()


async def test_a_hosted_zone_above_is_found_when_planning(dc: Office) -> None:
    below = WISH.model_copy(update={"zone": "default.svc.k8s.corp.example"})
    target, told = dc.target(), dc.target(delegating_zones=["corp.example"])
    [obstacle] = (await target.foresee([WISH, below])).obstacles
    assert "primary zone corp.example itself" in obstacle
    assert "`delegating_zones`" in obstacle
    assert await told.foresee([WISH, below]) == Foresight()
    # What exists is seen all the same, and can so be removed.
    assert await target.read([below.key]) == {}
    await target.close()
    await told.close()


async def test_a_forwarder_that_loses_names_is_told_of_when_planning(dc: Office) -> None:
    dc.server.zones.put(Zone(name="cluster.local", masters=["10.1.1.1"]))
    target = dc.target()
    foresight = await target.foresee([WISH])
    assert foresight.obstacles == ()
    assert foresight.warnings[0].startswith("office-dns: it sends cluster.local to 10.1.1.1 so far")
    await target.close()


# --- refusals before anything is sent


@pytest.mark.parametrize("zone", ["local", "10.0.0.1", "a’b.local", "a\nb.local", "a\0.local", "Ä.local", "x" * 254])
async def test_a_name_that_is_none_is_never_sent(dc: Office, zone: str) -> None:
    target = dc.target()
    wish = WISH.model_copy(update={"zone": zone})
    with pytest.raises(Rejected):
        target.normalise(wish)
    with pytest.raises(Rejected):
        await target.read([wish.key])
    assert (await target.apply(step(None, wish))).kind == "refused"
    assert (await target.apply(step(wish, None))).kind == "refused"
    assert dc.server.calls == []
    await target.close()


async def test_a_name_in_another_spelling_is_asked_for_in_ours(dc: Office) -> None:
    target = dc.target()
    with pytest.raises(Rejected, match=f"spelt {re.escape(ZONE)}"):
        await target.read([Key(kind="forwarder", name=ZONE.upper())])
    await target.close()


async def test_a_dns_server_holds_nothing_but_forwarders(dc: Office) -> None:
    target = dc.target()
    address = Address(name="pods", network="10.68.0.0/16")
    for refused in (target.read([address.key]), asyncio.to_thread(target.normalise, address)):
        with pytest.raises(Rejected, match="holds forwarders, not address pods"):
            await refused
    assert (await target.apply(step(None, address))).kind == "refused"
    await target.close()


# --- rights and services


async def test_a_wrong_password(dc: Office) -> None:
    dc.server.accounts[:] = [account.model_copy(update={"password": "other"}) for account in dc.server.accounts]
    for login in LOGINS:
        target = dc.target(login)
        with pytest.raises(Rejected, match="did not accept the login") as raised:
            await target.apply(step(None, WISH))
        assert PASSWORD not in repr(raised.value)
        await target.close()


@pytest.mark.parametrize("login", LOGINS)
async def test_a_wrong_password_is_not_tried_until_the_account_is_locked(dc: Office, login: Login) -> None:
    """Five within half an hour lock it here, and then nobody who uses the account can log in."""
    dc.server.settings.lockout_threshold = 5
    target, other = dc.target(login, password=SecretStr("of last year")), dc.target(login)
    said = []
    for _ in range(60):  # one a minute, for an hour
        with pytest.raises(Rejected, match="did not accept the login") as raised:
            await target.read([KEY])
        said.append(str(raised.value))
        assert await other.read([KEY]) == {}
        await dc.server.clock.advance(60)
    assert said[0] == said[1]
    assert "Nothing is sent to it for 240 s, so that the domain does not lock the account" in said[2]
    assert any("Nothing is sent" not in text for text in said[2:])
    await target.close()
    await other.close()


async def test_one_refused_login_between_good_ones_costs_no_time(dc: Office) -> None:
    target = dc.target()
    for _ in range(3):
        dc.server.faults.add("unauthorized", "Create")
        with pytest.raises(Rejected, match="did not accept the login"):
            await target.read([KEY])
        assert await target.read([KEY]) == {}
    await target.close()


async def test_a_transport_that_is_switched_off(dc: Office) -> None:
    dc.server.settings.auth_basic = False
    target = dc.target("basic over https")
    with pytest.raises(Rejected, match="allows that transport"):
        await target.read([KEY])
    await target.close()


async def test_an_account_that_may_not_open_a_shell(dc: Office) -> None:
    for account in dc.server.accounts:
        account.shell = False
    target = dc.target("ntlm over http")
    with pytest.raises(Rejected, match=r"Remote Management Users is not enough.*WSManFault 5"):
        await target.read([KEY])
    await target.close()


@pytest.mark.parametrize("language", ["en-US", "de-DE"])
async def test_an_account_that_may_only_look(dc: Office, language: Any) -> None:
    dc.server.settings.language = language
    for account in dc.server.accounts:
        account.dns = "read"
    target = dc.target()
    outcome = await target.apply(step(None, WISH))
    assert outcome.kind == "refused"
    assert "DnsAdmins" in outcome.detail
    assert await target.read([KEY]) == {}
    for account in dc.server.accounts:
        account.dns = "none"
    with pytest.raises(Rejected, match=r"DnsAdmins.*WIN32 5"):
        await target.read([KEY])
    assert (await target.apply(step(None, WISH))).kind == "refused"
    await target.close()


async def test_a_stopped_dns_service(dc: Office) -> None:
    dc.server.settings.dns_service = "stopped"
    target = dc.target()
    with pytest.raises(Unreachable, match="start the service"):
        await target.read([KEY])
    outcome = await target.apply(step(None, WISH))
    assert outcome.kind == "refused"
    assert "start the service" in outcome.detail
    await target.close()


async def test_a_machine_without_the_dns_role(dc: Office) -> None:
    dc.server.settings.dns_service = "absent"
    target = dc.target()
    with pytest.raises(Rejected, match="DnsServer module is missing"):
        await target.read([KEY])
    assert (await target.apply(step(None, WISH))).kind == "refused"
    await target.close()


async def test_no_shell_is_free(dc: Office) -> None:
    dc.server.settings.max_shells_per_user = 0
    target = dc.target()
    with pytest.raises(Unreachable, match=r"all remote shells.*WSManFault 2150859173"):
        await target.read([KEY])
    await target.close()


# --- cmdlets that fail


@pytest.mark.parametrize("code", [9609, 9619, 9610, 9718, 9621, 5, 1722, 4711])
async def test_a_cmdlet_that_says_no_writes_nothing(dc: Office, code: int) -> None:
    dc.server.faults.add("error", "Add-DnsServer*", code=code)
    target = dc.target()
    outcome = await target.apply(step(None, WISH))
    assert outcome.kind == "refused"
    assert f"WIN32 {code}" in outcome.detail
    assert await target.read([KEY]) == {}
    await target.close()


async def test_a_cache_that_cannot_be_cleared_is_said_but_the_change_stands(dc: Office) -> None:
    dc.server.faults.add("error", "Clear-DnsServerCache", code=5)
    target = dc.target()
    outcome = await target.apply(step(None, WISH))
    assert outcome.kind == "applied"
    assert "cache was not cleared" in outcome.detail
    await target.close()


async def test_a_read_back_that_fails_is_unknown(dc: Office) -> None:
    dc.server.faults.add("error", "Get-DnsServerZone", code=1722, skip=1)
    target = dc.target()
    outcome = await target.apply(step(None, WISH))
    assert outcome.kind == "unknown"
    assert await target.read([KEY]) == {KEY: WISH}
    await target.close()
