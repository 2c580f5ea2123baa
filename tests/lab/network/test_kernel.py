"""Facts of the article's network, measured with real packets in real namespaces."""

import asyncio
import contextlib
import errno
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.network.kernel import KernelNetwork, kernel_network
from lab.network.kernel_article import (
    ECHO_SERVICE,
    EMPTY_SERVICE,
    KUBE_DNS,
    REDIS_SERVICE,
    article_services,
    article_tables,
    dns_policy,
)
from lab.network.kernel_requirements import missing, search_path
from lab.network.kernel_sandbox import DIRECTORY_PREFIX, SandboxError
from lab.topology import ARTICLE

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(missing() is not None, reason=f"no kernel network here: {missing()}"),
]

REDIS_POD, LOCAL_POD = "172.20.4.222", "172.20.3.21"
GATEWAY, OTHER_NODE = "k8s-qa-node-02", "k8s-qa-node-04"
HOST_RESOLVER = Path("/etc/resolv.conf").read_text() if Path("/etc/resolv.conf").exists() else ""
SILENCE = 1.5
"""Seconds after which an unanswered probe counts as lost; answers come in milliseconds."""
PATIENCE = 15.0
"""Seconds for an answer that must come, also when neighbours have to be found again first."""


@contextlib.asynccontextmanager
async def serving(net: KernelNetwork) -> AsyncIterator[None]:
    """Every pod tells each client, over TCP 6379 and UDP and TCP 53, the address that the pod sees."""

    talking: set[asyncio.Task[None]] = set()

    async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        me = asyncio.current_task()
        assert me is not None
        talking.add(me)
        peer = writer.get_extra_info("peername")[0].encode()
        try:
            while await reader.readline():
                writer.write(peer + b"\n")
        except (ConnectionError, asyncio.CancelledError):
            pass  # the client is gone, or the test is over and the client's farewell was lost on the way
        finally:
            writer.transport.abort()

    servers = [
        await asyncio.start_server(tell, sock=await net.listener(pod, port)) for pod in net.pods for port in (6379, 53)
    ]
    transports = []
    for pod in net.pods:
        bound = await net.datagram(pod)
        bound.bind(("0.0.0.0", 53))
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(_Teller, sock=bound)
        transports.append(transport)
    try:
        yield
    finally:
        for server in servers:
            server.close()
        for transport in transports:
            transport.close()
        for task in talking:
            task.cancel()
        await asyncio.gather(*talking)
        await asyncio.sleep(0)


