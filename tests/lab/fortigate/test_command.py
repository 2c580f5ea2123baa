"""`python -m lab.fortigate` as a user runs it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import ssl
import sys
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[3]


async def run(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "lab.fortigate",
        *arguments,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_serves_until_told_to_stop_and_dumps_its_state(tmp_path, number):
    ca, dump = tmp_path / "ca.pem", tmp_path / "state.json"
    options = ["--listen", "127.0.0.1:0", "--latency", "0", "--ca-out", str(ca), "--dump", str(dump)]
    process = await run(*options, "--profile", "7.0", LAB_FORTIGATE_TOKEN="secret")
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    assert "FortiGate v7.0.15 ready at https://127.0.0.1:" in line
    assert "secret" not in line
    url = re.search(r"https://\S+?(?=,)", line)[0]
    trust = ssl.create_default_context(cafile=ca)
    async with httpx.AsyncClient(base_url=url, verify=trust, headers={"Authorization": "Bearer secret"}) as client:
        answer = await client.post("/api/v2/cmdb/firewall/address", json={"name": "pods"})
        assert answer.json()["version"] == "v7.0.15"
    process.send_signal(number)
    await process.communicate()
    assert process.returncode == 0
    assert dump.stat().st_mode & 0o077 == 0
    state = json.loads(dump.read_text())
    assert "pods" in [row["name"] for row in state["vdoms"]["root"]["firewall/address"]]
    process = await run("--listen", "127.0.0.1:0", "--load", str(dump), "--token", "another")
    assert process.stdout is not None
    assert "v7.0.15" in (await process.stdout.readline()).decode()
    process.terminate()
    await process.communicate()
    assert process.returncode == 0


async def test_makes_up_a_token_and_says_it():
    process = await run("--listen", "127.0.0.1:0", LAB_FORTIGATE_TOKEN="")
    assert process.stdout is not None
    assert re.search(r", token \w{30}$", (await process.stdout.readline()).decode().strip())
    process.terminate()
    await process.communicate()


async def test_unusable_state_is_explained(tmp_path):
    bad = tmp_path / "bad.json"
    bad.write_text('{"vdoms": {"root": {"firewall/address": [{"name": "a", "color": 99}]}}}')
    process = await run("--listen", "127.0.0.1:0", "--load", str(bad))
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert errors.decode() == (
        "cannot start: vdoms.root: firewall/address, row 1: value parse error before '99' (-650)\n"
    )


async def test_help_explains_faults_and_control():
    process = await run("--help")
    output, _ = await process.communicate()
    for word in ("LAB_FORTIGATE_TOKEN", "/lab/faults", "lose-answer", "--ca-out"):
        assert word in output.decode()
