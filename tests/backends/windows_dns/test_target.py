"""The target on the simulated server, over real sockets."""

import asyncio
import re
from collections.abc import AsyncIterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from backends.windows_dns.mapping import ServerFacts
from backends.windows_dns.target import WELL_S
from bot.engine.ports import Foresight
from bot.model.errors import Rejected, Unreachable
from bot.model.resources import Address, Forwarder, Key, Mark
from lab.windows_dns import Zone
from tests.backends.windows_dns.clock import ManualClock
from tests.backends.windows_dns.simulated import (
    KEY,
    LOGINS,
    OTHER,
    PASSWORD,
    WISH,
    ZONE,
    Login,
    Office,
    office,
    step,
)


@pytest.fixture
async def dc() -> AsyncIterator[Office]:
    async with office() as started:
        yield started


@pytest.mark.parametrize("login", LOGINS)
async def test_a_forwarder_is_made_changed_and_removed(dc: Office, login: Login) -> None:
    if login == "ntlm over http":
        dc.server.settings.allow_unencrypted = False  # sealed bodies only
    target = dc.target(login)
    assert await target.read([KEY]) == {}
    for before, after in ((None, WISH), (WISH, OTHER), (OTHER, None)):
        assert (await target.apply(step(before, after))).kind == "applied"
        assert await target.read([KEY]) == ({} if after is None else {KEY: after})
    assert await dc.shells() == 0
    await target.close()


async def test_what_is_asked_at_the_same_moment_takes_one_shell(dc: Office) -> None:
    target = dc.target()
    await target.apply(step(None, WISH))
    dc.server.faults.add("drop", "Create", skip=1)  # a second one would not open
    another = Key(kind="forwarder", name="monitoring.svc.cluster.local")
    assert await asyncio.gather(target.read([KEY]), target.read([another]), target.read([another, KEY])) == [
        {KEY: target.normalise(WISH)},
        {},
        {KEY: target.normalise(WISH)},
    ]
    await target.close()


async def test_a_server_that_is_well_is_asked_again_after_a_while_and_one_that_is_not_at_once(dc: Office) -> None:
    now = [0.0]
    target = dc.target(clock=ManualClock(lambda: now[0], dc.server.clock.advance))
    dc.server.settings.recursion = False
    assert "recursion is switched off" in "".join((await target.foresee([WISH])).obstacles)
    dc.server.settings.recursion = True
    assert (await target.foresee([WISH])).obstacles == ()
    dc.server.settings.recursion = False
    now[0] = WELL_S - 1
    assert (await target.foresee([WISH])).obstacles == ()
    now[0] = WELL_S + 1
    assert "recursion is switched off" in "".join((await target.foresee([WISH])).obstacles)
    await target.close()