class _Teller(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(addr[0].encode(), addr)


async def tcp(net: KernelNetwork, host: str, address: str, port: int = 6379, within: float = SILENCE) -> str:
    """What became of a connection with data on it: the peer the server saw, or the kind of failure."""
    try:
        async with asyncio.timeout(within):
            reader, writer = await net.connect(host, address, port)
    except TimeoutError:
        return "no connection"
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    try:
        return await exchange(reader, writer)
    finally:
        writer.transport.abort()


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    writer.write(b"who\n")
    try:
        async with asyncio.timeout(SILENCE):
            return (await reader.readline()).decode().strip() or "closed"
    except TimeoutError:
        return "no data"
    except OSError as error:
        return errno.errorcode[error.errno or 0]


async def udp(net: KernelNetwork, host: str, address: str, port: int = 53) -> str:
    with await net.datagram(host) as probe:
        probe.connect((address, port))
        return await answered(probe) or "no data"


async def answered(probe: socket.socket) -> str:
    """The answer to one datagram; empty when there is none."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(SILENCE):
            await loop.sock_sendall(probe, b"who")
            return (await loop.sock_recv(probe, 100)).decode()
    except TimeoutError:
        return ""
    except OSError as error:
        return errno.errorcode[error.errno or 0]


@pytest.fixture
async def net() -> AsyncIterator[KernelNetwork]:
    """The article's network, programmed as the article does it, with something to talk to in every pod."""
    async with kernel_network() as network:
        await network.program_services(*article_services())
        await network.program_firewall(article_tables())
        async with serving(network):
            yield network


async def test_building_takes_less_than_two_seconds_and_leaves_nothing() -> None:
    started = time.monotonic()
    async with kernel_network() as network:
        assert time.monotonic() - started < 2
        sleeper = await network.spawn("pc", ["sleep", "1000"])
        supervisor = network.sandbox.process_id
        directory = network.sandbox.directory
    assert sleeper.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(supervisor, 0)
    assert not directory.exists()


async def test_everything_is_gone_when_the_program_that_built_it_is_killed(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from lab.network.kernel import kernel_network\n"
        "async def main():\n"
        "    async with kernel_network() as net:\n"
        "        await net.spawn('pc', ['sleep', '1000'])\n"
        "        print(net.sandbox.process_id, flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    victim = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=subprocess.PIPE, env=environment
    )
    assert victim.stdout is not None
    supervisor = int(await victim.stdout.readline())
    with os.fdopen(os.pidfd_open(supervisor)) as ended:
        victim.kill()
        await victim.wait()
        gone = asyncio.Event()
        asyncio.get_running_loop().add_reader(ended.fileno(), gone.set)
        async with asyncio.timeout(10):
            await gone.wait()
        asyncio.get_running_loop().remove_reader(ended.fileno())
    assert [name for name in os.listdir(tmp_path) if name.startswith(DIRECTORY_PREFIX)] == []


async def test_no_way_out_of_the_machine(net: KernelNetwork) -> None:
    for host in ("pc", "firewall", GATEWAY, "coredns-0"):
        listed = await net.run(host, ["ip", "-o", "link"], check=True)
        own = {line.split(": ")[1].split("@")[0] for line in listed.stdout.splitlines()}
        assert own <= {"lo", "eth0", "cni0", "internal", "Test", "dmz", "p-redis-qa-0"}
    assert await tcp(net, "pc", "192.0.2.1", 80) == "ENETUNREACH"


async def test_nodes_know_the_routes_of_the_article(net: KernelNetwork) -> None:
    shown = (await net.run(GATEWAY, ["ip", "route"], check=True)).stdout
    for line in (
        "default via 172.16.1.254 dev eth0",
        "172.20.0.0/24 via 172.16.1.100 dev eth0",
        "172.20.2.0/24 via 172.16.1.110 dev eth0",
        "172.20.3.0/24 dev cni0 proto kernel scope link src 172.20.3.1",
        "172.20.4.0/24 via 172.16.1.107 dev eth0",
    ):
        assert line in shown


async def test_with_the_policies_of_the_article_people_connect_but_names_do_not_resolve(
    net: KernelNetwork,
) -> None:
    answers = await asyncio.gather(
        tcp(net, "pc", REDIS_POD),
        tcp(net, "pc", REDIS_SERVICE),
        tcp(net, "pc", ECHO_SERVICE),
        tcp(net, "pc", KUBE_DNS, 53),
        udp(net, "pc", KUBE_DNS),
        tcp(net, "dns", KUBE_DNS, 53),
        udp(net, "dns", KUBE_DNS),
    )
    assert answers == [
        "172.16.0.10",
        "172.16.1.106",
        "172.20.3.1",
        "172.16.1.106",
        "no data",
        "no connection",
        "no data",
    ]


async def test_the_policy_for_the_dns_server_opens_both_transports(net: KernelNetwork) -> None:
    tables = article_tables()
    tables["firewall/policy"].append(dns_policy())
    await net.program_firewall(tables)
    assert await asyncio.gather(tcp(net, "dns", KUBE_DNS, 53), udp(net, "dns", KUBE_DNS)) == [
        "172.16.1.106",
        "172.16.1.106",
    ]


async def test_refusals_by_service_state(net: KernelNetwork) -> None:
    assert await tcp(net, "pc", EMPTY_SERVICE) == "ECONNREFUSED"
    assert await tcp(net, "pc", REDIS_POD, 9999) == "ECONNREFUSED"


async def test_without_masquerade_only_endpoints_on_the_gateway_answer(net: KernelNetwork) -> None:
    await net.change_nodes(masquerade=False)
    assert await asyncio.gather(tcp(net, "pc", REDIS_SERVICE), tcp(net, "pc", ECHO_SERVICE)) == [
        "no connection",
        "172.16.0.10",
    ]


async def test_dropping_invalid_packets_leaves_only_the_handshake(net: KernelNetwork) -> None:
    await net.change_nodes(invalid_drop=True)
    assert await asyncio.gather(
        tcp(net, "pc", REDIS_POD), tcp(net, "pc", LOCAL_POD), tcp(net, "pc", REDIS_SERVICE)
    ) == ["no data", "172.16.0.10", "172.16.1.106"]
    await net.change_nodes(cni_masquerade=True)
    assert await asyncio.gather(tcp(net, "pc", REDIS_POD), tcp(net, "pc", LOCAL_POD)) == [
        "172.16.1.106",
        "172.16.0.10",
    ]


async def test_a_forward_chain_that_drops_spares_only_services(net: KernelNetwork) -> None:
    await net.change_node(GATEWAY, forward="drop")
    assert await asyncio.gather(tcp(net, "pc", REDIS_SERVICE), tcp(net, "pc", REDIS_POD)) == [
        "172.16.1.106",
        "no connection",
    ]


async def test_a_gateway_that_does_not_forward_still_answers_itself(net: KernelNetwork) -> None:
    await net.ip_forward(GATEWAY, False)
    tables = article_tables()
    tables["firewall/policy"].append(dict(tables["firewall/policy"][0], policyid=103, dstaddr=[{"name": "all"}]))
    await net.program_firewall(tables)
    assert await asyncio.gather(
        tcp(net, "pc", REDIS_SERVICE), tcp(net, "pc", REDIS_POD), tcp(net, "pc", "172.16.1.106", 22)
    ) == ["no connection", "no connection", "ECONNREFUSED"]


async def test_without_kube_proxy_rules_services_are_dead_and_pods_alive(net: KernelNetwork) -> None:
    await net.change_node(GATEWAY, running=False)
    answers = await asyncio.gather(tcp(net, "pc", REDIS_SERVICE), tcp(net, "pc", REDIS_POD))
    assert answers[0] in ("no connection", "EHOSTUNREACH")
    assert answers[1] == "172.16.0.10"


async def test_moving_the_gateway_resets_service_flows_and_spares_pod_flows(net: KernelNetwork) -> None:
    to_service = await net.connect("pc", REDIS_SERVICE, 6379)
    to_pod = await net.connect("pc", REDIS_POD, 6379)
    assert await exchange(*to_service) == "172.16.1.106"
    assert await exchange(*to_pod) == "172.16.0.10"
    tables = article_tables()
    for route in tables["router/static"]:
        route["gateway"] = "172.16.1.108"
    await net.program_firewall(tables)
    assert await exchange(*to_service) == "ECONNRESET"
    assert await exchange(*to_pod) == "172.16.0.10"
    assert await tcp(net, "pc", REDIS_SERVICE) == "172.16.1.108"
    to_service[1].transport.abort()
    to_pod[1].transport.abort()


async def test_a_dead_gateway_takes_everything_with_it_until_the_routes_move(net: KernelNetwork) -> None:
    await net.kill_node(GATEWAY)
    answers = await asyncio.gather(tcp(net, "pc", REDIS_SERVICE), tcp(net, "pc", REDIS_POD))
    assert answers == ["no connection", "no connection"]
    tables = article_tables()
    for route in tables["router/static"]:
        route["gateway"] = str(ARTICLE.node(OTHER_NODE).address)
    await net.program_firewall(tables)
    assert await tcp(net, "pc", REDIS_SERVICE, within=PATIENCE) == "172.16.1.108"
    await net.restore(GATEWAY)
    await net.program_firewall(article_tables())
    assert await tcp(net, "pc", REDIS_SERVICE, within=PATIENCE) == "172.16.1.106"


async def test_a_frozen_node_answers_nothing_and_thaws(net: KernelNetwork) -> None:
    await net.freeze(GATEWAY)
    assert await tcp(net, "pc", REDIS_SERVICE) == "no connection"
    await net.restore(GATEWAY)
    assert await tcp(net, "pc", REDIS_SERVICE, within=PATIENCE) == "172.16.1.106"


async def test_a_node_that_loses_everything_loses_everything(net: KernelNetwork) -> None:
    await net.change_node(GATEWAY, loss=1.0)
    assert await tcp(net, "pc", REDIS_SERVICE) == "no connection"


@pytest.mark.skipif(shutil.which("conntrack", path=search_path()) is None, reason="conntrack is not installed")
async def test_udp_flows_leave_an_endpoint_that_is_gone(net: KernelNetwork) -> None:
    tables = article_tables()
    tables["firewall/policy"].append(dns_policy())
    await net.program_firewall(tables)
    services, slices = article_services()
    slices[-1]["endpoints"] = slices[-1]["endpoints"][:1]
    await net.program_services(services, slices)
    with await net.datagram("dns") as probe:
        probe.connect((KUBE_DNS, 53))
        assert await answered(probe)
        await net.remove_pod("coredns-0")
        assert not await answered(probe)
        slices[-1]["endpoints"] = [{"addresses": ["172.20.6.10"], "conditions": {"ready": True}}]
        await net.program_services(services, slices)
        assert await answered(probe)


async def test_pods_come_and_go(net: KernelNetwork) -> None:
    await net.remove_pod("redis-abc-gns-0")
    assert await tcp(net, "pc", REDIS_POD) in ("no connection", "EHOSTUNREACH")
    assert "redis-abc-gns-0" not in net.pods


async def test_programs_see_the_resolver_of_their_host(net: KernelNetwork) -> None:
    shown = await net.run("pc", ["cat", "/etc/resolv.conf"], check=True)
    assert "nameserver 172.16.2.3" in shown.stdout
    assert "172.16.2.3" not in HOST_RESOLVER


async def test_a_program_that_is_not_there_is_an_error_and_not_a_process(net: KernelNetwork) -> None:
    with pytest.raises(SandboxError, match="no-such-program"):
        await net.spawn("pc", ["no-such-program"])


async def test_a_program_that_takes_too_long_is_killed(net: KernelNetwork) -> None:
    with pytest.raises(TimeoutError, match="sleep 1000"):
        await net.run("pc", ["sleep", "1000"], timeout=0.05)
    assert net.sandbox.processes == {}
