"""What the log tells of a login: how many requests it took, and no password."""

import base64
import logging
import re

import pytest

from backends.windows_dns.target import WindowsDns
from bot.model.errors import Rejected
from tests.backends.windows_dns.clock import DEADLINE_S
from tests.backends.windows_dns.simulated import KEY


async def requests_of_one_call(door: WindowsDns, caplog: pytest.LogCaptureFixture) -> int:
    """How many requests it takes to log in, run one program and leave."""
    caplog.clear()
    with caplog.at_level(logging.DEBUG, "urllib3.connectionpool"):
        await door._shell.run("cmd.exe", [], {}, timeout_s=DEADLINE_S, writes=False)
    await door.close()
    return sum('"POST /wsman' in record.getMessage() for record in caplog.records)


async def assert_nothing_tells(password: str, door: WindowsDns, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the log at its most talkative nor an error nor what either has in base64 holds the password."""
    caplog.set_level(logging.DEBUG)
    said = ""
    try:
        await door.read([KEY])
    except Rejected as refused:
        said = repr(refused) + str(refused.__cause__)
    await door.close()
    said += caplog.text
    blobs = [each for each in re.findall(r"[A-Za-z0-9+/]{40,}={0,2}", said) if len(each) % 4 == 0]
    readable = said.encode() + b"".join(base64.b64decode(each) for each in blobs)
    assert "step input" not in said  # the tokens themselves
    for form in ("utf-8", "utf-16-le"):
        assert password.encode(form) not in readable
