"""The real bot as a process, killed in the middle of a real change over real sockets, and started again."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from lab.company import Transport, company
from lab.fortigate.server import Latency
from lab.slack.driver import driving
from tests.scenarios.chat import eventually

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


async def test_a_bot_killed_in_the_middle_of_a_check_says_so_in_its_next_life(tmp_path: Path) -> None:
    async with company(tmp_path) as office, driving(office.slack.page_url) as slack, office.bot() as bot:
        office.firewall.latency = Latency(low=60, high=60)
        await slack.say("/k8snet check redis-abc-gns.default")
        standing = await slack.until(contains="Checking redis-abc-gns.default")

        async def noted() -> bool:
            with closing(sqlite3.connect(f"file:{tmp_path / 'journal.db'}?mode=ro", uri=True)) as journal:
                return journal.execute("SELECT count(*) FROM note").fetchone() == (1,)

        await eventually(noted)
        await bot.kill()
        office.firewall.latency = Latency()
        await bot.start()
        told = await slack.until(contains="I was restarted in the middle of this check", timeout=60)
        assert told.ts == standing.ts


@pytest.mark.parametrize("transport", ["socket", "http"])
async def test_a_bot_removed_from_the_workspace_stops_and_says_so(tmp_path: Path, transport: Transport) -> None:
    async with company(tmp_path, transport=transport) as office, driving(office.slack.page_url) as slack:
        async with office.bot() as bot:
            await slack.post("uninstall", None)
            assert await asyncio.wait_for(bot.ended(), 30) == 2
        assert "the app was removed from the Slack workspace. Install it again" in bot.last_words()
        with pytest.raises(RuntimeError, match=r"slack\.bot_token: .*account_inactive.* Reinstall the app"):
            await bot.start()
