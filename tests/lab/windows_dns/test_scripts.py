"""Checks 38 to 40, and that data which travels as base64 JSON stays data."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.windows_dns import Zone
from tests.lab.windows_dns.clients import ANSWER, Lab, lab, office_state, payload
from tests.lab.windows_dns.machine import Machine

ADD = "Add-DnsServerConditionalForwarderZone"
ZONE = "svc.cluster.local"


FORWARDER = Zone(name=ZONE, masters=["10.168.10.0", "10.168.10.1"])


async def json_of(script: str, *zones: Zone) -> Any:
    out, err, code = await Machine(*zones).run(script)
    assert (code, err) == (0, ""), err
    return json.loads(out)


async def test_check_38_a_raw_zone_drags_the_plumbing_along() -> None:
    raw = await json_of(f"Get-DnsServerZone {ZONE} | ConvertTo-Json", FORWARDER)
    assert {"ZoneName", "CimClass", "CimInstanceProperties", "CimSystemProperties", "PSComputerName"} <= set(raw)
    assert raw["CimSystemProperties"]["ClassName"] == "DnsServerConditionalForwarderZone"


async def test_check_38_arrays_of_properties_are_wrapped() -> None:
    wrapped = await json_of(
        f"Get-DnsServerZone {ZONE} | Select-Object ZoneName, MasterServers | ConvertTo-Json", FORWARDER
    )
    masters = wrapped["MasterServers"]
    assert masters["Count"] == 2
    assert [each["Address"] for each in masters["value"]] == [698378, 17475594]
    assert "IPAddressToString" not in masters["value"][0]
    cured = await json_of(
        f'$z = Get-DnsServerZone {ZONE}; @{{ m = [string[]]@($z.MasterServers | % {{ "$_" }}) }} | ConvertTo-Json',
        FORWARDER,
    )
    assert cured == {"m": ["10.168.10.0", "10.168.10.1"]}
    removed = await json_of(
        f"Remove-TypeData System.Array; Get-DnsServerZone {ZONE} | select MasterServers | ConvertTo-Json", FORWARDER
    )
    assert isinstance(removed["MasterServers"], list)


async def test_check_38_one_element_is_unwrapped_and_none_is_nothing() -> None:
    one = "Get-DnsServerZone | ? ZoneType -eq 'Forwarder' | select ZoneName | ConvertTo-Json"
    assert await json_of(one, FORWARDER) == {"ZoneName": ZONE}
    two = [FORWARDER, Zone(name="b.example", masters=["10.0.0.1"])]
    assert await json_of(one, *two) == [{"ZoneName": "b.example"}, {"ZoneName": ZONE}]
    assert await Machine().run(one) == ("", "", 0)
    assert await json_of("ConvertTo-Json -InputObject @('one')") == ["one"]


@pytest.mark.parametrize(
    ("script", "text"),
    [
        (
            "ConvertTo-Json -Compress @{ a = @{ b = @{ c = @{ d = 1 } } } }",
            '{"a":{"b":{"c":"System.Collections.Hashtable"}}}',
        ),
        ("ConvertTo-Json -Compress -Depth 1 @{ a = @(1, @(2, 3)) }", '{"a":[1,"2 3"]}'),
        ("""ConvertTo-Json -Compress "<ü'&>" """, '"\\u003cü\\u0027\\u0026\\u003e"'),
        ("[ipaddress]'192.168.5.1' | ConvertTo-Json -Compress",
         '{"Address":17148096,"AddressFamily":2,"ScopeId":null,"IsIPv6Multicast":false,"IsIPv6LinkLocal":false,'
         '"IsIPv6SiteLocal":false,"IsIPv6Teredo":false,"IsIPv4MappedToIPv6":false,"IPAddressToString":"192.168.5.1"}'),
        ("@{ a = 1; b = @() } | ConvertTo-Json", '{\r\n    "a":  1,\r\n    "b":  [\r\n\r\n          ]\r\n}'),
        ("ConvertTo-Json -Compress @{ d = [datetime]'2024-01-01' }", '{"d":"\\/Date(1704067200000)\\/"}'),
        ("ConvertTo-Json -Compress @($null, $true, 1.5, 'x')", '[null,true,1.5,"x"]'),
    ],
)  # fmt: skip
async def test_check_38_texts(script: str, text: str) -> None:
    assert await Machine().run(script) == (f"{text}\r\n", "", 0)


async def test_check_38_an_array_is_one_object_when_read() -> None:
    assert (await Machine().run("'[1,2,3]' | ConvertFrom-Json | % { $_.Count }"))[0] == "3\r\n"
    assert "ConvertFromJsonCommand" in (await Machine().run('\'{"a":1,"A":2}\' | ConvertFrom-Json'))[1].replace(
        "\r\n   ", ""
    )


async def test_check_39_another_language_and_the_same_ids() -> None:
    script = (
        "foreach ($command in 'Get-DnsServerZone', 'Resolve-DnsName') {\n"
        "try { & $command gone.example -ErrorAction Stop }\n"
        "catch { $_.FullyQualifiedErrorId; $_.Exception.Message } }"
    )
    english = (await Machine().run(script))[0].splitlines()
    german = (await Machine(language="de-DE").run(script))[0].splitlines()
    assert english[::2] == german[::2]
    assert "was not found" in english[1]
    assert "wurde auf Server DC1 nicht gefunden" in german[1]
    assert german[3] == "gone.example : Der DNS-Name ist nicht vorhanden"


@pytest.mark.parametrize("clixml", [True, False])
async def test_check_39_errors_are_wrapped_at_eighty_columns(clixml: bool) -> None:
    name = "a-rather-long-name." * 4 + "example"
    _, err, _ = await Machine().run(
        f"$ProgressPreference = 'SilentlyContinue'; Get-DnsServerZone {name}", clixml=clixml
    )
    assert "WIN32 9601,Get-DnsServerZone" in err
    assert name not in err.replace("+ Get-DnsServerZone", "")
    if not clixml:
        assert max(map(len, err.split("\r\n"))) <= 79


@pytest.mark.parametrize(
    "script",
    [
        f"# op: forwarder.read v1\n{ADD} a.example 10.0.0.1",
        f"# op: forwarder.list\nfunction f {{ {ADD} a.example 10.0.0.1 }}\n1",
        "# op: forwarder.write v1\nGet-DnsServerZone",
        "# op: cache.clear v1\n1",
    ],
)
async def test_check_40_marker_and_body_disagree(script: str) -> None:
    machine = Machine()
    out, err, code = await machine.run(script)
    assert (out, code, "marker and body disagree" in err.replace("\r\n", "")) == ("", 1, True)
    assert machine.server.writes == []


async def test_check_40_marker_and_body_agree() -> None:
    machine = Machine()
    assert (await machine.run(f"# op: forwarder.write v1\n{ADD} a.example 10.0.0.1"))[2] == 0
    assert (await machine.run("# op: forwarder.read v1\nGet-DnsServerZone a.example | % ZoneName"))[
        0
    ] == "a.example\r\n"


QUOTES = "'‘’‚‛"
DOUBLE = '"“”„'


@pytest.mark.parametrize("quote", [*QUOTES, *DOUBLE])
async def test_check_40_unbalanced_quotes(quote: str) -> None:
    machine = Machine()
    out, err, code = await machine.run(f"{ADD} a.example 10.0.0.1\n$x = {quote}open")
    assert (out, code) == ("", 1)
    assert "missing the terminator" in err
    assert machine.server.writes == []


@pytest.mark.parametrize("opening", QUOTES)
@pytest.mark.parametrize("closing", QUOTES)
async def test_check_40_every_single_quote_closes_every_other(opening: str, closing: str) -> None:
    machine = Machine(FORWARDER)
    attack = f"$name = {opening}a{closing}; Remove-DnsServerZone {ZONE} -Force; #{opening}"
    assert (await machine.run(attack))[2] == 0
    assert machine.server.zones.get(ZONE) is None
    harmless = Machine(FORWARDER)
    out, _, _ = await harmless.run(f"{opening}a{closing}{closing}b{opening}")
    assert out == f"a{closing}b\r\n"
    assert harmless.server.zones.get(ZONE) is not None


SKELETON = (
    """# op: forwarder.write v1
