"""The real bot as a process, killed in the middle of a real change over real sockets, and started again."""

import asyncio
from pathlib import Path

import pytest

from lab.company import Transport, company
from lab.fortigate.server import Latency
from lab.slack.driver import driving

TABLES = ("firewall/address", "router/static", "firewall/policy")


@pytest.mark.parametrize(("writes", "transport"), [(1, "socket"), (4, "http"), (8, "socket")])
async def test_a_killed_bot_undoes_what_it_had_begun(tmp_path: Path, writes: int, transport: Transport) -> None:
    async with company(tmp_path, transport=transport) as office, driving(office.slack.page_url) as slack:
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


@pytest.mark.parametrize("transport", ["socket", "http"])
async def test_a_bot_removed_from_the_workspace_stops_and_says_so(tmp_path: Path, transport: Transport) -> None:
    async with company(tmp_path, transport=transport) as office, driving(office.slack.page_url) as slack:
        async with office.bot() as bot:
            await slack.post("uninstall", None)
            assert await asyncio.wait_for(bot.ended(), 30) == 2
        assert "the app was removed from the Slack workspace. Install it again" in bot.last_words()
        with pytest.raises(RuntimeError, match=r"slack\.bot_token: .*account_inactive.* Reinstall the app"):
            await bot.start()
