"""Checks 22 to 31: what the cmdlets of the DnsServer module do, and how they fail."""

import pytest

from lab.windows_dns import Zone
from tests.lab.windows_dns.clients import (
    DOMAIN,
    LOCAL,
    TEXT,
    Lab,
    Masters,
    address,
    client,
    drive,
    lab,
    office_state,
)

ADD = "Add-DnsServerConditionalForwarderZone"
SET = "Set-DnsServerConditionalForwarderZone"
GET = "Get-DnsServerZone"
REMOVE = "Remove-DnsServerZone"
ZONE = "svc.cluster.local"


@pytest.fixture
async def dc():
    state = office_state(partitions=["apps.corp.example"])
    state.zones.append(Zone(name=ZONE, masters=["10.68.0.2"]))
    state.zones.append(Zone(name="old.example", type="Secondary", masters=["10.0.0.9"]))
    state.zones.append(Zone(name="stub.example", type="Stub", masters=["10.0.0.9"]))
    async with lab(state) as each:
        yield each


async def test_check_22_names_without_case_and_final_dot(dc: Lab) -> None:
    assert (await dc.run(f"{ADD} -Name Team.Example. -MasterServers 10.0.0.1")).code == 0
    for spelling in ("team.example", "TEAM.EXAMPLE", "team.example."):
        assert (await dc.zone(spelling))["name"] == "Team.Example"
    listed = (await dc.run(f"{GET} | % {{ $_.ZoneName }}")).lines
    assert {"0.in-addr.arpa", "TrustAnchors", "corp.example", "Team.Example", ZONE} <= set(listed)
    forwarders = (await dc.run(f"{GET} | ? ZoneType -eq 'Forwarder' | % ZoneName")).lines
    assert sorted(forwarders) == ["Team.Example", ZONE]


@pytest.mark.parametrize("code", [9609, 9619])
async def test_check_23_an_existing_forwarder(code: int) -> None:
    state = office_state(duplicate_code=code)
    state.zones.append(Zone(name=ZONE, masters=["10.68.0.2"]))
    async with lab(state) as dc:
        error = await dc.error(f"{ADD} {ZONE.upper()} 10.0.0.1 -ErrorAction Stop")
        assert error["id"] == f"WIN32 {code},{ADD}"
        assert (error["category"], error["target"]) == ("ResourceExists", ZONE.upper())
        assert (await dc.zone(ZONE))["masters"] == ["10.68.0.2"]


@pytest.mark.parametrize(
    ("name", "code"),
    [("corp.example", 9609), ("old.example", 9609), ("stub.example", 9609), ("127.in-addr.arpa", 9610)],
)
async def test_check_23_other_zones_of_that_name(dc: Lab, name: str, code: int) -> None:
    assert (await dc.error(f"{ADD} {name} 10.0.0.1 -ErrorAction Stop"))["id"] == f"WIN32 {code},{ADD}"


@pytest.mark.parametrize(
    "statement", [f"{GET} gone.example", f"{SET} gone.example 10.0.0.1", f"{REMOVE} gone.example -Force"]
)
async def test_check_24_missing_zones(dc: Lab, statement: str) -> None:
    error = await dc.error(f"{statement} -ErrorAction Stop")
    assert error["id"] == f"WIN32 9601,{statement.split()[0]}"
    assert (error["category"], error["target"]) == ("ObjectNotFound", "gone.example")


async def test_check_24_set_on_another_kind_of_zone_changes_nothing(dc: Lab) -> None:
    before = dc.server.to_json()
    assert (await dc.error(f"{SET} corp.example 10.0.0.1 -ErrorAction Stop"))["id"] == f"WIN32 9611,{SET}"
    assert dc.server.to_json() == before
    assert dc.server.writes == []


async def test_errors_do_not_end_a_script_unless_asked_to(dc: Lab) -> None:
    careless = await dc.run(f"{GET} gone.example; 'on'")
    assert (careless.lines, careless.code) == (["on"], 0)
    assert b"WIN32 9601,Get-DnsServerZone" in careless.stderr.replace(b" \r\n   ", b"")
    last = await dc.run(f"'on'; {GET} gone.example")
    assert (last.lines, last.code) == (["on"], 1)
    strict = await dc.run(f"{GET} gone.example -ErrorAction Stop; 'on'")
    assert (strict.lines, strict.code) == ([], 1)


