"""SOCKS as the door: raw bytes for the protocol, python-socks and redis-py as the clients people use."""

import asyncio
import ipaddress
import ssl
import struct

import dns.message
import pytest
import redis.asyncio
from python_socks import ProxyError
from python_socks.async_.asyncio import Proxy

from lab.network.simulated_packets import Fate
from lab.network.socks import serving_socks
from tests.lab.network.simulated_office import (
    GATEWAY,
    KUBE_DNS,
    PING,
    PONG,
    REDIS_SERVICE,
    REMOTE,
    REMOTE_POD,
    dns_over_tcp,
    office,
)

QUERY = dns.message.make_query("redis-abc-gns.default.svc.cluster.local.", "A")
GREETING = b"\x05\x01\x00"


@pytest.fixture
async def lab():
    async with office() as built:
        built.article()
        yield built


@pytest.fixture
async def door(lab):
    async with serving_socks(lab.network, "bot") as address:
        yield address


def request(command: int, host: str, port: int) -> bytes:
    return bytes([5, command, 0, 1]) + ipaddress.IPv4Address(host).packed + struct.pack("!H", port)


class Raw:
    """A client that has greeted."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def reply(self) -> tuple[int, str, int]:
        version, code, _, kind = await self.reader.readexactly(4)
        assert (version, kind) == (5, 1)
        host = str(ipaddress.IPv4Address(await self.reader.readexactly(4)))
        return code, host, struct.unpack("!H", await self.reader.readexactly(2))[0]


@pytest.fixture
async def raw(door):
    reader, writer = await asyncio.open_connection(*door)
    writer.write(GREETING)
    assert await reader.readexactly(2) == b"\x05\x00"
    yield Raw(reader, writer)
    writer.transport.abort()


async def test_connect_reaches_the_pod_and_names_the_local_address(raw):
    raw.writer.write(request(1, REDIS_SERVICE, 6379) + PING)
    code, host, _ = await raw.reply()
    assert (code, host) == (0, "172.16.0.50")
    assert await raw.reader.readexactly(len(PONG)) == PONG


async def test_a_refusal_is_reply_5(raw):
    raw.writer.write(request(1, REMOTE_POD, 81))
    assert (await raw.reply())[0] == 5
    assert await raw.reader.read() == b""


async def test_an_unreachable_host_is_reply_4(lab, raw):
    lab.network.kill_node(GATEWAY)
    raw.writer.write(request(1, REDIS_SERVICE, 6379))
    assert (await raw.reply())[0] == 4


async def test_an_unreachable_network_is_reply_3(lab, raw):
    lab.firewall.delete("router/static", 1)
    raw.writer.write(request(1, "192.0.2.77", 80))
    assert (await raw.reply())[0] == 3


async def test_a_silent_drop_is_never_answered(lab, raw):
    lab.firewall.delete("firewall/policy", 100)
    lost = asyncio.create_task(lab.until(lambda trace: trace.journey.fate is Fate.DROPPED))
    raw.writer.write(request(1, REDIS_SERVICE, 6379))
    await lost
    raw.writer.write_eof()  # the client gives up; all that ever came was nothing
    assert await raw.reader.read() == b""


async def test_handshake_only_connects_and_swallows(lab, raw):
    lab.network.node(GATEWAY).proxy_mode = "iptables"
    raw.writer.write(request(1, REMOTE_POD, 6379))
    assert (await raw.reply())[0] == 0
    lost = asyncio.create_task(lab.until(lambda trace: trace.journey.signal == "DATA"))
    raw.writer.write(PING)
    assert (await lost).journey.station == GATEWAY
    raw.writer.write_eof()
    with pytest.raises(ConnectionResetError):
        await raw.reader.readexactly(1)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\x05\x02\x00\x01" + bytes(6), 7),  # BIND
        (b"\x05\x01\x00\x03\x09localhost\x00\x50", 8),  # a name
        (b"\x05\x01\x00\x04" + bytes(18), 8),  # IPv6
    ],
)
async def test_what_is_not_served_is_said(raw, sent, code):
    raw.writer.write(sent)
    assert (await raw.reply())[0] == code


async def test_clients_that_insist_on_a_password_are_turned_away(door):
    reader, writer = await asyncio.open_connection(*door)
    writer.write(b"\x05\x01\x02")
    assert await reader.read() == b"\x05\xff"
    writer.close()


async def test_an_unknown_host_has_no_door(lab):
    with pytest.raises(KeyError, match="pc, bot, dns"):
        serving_socks(lab.network, "printer")


class TestUdp:
    @pytest.fixture
    async def relay(self, raw):
        """A UDP socket, and the relay's address to send to."""
        raw.writer.write(request(3, "0.0.0.0", 0))
        code, host, port = await raw.reply()
        assert code == 0
        received: asyncio.Queue[bytes] = asyncio.Queue()

        class Received(asyncio.DatagramProtocol):
            def datagram_received(self, data, addr):
                received.put_nowait(data)

        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Received, remote_addr=(host, port))
        yield transport, received
        transport.close()

    @staticmethod
    def datagram(host: str, port: int, data: bytes) -> bytes:
        return b"\0\0\0\x01" + ipaddress.IPv4Address(host).packed + struct.pack("!H", port) + data

    async def test_the_answer_comes_from_the_address_that_was_asked(self, lab, relay):
        transport, received = relay
        lab.policy(103, "internal -> Test", "office -> services", "ALL")
        transport.sendto(self.datagram("10.68.0.90", 7007, b"hello"))
        assert await received.get() == self.datagram("10.68.0.90", 7007, b"hello")

    async def test_dns_to_kube_dns(self, lab, relay):
        transport, received = relay
        lab.policy(103, "internal -> Test", "office -> services", "DNS")
        transport.sendto(self.datagram(KUBE_DNS, 53, QUERY.to_wire()))
        answer = dns.message.from_wire((await received.get())[10:])
        assert QUERY.is_response(answer)
        assert answer.answer[0][0].address == REMOTE_POD

    async def test_what_the_policy_stops_is_lost(self, lab, relay):
        transport, received = relay
        lost = asyncio.create_task(lab.until(lambda trace: trace.journey.fate is Fate.DROPPED))
        transport.sendto(self.datagram("10.68.0.90", 7007, b"hello"))
        assert (await lost).journey.station == "firewall"
        assert received.empty()

    async def test_fragments_and_noise_are_ignored(self, lab, relay):
        transport, received = relay
        lab.policy(103, "internal -> Test", "office -> services", "ALL")
        transport.sendto(b"noise")
        transport.sendto(b"\0\0\x01\x01" + self.datagram("10.68.0.90", 7007, b"part")[4:])
        transport.sendto(self.datagram("10.68.0.90", 7007, b"whole"))
        assert (await received.get())[10:] == b"whole"


