"""The whole job on real packets: the article's network in namespaces, real redis, the real bot as a process.

Run by `make e2e`. Everything a person would do is typed into the simulated Slack; everything they would see on their
own machine is run on the office PC.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lab.drills.office import start_bot
from lab.network.kernel_company import Company, company
from lab.network.kernel_requirements import missing
from lab.slack.driver import Driver, driving
from lab.topology import PC

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(300)]

REDIS = "redis-abc-gns.default.svc.cluster.local"
TABLES = ("firewall/address", "firewall/addrgrp", "router/static", "firewall/policy")


@pytest.fixture
async def office() -> AsyncIterator[Company]:
    if problems := missing():
        pytest.skip(f"no kernel lab here: {problems}")
    async with company() as made:
        yield made


async def ping(office: Company) -> str:
    """What a developer sees who types redis-cli on the office PC."""
    done = await office.net.run(PC, ["timeout", "8", "redis-cli", "-h", REDIS, "ping"], timeout=15)
    return str(done.stdout).strip()


async def devices(office: Company) -> dict[str, Any]:
    """What firewall and DNS server hold, without counters."""
    firewall = await office.control("fortigate", "GET", "/lab/state")
    dns = await office.control("windows_dns", "GET", "/lab/state")
    root = firewall["vdoms"]["root"]
    return {**{table: root.get(table, []) for table in TABLES}, "zones": dns["zones"]}


async def test_expose_check_and_unexpose_on_real_packets(office: Company, tmp_path: Path) -> None:
    await start_bot(office, tmp_path)
    untouched = await devices(office)
    assert await ping(office) != "PONG"
    async with driving(office.controls["slack"]) as slack:
        try:
            await story(office, slack, untouched)
        except BaseException:
            print((tmp_path / "bot.log").read_text())
            raise


async def connected(slack: Driver) -> None:
    """The bot has opened its socket: a person would see it online."""
    async with asyncio.timeout(30):
        while not (await slack.get("state", "omar"))["connections"]:  # noqa: ASYNC110  # another process connects
            await asyncio.sleep(0.1)


async def story(office: Company, slack: Driver, untouched: dict[str, Any]) -> None:
    await connected(slack)
    await slack.say("/k8snet expose default")
    await slack.until(contains="waits for a yes", timeout=30)
    await slack.click("Confirm")
    await slack.until(contains="applied and proven", timeout=60)
    assert await ping(office) == "PONG"
    await slack.say("/k8snet check redis-abc-gns.default")
    await slack.until(contains="redis-abc-gns.default works", timeout=20)
    await slack.say("/k8snet unexpose default")
    shown = await slack.until(contains="unexpose default\nPlan: waits for a yes", timeout=30)
    await slack.click("Confirm", ts=shown.ts)
    await slack.until(contains="unexpose default\nDone", timeout=60)
    assert await ping(office) != "PONG"
    assert await devices(office) == untouched
