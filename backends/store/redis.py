"""The store in Redis, for several replicas of the bot.

An append is one script, so the comparison, the server's clock and the write cannot be torn apart. Nothing is ever
sent twice: a repeated append whose first answer got lost would read like another writer's.
"""

import asyncio
import logging
import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self
from urllib.parse import urlsplit

from redis import exceptions
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from backends.store.moments import from_microseconds, stored, to_microseconds
from backends.store.settings import StoreSettings
from bot.engine.ports import Hold, Stored
from bot.model.errors import BackendError, OutcomeUnknown, Rejected, Unreachable
from bot.model.wording import tr

log = logging.getLogger(__name__)

_CONNECTIONS = 8

# A stream is a list: its length is the last number, so numbers cannot have gaps. An element is "<microseconds> <body>".
# After the stream come the leases to hold: KEYS[2] for the owner ARGV[4] and ARGV[5] milliseconds, and so on.
_APPEND = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if redis.call('LLEN', KEYS[1]) ~= tonumber(ARGV[1]) then return false end
if ARGV[2] ~= '' and now > tonumber(ARGV[2]) then return false end
for i = 2, #KEYS do
  local holder = redis.call('GET', KEYS[i])
  if holder and holder ~= ARGV[2 * i] then return false end
end
for i = 2, #KEYS do redis.call('SET', KEYS[i], ARGV[2 * i], 'PX', ARGV[2 * i + 1]) end
local at = string.format('%.0f', now)
redis.call('RPUSH', KEYS[1], at .. ' ' .. ARGV[3])
return at
"""
# A lease that lasts longer than any was ever given is of a clock that was set back since.
_LEASE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
# A sorted set by minute; an element is "<minute> <body>".
_SAMPLE = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], ARGV[1], ARGV[1])
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[1] .. ' ' .. ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[3])
"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class _Unfit(exceptions.RedisError):
    """The server answered, but would not keep what it acknowledges. The text says what to set."""


class RedisStore:
    """`Store`, `SampleStore` and `NoteStore` on one Redis primary, or on Valkey; the store's clock is the server's."""

    def __init__(self, settings: StoreSettings) -> None:
        """Connects nothing yet: use `open`."""
        url = urlsplit(settings.url.get_secret_value())
        self._where = tr("Redis at {hostname}:{port}", hostname=url.hostname, port=url.port or 6379)
        self._prefix = settings.prefix
        self._strict = settings.require == "strict"
        self._timeout_s = settings.timeout_s
        self._waits_for_disk = False
        self._closed = False
        self._warned: frozenset[str] = frozenset()
        options: dict[str, Any] = {}
        if url.scheme == "rediss":
            options["ssl_check_hostname"] = True  # redis-py does so by itself since 6.0 only
            if settings.ca_file is not None:
                options["ssl_ca_certs"] = str(settings.ca_file)
        self._pool = BlockingConnectionPool.from_url(
            settings.url.get_secret_value(),
            max_connections=_CONNECTIONS,
            timeout=settings.timeout_s,
            socket_timeout=settings.timeout_s,
            socket_connect_timeout=settings.timeout_s,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            decode_responses=True,
            encoding_errors="surrogateescape",  # what somebody else wrote there must not break off an answer
            redis_connect_func=self._on_connect,
            **options,
        )

    @classmethod
    async def open(cls, settings: StoreSettings) -> Self:
        """Connect and check the server. Raises Rejected, saying what to set there, or Unreachable."""
        store = cls(settings)
        try:
            await store.now()
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
        limit = "" if not_after is None else to_microseconds(not_after)
        keys = [self._key("stream", stream), *(self._key("lease", hold.name) for hold in holding)]
        owners = [part for hold in holding for part in (hold.owner, _milliseconds(hold.ttl_s))]
        at = await self._ask("EVAL", _APPEND, len(keys), *keys, expected, limit, body, *owners, writes=True)
        return None if at is None else Stored(seq=expected + 1, at=from_microseconds(int(at)), body=body)

    async def read(self, stream: str, after: int = 0) -> Sequence[Stored]:
        rows = await self._ask("LRANGE", self._key("stream", stream), after, -1)
        parts = (row.partition(" ") for row in rows)
        return [stored(seq, at, body) for seq, (at, _, body) in enumerate(parts, after + 1)]

    async def lease(self, name: str, owner: str, ttl_s: float) -> bool:
        return bool(await self._ask("EVAL", _LEASE, 1, self._key("lease", name), owner, _milliseconds(ttl_s)))

    async def release(self, name: str, owner: str) -> None:
        await self._ask("EVAL", _RELEASE, 1, self._key("lease", name), owner)

    async def keep_sample(self, stream: str, minute: int, body: str, oldest: int) -> None:
        await self._ask("EVAL", _SAMPLE, 1, self._key("sample", stream), minute, body, oldest, writes=True)

    async def samples(self, stream: str, since: int) -> Sequence[tuple[int, str]]:
        rows = await self._ask("ZRANGEBYSCORE", self._key("sample", stream), since, "+inf")
        parts = (row.partition(" ") for row in rows)
        return [(int(minute), body) for minute, _, body in parts if minute.isdecimal()]

    async def keep_note(self, topic: str, note: str) -> None:
        await self._ask("SADD", self._key("note", topic), note, writes=True)

    async def drop_note(self, topic: str, note: str) -> None:
        await self._ask("SREM", self._key("note", topic), note)

    async def notes(self, topic: str) -> Sequence[str]:
        return list(await self._ask("SMEMBERS", self._key("note", topic)))

    async def now(self) -> datetime:
        seconds, microseconds = await self._ask("TIME")
        return from_microseconds(int(seconds) * 1_000_000 + int(microseconds))

    async def close(self) -> None:
        """Calling it again is harmless; any other call then raises Unreachable."""
        self._closed = True
        await self._pool.aclose()

    def _key(self, kind: str, name: str) -> str:
        return f"{{{self._prefix}}}:{kind}:{name}"  # braces: one slot for all keys of a cluster

    async def _ask(self, *command: str | int, writes: bool = False) -> Any:
        """Send one command, once. A write that took place is answered only when it is on the server's disk."""
        if self._closed:
            raise Unreachable("store", tr("the connection to {where} is closed", where=self._where))
        sent = False
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
                try:
                    sent = True
                    answer = await _command(connection, *command)
                    if writes and answer is not None and self._waits_for_disk:
                        await self._wait_for_disk(connection)
                    return answer
                except exceptions.ResponseError:
                    await connection.disconnect()  # the next use checks anew what the server is now
                    raise
                finally:
                    await self._pool.release(connection)
        except (exceptions.RedisError, OSError) as error:  # TimeoutError is an OSError
            raise self._translated(error, unknown=sent and writes) from error

    async def _wait_for_disk(self, connection: AbstractConnection) -> None:
        try:
            local, _replicas = await _command(connection, "WAITAOF", 1, 0, math.ceil(self._timeout_s * 500))
        except exceptions.ResponseError as error:
            raise self._not_on_disk() from error
        if local < 1:
            raise self._not_on_disk()

    def _not_on_disk(self) -> OutcomeUnknown:
        return OutcomeUnknown(
            "store", tr("{where} wrote a record but did not confirm it on disk; look at its disk", where=self._where)
        )

    async def _on_connect(self, connection: AbstractConnection) -> None:
        """Check every new connection: after a fail-over the same address may be another server."""
        await connection.on_connect()
        info = dict(line.split(":", 1) for line in str(await _command(connection, "INFO")).splitlines() if ":" in line)
        if info.get("loading") == "1":  # what it says of itself is not true yet: its append-only file counts as off
            raise exceptions.BusyLoadingError
        config = await _configuration(connection)
        # Asks for no copies at all, so it only tells whether the server knows the command and lets us use it.
        can_wait = await _allowed(connection, "WAITAOF", 0, 0, 1)
        always = config.get("appendfsync") == "always" and config.get("no-appendfsync-on-rewrite") == "no"
        self._waits_for_disk = can_wait and not always
        if info.get("role") != "master":
            raise _Unfit(tr("is a replica; give the address of its primary"))
        problems = []
        if info.get("aof_enabled") != "1":
            problems.append(tr("keeps no append-only file: set appendonly yes"))
            self._waits_for_disk = False  # the command is an error without such a file
        if info.get("maxmemory_policy") != "noeviction":
            problems.append(tr("may evict keys when memory is short: set maxmemory-policy noeviction"))
        if not always and not can_wait:
            problems.append(
                tr(
                    "may lose its last second in a crash: set appendfsync always and "
                    "no-appendfsync-on-rewrite no (and let our user run CONFIG GET), or take Redis "
                    "7.2 or newer and let our user run WAITAOF"
                )
            )
        if problems and self._strict:
            raise _Unfit("; ".join(problems))
        for problem in sorted(frozenset(problems) - self._warned):
            log.warning("%s %s", self._where, problem)
        self._warned = frozenset(problems)

    def _translated(self, error: Exception, *, unknown: bool) -> BackendError:
        where = self._where
        match error:
            case _Unfit():
                return Rejected("store", f"{where} {error}")
            case exceptions.AuthenticationError() | exceptions.AuthorizationError():
                return Rejected(
                    "store",
                    tr("{where} refuses user or password ({error}); check the store's URL", where=where, error=error),
                )
            case exceptions.NoPermissionError():
                return Rejected("store", tr("{where} lacks a right for our user: {error}", where=where, error=error))
            case exceptions.OutOfMemoryError():
                return Rejected(
                    "store", tr("nothing was written: {where} is out of memory; raise maxmemory", where=where)
                )
            case (
                exceptions.ReadOnlyError()
                | exceptions.BusyLoadingError()
                | exceptions.ClusterDownError()
                | exceptions.TryAgainError()
            ):
                return Unreachable(
                    "store", tr("nothing was written: {where} is starting or changing roles; try again", where=where)
                )
            case exceptions.ResponseError():
                # The scripts write last, so an error answer means that nothing was written.
                return Rejected("store", tr("nothing was written: {where} answered: {error}", where=where, error=error))
        reason = tr("no answer in time") if isinstance(error, TimeoutError | exceptions.TimeoutError) else str(error)
        if unknown:
            return OutcomeUnknown(
                "store",
                tr("{where} did not confirm a write ({reason}); read before trying again", where=where, reason=reason),
            )
        return Unreachable(
            "store",
            tr("cannot reach {where} ({reason}); check that it runs and the way to it", where=where, reason=reason),
        )


def _milliseconds(seconds: float) -> int:
    return max(1, math.ceil(seconds * 1000))


async def _command(connection: AbstractConnection, *command: str | int) -> Any:
    await connection.send_command(*command, check_health=False)
    return await connection.read_response()


async def _allowed(connection: AbstractConnection, *command: str | int) -> bool:
    try:
        await _command(connection, *command)
    except exceptions.ResponseError:
        return False
    return True


async def _configuration(connection: AbstractConnection) -> dict[str, str]:
    """The settings about the disk; empty when our user may not read them."""
    try:
        pairs = await _command(connection, "CONFIG", "GET", "*append*")
    except exceptions.ResponseError:
        return {}
    return dict(zip(pairs[::2], pairs[1::2], strict=True))
