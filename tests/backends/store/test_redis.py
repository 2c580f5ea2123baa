"""What is special about a server: what it must promise, and what a lost connection means."""

import asyncio
import logging
import os
import signal
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr
from redis.asyncio import Redis

from backends.store import StoreSettings, open_store
from backends.store.redis import RedisStore
from bot.engine.journal import STREAM, Journal
from bot.engine.ports import Store
from bot.model.errors import BrokenJournal, OutcomeUnknown, Rejected, Unreachable
from tests.redis_server import BINARY, DURABLE, MISSING, RedisServer, running_redis

pytestmark = pytest.mark.skipif(BINARY is None, reason=MISSING)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running_redis(*DURABLE) as running:
        yield running


@asynccontextmanager
async def opened(url: str, **settings: object) -> AsyncIterator[Store]:
    store = await open_store(StoreSettings.model_validate({"url": SecretStr(url), "timeout_s": 10, **settings}))
    try:
        yield store
    finally:
        await store.close()


async def ask(server: RedisServer, command: str) -> str:
    """An administrator's command, as typed; the answer as text."""
    client = Redis.from_url(server.url(), protocol=2)
    try:
        return str(await client.execute_command(*command.split())).upper()
    finally:
        await client.aclose()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--appendonly", "no", "--maxmemory-policy", "noeviction"), "set appendonly yes"),
        ((*DURABLE, "--maxmemory-policy", "allkeys-lru"), "set maxmemory-policy noeviction"),
    ],
)
async def test_a_server_that_may_forget_is_refused_or_warned_about(
    options: tuple[str, ...], says: str, caplog: pytest.LogCaptureFixture
) -> None:
    with running_redis(*options) as forgetful:
        with pytest.raises(Rejected, match=says):
            async with opened(forgetful.url()):
                pass
        with caplog.at_level(logging.WARNING):
            async with opened(forgetful.url(), require="warn") as store:
                assert await store.append("op", 0, "x") is not None
        assert says in caplog.text


async def test_a_server_that_acknowledges_before_the_disk_is_refused_unless_it_can_be_waited_for() -> None:
    with running_redis(*DURABLE, "--appendfsync", "everysec") as lazy:
        if "WAITAOF" in await ask(lazy, "ACL CAT blocking"):
            async with opened(lazy.url()) as store:
                assert await store.append("op", 0, "x") is not None
        else:
            with pytest.raises(Rejected, match="set appendfsync always"):
                async with opened(lazy.url()):
                    pass


async def test_a_replica_is_refused_even_when_warnings_would_do(server: RedisServer) -> None:
    with (
        running_redis(*DURABLE, "--replicaof", f"127.0.0.1 {server.port}") as replica,
        pytest.raises(Rejected, match="give the address of its primary"),
    ):
        async with opened(replica.url(), require="warn"):
            pass


async def test_requirements_are_checked_again_on_every_new_connection() -> None:
    with running_redis(*DURABLE) as changing:
        async with opened(changing.url()) as store:
            assert await store.append("op", 0, "x") is not None
            await ask(changing, "CONFIG SET maxmemory-policy allkeys-lru")
            await ask(changing, "CLIENT KILL TYPE normal")
            with pytest.raises((Unreachable, Rejected)):
                await store.read("op")  # finds out that the old connection is gone, at the latest
            with pytest.raises(Rejected, match="noeviction"):
                await store.append("op", 1, "y")


@pytest.mark.parametrize("written", [b"garbage", b"x {}", b"12 \xff\xfe", b"9" * 30 + b" {}", b""])
async def test_what_somebody_else_wrote_into_the_log_is_a_broken_journal(server: RedisServer, written: bytes) -> None:
    prefix = f"broken-{written[:3].hex()}"
    client = Redis.from_url(server.url(), protocol=2)
    await client.rpush(f"{{{prefix}}}:stream:{STREAM}", written)
    await client.aclose()
    async with opened(server.url(), prefix=prefix) as store:
        with pytest.raises(BrokenJournal, match="Record 1 of the journal cannot be read"):
            await Journal(store).world()


async def test_a_sample_that_somebody_else_wrote_is_left_out(server: RedisServer) -> None:
    client = Redis.from_url(server.url(), protocol=2)
    await client.zadd("{foreign}:sample:signals", {b"garbage": 1, b"\xff": 1, b"2 {}": 2})
    await client.aclose()
    async with opened(server.url(), prefix="foreign") as store:
        assert isinstance(store, RedisStore)
        assert await store.samples("signals", 0) == [(2, "{}")]


async def test_a_wrong_password_is_rejected_and_no_text_shows_any() -> None:
    with running_redis(*DURABLE, "--requirepass", "correct-horse") as guarded:
        async with opened(guarded.url("correct-horse")) as store:
            assert await store.append("op", 0, "x") is not None
            assert "correct-horse" not in repr(store.__dict__)
        with pytest.raises(Rejected, match="refuses user or password") as refused:
            async with opened(guarded.url("battery-staple")):
                pass
        assert "battery-staple" not in str(refused.value)
        with pytest.raises(Rejected, match="refuses user or password"):
            async with opened(guarded.url()):
                pass


async def test_a_user_without_the_rights_gets_told_which() -> None:
    with running_redis(*DURABLE) as limited:
        await ask(limited, "ACL SETUSER bot on >pw ~{k8snet}:* +info +time +config|get")
        async with opened(f"redis://bot:pw@127.0.0.1:{limited.port}/0") as store:
            with pytest.raises(Rejected, match=r"lacks a right .*eval"):
                await store.append("op", 0, "x")


