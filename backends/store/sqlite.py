"""The store in one SQLite file, for one host.

Write-ahead log with `synchronous=FULL`: a commit is on disk before it is answered. All work happens on one thread,
which owns the connection; several processes may share the file, the lock of SQLite orders them.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self, TypeVar

from backends.store.moments import from_microseconds, stored, to_microseconds
from bot.engine.ports import Hold, Stored
from bot.model.errors import BackendError, OutcomeUnknown, Rejected, Unreachable
from bot.model.wording import tr

T = TypeVar("T")

_APPLICATION_ID = 0x6B38736E  # "k8sn": tells our file from another program's
_SCHEMA = 1
_TABLES = (
    """CREATE TABLE record (
        stream TEXT NOT NULL, seq INTEGER NOT NULL CHECK (seq > 0), at INTEGER NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (stream, seq))""",
    "CREATE TABLE lease (name TEXT PRIMARY KEY, owner TEXT NOT NULL, until INTEGER NOT NULL)",
)
# These two are not part of the schema's number: an older k8snet never looks at them, and so may open the file again.
_SAMPLES = """CREATE TABLE IF NOT EXISTS sample (
    stream TEXT NOT NULL, minute INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, minute)) WITHOUT ROWID"""
_NOTES = """CREATE TABLE IF NOT EXISTS note (
    topic TEXT NOT NULL, note TEXT NOT NULL, PRIMARY KEY (topic, note)) WITHOUT ROWID"""


def utc_now() -> datetime:
    return datetime.now(UTC)


def _taken(database: sqlite3.Connection, hold: Hold, now: int) -> bool:
    """Take or renew a lease inside a transaction; False, and nothing changed, while it is another's."""
    taken = database.execute(
        """INSERT INTO lease VALUES (:name, :owner, :until) ON CONFLICT (name) DO UPDATE
        SET owner = :owner, until = :until WHERE owner = :owner OR until <= :now""",
        {"name": hold.name, "owner": hold.owner, "until": now + round(hold.ttl_s * 1_000_000), "now": now},
    )
    return taken.rowcount == 1


def _shortened(database: sqlite3.Connection, hold: Hold, now: int) -> Literal[False]:
    """Another's lease that lasts longer than any was ever given is of a clock that was set back since."""
    longest = now + round(hold.ttl_s * 1_000_000)
    database.execute("UPDATE lease SET until = ? WHERE name = ? AND until > ?", (longest, hold.name, longest))
    return False


