"""Both ways of Slack to the bot have to pass the same stories."""

import pytest


@pytest.fixture(params=["socket", "http"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)
