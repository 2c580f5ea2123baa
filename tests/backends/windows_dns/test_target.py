"""Forwarders on the simulated server, over real sockets: made, changed, removed and read."""

import asyncio
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from bot.model.errors import Unreachable
from bot.model.resources import Forwarder, Key, Mark
from lab.windows_dns import Zone
from tests.backends.windows_dns.simulated import KEY, LOGINS, OTHER, WISH, ZONE, Login, Office, step


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