async def test_preferences_of_a_function_do_not_reach_the_module(dc: Lab) -> None:
    inner = await dc.run(f"function f {{ $ErrorActionPreference = 'Stop'; {GET} gone.example; 'on' }}; f")
    assert inner.lines == ["on"]
    outer = await dc.run(f"$ErrorActionPreference = 'Stop'; function f {{ {GET} gone.example; 'on' }}; f")
    assert (outer.lines, outer.code) == ([], 1)


@pytest.mark.parametrize(
    ("statement", "error_id", "category"),
    [
        (f"{ADD} -Name a.example", "MissingMandatoryParameter", "InvalidArgument"),
        (f"{ADD} a.example @()", "ParameterArgumentValidationErrorEmptyArrayNotAllowed", "InvalidData"),
        (f"{ADD} a.example 10.0.0.256", "ParameterArgumentTransformationError", "InvalidData"),
        (f"{ADD} a.example 10.0.0.1 -ForwarderTimeout 16", "ParameterArgumentValidationError", "InvalidData"),
        (f"{ADD} a.example 10.0.0.1 -ForwarderTimeout -1", "ParameterArgumentTransformationError", "InvalidData"),
        (f"{ADD} a.example 10.0.0.1 -ReplicationScope None", "ParameterArgumentValidationError", "InvalidData"),
        (f"{ADD} '' 10.0.0.1", "ParameterArgumentValidationErrorEmptyStringNotAllowed", "InvalidData"),
        (f"{ADD} a.example 10.0.0.1 3 extra", "PositionalParameterNotFound", "InvalidArgument"),
        (f"{ADD} a.example 10.0.0.1 -Colour red", "NamedParameterNotFound", "InvalidArgument"),
        (f"{SET} {ZONE} -UseRecursion 'yes'", "ParameterArgumentTransformationError", "InvalidData"),
    ],
)
async def test_check_25_parameters_that_do_not_bind(dc: Lab, statement: str, error_id: str, category: str) -> None:
    before = dc.server.to_json()
    error = await dc.error(statement)
    assert (error["id"], error["category"]) == (f"{error_id},{statement.split()[0]}", category)
    assert dc.server.to_json() == before


async def test_check_25_the_message_names_the_parameter(dc: Lab) -> None:
    message = (await dc.error(f"{ADD} a.example nonsense"))["message"]
    assert message.startswith(
        "Cannot process argument transformation on parameter 'MasterServers'. Cannot convert value"
    )


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("1", "0.0.0.1"),
        ("10.1", "10.0.0.1"),
        ("010.0.0.1", "8.0.0.1"),
        ("0x0a.0.0.1", "10.0.0.1"),
        ("FE80::0:1", "fe80::1"),
    ],
)
async def test_check_25_addresses_are_read_as_dotnet_does(dc: Lab, text: str, means: str) -> None:
    assert (await dc.run(f"{ADD} a.example ([ipaddress]'{text}')")).code == 0
    assert (await dc.zone("a.example"))["masters"] == [means]


async def test_check_26_use_recursion_true_on_add(dc: Lab) -> None:
    assert (await dc.run(f"{ADD} -Name a.example -MasterServers 10.0.0.1 -UseRecursion $true")).code == 0
    zone = await dc.zone("a.example")
    assert (zone["recursion"], zone["timeout"]) == (True, 1)
    assert (await dc.run(f"{ADD} -Name b.example -MasterServers 10.0.0.1 -UseRecursion $false")).code == 0
    zone = await dc.zone("b.example")
    assert (zone["recursion"], zone["timeout"]) == (True, 0)
    assert (await dc.run(f"{ADD} -Name c.example -MasterServers 10.0.0.1 -UseRecursion:$false")).code == 0
    zone = await dc.zone("c.example")
    assert (zone["recursion"], zone["timeout"]) == (False, 5)
    named = await dc.error(f"{ADD} -Name d.example -MasterServers 10.0.0.1 -ForwarderTimeout 3 -UseRecursion $true")
    assert named["id"] == f"PositionalParameterNotFound,{ADD}"
    assert dc.server.zones.get("d.example") is None


async def test_check_26_masters_and_scope_cannot_be_set_together(dc: Lab) -> None:
    error = await dc.error(f"{SET} -Name {ZONE} -MasterServers 10.0.0.1 -ReplicationScope Domain")
    assert error["id"] == f"AmbiguousParameterSet,{SET}"
    assert (await dc.zone(ZONE))["masters"] == ["10.68.0.2"]


