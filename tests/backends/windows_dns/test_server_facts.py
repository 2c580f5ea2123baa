"""What a server tells about itself, and how long that is believed."""

from backends.windows_dns.mapping import ServerFacts
from backends.windows_dns.target import WELL_S
from tests.backends.windows_dns.clock import ManualClock
from tests.backends.windows_dns.simulated import WISH, Office


async def test_the_server_tells_what_it_is(dc: Office) -> None:
    dc.server.settings.forwarders = ["9.9.9.9"]
    target = dc.target()
    facts = await target.server_facts()
    assert isinstance(facts, ServerFacts)
    assert facts.computer == "DC1"
    assert facts.version == "10.0.20348"
    assert facts.directory is True
    assert facts.addresses == ("127.0.0.1", "::1")
    assert facts.unreadable == ()
    assert facts.forwarders == ("9.9.9.9",)
    assert (facts.max_ttl_s, facts.max_negative_ttl_s) == (86400, 900)
    assert (facts.recursion, facts.recursion_timeout_s, facts.root_hints) == (True, 8, True)
    await target.close()


async def test_facts_that_may_not_be_read_are_named(dc: Office) -> None:
    for account in dc.server.accounts:
        account.dns = "none"
    target = dc.target()
    facts = await target.server_facts()
    assert facts.max_ttl_s is None
    assert "cache: WIN32 5,Get-DnsServerCache" in facts.unreadable
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