class SqliteStore:
    """`Store`, `SampleStore` and `NoteStore` in a file. Moments in the file are microseconds since 1970."""

    def __init__(self, path: Path, timeout_s: float = 5.0, now: Callable[[], datetime] = utc_now) -> None:
        """Opens nothing yet: use `open`. `now` is the store's clock."""
        self._path = path.absolute()
        self._timeout_s = timeout_s
        self._now = now
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="k8snet-store")
        self._connection: sqlite3.Connection | None = None

    @classmethod
    async def open(cls, path: Path, timeout_s: float = 5.0, now: Callable[[], datetime] = utc_now) -> Self:
        """Open the file or create it with mode 0600.

        Raises Rejected for a file that is not ours, newer, damaged or not accessible; Unreachable when locked.
        """
        store = cls(path, timeout_s, now)
        try:
            await store._run(store._connect, writes=False)
        except BaseException:
            await store.close()
            raise
        return store

    async def append(
        self,
        stream: str,
        expected: int,
        body: str,
        not_after: datetime | None = None,
        holding: Sequence[Hold] = (),
    ) -> Stored | None:
        def work() -> Stored | None:
            with self._transaction() as database:
                at = to_microseconds(self._now())  # read under the lock: waiting for it counts against not_after
                query = "SELECT coalesce(max(seq), 0) FROM record WHERE stream = ?"
                (last,) = database.execute(query, (stream,)).fetchone()
                if last != expected or (not_after is not None and at > to_microseconds(not_after)):
                    return None
                if not all(_taken(database, hold, at) for hold in holding):
                    database.execute("ROLLBACK")  # also of those that were taken before the one that is another's
                    return None
                database.execute("INSERT INTO record VALUES (?, ?, ?, ?)", (stream, last + 1, at, body))
            return Stored(seq=last + 1, at=from_microseconds(at), body=body)

        return await self._run(work, writes=True)

    async def read(self, stream: str, after: int = 0) -> Sequence[Stored]:
        def work() -> Sequence[Stored]:
            query = "SELECT seq, at, body FROM record WHERE stream = ? AND seq > ? ORDER BY seq"
            rows = self._database().execute(query, (stream, after)).fetchall()
            return [stored(*row) for row in rows]

        return await self._run(work, writes=False)

    async def lease(self, name: str, owner: str, ttl_s: float) -> bool:
        def work() -> bool:
            with self._transaction() as database:
                hold, now = Hold(name=name, owner=owner, ttl_s=ttl_s), to_microseconds(self._now())
                return _taken(database, hold, now) or _shortened(database, hold, now)

        return await self._run(work, writes=True)

    async def release(self, name: str, owner: str) -> None:
        await self._write("DELETE FROM lease WHERE name = ? AND owner = ?", name, owner)

    async def keep_sample(self, stream: str, minute: int, body: str, oldest: int) -> None:
        def work() -> None:
            with self._transaction() as database:
                database.execute("INSERT OR REPLACE INTO sample VALUES (?, ?, ?)", (stream, minute, body))
                database.execute("DELETE FROM sample WHERE stream = ? AND minute < ?", (stream, oldest))

        await self._run(work, writes=True)

    async def samples(self, stream: str, since: int) -> Sequence[tuple[int, str]]:
        def work() -> Sequence[tuple[int, str]]:
            query = "SELECT minute, body FROM sample WHERE stream = ? AND minute >= ? ORDER BY minute"
            return self._database().execute(query, (stream, since)).fetchall()

        return await self._run(work, writes=False)

    async def keep_note(self, topic: str, note: str) -> None:
        await self._write("INSERT OR IGNORE INTO note VALUES (?, ?)", topic, note)

    async def drop_note(self, topic: str, note: str) -> None:
        await self._write("DELETE FROM note WHERE topic = ? AND note = ?", topic, note)

    async def notes(self, topic: str) -> Sequence[str]:
        def work() -> Sequence[str]:
            return [note for (note,) in self._database().execute("SELECT note FROM note WHERE topic = ?", (topic,))]

        return await self._run(work, writes=False)

    async def now(self) -> datetime:
        return self._now()

    async def close(self) -> None:
        """Close after the work under way. Calling it again is harmless; any other call then raises Unreachable."""

        def work() -> None:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

        try:
            await asyncio.wrap_future(self._thread.submit(work))
        except RuntimeError:
            return  # the thread has ended: closed already
        self._thread.shutdown(wait=False)

    async def _write(self, statement: str, *values: str) -> None:
        """One statement, in a transaction of its own."""

        def work() -> None:
            with self._transaction() as database:
                database.execute(statement, values)

        await self._run(work, writes=True)

    async def _run(self, work: Callable[[], T], *, writes: bool) -> T:
        """Do it on the store's thread, within the deadline, with errors translated."""
        try:
            job = self._thread.submit(copy_context().run, work)
        except RuntimeError:
            raise Unreachable("store", tr("{path} is closed", path=self._path)) from None
        try:
            # Not wait_for: before Python 3.12 it loses a cancellation that meets a result, and its task lives on.
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.wrap_future(job)
        except TimeoutError:
            # A job that never began was cancelled with the wait; one under way goes on in its thread.
            if writes and not job.cancelled():
                raise OutcomeUnknown("store", f"{self._path} {self._silence()}") from None
            raise Unreachable("store", f"{self._path} {self._silence()}") from None
        except (sqlite3.Error, OSError) as error:
            raise self._translated(error, writes) from error

    def _silence(self) -> str:
        return tr("did not answer within {timeout_s:g} s; look at its disk", timeout_s=self._timeout_s)

    # What follows runs on the store's thread.

    def _database(self) -> sqlite3.Connection:
        if self._connection is None:
            raise Unreachable("store", tr("{path} is closed", path=self._path))
        return self._connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One writer at a time, across processes; nothing stays of a body that raises."""
        database = self._database()
        database.execute("BEGIN IMMEDIATE")
        try:
            yield database
            if database.in_transaction:
                database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:  # SQLite may have rolled back by itself
                database.execute("ROLLBACK")
            raise

    def _connect(self) -> None:
        self._create()
        # Half the deadline: waiting for another process must end before our caller gives up.
        self._connection = sqlite3.connect(self._path, timeout=self._timeout_s / 2, isolation_level=None)
        # What somebody else wrote there must not break off an answer.
        self._connection.text_factory = lambda text: text.decode(errors="surrogateescape")
        self._check_owner()
        self._path.chmod(0o600)  # only now: until here it may have been anybody's file
        if self._journal_mode() != "wal":
            raise Rejected(
                "store", tr("{path} is on a file system without shared memory; use a local disk", path=self._path)
            )
        self._connection.execute("PRAGMA synchronous = FULL")
        with self._transaction() as database:
            if database.execute("PRAGMA user_version").fetchone() == (0,):
                for table in _TABLES:
                    database.execute(table)
                database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                database.execute(f"PRAGMA user_version = {_SCHEMA}")
            database.execute(_SAMPLES)
            database.execute(_NOTES)

    def _journal_mode(self) -> str:
        """Write ahead, if the file system can. SQLite lets nobody wait who switches at the same time as another."""
        until = time.monotonic() + self._timeout_s / 2
        while True:
            try:
                (mode,) = self._database().execute("PRAGMA journal_mode = WAL").fetchone()
                return str(mode)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(0.01)

    def _create(self) -> None:
        """Create the file before SQLite does, which would leave the mode to the umask. Touches no existing one."""
        directory = self._path.parent
        if not directory.is_dir():
            raise Rejected(
                "store",
                tr(
                    "the directory {directory} does not exist; create it for the user that runs "
                    "k8snet (an absolute path is written with four slashes: "
                    "sqlite:////var/lib/k8snet/k8snet.db)",
                    directory=directory,
                ),
            )
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        folder = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)  # the new name must survive a power cut as well
        finally:
            os.close(folder)

    def _check_owner(self) -> None:
        database = self._database()
        database.execute("BEGIN")  # to see one moment: another process may be making the tables just now
        try:
            (application,) = database.execute("PRAGMA application_id").fetchone()
            (schema,) = database.execute("PRAGMA user_version").fetchone()
            (tables,) = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        finally:
            if database.in_transaction:
                database.execute("ROLLBACK")
        if application != _APPLICATION_ID and (application or schema or tables):
            raise Rejected("store", tr("{path} belongs to another program; choose another file", path=self._path))
        if schema > _SCHEMA:
            raise Rejected(
                "store",
                tr(
                    "{path} was written by a newer k8snet (schema {schema}, this one knows "
                    "{known}); start that version, or restore the backup made before the upgrade",
                    path=self._path,
                    schema=schema,
                    known=_SCHEMA,
                ),
            )

    def _translated(self, error: sqlite3.Error | OSError, writes: bool) -> BackendError:
        path = self._path
        if isinstance(error, OSError):
            return Rejected(
                "store",
                tr("cannot open {path}: {strerror}; check its owner and mode", path=path, strerror=error.strerror),
            )
        match getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF:  # the low byte is the family
            case sqlite3.SQLITE_FULL:
                return Rejected(
                    "store", tr("nothing was written: the disk of {path} is full; free some space", path=path)
                )
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                return Unreachable("store", tr("another process holds {path} locked; stop it, or try again", path=path))
            case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
                return Rejected(
                    "store",
                    tr("cannot write {path}: {error}; check owner and mode of file and folder", path=path, error=error),
                )
            case sqlite3.SQLITE_NOTADB:
                return Rejected("store", tr("{path} is not a SQLite file; choose another one", path=path))
            case sqlite3.SQLITE_CORRUPT:
                return Rejected(
                    "store", tr("{path} is damaged ({error}); restore it from the backup", path=path, error=error)
                )
            case sqlite3.SQLITE_IOERR if writes:
                # A commit whose fsync failed may come back when the log is recovered after a crash.
                return OutcomeUnknown(
                    "store", tr("the disk of {path} failed while writing ({error}); check it", path=path, error=error)
                )
            case _:
                return Unreachable("store", tr("cannot use {path}: {error}; check its disk", path=path, error=error))