async def test_check_27_a_scope_needs_a_directory() -> None:
    async with lab(office_state(has_directory=False)) as dc:
        error = await dc.error(f"{ADD} a.example 10.0.0.1 -ReplicationScope Domain -ErrorAction Stop")
        assert error["id"] == f"WIN32 9717,{ADD}"


@pytest.mark.parametrize("rest", ["", "-DirectoryPartitionName other.example"])
async def test_check_27_custom_needs_a_known_partition(dc: Lab, rest: str) -> None:
    error = await dc.error(f"{ADD} a.example 10.0.0.1 -ReplicationScope Custom {rest} -ErrorAction Stop")
    assert (error["id"], error["category"]) == (f"WIN32 9901,{ADD}", "ObjectNotFound")
    assert (await dc.run(f"{ADD} a.example 10.0.0.1 -ReplicationScope Custom -Dir apps.corp.example")).code == 0


async def test_check_27_storage_cannot_be_changed_in_place(dc: Lab) -> None:
    error = await dc.error(f"{SET} {ZONE} -ReplicationScope Domain -ErrorAction Stop")
    assert error["id"] == f"WIN32 9603,{SET}"
    assert (await dc.run(f"{ADD} a.example 10.0.0.1 -ReplicationScope Domain")).code == 0
    assert (await dc.run(f"{SET} a.example -ReplicationScope forest")).code == 0
    assert (await dc.zone("a.example"))["scope"] == "Forest"


async def test_check_28_what_is_kept_as_given(dc: Lab) -> None:
    masters = "10.0.0.9,2001:DB8:0:0::1,10.0.0.1"
    assert (await dc.run(f"{ADD} a.example {masters} -ReplicationScope domain")).code == 0
    assert await dc.zone("a.example") == {
        "name": "a.example", "type": "Forwarder", "masters": ["10.0.0.9", "2001:db8::1", "10.0.0.1"], "timeout": 5,
        "recursion": False, "ad": True, "scope": "Domain",
    }  # fmt: skip
    assert (
        await dc.run(f"{SET} a.example -MasterServers 10.0.0.1,10.0.0.9 -ForwarderTimeout 3 -UseRecursion $true")
    ).code == 0
    zone = await dc.zone("a.example")
    assert (zone["masters"], zone["timeout"], zone["recursion"]) == (["10.0.0.1", "10.0.0.9"], 3, True)
    assert (await dc.zone(ZONE))["scope"] == "None"


async def test_check_28_passthru_and_silence(dc: Lab) -> None:
    assert (await dc.run(f"{ADD} a.example 10.0.0.1")).stdout == b""
    shown = await dc.run(f"{ADD} b.example 10.0.0.1 -PassThru")
    assert "ZoneName  ZoneType" in shown.out
    assert "b.example Forwarder" in shown.out


@pytest.mark.parametrize("statement", [f"{REMOVE} {ZONE}", "Clear-DnsServerCache", f"{REMOVE} {ZONE} -Confirm:$false"])
async def test_check_29_without_force_there_is_a_question(dc: Lab, statement: str) -> None:
    error = await dc.error(statement)
    assert error["id"] == f"InvalidOperation,{statement.split()[0]}"
    assert dc.server.writes == []


@pytest.mark.parametrize("statement", [f"{REMOVE} {ZONE}", "Clear-DnsServerCache"])
async def test_check_29_force_answers_it(dc: Lab, statement: str) -> None:
    assert (await dc.run(f"{statement} -Force -Confirm:$false")).code == 0
    assert [write.cmdlet for write in dc.server.writes] == [statement.split()[0]]
    assert (dc.server.zones.get(ZONE) is None) == statement.startswith(REMOVE)


async def test_check_29_whatif_changes_nothing(dc: Lab) -> None:
    shown = await dc.run(f"{REMOVE} {ZONE} -Force -WhatIf")
    assert shown.out.startswith("What if: ")
    assert dc.server.zones.get(ZONE) is not None


@pytest.mark.parametrize(
    ("rights", "reads", "writes"), [("none", False, False), ("read", True, False), ("write", True, True)]
)
async def test_check_30_rights_on_the_dns_server(rights: str, reads: bool, writes: bool) -> None:
    state = office_state()
    state.accounts[0].dns = rights
    async with lab(state) as dc:
        for allowed, statement in (
            (reads, f"{GET}"),
            (writes, f"{ADD} a.example 10.0.0.1"),
            (writes, "Clear-DnsServerCache -Force"),
        ):
            if allowed:
                assert (await dc.run(statement)).code == 0
            else:
                error = await dc.error(f"{statement} -ErrorAction Stop")
                assert (error["id"], error["category"]) == (f"WIN32 5,{statement.split()[0]}", "PermissionDenied")


