"""Open connections while the network changes under them."""

import asyncio

import pytest

from lab.network.simulated_connection import Outcome
from lab.network.simulated_packets import Fate
from tests.lab.network.simulated_office import (
    AMQP,
    GATEWAY,
    GATEWAY_IP,
    LOCAL_POD,
    PING,
    PONG,
    REDIS_SERVICE,
    REMOTE_IP,
    REMOTE_POD,
    REMOTE_SERVICE,
    STANDBY,
    STANDBY_IP,
    office,
    piped,
)


@pytest.fixture
async def lab():
    async with office() as built:
        built.article()
        yield built


async def _open(lab, address):
    attempt = await lab.network.connect("pc", address, 6379)
    assert attempt.connection is not None
    return attempt


async def _ping(streams) -> bytes:
    reader, writer = streams
    writer.write(PING)
    return await reader.readexactly(len(PONG))


def _lost(trace) -> bool:
    return trace.journey.signal == "DATA" and trace.journey.fate is not Fate.ARRIVED


async def test_moving_the_gateway_resets_connections_to_services(lab):
    async with piped((await _open(lab, REDIS_SERVICE)).connection.run) as streams:
        assert await _ping(streams) == PONG
        lab.move_routes(STANDBY_IP)
        with pytest.raises(ConnectionResetError):
            await _ping(streams)
    assert await lab.talk(REDIS_SERVICE, 6379, PING) == PONG


async def test_so_does_moving_it_after_a_crash(lab):
    attempt = await lab.network.connect("pc", REMOTE_SERVICE, 5672)
    async with piped(attempt.connection.run) as (reader, writer):
        writer.write(AMQP)
        assert (await reader.readuntil(b"\xce")).startswith(b"\x01")
        lab.network.kill_node(GATEWAY)
        lost = asyncio.create_task(lab.until(_lost))
        writer.write(b"more")
        await lost
        lab.move_routes(REMOTE_IP)
        with pytest.raises(ConnectionResetError):
            await reader.read()


@pytest.mark.parametrize("pod", [REMOTE_POD, LOCAL_POD])
async def test_connections_to_pods_survive_the_move(lab, pod):
    async with piped((await _open(lab, pod)).connection.run) as streams:
        assert await _ping(streams) == PONG
        lab.move_routes(STANDBY_IP)
        assert await _ping(streams) == PONG


async def test_cni_masquerade_makes_connections_to_pods_die_too(lab):
    for node in (GATEWAY, STANDBY):
        lab.network.node(node).cni_masquerade = True
    async with piped((await _open(lab, REMOTE_POD)).connection.run) as streams:
        assert await _ping(streams) == PONG
        lab.move_routes(STANDBY_IP)
        with pytest.raises(ConnectionResetError):
            await _ping(streams)


async def test_without_loose_tracking_the_moved_connection_hangs(lab):
    lab.network.node(STANDBY).tcp_loose = False
    async with piped((await _open(lab, REDIS_SERVICE)).connection.run) as streams:
        assert await _ping(streams) == PONG
        lab.move_routes(STANDBY_IP)
        lost = asyncio.create_task(lab.until(_lost))
        streams[1].write(PING)
        await lost


async def test_data_waits_for_a_frozen_gateway_and_arrives_once(lab):
    async with piped((await _open(lab, REMOTE_POD)).connection.run) as streams:
        assert await _ping(streams) == PONG
        lab.network.freeze_node(GATEWAY)
        lost = asyncio.create_task(lab.until(_lost))
        streams[1].write(PING)
        await lost
        lab.network.thaw_node(GATEWAY)
        assert await streams[0].readexactly(len(PONG)) == PONG
        assert await _ping(streams) == PONG


async def test_removing_the_policy_stops_an_open_connection_and_its_return_revives_it_not(lab):
    async with piped((await _open(lab, REDIS_SERVICE)).connection.run) as streams:
        assert await _ping(streams) == PONG
        lost = asyncio.create_task(lab.until(_lost))
        lab.firewall.delete("firewall/policy", 100)
        streams[1].write(PING)
        await lost
        lost = asyncio.create_task(lab.until(_lost))
        lab.policy(100, "internal -> Test", "office -> services", "ALL_TCP")
        assert "never saw begin" in (await lost).journey.hops[-1].action


async def test_flushed_rules_do_not_hurt_connections_that_are_open(lab):
    async with piped((await _open(lab, REDIS_SERVICE)).connection.run) as streams:
        assert await _ping(streams) == PONG
        lab.network.node(GATEWAY).proxy_rules = False
        assert await _ping(streams) == PONG
    assert await lab.talk(REDIS_SERVICE, 6379, PING) is Outcome.SILENT


async def test_a_handshake_only_connection_comes_to_life_when_the_rule_goes(lab):
    settings = lab.network.node(GATEWAY)
    settings.proxy_mode = "iptables"
    attempt = await _open(lab, REMOTE_POD)
    assert attempt.outcome is Outcome.HANDSHAKE_ONLY
    async with piped(attempt.connection.run) as streams:
        lost = asyncio.create_task(lab.until(_lost))
        streams[1].write(PING)
        await lost
        settings.tcp_be_liberal = True
        lab.network.poke()
        assert await streams[0].readexactly(len(PONG)) == PONG


async def test_the_end_of_either_side_reaches_the_other(lab):
    async with piped((await _open(lab, REMOTE_POD)).connection.run) as (reader, writer):
        writer.write(b"QUIT\r\n")
        assert await reader.read() == b"+OK\r\n"
    async with piped((await _open(lab, REMOTE_POD)).connection.run) as (reader, writer):
        writer.write(PING)
        writer.write_eof()
        assert await reader.read() == PONG


async def test_a_canary_route_proves_another_gateway_without_moving_anything(lab):
    row = {"seq-num": 20, "dst": "10.68.0.80 255.255.255.255", "gateway": STANDBY_IP, "device": "Test"}
    lab.firewall.create("router/static", row)
    (document,) = lab.cluster.cluster.slices("default", "web-abc")
    remote = [e for e in document["endpoints"] if e["addresses"] == ["172.20.4.31"]]
    lab.cluster.cluster.store.put({**document, "endpoints": remote})
    assert await lab.peer("10.68.0.80", 80) == STANDBY_IP
    lab.network.node(STANDBY).proxy_rules = False
    assert await lab.talk("10.68.0.80", 80, PING) is Outcome.SILENT
    assert await lab.talk(REDIS_SERVICE, 6379, PING) == PONG


async def test_datagrams_of_one_socket_go_on_through_the_new_gateway(lab):
    lab.policy(103, "internal -> Test", "office -> services", "ALL")
    received: asyncio.Queue[bytes] = asyncio.Queue()
    endpoint = lab.network.datagrams("pc", lambda data, _: received.put_nowait(data))
    for number, gateway in enumerate((GATEWAY_IP, STANDBY_IP)):
        lab.move_routes(gateway)
        await endpoint.send("10.68.0.90", 7007, b"%d" % number)
        assert await received.get() == b"%d" % number
    endpoint.close()
