"""What tests of several folders ask for by name."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.redis_server import BINARY, DURABLE, MISSING, RedisServer, running_redis

# A machine may be slow for a moment: that is nothing that a property says.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A real Redis that keeps what it is told; its users keep apart by prefixes of their own."""
    if BINARY is None:
        pytest.skip(MISSING)
    with running_redis(*DURABLE) as server:
        yield server