async def test_check_30_another_server_is_a_second_hop(dc: Lab) -> None:
    assert (await dc.error(f"{GET} -ComputerName dc2 -ErrorAction Stop"))["id"] == f"WIN32 5,{GET}"
    assert (await dc.run(f"{GET} corp.example -ComputerName dc1")).code == 0


async def test_check_31_service_stopped() -> None:
    async with lab(office_state(dns_service="stopped")) as dc:
        for statement in (GET, f"{ADD} a.example 10.0.0.1", "Clear-DnsServerCache -Force", "Get-DnsServerSetting"):
            assert (await dc.error(f"{statement} -ErrorAction Stop"))["id"] == f"WIN32 1722,{statement.split()[0]}"
        error = await dc.error("Resolve-DnsName dc1.corp.example -ErrorAction Stop")
        assert (error["id"], error["category"]) == (
            "ERROR_TIMEOUT,Microsoft.DnsClient.Commands.ResolveDnsName", "OperationTimeout",
        )  # fmt: skip


async def test_check_31_role_absent() -> None:
    async with lab(office_state(dns_service="absent")) as dc:
        error = await dc.error(GET)
        assert (error["id"], error["category"]) == ("CommandNotFoundException", "ObjectNotFound")
        assert error["message"].startswith(f"The term '{GET}' is not recognized")
        error = await dc.error("Import-Module DnsServer -ErrorAction Stop")
        assert error["id"] == "Modules_ModuleNotFound,Microsoft.PowerShell.Commands.ImportModuleCommand"
        assert (await dc.run("Get-Module -ListAvailable DnsServer | % Name")).lines == []


async def test_every_write_is_logged_with_its_author(dc: Lab) -> None:
    await dc.run(f"{ADD} a.example 10.0.0.1", user=LOCAL)
    await dc.run(f"{REMOVE} a.example -Force; {REMOVE} a.example -Force", user=LOCAL)
    assert [(each["user"], each["cmdlet"], each["zone"]) for each in dc.server.log()] == [
        (LOCAL, ADD, "a.example"), (LOCAL, REMOVE, "a.example"),
    ]  # fmt: skip
    assert dc.server.log()[0]["after"] == dc.server.log()[1]["before"]


async def test_zones_can_be_piped(dc: Lab) -> None:
    assert (await dc.run(f"{GET} | ? {{ $_.ZoneType -eq 'Forwarder' }} | {REMOVE} -Force")).code == 0
    assert [zone.name for zone in dc.server.zones if zone.type == "Forwarder"] == []


async def test_settings_of_the_server(dc: Lab) -> None:
    script = (
        "$c = Get-DnsServerCache; $f = Get-DnsServerForwarder; $r = Get-DnsServerRecursion\n"
        "$s = Get-DnsServerSetting -All\n"
        "$c.MaxTTL.TotalSeconds, $c.MaxNegativeTTL.TotalSeconds, $f.UseRootHint, $r.Timeout, $s.DsAvailable -join ' '"
    )
    assert (await dc.run(script)).lines == ["86400 900 True 8 True"]


async def test_check_37_test_dns_server() -> None:
    state = office_state()
    async with lab(state) as dc:
        upstream = dc.server.upstream
        assert isinstance(upstream, Masters)
        upstream.table = {"10.0.0.1": address(), "10.0.0.2": None, "10.0.0.3": "refused"}
        result = await dc.run(
            f"Test-DnsServer -IPAddress 10.0.0.1,10.0.0.2,10.0.0.3 -ZoneName {ZONE}"
            ' | % { "$($_.IPAddress) $($_.Result)" }',
            TEXT,
        )
        assert result.lines == ["10.0.0.1 Success", "10.0.0.2 NoResponse", "10.0.0.3 NoResponse"]
        error = await dc.error(f"Test-DnsServer 10.0.0.1 -Context DnsServer -ZoneName {ZONE}")
        assert error["id"] == "AmbiguousParameterSet,Test-DnsServer"


async def test_domain_accounts_may_use_the_cmdlets() -> None:
    async with lab(tls=False) as dc, client(dc.up, DOMAIN, transport="ntlm") as each:
        assert (await drive(dc.clock, each.run("(Get-DnsServerZone).Count"))).lines == ["6"]
