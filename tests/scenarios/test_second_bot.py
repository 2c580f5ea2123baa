"""A bot that waits because another one bears its name can be stopped like any other."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from lab.company import company

ROOT = Path(__file__).parent.parent.parent


async def test_a_waiting_bot_stops_when_it_is_told_to(tmp_path: Path) -> None:
    async with company(tmp_path) as office, office.bot():
        second = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "run", "--config", str(office.config)),
            cwd=ROOT,
            env={**os.environ, **office.environ},
            stderr=asyncio.subprocess.PIPE,
        )
        assert second.stderr is not None
        async for line in second.stderr:
            if b"another bot works as" in line:
                break
        second.send_signal(signal.SIGTERM)
        try:
            assert await asyncio.wait_for(second.wait(), 30) == 0
        finally:
            if second.returncode is None:
                second.kill()
                await second.wait()
