"""Checks 7 to 20: the life of shells and commands."""

import asyncio
import re
import uuid

import pytest
from winrm.exceptions import WinRMOperationTimeoutError, WSManFaultError

from tests.lab.windows_dns.clients import (
    CREATE_BODY,
    LOCAL,
    SHELL,
    TEXT,
    TRANSFER,
    Lab,
    client,
    drive,
    encoded,
    envelope,
    lab,
    office_state,
    raw,
)

GUID = r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}"
CREATE = f"{TRANSFER}/Create"


def code_of(body: str) -> int:
    match = re.search(r'WSManFault [^>]*Code="(\d+)"', body)
    assert match, body
    return int(match[1])


async def test_check_07_create(dc: Lab) -> None:
    async with raw(dc.up) as post:
        _, body, _ = await post(envelope(CREATE, CREATE_BODY)[0])
    assert re.search(rf'<w:Selector Name="ShellId">{GUID}</w:Selector>', body)
    assert f"<rsp:Owner>{LOCAL}</rsp:Owner>" in body
    assert "<rsp:IdleTimeOut>PT7200.000S</rsp:IdleTimeOut>" in body


async def test_check_07_an_old_windows_leaves_the_details_out() -> None:
    async with lab(office_state(shell_details=False)) as dc, raw(dc.up) as post:
        _, body, _ = await post(envelope(CREATE, CREATE_BODY)[0])
        assert "rsp:Owner" not in body
        async with client(dc.up) as each:
            assert (await each.run("1")).code == 0


async def test_check_08_every_answer_names_its_request(dc: Lab) -> None:
    async with raw(dc.up) as post:
        text, message_id = envelope(CREATE, CREATE_BODY)
        created = (await post(text))[1]
        assert f"<a:RelatesTo>{message_id}</a:RelatesTo>" in created
        shell = re.search(GUID, created[created.index("ShellId") :])[0]
        line = f'<rsp:CommandLine xmlns:rsp="{SHELL}"><rsp:Command>hostname</rsp:Command></rsp:CommandLine>'
        text, message_id = envelope(f"{SHELL}/Command", line, shell=shell)
        started = (await post(text))[1]
        assert message_id in started
        command = re.search(rf"<rsp:CommandId>({GUID})", started)[1]
        wanted = f'<rsp:DesiredStream CommandId="{command}">stdout stderr</rsp:DesiredStream>'
        for action, body in (
            ("Receive", f'<rsp:Receive xmlns:rsp="{SHELL}">{wanted}</rsp:Receive>'),
            ("Receive", f'<rsp:Receive xmlns:rsp="{SHELL}">{wanted}</rsp:Receive>'),  # finished by now: a fault
            ("Signal", f'<rsp:Signal xmlns:rsp="{SHELL}" CommandId="{command}"><rsp:Code>x</rsp:Code></rsp:Signal>'),
        ):
            text, message_id = envelope(f"{SHELL}/{action}", body, shell=shell)
            assert f"<a:RelatesTo>{message_id}</a:RelatesTo>" in (await post(text))[1]
        text, message_id = envelope(f"{TRANSFER}/Delete", shell=shell)
        assert message_id in (await post(text))[1]


async def test_check_09_without_shell_rights() -> None:
    state = office_state()
    state.accounts[0].shell = False
    async with lab(state) as dc, client(dc.up) as each:
        with pytest.raises(WSManFaultError) as fault:
            await each.open()
        assert (fault.value.code, fault.value.wsman_fault_code, fault.value.fault_subcode) == (500, 5, "w:AccessDenied")


async def test_check_09_unknown_resources_and_headers_are_faults(dc: Lab) -> None:
    async with raw(dc.up) as post:
        session = "http://schemas.microsoft.com/powershell/Microsoft.PowerShell"
        status, body, _ = await post(envelope(CREATE, CREATE_BODY, resource=session)[0])
        assert (status, code_of(body)) == (500, 2150858752)
        extra = '<x:New xmlns:x="urn:x" s:mustUnderstand="true"/>'
        assert "s:MustUnderstand" in (await post(envelope(CREATE, CREATE_BODY, extra=extra)[0]))[1]
        assert code_of((await post("<no xml"))[1]) == 2150858817
        assert code_of((await post(envelope("urn:other", CREATE_BODY)[0]))[1]) == 2150858767
        assert code_of((await post(envelope(CREATE, CREATE_BODY, timeout="soon")[0]))[1]) == 87


