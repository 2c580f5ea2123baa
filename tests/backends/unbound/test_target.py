"""Forward zones of the real daemon."""

import subprocess
from collections.abc import AsyncIterator
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from bot.engine.targets import Foresight
from bot.model.errors import Rejected
from bot.model.resources import Address, Key
from tests.backends.unbound.targets import KEY, WISH, ZONE, step, target
from tests.unbound_server import BINARY, MISSING, UnboundServer, running_unbound

pytestmark = pytest.mark.skipif(BINARY is None, reason=MISSING)
KEEPER = Path(__file__).parents[3] / "deploy/unbound/k8snet-forwards"


@pytest.fixture
async def server() -> AsyncIterator[UnboundServer]:
    async with running_unbound() as started:
        yield started


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ('  local-zone: "local." static', "local-zone local of type static"),
        ('auth-zone:\n  name: "cluster.local"\n  primary: 127.0.0.1@1', "auth-zone cluster.local"),
        (f'stub-zone:\n  name: "{ZONE}"\n  stub-addr: 10.0.0.2', f"stub zone {ZONE}"),
    ],
)
async def test_a_zone_that_the_server_answers_itself_is_found_while_planning(extra: str, says: str) -> None:
    async with running_unbound(extra) as server:
        [told] = (await target(server).foresee([WISH])).obstacles
        assert says in told


async def test_the_zones_that_every_unbound_comes_with_are_not_in_the_way(server: UnboundServer) -> None:
    other = WISH.model_copy(update={"zone": "qa.svc.k8s.corp.example"})
    assert await target(server).foresee([WISH, other]) == Foresight()


async def test_a_forward_zone_that_loses_names_is_told_of_while_planning() -> None:
    async with running_unbound('forward-zone:\n  name: "cluster.local"\n  forward-addr: 10.1.1.1') as server:
        foresight = await target(server).foresee([WISH])
        assert foresight.obstacles == ()
        [warning] = foresight.warnings
        assert warning.startswith("office-dns: it sends cluster.local to 10.1.1.1 so far")


async def test_a_forwarder_of_the_configuration_file_is_found() -> None:
    async with running_unbound(f'forward-zone:\n  name: "{ZONE}"\n  forward-addr: 10.68.0.10') as server:
        office = target(server)
        assert await office.read([KEY]) == {KEY: WISH}
        assert (await office.apply(step(None, WISH))).kind == "already"


async def test_masters_may_be_of_either_kind(server: UnboundServer) -> None:
    both = WISH.model_copy(update={"masters": (IPv6Address("fd00:10:68::a"), *WISH.masters)})
    office = target(server)
    assert (await office.apply(step(None, both))).kind == "applied"
    held = await office.read([KEY])
    assert held == {KEY: office.normalise(both)}
    assert (await office.apply(step(held[KEY], WISH))).kind == "applied"
    assert await office.read([KEY]) == {KEY: WISH}


@pytest.mark.parametrize("name", ["Default.svc.cluster.local", "local", "a b.local", "x.local +i", "x.local\nstop"])
async def test_a_name_that_is_not_canonical_never_reaches_the_server(server: UnboundServer, name: str) -> None:
    office = target(server, "127.0.0.1:1")  # nobody is there: a request would say so
    with pytest.raises(Rejected):
        await office.read([Key(kind="forwarder", name=name)])
    outcome = await office.apply(step(WISH.model_copy(update={"zone": name}), None))
    assert outcome.kind == "refused"


async def test_only_forwarders_have_a_place_here(server: UnboundServer) -> None:
    office = target(server)
    with pytest.raises(Rejected, match="holds forwarders"):
        office.normalise(Address.model_validate({"name": "x", "network": "10.0.0.0/8"}))
    with pytest.raises(Rejected, match="holds forwarders"):
        await office.read([Key(kind="address", name="x")])


# --- what outlives a restart


async def test_without_the_keeper_a_restart_loses_a_forwarder_and_the_next_read_says_so(server: UnboundServer) -> None:
    office = target(server)
    await office.apply(step(None, WISH))
    server.stop()
    await server.start()
    assert await office.read([KEY]) == {}
    assert (await office.apply(step(None, WISH))).kind == "applied"


def keep(server: UnboundServer) -> None:
    """What systemd does on the DNS server every few seconds and before a stop or reload."""
    environ = {
        "PATH": "/usr/sbin:/usr/bin:/bin",
        "K8SNET_SUFFIX": "svc.cluster.local",
        "K8SNET_FILE": str(server.home / "k8snet.conf"),
        "UNBOUND_CONF": str(server.configuration),
    }
    subprocess.run(["sh", str(KEEPER)], env=environ, check=True, timeout=30)


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[UnboundServer]:
    """A server that includes the keeper's file."""
    file = tmp_path / "k8snet.conf"
    file.touch()
    async with running_unbound(f'include: "{file}"', tmp_path) as server:
        yield server


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
async def test_what_the_keeper_wrote_down_outlives_the_daemon(kept: UnboundServer, kill: bool) -> None:
    office = target(kept)
    await office.apply(step(None, WISH))
    await kept.tell("forward_add", "by.hand.example", "10.0.0.1")
    keep(kept)
    kept.stop(kill=kill)
    await kept.start()
    assert await office.read([KEY]) == {KEY: WISH}
    assert f"{ZONE}." in await kept.tell("list_insecure")
    assert "by.hand" not in "".join(await kept.tell("list_forwards"))


async def test_what_was_removed_does_not_come_back(kept: UnboundServer) -> None:
    office = target(kept)
    await office.apply(step(None, WISH))
    keep(kept)
    assert (await office.apply(step(WISH, None))).kind == "applied"
    keep(kept)
    await kept.tell("reload")
    assert await office.read([KEY]) == {}


async def test_a_reload_keeps_what_was_written_down(kept: UnboundServer) -> None:
    office = target(kept)
    await office.apply(step(None, WISH))
    keep(kept)
    await kept.tell("reload")
    assert await office.read([KEY]) == {KEY: WISH}


async def test_the_keeper_leaves_its_file_alone_while_the_daemon_is_down(kept: UnboundServer) -> None:
    await target(kept).apply(step(None, WISH))
    keep(kept)
    written = (kept.home / "k8snet.conf").read_text()
    kept.stop()
    with pytest.raises(subprocess.CalledProcessError):
        keep(kept)
    assert (kept.home / "k8snet.conf").read_text() == written