async def test_a_full_memory_refuses_and_writes_nothing() -> None:
    with running_redis(*DURABLE) as small:
        async with opened(small.url()) as store:
            assert await store.append("op", 0, "x") is not None
            await ask(small, "CONFIG SET maxmemory 1mb")
            with pytest.raises(Rejected, match="raise maxmemory"):
                await store.append("op", 1, "y" * 2_000_000)
            assert [record.body for record in await store.read("op")] == ["x"]


async def test_what_was_acknowledged_survives_the_server_being_killed(tmp_path: Path) -> None:
    with running_redis(*DURABLE, directory=tmp_path) as first:
        async with opened(first.url()) as store:
            for number in range(20):
                assert await store.append("op", number, str(number)) is not None
            os.kill(first.process_id, signal.SIGKILL)
    with running_redis(*DURABLE, directory=tmp_path) as second:
        async with opened(second.url()) as store:
            assert [record.body for record in await store.read("op")] == [str(number) for number in range(20)]


async def test_a_server_that_still_reads_its_data_is_one_to_wait_for(tmp_path: Path) -> None:
    with running_redis(*DURABLE, directory=tmp_path) as first:
        async with Redis.from_url(first.url()) as client:
            await client.eval("for n = 1, 20000 do redis.call('SET', n, n) end", 0)
    slowly = ("--key-load-delay", "500")  # ten seconds; it looks up from its reading every thousand commands
    with running_redis(*DURABLE, *slowly, directory=tmp_path, loaded=False) as second:
        with pytest.raises(Unreachable, match="is starting or changing roles"):
            async with opened(second.url()):
                pass
        os.kill(second.process_id, signal.SIGKILL)


@dataclass
class Relay:
    """A wire to the server that can be cut: before anything passes, or only for what the server answers."""

    server: RedisServer
    port: int = 0
    cut: bool = False
    swallow_answers: bool = False
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.cut:
            writer.close()
            return
        upstream, upward = await asyncio.open_connection("127.0.0.1", self.server.port)
        self.writers += [writer, upward]
        await asyncio.gather(self.pump(reader, upward), self.pump(upstream, writer, answers=True))

    async def pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, answers: bool = False) -> None:
        try:
            while chunk := await source.read(65536):
                if answers and self.swallow_answers:
                    break
                sink.write(chunk)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()

    def hang_up(self) -> None:
        for writer in self.writers:
            writer.close()


@pytest.fixture
async def relay(server: RedisServer) -> AsyncIterator[Relay]:
    relay = Relay(server)
    listener = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.port = listener.sockets[0].getsockname()[1]
    yield relay
    listener.close()
    relay.hang_up()
    await asyncio.sleep(0)


async def test_an_append_whose_answer_got_lost_is_unknown_until_it_is_read(relay: Relay) -> None:
    async with opened(f"redis://127.0.0.1:{relay.port}", prefix="lost") as store:
        relay.swallow_answers = True
        with pytest.raises(OutcomeUnknown, match="read before trying again"):
            await store.append("op", 0, "landed")
        relay.swallow_answers = False
        assert [record.body for record in await store.read("op")] == ["landed"]
        assert await store.append("op", 0, "again") is None


async def test_a_server_out_of_reach_is_unreachable_and_found_again(relay: Relay) -> None:
    async with opened(f"redis://127.0.0.1:{relay.port}", prefix="cut") as store:
        relay.cut = True
        relay.hang_up()
        with pytest.raises(Unreachable):
            await store.read("op")
        with pytest.raises(Unreachable):
            await store.append("op", 0, "never sent")
        relay.cut = False
        assert await store.read("op") == []
        assert await store.append("op", 0, "sent") is not None


async def test_a_read_whose_answer_got_lost_is_unreachable(relay: Relay) -> None:
    async with opened(f"redis://127.0.0.1:{relay.port}", prefix="read") as store:
        relay.swallow_answers = True
        with pytest.raises(Unreachable):
            await store.read("op")


async def test_nobody_listening_is_unreachable() -> None:
    listener = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    listener.close()
    await listener.wait_closed()
    with pytest.raises(Unreachable, match=f"cannot reach Redis at 127.0.0.1:{port}"):
        async with opened(f"redis://127.0.0.1:{port}"):
            pass


async def test_a_silent_server_is_given_up_in_time() -> None:
    held: list[asyncio.StreamWriter] = []
    listener = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    with pytest.raises(Unreachable, match="no answer in time"):
        async with opened(f"redis://127.0.0.1:{port}", timeout_s=0.2):
            pass
    listener.close()
    for writer in held:
        writer.close()


async def test_rediss_trusts_the_authority_it_was_given_and_no_other(server: RedisServer, tmp_path: Path) -> None:
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    relay = Relay(server)
    listener = await asyncio.start_server(relay.serve, "127.0.0.1", 0, ssl=tls)
    url = f"rediss://127.0.0.1:{listener.sockets[0].getsockname()[1]}/0"
    async with opened(url, ca_file=trusted, prefix="tls") as store:
        assert await store.append("op", 0, "x") is not None
    with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
        async with opened(url, prefix="tls"):
            pass
    listener.close()
    await listener.wait_closed()


async def test_rediss_trusts_a_certificate_for_the_host_it_asks_and_for_no_other(
    server: RedisServer, tmp_path: Path
) -> None:
    """The oldest release of the library that is allowed does not look at the name by itself."""
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("another.example").configure_cert(tls)
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    listener = await asyncio.start_server(Relay(server).serve, "127.0.0.1", 0, ssl=tls)
    with pytest.raises(Unreachable, match="not valid for"):
        async with opened(f"rediss://127.0.0.1:{listener.sockets[0].getsockname()[1]}/0", ca_file=trusted):
            pass
    listener.close()
    await listener.wait_closed()
