"""The least-privilege endpoint: the real client, a simulated server, and the module and role that people install."""

import asyncio
import sys
from ipaddress import IPv6Address
from typing import Any

import pytest
from pydantic import ValidationError
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan

from backends.windows_dns import scripts
from backends.windows_dns.jea import FUNCTIONS
from backends.windows_dns.names import MAX_MASTERS
from bot.model.errors import Rejected, Unreachable
from tests.backends.windows_dns.clock import DEADLINE_S
from tests.backends.windows_dns.jea import JEA, MODULE, NAME, ROLE, install
from tests.backends.windows_dns.settings_for_tests import loopback
from tests.backends.windows_dns.simulated import DOMAIN_USER, KEY, PASSWORD, WISH, ZONE, Office, office, step

FAULTS = ("drop", "empty_500", "unauthorized", "lost_answer", "truncate", "twice")
ACTIONS = ("Create", "Receive", "Command", "Delete")


@pytest.fixture
async def dc(dc: Office) -> Office:
    install(dc)
    return dc


async def test_an_account_without_any_rights_changes_forwarders_through_the_endpoint_only(dc: Office) -> None:
    plain, jea = dc.target("ntlm over http"), dc.target("ntlm over http", **JEA)
    with pytest.raises(Rejected, match="not open a remote shell"):
        await plain.read([KEY])
    assert (await jea.apply(step(None, WISH))).kind == "applied"
    assert await jea.read([KEY]) == {KEY: WISH}
    assert {write.user for write in dc.server.writes} == {r"CORP\k8snet-dns$"}
    assert await dc.shells() == 0
    for target in (plain, jea):
        await target.close()


async def test_over_https_nothing_is_sealed_a_second_time(dc: Office) -> None:
    target = dc.target("ntlm over https", **JEA)
    assert (await target.apply(step(None, WISH))).kind == "applied"
    dc.server.settings.recursion = False
    assert "recursion is switched off" in "".join((await target.foresee([WISH])).obstacles)
    await target.close()


async def test_a_zone_that_the_role_does_not_name_is_refused_by_the_endpoint(dc: Office) -> None:
    target = dc.target("ntlm over http", **JEA)
    outcome = await target.apply(step(None, WISH.model_copy(update={"zone": "mail.corp.example"})))
    assert outcome.kind == "refused"
    assert "the endpoint's role does not allow this" in outcome.detail
    assert dc.writes() == []
    assert await target.read([KEY]) == {}
    await target.close()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"accounts": ("CORP\\somebody",)}, "the account may not enter the endpoint"),
        ({"role": ROLE.read_text().replace("Get-K8snetForwarder", "Get-Something")}, "has no such function"),
        ({"role": ROLE.read_text().replace("'Names'", "'Zones'")}, "functions are of another version"),
    ],
)
async def test_an_endpoint_that_is_not_as_it_should_be_is_explained(
    dc: Office, changes: dict[str, Any], says: str
) -> None:
    install(dc, *changes.pop("accounts", (DOMAIN_USER,)), **changes)
    target = dc.target("ntlm over http", **JEA)
    with pytest.raises(Rejected, match=says):
        await target.read([KEY])
    await target.close()


async def test_the_role_takes_the_longest_forwarder_there_can_be(dc: Office) -> None:
    first = int(IPv6Address("2001:db8:aaaa:bbbb:cccc:dddd:eeee:ff00"))
    longest = WISH.model_copy(update={"masters": tuple(IPv6Address(first + number) for number in range(MAX_MASTERS))})
    target = dc.target("ntlm over http", **JEA)
    assert (await target.apply(step(None, longest))).kind == "applied"
    assert (await target.apply(step(longest, None))).kind == "applied"
    await target.close()


async def test_an_endpoint_that_is_not_there_and_a_wrong_password_are_explained(dc: Office) -> None:
    other = dc.target("ntlm over http", transport="jea", configuration_name="Another")
    with pytest.raises(Rejected, match="no endpoint `configuration_name`"):
        await other.read([KEY])
    stranger = dc.target("ntlm over http", user="CORP\\stranger", **JEA)
    with pytest.raises(Rejected, match="did not accept the login"):
        await stranger.read([KEY])
    for target in (other, stranger):
        await target.close()


async def test_no_script_runs_there_whoever_sends_it(dc: Office) -> None:
    def call(*, script: bool) -> list[str]:
        url = dc.http.wsman_url.removeprefix("http://").partition(":")
        port = int(url[2].partition("/")[0])
        with WSMan(url[0], port=port, ssl=False, username=DOMAIN_USER, password=PASSWORD, auth="ntlm") as wsman:
            pool = RunspacePool(wsman, configuration_name=NAME)
            pool.open()
            try:
                shell = PowerShell(pool)
                if script:
                    shell.add_script("Remove-DnsServerZone -Name corp.example -Force")
                else:
                    shell.add_cmdlet("Remove-DnsServerZone").add_parameters({"Name": "corp.example", "Force": True})
                shell.invoke()
                return [record.fq_error for record in shell.streams.error]
            finally:
                pool.close()

    assert await asyncio.to_thread(call, script=True) == ["ScriptsNotAllowed"]
    assert await asyncio.to_thread(call, script=False) == ["CommandNotFoundException"]
    assert dc.server.zones.get("corp.example") is not None