async def test_check_10_unknown_shells_and_commands(dc: Lab) -> None:
    async with client(dc.up) as each:
        shell = await each.open()
        for method, args in (
            ("run_command", (str(uuid.uuid4()), "hostname")),
            ("get_command_output_raw", (shell, str(uuid.uuid4()))),
            ("cleanup_command", (shell, str(uuid.uuid4()))),
        ):
            with pytest.raises(WSManFaultError) as fault:
                await each.call(method, *args)
            assert (fault.value.wsman_fault_code, fault.value.fault_subcode) == (2150858843, "w:InvalidSelectors")
        command = await each.call("run_command", shell, "hostname")
        await each.call("get_command_output", shell, command)
        with pytest.raises(WSManFaultError) as fault:
            await each.call("get_command_output_raw", shell, command)
        assert fault.value.wsman_fault_code == 2150858843
        await each.call("close_shell", shell)


async def test_check_10_a_shell_belongs_to_whoever_opened_it(dc: Lab) -> None:
    async with client(dc.up) as mine, client(dc.up, "CORP\\svc-k8snet", transport="ntlm") as other:
        shell = await mine.open()
        with pytest.raises(WSManFaultError):
            await other.call("run_command", shell, "hostname")
        await mine.call("close_shell", shell)


async def test_check_11_receive_waits_for_the_operation_timeout(dc: Lab) -> None:
    async with client(dc.up, operation_timeout_sec=1, read_timeout_sec=60) as each:
        shell = await each.open()
        command = await each.start(shell, "'first'; Start-Sleep -Seconds 5; 'second'")
        assert await each.call("get_command_output_raw", shell, command) == (b"first\r\n", b"", -1, False)
        for _ in range(2):
            waiting = asyncio.create_task(each.call("get_command_output_raw", shell, command))
            await dc.clock.until_asleep(2)  # the script, and the Receive that waits for it
            await dc.clock.advance(1)
            with pytest.raises(WinRMOperationTimeoutError):
                await waiting
        last = asyncio.create_task(each.call("get_command_output_raw", shell, command))
        await dc.clock.until_asleep(2)  # the script, and the Receive that waits for it
        await dc.clock.advance(0.5)
        assert not last.done()
        await dc.clock.advance(3)
        with pytest.raises(WinRMOperationTimeoutError):
            await last
        assert await each.call("get_command_output_raw", shell, command) == (b"second\r\n", b"", 0, True)
        await each.call("close_shell", shell)


async def test_check_12_output_arrives_in_pieces() -> None:
    async with lab(office_state(output_piece=3)) as dc, raw(dc.up) as post, client(dc.up) as each:
        shell = await each.open()
        command = await each.start(shell, "'aüü€'; Start-Sleep 1; Write-Error 'x'; 'end'", ("-NoProfile",))
        wanted = f'<rsp:DesiredStream CommandId="{command}">stdout stderr</rsp:DesiredStream>'
        receive = f'<rsp:Receive xmlns:rsp="{SHELL}">{wanted}</rsp:Receive>'
        bodies = [
            (await drive(dc.clock, post(envelope(f"{SHELL}/Receive", receive, shell=shell)[0])))[1] for _ in range(2)
        ]
        assert [re.findall(r"CommandState/(\w+)", body) for body in bodies] == [["Running"], ["Done"]]
        assert "ExitCode" not in bodies[0]
        assert bodies[1].count("<rsp:ExitCode>0<") == 1
        assert '<rsp:Stream Name="stdout"' in bodies[0]
        pieces = re.findall(r'Name="stdout" CommandId="[^"]*">([^<]+)<', bodies[0])
        assert pieces[:2] == ["YcO8", "w7zi"]  # the euro sign is cut after its first byte
        marker = re.findall(r'Name="stderr" CommandId="[^"]*">([^<]+)<', bodies[1])[0]
        assert marker == "IzwgQ0xJWE1MDQo="  # "#< CLIXML" and its line end, alone
        assert bodies[1].count('End="true"') == 2
        await each.call("close_shell", shell)


