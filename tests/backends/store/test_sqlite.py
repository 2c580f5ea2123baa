"""What is special about the file: its mode, its owner, its lock and its disk."""

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from backends.store.sqlite import SqliteStore
from bot.engine.journal import STREAM, Journal
from bot.model.errors import BrokenJournal, OutcomeUnknown, Rejected, Unreachable

APPEND_FOREVER = """
import asyncio, sys
from pathlib import Path
from backends.store.sqlite import SqliteStore
async def main():
    store = await SqliteStore.open(Path(sys.argv[1]))
    number = 0
    while record := await store.append("op", number, f"record {number}"):
        number = record.seq
        print(number, flush=True)
asyncio.run(main())
"""
FILL_DISK = """
import asyncio, sys
from pathlib import Path
from backends.store.sqlite import SqliteStore
from bot.model.errors import Rejected
async def main():
    store = await SqliteStore.open(Path(sys.argv[1]))
    number = 0
    try:
        while record := await store.append("op", number, "x" * 8192):
            number = record.seq
    except Rejected as refused:
        print(number, len(await store.read("op")), refused)
    await store.close()
asyncio.run(main())
"""


@pytest.mark.parametrize("existing_mode", [None, 0o644])
async def test_only_the_owner_can_read_the_files(tmp_path: Path, existing_mode: int | None) -> None:
    path = tmp_path / "store.db"
    if existing_mode is not None:
        path.touch(existing_mode)
    store = await SqliteStore.open(path)
    await store.append("op", 0, "x")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in os.scandir(tmp_path)}
    assert modes == {"store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600}
    await store.close()


async def test_a_commit_waits_for_the_disk(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    assert store._connection is not None
    in_thread = store._thread.submit(store._connection.execute, "PRAGMA synchronous").result()
    assert store._thread.submit(in_thread.fetchone).result() == (2,)  # FULL
    await store.close()


async def refusal(path: Path) -> str:
    with pytest.raises(Rejected) as refused:
        await SqliteStore.open(path)
    return str(refused.value)


async def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    assert f"directory {tmp_path}/nowhere does not exist" in await refusal(tmp_path / "nowhere" / "store.db")


async def test_a_path_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    assert "check its owner and mode" in await refusal(tmp_path)


async def test_a_file_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("shopping list\n" * 100)
    path.chmod(0o644)
    assert "not a SQLite file" in await refusal(path)
    assert path.read_text() == "shopping list\n" * 100
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert os.listdir(tmp_path) == ["notes.txt"]


async def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE customer (name TEXT)")
    other.close()
    path.chmod(0o644)
    before = path.read_bytes()
    assert "belongs to another program" in await refusal(path)
    assert path.read_bytes() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


async def test_several_that_open_a_new_file_at_once_all_find_it_ours(tmp_path: Path) -> None:
    for number in range(20):
        path = tmp_path / f"{number}.db"
        stores = await asyncio.gather(*(SqliteStore.open(path, timeout_s=30) for _ in range(6)))
        for store in stores:
            await store.close()


async def test_a_newer_schema_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    await (await SqliteStore.open(path)).close()
    with sqlite3.connect(path) as future:
        future.execute("PRAGMA user_version = 2")
    future.close()
    assert "written by a newer k8snet (schema 2, this one knows 1)" in await refusal(path)


async def test_a_damaged_file_is_reported_as_damaged(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path)
    for number in range(200):
        await store.append("op", number, "x" * 200)
    await store.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    store = await SqliteStore.open(path)
    with pytest.raises(Rejected, match="damaged"):
        await store.read("op")
    await store.close()


@pytest.mark.parametrize("row", ["'yesterday', '{}'", f"{2**63 - 1}, '{{}}'", "7, CAST(x'FFFE' AS TEXT)", "7, ''"])
async def test_what_somebody_else_wrote_into_the_log_is_a_broken_journal(tmp_path: Path, row: str) -> None:
    path = tmp_path / "journal.db"
    store = await SqliteStore.open(path)
    with closing(sqlite3.connect(path)) as another:
        another.execute(f"INSERT INTO record VALUES ('{STREAM}', 1, {row})")
        another.commit()
    with pytest.raises(BrokenJournal, match="Record 1 of the journal cannot be read"):
        await Journal(store).world()
    await store.close()


async def test_a_lock_held_elsewhere_is_unreachable_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path, timeout_s=3.0)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unreachable, match="another process holds"):
        await store.append("op", 0, "x")
    other.execute("ROLLBACK")
    other.close()
    assert await store.read("op") == []
    assert await store.append("op", 0, "x") is not None
    await store.close()


async def test_a_hanging_disk_leaves_the_outcome_of_a_write_unknown(tmp_path: Path) -> None:
    """A job that is under way may still land; one that waits behind it never begins."""
    store = await SqliteStore.open(tmp_path / "store.db", timeout_s=2)
    disk = threading.Event()
    hanging = asyncio.ensure_future(store._run(lambda: disk.wait(60), writes=True))
    waiting = asyncio.ensure_future(store.append("op", 0, "never begun"))
    with pytest.raises(OutcomeUnknown, match="did not answer within"):
        await hanging
    with pytest.raises(Unreachable, match="did not answer within"):
        await waiting
    disk.set()
    assert await store.read("op") == []
    await store.close()


def test_what_was_acknowledged_survives_being_killed(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with subprocess.Popen([sys.executable, "-c", APPEND_FOREVER, str(path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(20)]
        os.kill(writer.pid, signal.SIGKILL)

    async def read() -> list[int]:
        store = await SqliteStore.open(path)
        records = await store.read("op")
        await store.close()
        return [record.seq for record in records]

    survived = asyncio.run(read())
    assert survived[:20] == acknowledged
    assert survived == list(range(1, len(survived) + 1))


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    """On a real file system of one megabyte, in a mount namespace of our own."""
    script = f'mount -t tmpfs -o size=1m none "$1" && exec {sys.executable} -c "$2" "$1/store.db"'
    run = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", str(tmp_path), FILL_DISK],
        capture_output=True,
        text=True,
        timeout=60,
    )
    if "Operation not permitted" in run.stderr:
        pytest.skip("this machine lets nobody make a mount namespace")
    appended, kept, *text = run.stdout.split()
    assert int(appended) == int(kept) > 10, run.stderr
    assert "the disk" in " ".join(text)
    assert "full" in " ".join(text)


async def test_one_cancellation_ends_a_reader_whenever_it_comes(tmp_path: Path) -> None:
    """One that meets the answer must not get lost: a bot that is told to stop would wait for its task for ever."""
    store = await SqliteStore.open(tmp_path / "journal.db")

    async def reading() -> None:
        while True:
            await store.read("journal")

    for rounds in range(100):
        task = asyncio.ensure_future(reading())
        for _ in range(rounds):
            await asyncio.sleep(0)
        task.cancel()
        _, alive = await asyncio.wait([task], timeout=5)
        assert not alive, f"cancelled after {rounds} turns of the loop, it went on"
    await store.close()
