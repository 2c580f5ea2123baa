"""`python -m lab.windows_dns` as a person uses it."""

import asyncio
import json
import os
import re
import signal
import sys
from pathlib import Path

import dns.asyncquery
import dns.message
from winrm.protocol import Protocol

PASSWORD = "p’w:1"


async def start(*args: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lab.windows_dns", *args,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, "LAB_PW": PASSWORD},
    )  # fmt: skip


def change(url: str, ca: Path) -> int:
    protocol = Protocol(
        url, transport="ntlm", username="CORP\\svc-k8snet", password=PASSWORD, ca_trust_path=str(ca), proxy=None
    )
    shell = protocol.open_shell()
    line = "powershell -NoProfile -Command Add-DnsServerConditionalForwarderZone x.example 10.0.0.1"
    command = protocol.run_command(shell, line)
    code = protocol.get_command_output(shell, command)[2]
    protocol.cleanup_command(shell, command)
    protocol.close_shell(shell)
    return code


async def test_serve_change_stop_dump(tmp_path: Path) -> None:
    ca, dump = tmp_path / "ca.pem", tmp_path / "after.json"
    process = await start(
        "--listen", "127.0.0.1:0", "--dns", "127.0.0.1:0", "--password-env", "LAB_PW",
        "--ca-out", str(ca), "--dump", str(dump),
    )  # fmt: skip
    assert process.stdout
    ready = (await process.stdout.readline()).decode()
    match = re.match(r"windows_dns ready: (https://127\.0\.0\.1:\d+/wsman) dns 127\.0\.0\.1:(\d+)", ready)
    assert match, ready
    question = dns.message.make_query("fileserver.corp.example", "A")
    reply = await dns.asyncquery.udp(question, "127.0.0.1", port=int(match[2]), timeout=20)
    assert reply.answer[0][0].address == "172.16.0.20"
    assert await asyncio.to_thread(change, match[1], ca) == 0
    process.send_signal(signal.SIGTERM)
    out, err = await process.communicate()
    assert (process.returncode, out, err) == (0, b"", b"")
    zones = [zone["name"] for zone in json.loads(dump.read_text())["zones"]]
    assert "x.example" in zones


async def test_wrong_state_is_explained(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.write_text('{"zones": [{"name": "a", "colour": "red"}]}')
    process = await start("--load", str(state))
    _, err = await process.communicate()
    assert (process.returncode, b"colour" in err) == (2, True)


async def test_help_names_every_option() -> None:
    process = await start("--help")
    out, _ = await process.communicate()
    for option in (
        "--listen",
        "--dns",
        "--http",
        "--ca-out",
        "--user",
        "--password-env",
        "--load",
        "--dump",
        "--route",
    ):
        assert option.encode() in out