$ProgressPreference='SilentlyContinue'; $ErrorActionPreference='Stop'
$p = [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('%s')) | ConvertFrom-Json
try {
  Import-Module DnsServer -ErrorAction Stop
  $a = @{ Name=[string]$p.name; MasterServers=[ipaddress[]]@($p.masters); ErrorAction='Stop' }
  Add-DnsServerConditionalForwarderZone @a
  $r = @{ ok=$true; name=$p.name }
} catch {
  $r = @{ ok=$false; error=@{ id=$_.FullyQualifiedErrorId; target="$($_.TargetObject)" }; name=$p.name }
}
"""
    + ANSWER
    + "\nexit 0"
)


@settings(max_examples=150)
@given(st.text(min_size=1, max_size=60) | st.text(QUOTES + DOUBLE + "`$();#\n\r -–@{}a.", min_size=1, max_size=30))
def test_any_string_reaches_the_cmdlet_as_that_string(name: str) -> None:
    machine = Machine(FORWARDER)
    out, err, code = asyncio.run(machine.run(SKELETON % payload({"name": name, "masters": ["10.0.0.1"]})))
    assert (err, code) == ("", 0)
    assert out.startswith("<<")
    assert [(call.cmdlet, call.parameters["Name"]) for call in machine.server.calls] == [(ADD, name)]
    assert machine.server.zones.get(ZONE) is not None


@settings(max_examples=60)
@given(st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text("abcdefgh", min_size=1, max_size=5), inner, max_size=4),
    max_leaves=12,
))  # fmt: skip
def test_json_comes_back_as_it_went(value: Any) -> None:
    script = (
        f"[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('{payload({'v': value})}')) | ConvertFrom-Json"
    )
    out, err, code = asyncio.run(
        Machine().run(f"$p = {script}\n[Console]::Out.Write((ConvertTo-Json $p -Depth 50 -Compress))")
    )
    assert (err, code) == ("", 0)
    assert json.loads(out) == {"v": value}


@settings(max_examples=100)
@given(st.text("'\"‘’“”$(){}@#;|,.-=+ \n`abIf10[]:_?%&<>", max_size=40))
def test_no_text_breaks_the_interpreter(text: str) -> None:
    """Nonsense is refused or runs; it never ends in an exception of ours."""
    machine = Machine()
    _, err, code = asyncio.run(machine.run(text))
    assert code in (0, 1)
    assert code == 0 or err


async def test_the_attack_line_of_the_literature_over_the_wire() -> None:
    state = office_state()
    state.zones.append(FORWARDER.model_copy())
    async with lab(state) as dc:
        name = f"a’; Remove-DnsServerZone {ZONE} -Force; #"
        assert (await dc.run(SKELETON % payload({"name": name, "masters": ["10.0.0.1"]}))).code == 0
        assert dc.server.zones.get(ZONE) is not None
        await dc.run(f"Get-DnsServerZone '{name}'")
        assert dc.server.zones.get(ZONE) is None


async def test_what_the_simulator_lacks_is_said_loudly(dc: Lab) -> None:
    for script in (
        "Get-DnsServerStatistics",
        "Get-CimInstance Win32_OperatingSystem",
        "@'\nx\n'@",
        "Get-Foo",
        "[Net.Dns]::GetHostName()",
        "'x'.Normalize()",
        "trap { 1 }",
        "Get-DnsServerZone > file.txt",
        "Get-Command Get-DnsServerPolicy -EA Ignore",
        "(Get-DnsServerZone corp.example).Colour",
        "Get-Module -ListAvailable ActiveDirectory",
        "Get-DnsServerZone -AsJob",
        "Get-DnsServerZone -CimSession dc2",
    ):
        result = await dc.run(f"try {{ {script} }} catch {{ 'swallowed' }}; 'on'")
        assert (result.code, result.stderr.startswith(b"simulator does not know")) == (1, True), (script, result)
        assert b"swallowed" not in result.stdout
        assert b"on" not in result.stdout