async def test_check_13_shells_per_user_and_how_leaked_ones_end() -> None:
    async with lab(office_state(max_shells_per_user=2)) as dc, client(dc.up) as each:
        await each.open()
        await each.open(idle_timeout="PT120S")
        with pytest.raises(WSManFaultError) as fault:
            await each.open()
        assert fault.value.wsman_fault_code == 2150859173
        async with client(dc.up, "CORP\\svc-k8snet", transport="ntlm") as other:
            await other.call("close_shell", await other.open())
        await dc.clock.advance(121)
        await each.open()
        with pytest.raises(WSManFaultError):
            await each.open()
        await dc.clock.advance(7200)
        await each.open()


async def test_check_14_operations_that_are_never_signalled() -> None:
    async with lab(office_state(max_operations_per_user=2)) as dc, client(dc.up) as each:
        shell = await each.open()
        commands = [await each.call("run_command", shell, "hostname") for _ in range(2)]
        await each.call("get_command_output", shell, commands[0])
        with pytest.raises(WSManFaultError) as fault:
            await each.call("run_command", shell, "hostname")
        assert fault.value.wsman_fault_code == 2150859174
        await each.call("cleanup_command", shell, commands[0])
        await each.call("run_command", shell, "hostname")
        await each.call("close_shell", shell)


async def test_check_15_command_lines_have_a_longest_length(dc: Lab) -> None:
    async with client(dc.up) as each:
        shell = await each.open()
        for length, code, stderr in ((8190, 0, b""), (8191, 1, b"The command line is too long.\r\n")):
            command = await each.call("run_command", shell, "echo " + "x" * (length - 5))
            result = await each.finish(shell, command)
            assert (result.code, result.stderr) == (code, stderr)
        with pytest.raises(WSManFaultError) as fault:
            await each.call("run_command", shell, "echo " + "x" * 32_000)
        assert fault.value.wsman_fault_code == 2147942606
        await each.call("close_shell", shell)


@pytest.mark.parametrize(("units", "code"), [(3060, 0), (3061, 1)])
async def test_check_15_scripts_of_run_ps(dc: Lab, units: int, code: int) -> None:
    script = "#".ljust(units, "x")
    async with client(dc.up) as each:
        shell = await each.open()
        command = await each.call("run_command", shell, f"powershell -encodedcommand {encoded(script)}")
        assert (await each.finish(shell, command)).code == code
        await each.call("close_shell", shell)


@pytest.mark.parametrize(
    ("codepage", "expected"), [(65001, "aüこ€\r\n".encode()), (437, b"a\x81??\r\n"), (850, b"a\x81??\r\n")]
)
async def test_check_16_code_pages(dc: Lab, codepage: int, expected: bytes) -> None:
    assert (await dc.run("'aüこ€'", codepage=codepage)).stdout == expected


async def test_check_16_write_host_ends_lines_differently(dc: Lab) -> None:
    assert (await dc.run("Write-Host 'a'; 'b'")).stdout == b"a\nb\r\n"


@pytest.mark.parametrize("argument", ["YQ==", "not base64!", "YQBi"])
async def test_check_17_broken_encoded_commands(dc: Lab, argument: str) -> None:
    async with client(dc.up) as each:
        shell = await each.open()
        command = await each.call("run_command", shell, "powershell", ["-EncodedCommand", argument.replace(" ", "")])
        result = await each.finish(shell, command)
        assert result.code != 0
        assert b"-EncodedCommand is not properly encoded" in result.stderr
        await each.call("close_shell", shell)


async def test_check_18_stderr_is_xml_unless_text_is_asked_for(dc: Lab) -> None:
    script = "$ProgressPreference = 'SilentlyContinue'; Write-Warning 'w'; Write-Error 'e'; exit 3"
    xml = await dc.run(script, ("-NoProfile",))
    assert xml.code == 3
    assert xml.stderr.startswith(b'#< CLIXML\r\n<Objs Version="1.1.0.1"')
    assert b'<S S="warning">WARNING: w_x000D__x000A_</S>' in xml.stderr
    assert b'<S S="Error">Write-Error : e_x000D__x000A_</S>' in xml.stderr
    text = await dc.run(script)
    assert b"CLIXML" not in text.stderr
    assert text.stderr.startswith(b"Write-Error : e\r\n")


