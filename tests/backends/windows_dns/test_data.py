"""Any text reaches the server as exactly that data, or is refused before: never as code.

The scripts are fed directly here, past the refusals of `names`, so that both lines of defence are shown to hold.
"""

import asyncio
import itertools
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backends.windows_dns import scripts
from backends.windows_dns.winrm_shell import WinRmShell
from backends.windows_dns.wire import ReadAnswer, WriteAnswer, parse
from bot.model.errors import Rejected
from bot.model.resources import Forwarder
from bot.model.zones import canonical_zone
from tests.backends.windows_dns.clock import DEADLINE_S
from tests.backends.windows_dns.jea import JEA, ROLE, install
from tests.backends.windows_dns.simulated import WISH, Office, office, step

QUOTES = "'\"`\u2018\u2019\u201a\u201b\u201c\u201d\u201e"
ATTACKS = [
    *(f"a{quote}; Remove-DnsServerZone -Name corp.example -Force; {quote}" for quote in QUOTES),
    "$(Remove-DnsServerZone corp.example -Force)",
    "${env:K8SNET_PARAMETERS}",
    "a & whoami | more > x %PATH% ^",
    "\u2013Force",
    "'@\nRemove-DnsServerZone corp.example -Force\n@'",
    "# op: forwarder.write v1",
    "a\r\nb\n\tc",
    "a\0b",
    "<<QUJD>>",
    ".".join(["x" * 62] * 4) + ".xyz",
    "x" * 255,
    "\ufeff\u202e\U0001f4a9",
    " ",
    "{0}",
    "[char]39",
    "\\u0027",
]

# The endpoint's own patterns would refuse most of it.
ANYTHING = re.sub(r"; Validate\w+ = ('[^']*'|@\(.*\)) }", " }", ROLE.read_text())


async def ask(
    dc: Office, operation: scripts.Operation, expected: Any, data: dict[str, Any], *, jea: bool = False
) -> Any:
    settings = dc.settings("ntlm over http", **JEA) if jea else dc.settings()
    shell = WinRmShell("office-dns", settings, dc.clock())
    try:
        output = await shell.ask(operation, {**data, "ref": "r"}, timeout_s=DEADLINE_S, writes=False)
    finally:
        await shell.close()
    answer = parse(output.stdout, expected, "r")
    assert answer is not None
    return answer


@pytest.mark.parametrize("jea", [False, True], ids=["script", "function"])
@settings(max_examples=15)
@example(texts=[*ATTACKS, "_x0041_", "_x005F_x0041_"])
@given(texts=st.lists(st.text(min_size=1, max_size=300), max_size=30))
def test_any_text_reaches_the_cmdlets_as_exactly_that_text(jea: bool, texts: list[str]) -> None:
    async def scenario() -> None:
        async with office() as dc:
            install(dc, role=ANYTHING)
            zones = [zone.name for zone in dc.server.zones]
            for account in dc.server.accounts:
                account.shell, account.dns = True, "write"
            await ask(dc, "forwarder.read", ReadAnswer, {"names": texts}, jea=jea)
            names = [call.parameters["Name"] for call in dc.server.calls]
            assert [name for name, _ in itertools.groupby(names)] == [[text] for text, _ in itertools.groupby(texts)]
            assert {call.cmdlet for call in dc.server.calls} <= {"Get-DnsServerZone"}
            assert [zone.name for zone in dc.server.zones] == zones

    asyncio.run(scenario())


@pytest.mark.parametrize("text", ATTACKS)
async def test_an_attack_as_zone_name_makes_a_zone_of_that_name_or_none(text: str) -> None:
    async with office() as dc:
        before = [zone.name for zone in dc.server.zones]
        clock = await ask(dc, "forwarder.read", ReadAnswer, {"names": []})
        wish = {"zone": text, "pre": "", "post": "10.68.0.10 3 False", "masters": ["10.68.0.10"], "timeout": 3}
        wish |= {"recursion": False, "scope": "", "server": "DC1", "not_after": clock.clock + 10**9}
        await ask(dc, "forwarder.write", WriteAnswer, wish)
        named = [call.parameters["Name"] for call in dc.server.calls if "Name" in call.parameters]
        assert all(name in (text, [text]) for name in named)
        assert [zone.name for zone in dc.server.zones] in (before, [*before, text.rstrip(".")])


@pytest.mark.parametrize("text", ATTACKS)
async def test_an_attack_as_any_other_parameter_touches_nothing_else(text: str) -> None:
    async with office() as dc:
        before = dc.server.to_json()["zones"]
        clock = await ask(dc, "forwarder.read", ReadAnswer, {"names": []})
        wish: dict[str, Any] = {"zone": "a.example", "pre": "", "post": text, "masters": ["10.68.0.10"], "timeout": 3}
        wish |= {"recursion": False, "scope": "", "server": "DC1", "not_after": clock.clock + 10**9}
        for poisoned in ({"masters": [text]}, {"timeout": text}, {"scope": text}, {"pre": text}, {"server": text}):
            await ask(dc, "forwarder.write", WriteAnswer, {**wish, **poisoned})
        # Windows reads blanks as the number 0, so the zone that was named may exist, but nothing else may change.
        assert [zone for zone in dc.server.to_json()["zones"] if zone["name"] != "a.example"] == before


@settings(max_examples=200)
@example(name=ATTACKS[0])
@given(name=st.one_of(st.text(max_size=300), st.from_regex(r"\A[A-Za-z0-9_.-]{1,80}\.?\Z")))
def test_whatever_the_target_lets_through_is_the_name_that_was_meant(name: str) -> None:
    """Neither refused nor changed beyond case and the final dot."""
    try:
        zone = canonical_zone(name)
    except ValueError:
        return
    assert zone == name.lower().removesuffix(".")
    assert Forwarder(zone=zone, masters=WISH.masters).key.name == zone


@pytest.mark.parametrize("text", ATTACKS)
async def test_the_target_sends_no_attack_at_all(text: str) -> None:
    async with office() as dc:
        target = dc.target()
        wish = WISH.model_copy(update={"zone": text})
        with pytest.raises(Rejected):
            await target.read([wish.key])
        assert (await target.apply(step(None, wish))).kind == "refused"
        assert dc.server.calls == []
        assert await dc.shells() == 0
        await target.close()