async def test_whoever_gives_up_takes_no_answer_from_others(dc: Office) -> None:
    target = dc.target()
    await target.apply(step(None, WISH))
    impatient, patient = (asyncio.create_task(target.read([KEY])) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient == {KEY: target.normalise(WISH)}
    await target.close()


async def test_an_error_reaches_everybody_who_asked(dc: Office) -> None:
    target = dc.target()
    dc.server.faults.add("drop", "Create")
    answers = await asyncio.gather(target.read([KEY]), target.read([KEY]), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Unreachable, Unreachable]
    assert await target.read([KEY]) == {}
    await target.close()


async def test_what_is_written_is_what_was_wished(dc: Office) -> None:
    target = dc.target()
    await target.apply(step(None, OTHER))
    assert dc.zone() == Zone(name=ZONE, masters=["10.68.0.11", "10.68.0.10"], timeout=5, use_recursion=True)
    await target.apply(step(OTHER, WISH))
    assert dc.zone() == Zone(name=ZONE, masters=["10.68.0.10"], timeout=3, use_recursion=False)
    await target.close()


async def test_every_write_clears_the_cache_once_and_nothing_else_does(dc: Office) -> None:
    target = dc.target()
    for before, after in ((None, WISH), (None, WISH), (WISH, OTHER), (WISH, OTHER), (OTHER, None), (OTHER, None)):
        await target.apply(step(before, after))
        await target.read([KEY])
    assert dc.writes() == [
        "Add-DnsServerConditionalForwarderZone",
        "Clear-DnsServerCache",
        "Set-DnsServerConditionalForwarderZone",
        "Clear-DnsServerCache",
        "Remove-DnsServerZone",
        "Clear-DnsServerCache",
    ]
    await target.close()


@pytest.mark.parametrize(
    ("storage", "scope", "integrated"),
    [("file", "None", False), ("domain", "Domain", True), ("forest", "Forest", True), ("legacy", "Legacy", True)],
)
async def test_new_forwarders_live_where_the_settings_say(
    dc: Office, storage: str, scope: str, integrated: bool
) -> None:
    target = dc.target(storage=storage)
    await target.apply(step(None, WISH))
    await target.apply(step(WISH, OTHER))  # a change leaves the storage alone
    made = dc.zone()
    assert made is not None
    assert (made.scope, made.ds_integrated) == (scope, integrated)
    await target.close()


async def test_storage_in_a_directory_that_is_not_there(dc: Office) -> None:
    dc.server.settings.has_directory = False
    target = dc.target(storage="domain")
    outcome = await target.apply(step(None, WISH))
    assert outcome.kind == "refused"
    assert "`storage: file`" in outcome.detail
    assert "WIN32 9717" in outcome.detail
    assert dc.zone() is None
    await target.close()


async def test_a_mark_has_no_place_and_changes_nothing(dc: Office) -> None:
    target = dc.target()
    marked = WISH.model_copy(update={"mark": Mark(cluster="qa", operation="op1", fingerprint="0" * 8)})
    assert not target.keeps_marks
    assert target.normalise(marked) == WISH
    assert (await target.apply(step(None, marked))).kind == "applied"
    assert await target.read([KEY]) == {KEY: WISH}
    assert (await target.apply(step(marked, None))).kind == "applied"
    await target.close()


async def test_a_hand_made_forwarder_reads_in_its_one_spelling(dc: Office) -> None:
    dc.server.zones.put(Zone(name="Default.SVC.cluster.local", masters=["10.68.0.10"], timeout=3))
    target = dc.target()
    assert await target.read([KEY]) == {KEY: WISH}
    assert (await target.apply(step(WISH, OTHER))).kind == "applied"
    await target.close()


async def test_many_zones_are_read_at_once(dc: Office) -> None:
    long = "x" * 60
    names = [f"ns{number}.{long}.{long}.svc.cluster.local" for number in range(150)]
    for name in names[::2]:
        dc.server.zones.put(Zone(name=name, masters=["10.68.0.10"], timeout=3))
    target = dc.target()
    keys = [Key(kind="forwarder", name=name) for name in names]
    assert set(await target.read(keys)) == set(keys[::2])
    await target.close()


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


# --- one writer, one server, in time


async def test_concurrent_wishes_are_written_one_after_the_other(dc: Office) -> None:
    target = dc.target()
    outcomes = await asyncio.gather(*(target.apply(step(None, WISH)) for _ in range(4)))
    assert sorted(outcome.kind for outcome in outcomes) == ["already", "already", "already", "applied"]
    await target.close()


async def test_a_wish_whose_time_is_up_is_not_sent(dc: Office) -> None:
    target = dc.target()
    outcome = await target.apply(step(None, WISH), not_after=dc.server.clock.now() - 1)
    assert outcome.kind == "refused"
    assert "time was up" in outcome.detail
    assert not any(call.cmdlet.startswith("Get-") for call in dc.server.calls)
    await target.close()


@pytest.mark.parametrize(("heard_s", "asks_again"), [(5.0, False), (5.1, True)])
async def test_a_write_counts_its_limit_from_when_the_server_last_told_its_clock(
    dc: Office, heard_s: float, asks_again: bool
) -> None:
    """By then the server's own clock has gone on by more than the limit: an old answer can only make it refuse."""
    ours = [0.0]
    target = dc.target(clock=ManualClock(lambda: ours[0], dc.server.clock.advance))
    await target.read([KEY])
    ours[0] += heard_s
    await dc.server.clock.advance(dc.settings("basic over http").write_limit_s + 1)
    outcome = await target.apply(step(None, WISH))
    assert outcome.kind == ("applied" if asks_again else "refused")
    assert ("too late" in outcome.detail) is not asks_again
    await target.close()


async def test_a_name_that_leads_to_two_servers_is_noticed(dc: Office) -> None:
    target = dc.target()
    await target.read([KEY])
    dc.server.settings.hostname = "DC2"
    with pytest.raises(Rejected, match="was 'DC1' before and is 'DC2' now"):
        await target.read([KEY])
    with pytest.raises(Rejected, match="let `endpoint` name one server"):
        await target.apply(step(None, WISH))
    assert dc.zone() is None
    await target.close()


# --- facts


async def test_the_server_tells_what_it_is(dc: Office) -> None:
    dc.server.settings.forwarders = ["9.9.9.9"]
    target = dc.target()
    facts = await target.server_facts()
    assert isinstance(facts, ServerFacts)
    assert facts.computer == "DC1"
    assert facts.version == "10.0.20348"
    assert facts.directory is True
    assert facts.addresses == ("127.0.0.1", "::1")
    assert facts.unreadable == ()
    assert facts.forwarders == ("9.9.9.9",)
    assert (facts.max_ttl_s, facts.max_negative_ttl_s) == (86400, 900)
    assert (facts.recursion, facts.recursion_timeout_s, facts.root_hints) == (True, 8, True)
    await target.close()


async def test_facts_that_may_not_be_read_are_named(dc: Office) -> None:
    for account in dc.server.accounts:
        account.dns = "none"
    target = dc.target()
    facts = await target.server_facts()
    assert facts.max_ttl_s is None
    assert "cache: WIN32 5,Get-DnsServerCache" in facts.unreadable
    await target.close()


async def test_several_masters_keep_their_order(dc: Office) -> None:
    target = dc.target()
    masters = tuple(IPv4Address(f"10.68.0.{last}") for last in (12, 10, 11))
    wish = Forwarder(zone=ZONE, masters=masters)
    await target.apply(step(None, wish))
    assert (await target.read([KEY]))[KEY] == wish
    await target.close()


async def test_the_environment_leads_nobody_astray(dc: Office, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither proxies nor other authorities nor other credentials of the account that runs k8snet are used."""
    (tmp_path / "netrc").write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(tmp_path / "none.pem"))
    for login in LOGINS:
        target = dc.target(login)
        assert await target.read([KEY]) == {}
        await target.close()
