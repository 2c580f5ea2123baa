"""The article's office with its packets in the kernel: every simulator's sockets are in its machine's namespace.

    async with corpus_network() as net, kernel_office(net, folder, state) as place:
        ...                                 # a bot must run in the namespace of `BOT`, see `net.spawn`

One network serves many offices, one after the other: what one has broken is mended when it is closed.
"""

import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

from lab import windows_dns
from lab.cluster import article as cluster_article
from lab.cluster.clock import HandClock
from lab.cluster.serving import running as running_cluster
from lab.configuration import Places
from lab.corpus.kernel_ground import KernelGround
from lab.corpus.kernel_servers import KernelServers
from lab.corpus.office import (
    API_PORT,
    DNS_PORT,
    NO_CHAT,
    WINDOWS_USER,
    Office,
    State,
    configured,
    dns_state,
    environ,
    firewall_state,
)
from lab.fortigate.server import running as running_fortigate
from lab.network.kernel import KernelNetwork, kernel_network
from lab.network.kernel_company import TOPOLOGY, pod_endpoints
from lab.network.kernel_fortigate import KernelDevice, running_command
from lab.network.kernel_layout import FIREWALL, Pod
from lab.topology import BOT, DNS_SERVER

_WSMAN, _HTTPS = 5986, 443
_OFFICE_LEG = str(TOPOLOGY.segment("internal").gateway)
_DNS = str(TOPOLOGY.host(DNS_SERVER).address)
_CONTROL_PLANE = next(node for node in TOPOLOGY.nodes if node.control_plane)


def corpus_network() -> AbstractAsyncContextManager[KernelNetwork]:
    """The article's network with the pods of its cluster. Raises `KernelUnavailable` where none can be built."""
    found = pod_endpoints(cluster_article.objects(TOPOLOGY), TOPOLOGY)
    return kernel_network(TOPOLOGY, [Pod(name, address) for name, (address, _) in found.items()])


@asynccontextmanager
async def kernel_office(net: KernelNetwork, folder: Path, state: State) -> AsyncIterator[Office]:
    """An office on this network, from a state; `folder` must exist and be empty."""
    firewall_token, cluster_token, password = (secrets.token_urlsafe(24) for _ in range(3))
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        bot = f"{TOPOLOGY.host(BOT).address}/32"
        run = running_command(net.sandbox.entering(FIREWALL))
        device = KernelDevice(firewall_state(state, firewall_token, trusthost=[bot]), run=run)
        stack.callback(device.close)
        device.program()
        firewall = await enter(
            running_fortigate(device, _OFFICE_LEG, _HTTPS, opened=await net.listener(FIREWALL, _HTTPS, _OFFICE_LEG))
        )
        clock = HandClock()
        api = await net.listener(_CONTROL_PLANE.name, API_PORT, str(_CONTROL_PLANE.address))
        qa = await enter(
            running_cluster(cluster_article.cluster(cluster_token, clock=clock, topology=TOPOLOGY), listen=api)
        )
        servers = KernelServers(net)
        stack.push_async_callback(servers.close)
        await servers.start(qa.cluster, lambda wire, udp: qa.coredns.respond(wire, udp=udp))
        dns = await enter(_windows(net, state, password, folder / "windows-ca.pem"))
        firewall.write_ca(folder / "fortigate-ca.pem")
        qa.write_kubeconfig(folder / "qa.kubeconfig")
        (folder / "journal.db").write_bytes(state.journal)
        places = Places(
            journal=folder / "journal.db",
            slack_api=NO_CHAT,
            fortigate=firewall.url.removesuffix(f":{_HTTPS}"),
            fortigate_ca=folder / "fortigate-ca.pem",
            windows=dns.wsman_url,
            windows_ca=folder / "windows-ca.pem",
            windows_user=WINDOWS_USER,
            kubeconfig=folder / "qa.kubeconfig",
        )
        ground = KernelGround(net, qa.cluster, servers, dns)
        stack.push_async_callback(ground.mend)
        await ground.settle()
        yield Office(
            folder,
            device,
            firewall,
            dns.server,
            qa.cluster,
            qa,
            ground,
            clock,
            configured(folder, places),
            environ(firewall_token, password),
        )


@asynccontextmanager
async def _windows(
    net: KernelNetwork, state: State, password: str, ca_file: Path
) -> AsyncIterator[windows_dns.Running]:
    """The DNS server on its machine; what it forwards leaves from there."""

    async def opening(kind: socket.SocketKind) -> socket.socket:
        opened = await net.sandbox.socket(DNS_SERVER, kind=kind)
        opened.setblocking(False)
        return opened

    udp = await net.datagram(DNS_SERVER)
    udp.bind((_DNS, DNS_PORT))
    opened = windows_dns.Opened(
        wsman=await net.listener(DNS_SERVER, _WSMAN, _DNS), udp=udp, tcp=await net.listener(DNS_SERVER, DNS_PORT, _DNS)
    )
    clock = windows_dns.RealClock()
    server = windows_dns.Server(
        dns_state(state, password), clock=clock, upstream=windows_dns.SocketUpstream(clock, opening=opening)
    )
    async with windows_dns.running(server, host=_DNS, port=_WSMAN, opened=opened, ca_file=ca_file) as running:
        yield running
