"""A bot that cannot begin yet says why, waits, and can be stopped like any other."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import yaml
from aiohttp import web

from handlers.settings import Listen
from handlers.web import serving
from lab.company import Company, company

ROOT = Path(__file__).parent.parent.parent


@asynccontextmanager
async def another(office: Company) -> AsyncIterator[asyncio.subprocess.Process]:
    """One more process with the same configuration."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "run", "--config", str(office.config)),
        cwd=ROOT,
        env={**os.environ, **office.environ},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def said(process: asyncio.subprocess.Process, what: bytes) -> bytes:
    """The line of its log that says that."""
    assert process.stderr is not None
    async for line in process.stderr:
        if what in line:
            return line
    raise AssertionError(f"it ended without saying {what!r}")


async def test_a_waiting_bot_stops_when_it_is_told_to(tmp_path: Path) -> None:
    async with company(tmp_path) as office, office.bot(), another(office) as second:
        await said(second, b"another bot works as")
        second.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(second.wait(), 30) == 0


async def test_an_address_that_somebody_else_listens_on_is_waited_for(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with company(tmp_path) as office:
            settings = yaml.safe_load(office.config.read_text())
            office.config.write_text(yaml.safe_dump({**settings, "health": {"listen": f"127.0.0.1:{port}"}}))
            async with another(office) as bot:
                line = await said(bot, b"cannot listen there")
                assert f"127.0.0.1:{port}: cannot listen there: Address already in use".encode() in line
                taken.close()
                await said(bot, b"at work")
                bot.send_signal(signal.SIGTERM)
                assert await asyncio.wait_for(bot.wait(), 30) == 0


async def test_a_slack_that_answers_nonsense_is_waited_for(tmp_path: Path) -> None:
    """As a proxy does that is just being restarted, or wants somebody to log in."""

    async def nonsense(_: web.Request) -> web.Response:
        return web.Response(text="<html>Please log in</html>", content_type="text/html")

    routes = [web.post("/api/{method}", nonsense)]
    async with company(tmp_path) as office, serving(Listen(host="127.0.0.1", port=0), *routes) as port:
        settings = yaml.safe_load(office.config.read_text())
        settings["slack"]["api_url"] = f"http://127.0.0.1:{port}/api/"
        office.config.write_text(yaml.safe_dump(settings))
        async with another(office) as bot:
            assert b"auth.test" in await said(bot, b"cannot start yet")
            bot.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(bot.wait(), 30) == 0
