"""Where forwarders are kept, and where they may point: partitions of Active Directory, masters of either kind."""

from ipaddress import IPv6Address

import pytest

from lab.windows_dns import Directory, RealClock
from tests.backends.windows_dns.jea import JEA, install
from tests.backends.windows_dns.simulated import KEY, OTHER, WISH, Login, Office, office, step

PARTITION = "dns.corp.example"
WAYS: tuple[tuple[Login, dict[str, str]], ...] = (("basic over https", {}), ("ntlm over https", JEA))


def prepared(dc: Office, way: dict[str, str]) -> Office:
    if way:
        install(dc)
    return dc


@pytest.mark.parametrize(("login", "way"), WAYS)
async def test_a_forwarder_in_a_partition_of_ones_own(login: Login, way: dict[str, str]) -> None:
    async with office(partitions=[PARTITION]) as dc:
        door = prepared(dc, way).target(login, storage="custom", directory_partition=PARTITION, **way)
        assert (await door.apply(step(None, WISH))).kind == "applied"
        held = dc.zone()
        assert held is not None
        assert (held.scope, held.partition, held.ds_integrated) == ("Custom", PARTITION, True)
        assert (await door.apply(step(WISH, OTHER))).kind == "applied"
        assert (await door.read([KEY]))[KEY] == door.normalise(OTHER)
        assert (await door.apply(step(OTHER, None))).kind == "applied"
        await door.close()


@pytest.mark.parametrize(("login", "way"), WAYS)
async def test_a_partition_that_the_server_does_not_hold(login: Login, way: dict[str, str]) -> None:
    async with office(partitions=["another.corp.example"]) as dc:
        door = prepared(dc, way).target(login, storage="custom", directory_partition=PARTITION, **way)
        outcome = await door.apply(step(None, WISH))
        assert outcome.kind == "refused"
        assert "partition of that replication scope does not exist" in outcome.detail
        assert dc.zone() is None
        await door.close()


async def test_a_partition_reaches_the_servers_that_are_enlisted() -> None:
    directory = Directory(RealClock())
    async with (
        office(directory, "DC1", partitions=[PARTITION]) as one,
        office(directory, "DC2", partitions=[PARTITION]) as two,
        office(directory, "DC3") as three,
    ):
        door = one.target(storage="custom", directory_partition=PARTITION)
        await door.apply(step(None, WISH))
        await door.close()
        assert (two.zone() is None, three.zone() is None) == (False, True)


@pytest.mark.parametrize(("login", "way"), WAYS)
async def test_masters_of_either_kind(login: Login, way: dict[str, str]) -> None:
    both = WISH.model_copy(update={"masters": (IPv6Address("fd00:10:68::a"), *WISH.masters)})
    async with office() as dc:
        door = prepared(dc, way).target(login, **way)
        assert (await door.apply(step(None, both))).kind == "applied"
        assert (await door.read([KEY]))[KEY] == door.normalise(both)
        assert (await door.apply(step(both, WISH))).kind == "applied"
        assert (await door.apply(step(WISH, both))).kind == "applied"
        assert (await door.apply(step(both, None))).kind == "applied"
        await door.close()
