"""Several DNS servers in one office: one is written to, each is asked."""

from collections.abc import AsyncIterator

import dns.asyncquery
import dns.message
import dns.rcode
import pytest

from lab.windows_dns import Directory, RealClock
from tests.backends.windows_dns.simulated import KEY, WISH, ZONE, Office, office, step

REPLICATION_S = 240


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Office, Office]]:
    directory = Directory(RealClock(), delay=REPLICATION_S)
    async with office(directory, "DC1") as one, office(directory, "DC2") as two:
        yield one, two


async def test_a_forwarder_in_the_directory_reaches_the_other_server_later(pair: tuple[Office, Office]) -> None:
    one, two = pair
    writer, reader = one.target(storage="domain"), two.target(storage="domain")
    await writer.apply(step(None, WISH))
    assert await writer.read([KEY]) == {KEY: WISH}
    assert await reader.read([KEY]) == {}
    await one.server.clock.advance(REPLICATION_S)
    assert await reader.read([KEY]) == {KEY: WISH}
    await writer.apply(step(WISH, None))
    await one.server.clock.advance(REPLICATION_S)
    assert await reader.read([KEY]) == {}
    for target in (writer, reader):
        await target.close()


async def test_a_forwarder_in_a_file_stays_on_its_server(pair: tuple[Office, Office]) -> None:
    one, two = pair
    writer, reader = one.target(), two.target()
    await writer.apply(step(None, WISH))
    await one.server.clock.advance(REPLICATION_S)
    assert await reader.read([KEY]) == {}
    assert (await reader.apply(step(None, WISH))).kind == "applied"
    for target in (writer, reader):
        await target.close()


async def test_what_arrived_by_replication_is_not_written_again(pair: tuple[Office, Office]) -> None:
    one, two = pair
    writer, other = one.target(storage="domain"), two.target(storage="domain")
    await writer.apply(step(None, WISH))
    await one.server.clock.advance(REPLICATION_S)
    assert (await other.apply(step(None, WISH))).kind == "already"
    for target in (writer, other):
        await target.close()


async def test_a_name_that_was_asked_for_too_early_resolves_right_after_the_change() -> None:
    """The server remembers for minutes that a name does not exist, unless the write clears its cache."""
    async with office() as dc:

        async def rcode() -> dns.rcode.Rcode:
            query = dns.message.make_query(f"web.{ZONE}.", "A")
            answer = await dns.asyncquery.udp(query, dc.http.dns_host, port=dc.http.dns_port, timeout=30)
            return answer.rcode()

        assert await rcode() == dns.rcode.NXDOMAIN
        assert len(dc.server.cache.view()) > 0
        target = dc.target()
        await target.apply(step(None, WISH))
        assert list(dc.server.cache.view()) == []
        await target.close()
