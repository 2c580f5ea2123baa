"""The PowerShell subset against what Windows PowerShell 5.1 prints for the same lines."""

import asyncio
import re
from pathlib import Path

import pytest

from tests.lab.windows_dns.machine import Machine

CASES = Path(__file__).with_name("cases") / "powershell.txt"


def cases() -> list[tuple[str, list[str]]]:
    """Blocks of the case file: script, and the lines after each `=> `."""
    blocks = CASES.read_text(encoding="utf-8").strip().split("\n\n")[1:]
    split = [re.split(r"^=> ", block, flags=re.MULTILINE) for block in blocks]
    return [(script.rstrip("\n"), [line.removesuffix("\n") for line in lines]) for script, *lines in split]


@pytest.mark.parametrize(("script", "lines"), cases())
async def test_lines(script: str, lines: list[str]) -> None:
    out, err, _ = await Machine().run(script)
    assert err == ""
    assert out.split("\r\n")[:-1] == lines


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit 7", 7),
        ("'x'", 0),
        ("throw 'x'", 1),
        ("Write-Error 'x'; 'on'", 0),
        ("'on'; Write-Error 'x'", 1),
        ("'on'; Write-Error 'x' -ErrorAction Stop; 'off'", 1),
        ("if (", 1),
        ("try { exit 3 } finally { 'f' }", 3),
        ("function f { exit 4 }; f; 'off'", 4),
        ("exit $LASTEXITCODE", 0),
    ],
)
async def test_exit_codes(script: str, code: int) -> None:
    out, _, actual = await Machine().run(script)
    assert actual == code
    assert "off" not in out


@pytest.mark.parametrize(
    "script",
    [
        "$x = ",
        "if ($x {",
        "@{ a = }",
        "1 +",
        "foreach ($x on 1) {}",
        "try { }",
        "'a' 'b'",
        "$x = 5 6",
        "| %",
        "function { }",
        "$(1",
    ],
)
async def test_what_does_not_parse_does_not_run(script: str) -> None:
    machine = Machine()
    out, err, code = await machine.run(f"Clear-DnsServerCache -Force; 'ran'\n{script}")
    assert (out, code) == ("", 1)
    assert "ParserError" in err
    assert machine.server.writes == []


async def test_a_loop_without_waiting_leaves_room_for_others() -> None:
    task = asyncio.create_task(Machine().run("while ($true) { $i++ }"))
    for _ in range(50):
        await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
