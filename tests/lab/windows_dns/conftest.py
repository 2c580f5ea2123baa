from collections.abc import AsyncIterator

import pytest

from tests.lab.windows_dns.clients import Lab, lab


@pytest.fixture
async def dc() -> AsyncIterator[Lab]:
    """A domain controller of the article's office with time standing still."""
    async with lab() as each:
        yield each
