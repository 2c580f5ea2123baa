"""The real bot as a process, killed in the middle of a real change over real sockets, and started again."""

import asyncio
from pathlib import Path

import pytest

from lab.company import company
from lab.fortigate.server import Latency
from lab.slack.driver import driving

TABLES = ("firewall/address", "router/static", "firewall/policy")


@pytest.mark.parametrize("writes", [1, 4, 8])
async def test_a_killed_bot_undoes_what_it_had_begun(tmp_path: Path, writes: int) -> None:
    async with company(tmp_path) as office, driving(office.slack.page_url) as slack:
        before = {table: office.firewall.device.rows(table) for table in TABLES}
        enough = asyncio.Event()
        changes: list[object] = []

        def count(change: object) -> None:
            changes.append(change)
            if len(changes) == writes:
                enough.set()

        office.firewall.device.subscribe(count)
        async with office.bot() as bot:
            await slack.say("/k8snet expose default")
            await slack.until(contains="waits for a yes")
            office.firewall.latency = Latency(low=0.05, high=0.05)
            await slack.click("Confirm")
            await enough.wait()
            await bot.kill()
            office.firewall.latency = Latency()
            await bot.start()
            await slack.until(contains="everything that was written was taken back", timeout=60)
        assert {table: office.firewall.device.rows(table) for table in TABLES} == before
        assert not [zone for zone in office.dns.server.zones if zone.type == "Forwarder"]
        assert len([m for m in await slack.messages() if m.text.startswith("🚫")]) == 1
