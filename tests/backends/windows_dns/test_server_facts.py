"""What a server tells about itself means for forwarders there, and how long it is believed."""

import pytest

from backends.windows_dns.target import WELL_S
from tests.backends.windows_dns.clock import ManualClock
from tests.backends.windows_dns.simulated import WISH, Office


async def test_a_server_without_a_directory_cannot_keep_forwarders_there(dc: Office) -> None:
    target = dc.target(storage="domain")
    assert (await target.foresee([WISH])).obstacles == ()
    await target.close()
    dc.server.settings.has_directory = False
    alone, file = dc.target(storage="domain"), dc.target(storage="file")
    assert "does not belong to an Active Directory" in "".join((await alone.foresee([WISH])).obstacles)
    assert (await file.foresee([WISH])).obstacles == ()
    await alone.close()
    await file.close()


@pytest.mark.parametrize("secret", ["Get-DnsServerSetting", "Get-DnsServerRecursion"])
async def test_a_part_that_may_not_be_read_prevents_nothing_and_the_other_counts(dc: Office, secret: str) -> None:
    dc.server.settings.has_directory = dc.server.settings.recursion = False
    dc.server.faults.add("error", secret, code=5)
    target = dc.target(storage="domain")
    (said,) = (await target.foresee([WISH])).obstacles
    assert ("recursion is switched off" in said) == (secret == "Get-DnsServerSetting")
    await target.close()


async def test_a_server_that_is_well_is_asked_again_after_a_while_and_one_that_is_not_at_once(dc: Office) -> None:
    now = [0.0]
    target = dc.target(clock=ManualClock(lambda: now[0], dc.server.clock.advance))
    dc.server.settings.recursion = False
    assert "recursion is switched off" in "".join((await target.foresee([WISH])).obstacles)
    dc.server.settings.recursion = True
    assert (await target.foresee([WISH])).obstacles == ()
    dc.server.settings.recursion = False
    now[0] = WELL_S - 1
    assert (await target.foresee([WISH])).obstacles == ()
    now[0] = WELL_S + 1
    assert "recursion is switched off" in "".join((await target.foresee([WISH])).obstacles)
    await target.close()