async def test_python_socks_maps_a_refusal(door):
    with pytest.raises(ProxyError, match="refused"):
        await Proxy.from_url(f"socks5://{door[0]}:{door[1]}").connect(REMOTE_POD, 81)


async def _through(door, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    sock = await Proxy.from_url(f"socks5://{door[0]}:{door[1]}").connect(host, port)
    return await asyncio.open_connection(sock=sock)


async def test_dns_over_tcp_to_kube_dns(door):
    reader, writer = await _through(door, KUBE_DNS, 53)
    writer.write(dns_over_tcp(QUERY.to_wire()))
    (length,) = struct.unpack("!H", await reader.readexactly(2))
    answer = dns.message.from_wire(await reader.readexactly(length))
    assert answer.answer[0][0].address == REMOTE_POD
    writer.close()
    await writer.wait_closed()


async def test_a_server_that_was_attached_answers_at_its_address(lab, door):
    async def greet(_, writer):
        writer.write(b"windows dns")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    lab.network.servers.attach("172.16.2.3", 53, "tcp", server.sockets[0].getsockname())
    reader, writer = await _through(door, "172.16.2.3", 53)
    assert await reader.read() == b"windows dns"
    writer.close()
    lab.network.servers.detach("172.16.2.3", 53, "tcp")
    with pytest.raises(ProxyError, match="refused"):
        await _through(door, "172.16.2.3", 53)
    server.close()
    await server.wait_closed()


async def test_nodes_greet_by_ssh(door):
    reader, writer = await _through(door, "172.16.1.106", 22)
    assert (await reader.readline()).startswith(b"SSH-2.0-")
    writer.close()


async def test_the_kubelet_speaks_tls_and_knows_no_strangers(door):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    sock = await Proxy.from_url(f"socks5://{door[0]}:{door[1]}").connect("172.16.1.106", 10250)
    reader, writer = await asyncio.open_connection(sock=sock, ssl=context, server_hostname="kubelet")
    writer.write(b"GET /pods HTTP/1.1\r\nHost: kubelet\r\nConnection: close\r\n\r\n")
    assert (await reader.readline()).split()[1] == b"401"
    writer.transport.abort()


async def _health(door, path: str = "/healthz") -> int:
    reader, writer = await _through(door, "172.16.1.107", 10256)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n".encode())
    status = int((await reader.readline()).split()[1])
    writer.transport.abort()
    return status


async def test_kube_proxys_health(lab, door):
    assert await _health(door) == 200
    lab.network.node(REMOTE).proxy_rules = False
    assert await _health(door) == 200  # flushed rules go unnoticed
    lab.network.node(REMOTE).proxy_hung = True
    assert (await _health(door), await _health(door, "/livez")) == (503, 503)


async def test_a_node_that_the_autoscaler_removes_is_unhealthy_and_alive(lab, door):
    node = lab.cluster.cluster.nodes()[2]
    taints = [{"key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule"}]
    lab.cluster.cluster.store.put({**node, "spec": {**node["spec"], "taints": taints}})
    assert node["metadata"]["name"] == REMOTE
    assert (await _health(door), await _health(door, "/livez")) == (503, 200)


async def test_a_redis_client_works_in_a_pod_far_away(lab):
    """redis-py has no SOCKS; the bytes it sends take the same way from a host's own port."""

    async def serve(reader, writer):
        attempt = await lab.network.connect("pc", REMOTE_POD, 6379)
        await attempt.connection.run(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with redis.asyncio.Redis(port=port, protocol=2) as client:
        assert await client.ping()
        assert await client.set("key", b"v" * 200_000)
        assert await client.get("key") == b"v" * 200_000
        assert await client.get("none") is None
        assert (await client.info())["lab_pod"] == "redis-abc-gns-222"
        assert await client.delete("key", "none") == 1
        with pytest.raises(redis.ResponseError, match="unknown command"):
            await client.execute_command("FLUSHEVERYTHING")
    server.close()
    await server.wait_closed()


async def test_the_api_server_is_reached_by_its_cluster_ip(lab, door):
    reader, writer = await _through(door, "10.68.0.1", 443)
    await writer.start_tls(lab.cluster.client_tls(), server_hostname="127.0.0.1")
    writer.write(b"GET /readyz HTTP/1.1\r\nHost: kubernetes\r\nConnection: close\r\n\r\n")
    assert (await reader.readline()).split()[1] == b"200"
    writer.transport.abort()


async def test_closing_the_door_ends_what_went_through_it(lab):
    async with serving_socks(lab.network, "pc") as address:
        reader, writer = await _through(address, REMOTE_POD, 6379)
        writer.write(PING)
        assert await reader.readexactly(len(PONG)) == PONG
    assert await reader.read() == b""
    writer.close()
