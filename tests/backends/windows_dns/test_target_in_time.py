"""One writer, one server, in time."""

import asyncio

import pytest

from bot.model.errors import Rejected
from tests.backends.windows_dns.clock import ManualClock
from tests.backends.windows_dns.simulated import KEY, WISH, Office, step


async def test_concurrent_wishes_are_written_one_after_the_other(dc: Office) -> None:
    target = dc.target()
    outcomes = await asyncio.gather(*(target.apply(step(None, WISH)) for _ in range(4)))
    assert sorted(outcome.kind for outcome in outcomes) == ["already", "already", "already", "applied"]
    await target.close()


async def test_a_wish_whose_time_is_up_is_not_sent(dc: Office) -> None:
    target = dc.target()
    outcome = await target.apply(step(None, WISH), lambda: False)
    assert outcome.kind == "refused"
    assert "time was up" in outcome.detail
    assert not any(call.cmdlet.startswith("Get-") for call in dc.server.calls)
    await target.close()


@pytest.mark.parametrize(("heard_s", "asks_again"), [(5.0, False), (5.1, True)])
async def test_a_write_counts_its_limit_from_what_the_servers_clock_must_show_at_least(
    dc: Office, heard_s: float, asks_again: bool
) -> None:
    """It has gone on by more than that and the limit: an old answer can only make the server refuse."""
    ours = [0.0]
    target = dc.target(clock=ManualClock(lambda: ours[0], dc.server.clock.advance))
    await target.read([KEY])
    ours[0] += heard_s
    await dc.server.clock.advance(heard_s + dc.settings("basic over http").write_limit_s + 1)
    outcome = await target.apply(step(None, WISH))
    assert outcome.kind == ("applied" if asks_again else "refused")
    assert ("too late" in outcome.detail) is not asks_again
    await target.close()


async def test_a_short_limit_is_not_used_up_by_the_age_of_an_answer(dc: Office) -> None:
    target = dc.target(write_limit_s=2)
    await target.read([KEY])
    await dc.server.clock.advance(4)
    assert (await target.apply(step(None, WISH))).kind == "applied"
    await target.close()


async def test_a_name_that_leads_to_two_servers_is_noticed(dc: Office) -> None:
    target = dc.target()
    await target.read([KEY])
    dc.server.settings.hostname = "DC2"
    with pytest.raises(Rejected, match="was 'DC1' before and is 'DC2' now"):
        await target.read([KEY])
    with pytest.raises(Rejected, match="let `endpoint` name one server"):
        await target.apply(step(None, WISH))
    assert dc.zone() is None
    await target.close()
