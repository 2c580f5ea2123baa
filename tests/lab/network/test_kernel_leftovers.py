"""What `python -m lab.network clean` finds after the worst."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lab.network.kernel_leftovers import clean, runs
from lab.network.kernel_requirements import missing

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(missing() is not None, reason=f"no kernel network here: {missing()}"),
]

PROGRAM = """
import asyncio
from lab.network.kernel_sandbox import Sandbox
async def main():
    sandbox = await Sandbox.start()
    await sandbox.create(["somewhere"])
    print(sandbox.process_id, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


async def start(folder: Path) -> tuple[asyncio.subprocess.Process, int]:
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": str(folder)}
    )
    assert owner.stdout is not None
    return owner, int(await owner.stdout.readline())


def only_child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())


@asynccontextmanager
async def ending(pid: int) -> AsyncIterator[None]:
    """At the end of the block, wait until the process has ended."""
    with os.fdopen(os.pidfd_open(pid)) as process:
        gone = asyncio.Event()
        asyncio.get_running_loop().add_reader(process.fileno(), gone.set)
        try:
            yield
            async with asyncio.timeout(10):
                await gone.wait()
        finally:
            asyncio.get_running_loop().remove_reader(process.fileno())


async def test_a_run_in_use_is_left_alone_and_a_murdered_one_is_removed(tmp_path: Path) -> None:
    owner, supervisor = await start(tmp_path)
    (said,) = clean(tmp_path)
    assert f"in use by process {owner.pid}" in said
    owner.send_signal(signal.SIGSTOP)  # it must not notice, or it would clean up itself
    async with ending(only_child(supervisor)):
        os.kill(supervisor, signal.SIGKILL)
    owner.kill()
    await owner.wait()
    (run,) = runs(tmp_path)
    assert run.supervisor is None
    assert clean(tmp_path) == [f"{run.directory}: removed"]
    assert runs(tmp_path) == []


async def test_nothing_is_left_after_an_ordinary_death(tmp_path: Path) -> None:
    owner, supervisor = await start(tmp_path)
    async with ending(supervisor):
        owner.kill()
        await owner.wait()
    assert clean(tmp_path) == []
