"""What tests of several folders ask for by name."""

from collections.abc import Iterator

import pytest

from tests.redis_server import BINARY, DURABLE, MISSING, RedisServer, running_redis


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A real Redis that keeps what it is told; its users keep apart by prefixes of their own."""
    if BINARY is None:
        pytest.skip(MISSING)
    with running_redis(*DURABLE) as server:
        yield server
