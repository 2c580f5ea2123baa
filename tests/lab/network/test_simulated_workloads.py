"""The small servers in the pods, byte by byte."""

import asyncio

import pytest

from lab.cluster.listener import serving_streams
from lab.network.workloads_redis import RedisServer
from tests.lab.network.simulated_office import AMQP, REMOTE_POD, REMOTE_SERVICE, office


@pytest.fixture
async def redis():
    async with serving_streams(RedisServer("pod-1").serve) as address:
        reader, writer = await asyncio.open_connection(*address)
        yield reader, writer
        writer.transport.abort()


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"PING\r\n", b"+PONG\r\n"),
        (b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"),
        (b"*2\r\n$4\r\nping\r\n$5\r\nhello\r\n", b"$5\r\nhello\r\n"),
        (b"ECHO hi\r\n", b"$2\r\nhi\r\n"),
        (b"GET nothing\r\n", b"$-1\r\n"),
        (b"SET a 1\r\nGET a\r\n", b"+OK\r\n$1\r\n1\r\n"),
        (b"GET\r\n", b"-ERR wrong number of arguments for 'get' command\r\n"),
        (b"NOPE x\r\n", b"-ERR unknown command 'NOPE', with args beginning with: 'x'\r\n"),
        (b"SET a 1 EX 5\r\n", b"-ERR syntax error\r\n"),
        (b"COMMAND DOCS\r\n", b"*0\r\n"),
        (b"\r\nPING\r\n", b"+PONG\r\n"),
    ],
)
async def test_redis_answers(redis, sent, expected):
    reader, writer = redis
    writer.write(sent)
    assert await reader.readexactly(len(expected)) == expected


@pytest.mark.parametrize(
    ("sent", "complaint"),
    [
        (b"*1\r\n+PING\r\n", b"-ERR Protocol error: expected '$', got '+'\r\n"),
        (b"*x\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
        (b"*1\r\n$99999999999\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
    ],
)
async def test_redis_hangs_up_on_those_who_do_not_speak_its_language(redis, sent, complaint):
    reader, writer = redis
    writer.write(sent)
    assert await reader.read() == complaint


async def test_each_pod_has_keys_of_its_own():
    async with office() as lab:
        lab.article()
        assert await lab.talk(REMOTE_POD, 6379, b"SET a 1\r\n") == b"+OK\r\n"
        assert await lab.talk(REMOTE_POD, 6379, b"GET a\r\n") == b"$1\r\n1\r\n"
        assert await lab.talk("172.20.3.23", 6379, b"GET a\r\n") == b"$-1\r\n"


async def test_amqp_starts_a_connection():
    async with office() as lab:
        lab.article()
        frame = await lab.talk(REMOTE_SERVICE, 5672, AMQP)
        assert isinstance(frame, bytes)
        kind, channel, size = frame[0], frame[1:3], int.from_bytes(frame[3:7])
        assert (kind, channel, len(frame)) == (1, b"\0\0", size + 8)
        assert frame[7:13] == b"\x00\x0a\x00\x0a\x00\x09"  # Connection.Start of 0-9-1
        assert frame[-1:] == b"\xce"


async def test_amqp_tells_which_version_it_speaks():
    async with office() as lab:
        lab.article()
        assert await lab.talk(REMOTE_SERVICE, 5672, b"AMQP\x01\x01\x00\x0a") == AMQP
