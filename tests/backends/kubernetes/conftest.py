"""The article's cluster, served."""

from collections.abc import AsyncIterator

import pytest

from lab.cluster.article import cluster
from lab.cluster.clock import HandClock
from lab.cluster.serving import Running
from tests.backends.kubernetes.reading import TOKEN, serving


@pytest.fixture
async def served() -> AsyncIterator[Running]:
    async with serving(cluster(TOKEN, clock=HandClock())) as served:
        yield served
