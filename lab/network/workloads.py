"""What runs in the pods and on the nodes of the simulated network: small real servers on loopback.

The server of a pod is found by the ``appProtocol`` of its EndpointSlice port (IANA service names): ``redis``, ``http``,
``amqp``, ``echo`` (UDP), ``domain`` (the DNS server given). Servers start when they are first called.
"""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import trustme
from aiohttp import web

from lab.cluster.listener import ANY, Address, Serving, serving_http, serving_streams
from lab.cluster.model import NODES, SLICES, stamp
from lab.fortigate.packets import TCP, UDP
from lab.network.simulated import SimulatedNetwork
from lab.network.simulated_servers import Socket
from lab.network.workloads_redis import RedisServer
from lab.topology import Node

SSH, KUBELET, PROXY_HEALTH = 22, 10250, 10256
"""Ports on which every node listens."""

_AMQP_HEADER = b"AMQP\0\0\x09\x01"
_AMQP_START = (
    struct.pack("!HHBB", 10, 10, 0, 9)  # Connection.Start, version 0-9
    + struct.pack("!I", 0)  # no server properties
    + struct.pack("!I", 14) + b"PLAIN AMQPLAIN"
    + struct.pack("!I", 5) + b"en_US"
)  # fmt: skip


@asynccontextmanager
async def running_workloads(network: SimulatedNetwork, dns: Address | None = None) -> AsyncIterator[None]:
    """Run the pods and the nodes' own listeners of a network while the context lasts.

    `dns` is the real address of the server behind the CoreDNS pods.
    """
    workloads = _Workloads(network, dns)
    network.servers.find_with(workloads.find)
    try:
        yield
    finally:
        await workloads.close()


class _Workloads:
    def __init__(self, network: SimulatedNetwork, dns: Address | None) -> None:
        self._network = network
        self._dns = dns
        self._stack = AsyncExitStack()
        self._started: dict[Socket, asyncio.Task[Address]] = {}
        authority = trustme.CA(organization_name="k8snet lab kubelets")
        self._kubelet_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("kubelet.lab").configure_cert(self._kubelet_tls)

    async def close(self) -> None:
        await asyncio.gather(*self._started.values(), return_exceptions=True)
        await self._stack.aclose()

    async def find(self, socket: Socket) -> Address | None:
        """The server behind a socket, started when it is first asked for; None: nobody listens there."""
        address, protocol, port = socket
        node = self._network.topology.at(address)
        if isinstance(node, Node):
            serve = self._node_server(node, port) if protocol == TCP else None
        else:
            pod, application = self._pod_port(socket)
            if application == "domain":
                return self._dns
            serve = self._pod_server(application, pod)
        if serve is None:
            return None
        if socket not in self._started:
            self._started[socket] = asyncio.create_task(self._stack.enter_async_context(serve()))
        return await asyncio.shield(self._started[socket])

    def _pod_port(self, socket: Socket) -> tuple[str, str]:
        """Name of the pod and ``appProtocol`` of the port; empty when no EndpointSlice names them."""
        address, protocol, port = socket
        transport = "UDP" if protocol == UDP else "TCP"
        for document in self._network.cluster.store.objects(SLICES):
            for endpoint in document.get("endpoints") or []:
                if str(address) not in endpoint["addresses"]:
                    continue
                for listed in document.get("ports") or []:
                    if listed.get("port") == port and (listed.get("protocol") or "TCP") == transport:
                        name = (endpoint.get("targetRef") or {}).get("name", str(address))
                        return str(name), str(listed.get("appProtocol") or "")
        return "", ""

    def _pod_server(self, application: str, pod: str) -> Callable[[], Serving] | None:
        servers: dict[str, Callable[[], Serving]] = {
            "redis": lambda: serving_streams(RedisServer(pod).serve),
            "http": lambda: serving_http(lambda: self._echo(pod), ANY),
            "amqp": lambda: serving_streams(greet_amqp),
            "echo": _serving_udp_echo,
        }
        return servers.get(application)

    def _node_server(self, node: Node, port: int) -> Callable[[], Serving] | None:
        servers: dict[int, Callable[[], Serving]] = {
            SSH: lambda: serving_streams(greet_ssh),
            KUBELET: lambda: serving_http(kubelet, ANY, self._kubelet_tls),
            PROXY_HEALTH: lambda: serving_http(lambda: self._proxy_health(node), ANY),
        }
        return servers.get(port)

    def _echo(self, pod: str) -> web.Application:
        """Tells who asked, as the pod sees it."""

        async def answer(request: web.Request) -> web.Response:
            peer = request.transport.get_extra_info("peername")[:2] if request.transport else ("", 0)
            caller = self._network.servers.caller("tcp", peer)
            return web.json_response(
                {
                    "pod": pod,
                    "node": caller.node if caller else "",
                    "peer": str(caller.packet.source) if caller else peer[0],
                    "method": request.method,
                    "path": request.path,
                }
            )

        application = web.Application()
        application.router.add_route("*", "/{path:.*}", answer)
        return application

    def _proxy_health(self, node: Node) -> web.Application:
        """kube-proxy's health endpoint: whether it synchronises, and (``/healthz``) whether the node is to stay."""
        settings = self._network.node(node.name)

        async def live(_request: web.Request) -> web.Response:
            return self._health(alive=not settings.proxy_hung)

        async def healthy(_request: web.Request) -> web.Response:
            return self._health(alive=not settings.proxy_hung and not self._leaving(node))

        application = web.Application()
        application.add_routes([web.get("/livez", live), web.get("/healthz", healthy)])
        return application

    def _health(self, *, alive: bool) -> web.Response:
        now = stamp(self._network.cluster.clock.now())
        return web.json_response({"lastUpdated": now, "currentTime": now}, status=200 if alive else 503)

    def _leaving(self, node: Node) -> bool:
        document = self._network.cluster.store.get(NODES, "", node.name)
        if document is None or document["metadata"].get("deletionTimestamp"):
            return True
        taints = document.get("spec", {}).get("taints") or []
        return any(taint["key"] == "ToBeDeletedByClusterAutoscaler" for taint in taints)


def kubelet() -> web.Application:
    """Answers as a kubelet answers a stranger."""

    async def refuse(_request: web.Request) -> web.Response:
        return web.Response(status=401, text="Unauthorized")

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", refuse)
    return application


async def greet_ssh(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An SSH server's first words, and nothing more."""
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    await reader.readline()


async def greet_amqp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer a protocol header with Connection.Start, or with the header that is understood."""
    if await reader.readexactly(len(_AMQP_HEADER)) != _AMQP_HEADER:
        writer.write(_AMQP_HEADER)
        return
    writer.write(struct.pack("!BHI", 1, 0, len(_AMQP_START)) + _AMQP_START + b"\xce")
    await reader.read()


class _Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._transport.sendto(data, addr)


@asynccontextmanager
async def _serving_udp_echo() -> AsyncIterator[Address]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(_Echo, local_addr=ANY)
    host, port = transport.get_extra_info("sockname")[:2]
    try:
        yield host, port
    finally:
        transport.close()
