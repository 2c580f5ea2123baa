"""Probes from another host: through the SOCKS doors of the simulated office, and through proxies that are none."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import IPv4Address

import dns.message
import dns.rrset
import pytest

from backends.probes.prober import NetworkProber
from backends.probes.settings import ProbeSettings
from bot.model.errors import BackendError, Rejected, Unreachable
from bot.model.probes import DnsTransport
from lab.network.socks import serving_socks
from tests.backends.probes.servers import LOOPBACK, Handle, closed_port, closing, saying, serving
from tests.lab.network.simulated_office import GATEWAY, Office, office

LONG, SHORT = 30.0, 0.5
KUBE_DNS, REDIS, POD = IPv4Address("10.68.0.2"), IPv4Address("10.68.0.50"), IPv4Address("172.20.4.222")
NODE = IPv4Address("172.16.1.107")
NAME = "redis-abc-gns.default.svc.cluster.local"


def through(port: int) -> NetworkProber:
    return NetworkProber(ProbeSettings(vantage=f"socks5://127.0.0.1:{port}", greeting_s=10))


@pytest.fixture
async def lab() -> AsyncIterator[Office]:
    async with office() as built:
        built.article()
        yield built


@pytest.fixture
async def prober(lab: Office) -> AsyncIterator[NetworkProber]:
    async with serving_socks(lab.network, "bot") as (_, port):
        yield through(port)


@pytest.mark.parametrize(
    ("address", "port", "speak", "says"),
    [
        (REDIS, 6379, "redis", "+PONG"),
        (POD, 6379, "redis", "+PONG"),
        (NODE, 22, "", "SSH-2.0-"),
        (NODE, 10256, "healthz", "HTTP/1.1 200 OK"),
        (NODE, 10250, "kubelet", "TLSv1.3"),
        (IPv4Address("10.68.1.20"), 5672, "amqp", "AMQP 0-9-1 Connection.Start"),
        (KUBE_DNS, 53, "dns", "DNS "),
    ],
)
async def test_the_office_is_reached_with_data(
    prober: NetworkProber, address: IPv4Address, port: int, speak: str, says: str
) -> None:
    answer = await prober.connect(address, port, "TCP", speak, LONG)
    assert answer.outcome == "data"
    assert answer.peer_says.startswith(says)


async def test_kube_dns_answers_over_tcp_and_with_a_policy_over_udp(lab: Office, prober: NetworkProber) -> None:
    """The article opens TCP only: a question over UDP is dropped without a word."""
    over_tcp = await prober.dns(KUBE_DNS, NAME, "tcp", LONG)
    assert (over_tcp.outcome, over_tcp.addresses) == ("answer", (POD,))
    assert (await prober.dns(KUBE_DNS, NAME, "udp", SHORT)).outcome == "timeout"
    lab.policy(103, "internal -> Test", "office -> services", "DNS")
    over_udp = await prober.dns(KUBE_DNS, NAME, "udp", LONG)
    assert (over_udp.outcome, over_udp.addresses) == ("answer", (POD,))
    assert (await prober.connect(KUBE_DNS, 53, "UDP", "dns", LONG)).outcome == "data"


@pytest.mark.parametrize("transport", ["tcp"])
async def test_whose_negative_answer_it_is_can_be_seen(prober: NetworkProber, transport: DnsTransport) -> None:
    answer = await prober.dns(KUBE_DNS, "nothing.default.svc.cluster.local", transport, LONG)
    assert (answer.outcome, answer.soa_owner) == ("nxdomain", "cluster.local")


async def test_a_closed_port_refuses(prober: NetworkProber) -> None:
    assert (await prober.connect(POD, 81, "TCP", "http", LONG)).outcome == "refused"


async def test_a_dead_gateway_is_host_unreachable(lab: Office, prober: NetworkProber) -> None:
    lab.network.kill_node(GATEWAY)
    assert (await prober.connect(REDIS, 6379, "TCP", "redis", LONG)).outcome == "host-unreachable"


async def test_a_missing_route_is_net_unreachable(lab: Office, prober: NetworkProber) -> None:
    lab.firewall.delete("router/static", 1)
    answer = await prober.connect(IPv4Address("192.0.2.77"), 80, "TCP", "http", LONG)
    assert answer.outcome == "net-unreachable"


async def test_what_a_policy_drops_is_a_timeout(lab: Office, prober: NetworkProber) -> None:
    lab.firewall.delete("firewall/policy", 100)
    assert (await prober.connect(REDIS, 6379, "TCP", "redis", SHORT)).outcome == "timeout"


@pytest.mark.parametrize("speak", ["redis", "byte", ""])
async def test_a_handshake_without_data_is_never_called_data(lab: Office, speak: str) -> None:
    """The conntrack trap of kube-proxy in iptables mode. That the proxy acknowledges our bytes must not count."""
    lab.network.node(GATEWAY).proxy_mode = "iptables"
    async with serving_socks(lab.network, "bot") as (_, port):
        prober = NetworkProber(ProbeSettings(vantage=f"socks5://127.0.0.1:{port}", greeting_s=SHORT))
        answer = await prober.connect(POD, 6379, "TCP", speak, SHORT)
    assert answer.outcome == "handshake-only"


@pytest.mark.parametrize(
    ("proxy", "kind", "says"),
    [
        (closing, Unreachable, "cannot be used"),
        (saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Rejected, "no SOCKS5 proxy that serves without a password"),
        (saying(b"\x05\xff"), Rejected, "no SOCKS5 proxy that serves without a password"),
        (saying(b"\x05\x00\x05\x02\x00\x01" + bytes(6)), Rejected, "its rules forbid it"),
        (saying(b"\x05\x00\x05\x01\x00\x01" + bytes(6)), Rejected, "it answered with code 1"),
    ],
)
async def test_a_fault_of_the_proxy_is_not_blamed_on_the_destination(
    proxy: Handle, kind: type[BackendError], says: str
) -> None:
    async with serving(proxy) as port:
        with pytest.raises(kind, match=says):
            await through(port).connect(REDIS, 6379, "TCP", "redis", LONG)


@pytest.mark.parametrize("name", [b"", b"a..b", b"a\0b", b"\xff\xfe"])
async def test_a_relay_without_a_usable_name_is_a_fault_of_the_proxy(name: bytes) -> None:
    bound = b"\x05\x00\x05\x00\x00\x03" + bytes([len(name)]) + name + b"\x00\x35"
    async with serving(saying(bound)) as port:
        with pytest.raises(Unreachable, match="its relay has no usable name"):
            await through(port).dns(KUBE_DNS, NAME, "udp", SHORT)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_proxy_that_is_not_there_is_named(transport: DnsTransport) -> None:
    port = closed_port()
    with pytest.raises(Unreachable, match=f"the SOCKS5 proxy 127.0.0.1:{port} cannot be used"):
        await through(port).dns(LOOPBACK, NAME, transport, LONG)


class CarelessRelay(asyncio.DatagramProtocol):
    """Passes on what came from elsewhere before the answer that was asked for."""

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        header, query = data[:10], dns.message.from_wire(data[10:])
        elsewhere = header[:4] + IPv4Address("203.0.113.9").packed + header[8:]
        for source, address in ((elsewhere, "203.0.113.66"), (header, str(POD))):
            response = dns.message.make_response(query)
            response.answer = [dns.rrset.from_text(f"{NAME}.", 30, "IN", "A", address)]
            self.transport.sendto(source + response.to_wire(), addr)


async def test_a_datagram_from_another_address_is_no_answer() -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(CarelessRelay, local_addr=("127.0.0.1", 0))
    relay = transport.get_extra_info("sockname")[1].to_bytes(2, "big")
    async with serving(saying(b"\x05\x00\x05\x00\x00\x01" + bytes(4) + relay)) as port:
        answer = await through(port).dns(KUBE_DNS, NAME, "udp", LONG)
    transport.close()
    assert answer.addresses == (POD,)