# --- when something goes wrong


@pytest.mark.parametrize(
    ("fault", "action"),
    # The second of two equal questions for output would be answered after the operation time-out only.
    [(fault, action) for fault in FAULTS for action in ACTIONS if (fault, action) != ("twice", "Receive")],
)
@pytest.mark.parametrize("nth", [0, 1])
async def test_whatever_hits_a_write_the_outcome_does_not_lie(dc: Office, action: str, fault: Any, nth: int) -> None:
    target = dc.target("ntlm over http", **JEA)
    await target.read([KEY])  # its requests are not counted below
    earlier = {"Receive": 2}.get(action, 1)  # of asking for the clock
    dc.server.faults.add(fault, action, skip=earlier + (nth if action == "Receive" else 0))
    outcome = await target.apply(step(None, WISH))
    dc.server.faults.clear()
    held = await target.read([KEY])
    match outcome.kind:
        case "applied" | "already":
            assert held == {KEY: WISH}
        case "refused":
            assert held == {}
        case _:
            assert outcome.kind == "unknown"
            assert action != "Delete"
    assert (await target.apply(step(None, WISH))).kind in ("applied", "already")
    assert await target.read([KEY]) == {KEY: WISH}
    assert dc.writes().count("Add-DnsServerConditionalForwarderZone") == 1
    await target.close()


async def test_a_call_that_is_carried_out_twice_changes_something_once(dc: Office) -> None:
    """The second run finds what the first one wrote."""
    target = dc.target("ntlm over http", **JEA)
    dc.server.faults.add("twice", "Command", skip=1)  # after the one that asks for the clock
    assert (await target.apply(step(None, WISH))).kind == "already"
    assert [call.cmdlet for call in dc.server.calls].count("Get-DnsServerZone") == 3  # before, after, and once more
    assert dc.writes() == ["Add-DnsServerConditionalForwarderZone", "Clear-DnsServerCache"]
    await target.close()


@pytest.mark.parametrize("fault", ["hang_before", "hang_after"])
async def test_a_call_that_hangs_is_unknown_when_its_time_is_up_and_is_ended_on_the_server(
    dc: Office, fault: Any
) -> None:
    clock = dc.clock()
    target = dc.target("ntlm over http", clock, **JEA)
    dc.server.faults.add(fault, "Add-DnsServerConditionalForwarderZone")
    writing = asyncio.ensure_future(target.apply(step(None, WISH)))
    await dc.called("Add-DnsServerConditionalForwarderZone")
    clock.expire()
    outcome = await writing
    assert outcome.kind == "unknown"
    dc.server.faults.clear()
    await dc.server.clock.advance(DEADLINE_S)  # whatever could not be stopped has ended by then
    held = await target.read([KEY])
    assert held == ({} if fault == "hang_before" else {KEY: WISH})
    await target.close()


async def test_a_server_that_is_down_is_unreachable(dc: Office) -> None:
    target = dc.target("ntlm over http", **JEA)
    dc.server.faults.add("drop", count=1000)
    with pytest.raises(Unreachable):
        await target.read([KEY])
    await target.close()


async def test_without_the_optional_library_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pypsrp.complex_objects", None)
    monkeypatch.delitem(sys.modules, "backends.windows_dns.jea")
    async with office() as dc:
        target = dc.target("ntlm over http", **JEA)
        with pytest.raises(Rejected, match=r"pip install 'k8snet\[jea\]'"):
            await target.read([KEY])
        await target.close()


# --- what is installed


def code(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("operation", FUNCTIONS)
def test_a_function_does_line_by_line_what_the_script_does(operation: scripts.Operation) -> None:
    def own(name: str) -> list[str]:
        return code(scripts._file(name))

    module = code(MODULE.read_text(encoding="ascii"))
    body = [line for line in own(operation) if line != "exit 0"]
    begin = module.index(f"function {FUNCTIONS[operation]} {{")
    assert "\n".join(body) in "\n".join(module[begin:])
    prelude = own("prelude")
    shared = prelude[prelude.index("function Get-Fault($record) {") :]
    assert "\n".join(shared) in "\n".join(module)


def test_the_role_shows_exactly_the_functions_that_are_called() -> None:
    role, manifest = ROLE.read_text(), MODULE.with_suffix(".psd1").read_text()
    for function in FUNCTIONS.values():
        assert f"Name = '{function}'" in role
        assert f"'{function}'" in manifest
    assert role.count("-K8snet") == len(FUNCTIONS)


@pytest.mark.parametrize(
    "changes",
    [
        {"transport": "jea"},
        {"configuration_name": "K8snetDns"},
        {"transport": "jea", "configuration_name": "a b"},
        {"transport": "jea", "configuration_name": "../x"},
        {"transport": "jea", "configuration_name": "x", "user": ""},
        {"transport": "jea", "configuration_name": "x", "password": None},
        {"transport": "jea", "configuration_name": "x", "message_encryption": "never", "insecure_plain_text": False},
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        loopback("http://127.0.0.1:5985/wsman", **changes)


def test_kerberos_needs_no_password() -> None:
    loopback("https://dc1:5986/wsman", user="", password=None, jea_login="kerberos", **JEA)


def test_the_zone_of_the_example_role_is_the_one_of_this_suite() -> None:
    assert ZONE.endswith(".svc.cluster.local")