async def test_check_18_progress_of_the_first_module(dc: Lab) -> None:
    loud = await dc.run("$null = Get-DnsServerZone; $null = Get-DnsServerZone", ("-NoProfile",))
    assert loud.stderr.count(b"Preparing modules for first use.") == 1
    assert loud.code == 0
    quiet = await dc.run("$ProgressPreference = 'SilentlyContinue'; $null = Get-DnsServerZone", ("-NoProfile",))
    assert quiet.stderr == b""
    assert (await dc.run("$null = Get-DnsServerZone", TEXT)).stderr == b""


async def test_check_19_standard_input(dc: Lab) -> None:
    async with client(dc.up) as each:
        shell = await each.open()
        command = await each.start(shell, '$t = [Console]::In.ReadToEnd(); "<$t>"')
        await each.call("send_command_input", shell, command, "grün ".encode())
        await each.call("send_command_input", shell, command, "で".encode(), True)
        assert (await each.finish(shell, command)).out == "<grün で>\r\n"
        command = await each.call("run_command", shell, "powershell.exe", ["-NoProfile", "-"])
        await each.call("send_command_input", shell, command, b"'from'\r\n'stdin'\r\n", True)
        assert (await each.finish(shell, command)).lines == ["from", "stdin"]
        await each.call("close_shell", shell)


PROMPTING = "Remove-DnsServerZone -Name corp.example -ErrorAction Stop; 'after'"


async def test_check_19_a_prompt_never_ends(dc: Lab) -> None:
    async with client(dc.up, operation_timeout_sec=1, read_timeout_sec=60) as each:
        shell = await each.open()
        command = await each.start(shell, PROMPTING, ("-OutputFormat", "Text"))
        shown, _, _, done = await each.call("get_command_output_raw", shell, command)
        assert (b"Confirm" in shown, done) == (True, False)
        for _ in range(3):
            with pytest.raises(WinRMOperationTimeoutError):
                await drive(dc.clock, each.call("get_command_output_raw", shell, command))
        await each.call("close_shell", shell)
    assert dc.server.zones.get("corp.example") is not None


async def test_check_19_a_prompt_can_be_answered(dc: Lab) -> None:
    async with client(dc.up) as each:
        shell = await each.open()
        command = await each.start(shell, PROMPTING, ("-OutputFormat", "Text"))
        await each.call("send_command_input", shell, command, b"Y\r\n")
        assert b"after" in (await each.finish(shell, command)).stdout
        await each.call("close_shell", shell)
    assert dc.server.zones.get("corp.example") is None


async def test_check_19_noninteractive_makes_it_an_error(dc: Lab) -> None:
    result = await dc.run(PROMPTING)
    assert (result.code, b"NonInteractive mode" in result.stderr) == (1, True)
    assert dc.server.zones.get("corp.example") is not None


async def test_check_20_delete_kills_what_runs(dc: Lab) -> None:
    async with client(dc.up) as each:
        shell = await each.open()
        await each.start(shell, "Start-Sleep 60; Add-DnsServerConditionalForwarderZone x.example 10.0.0.1")
        await dc.clock.until_asleep()
        await each.call("close_shell", shell)
    await dc.clock.advance(120)
    assert dc.server.zones.get("x.example") is None


async def test_check_20_signal_may_come_again(dc: Lab) -> None:
    async with client(dc.up) as each:
        shell = await each.open()
        command = await each.start(shell, "'done'")
        await each.call("get_command_output", shell, command)
        for _ in range(2):
            await each.call("cleanup_command", shell, command)
        running = await each.start(shell, "Start-Sleep 60; 'late'")
        await each.call("cleanup_command", shell, running)
        with pytest.raises(WSManFaultError):
            await each.call("get_command_output_raw", shell, running)
        await each.call("close_shell", shell)


async def test_environment_variables_reach_the_script(dc: Lab) -> None:
    value = "<&'\"’ ü " + "x" * 20_000
    result = await dc.run("$env:K8SNET_INPUT", env_vars={"K8SNET_INPUT": value})
    assert result.out == value + "\r\n"


async def test_what_cmd_exe_would_interpret_is_refused(dc: Lab) -> None:
    async with client(dc.up) as each:
        shell = await each.open()
        for line in ("echo %PATH%", "hostname & whoami", "notepad"):
            result = await each.finish(shell, await each.call("run_command", shell, line))
            assert (result.code, result.stderr.startswith(b"simulator does not know")) == (1, True)
        await each.call("close_shell", shell)
