"""What listens in the pods and on the nodes of a kernel network: the lab's servers on sockets in the namespaces."""

import asyncio
import ssl
from contextlib import AsyncExitStack
from functools import partial

import trustme
from aiohttp import web

from lab.cluster.dns_server import Respond, serving_dns_sockets
from lab.cluster.listener import Handle, serving_http, serving_streams
from lab.cluster.model import SLICES, Cluster
from lab.network.kernel import KernelNetwork
from lab.network.kernel_echo import Datagrams, serve_http
from lab.network.workloads import KUBELET, PROXY_HEALTH, greet_amqp, kubelet
from lab.network.workloads_redis import RedisServer
from lab.topology import Node


class KernelServers:
    """Servers by the address and port they listen at, each of which can be closed and replaced."""

    def __init__(self, net: KernelNetwork) -> None:
        self.net = net
        self.hung: set[str] = set()
        """Nodes whose kube-proxy says that it no longer synchronises."""
        self._pods = {str(pod.address): name for name, pod in net.pods.items()}
        self._open: dict[tuple[str, int], AsyncExitStack] = {}
        self._kubelet_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("kubelet.lab").configure_cert(self._kubelet_tls)

    async def start(self, cluster: Cluster, respond: Respond) -> None:
        """Serve what the cluster's EndpointSlices name; `respond` is CoreDNS' answer."""
        for document in cluster.store.objects(SLICES):
            for endpoint in document.get("endpoints") or ():
                for address in (one for one in endpoint["addresses"] if one in self._pods):
                    for port in document.get("ports") or ():
                        await self._serve(address, port["port"], str(port.get("appProtocol") or ""), respond)
        for node in self.net.topology.nodes:
            await self._serve_node(node)

    async def close(self) -> None:
        for address, port in list(self._open):
            await self.stop(address, port)

    async def stop(self, address: str, port: int) -> None:
        """Close a server and its connections; nothing happens where there is none."""
        if (stack := self._open.pop((address, port), None)) is not None:
            await stack.aclose()

    async def replace(self, address: str, port: int, talk: Handle | None) -> None:
        """Let another TCP server, or none, listen where one does."""
        await self.stop(address, port)
        if talk is not None:
            await self._streams(address, port, talk)

    async def stop_all(self, port: int) -> None:
        """Close every server on this port."""
        for address, number in list(self._open):
            if number == port:
                await self.stop(address, number)

    def _stack(self, address: str, port: int) -> AsyncExitStack:
        return self._open.setdefault((address, port), AsyncExitStack())

    async def _streams(self, address: str, port: int, talk: Handle) -> None:
        listener = await self.net.listener(self._pods[address], port, address)
        await self._stack(address, port).enter_async_context(serving_streams(talk, listener))

    async def _serve(self, address: str, port: int, application: str, respond: Respond) -> None:
        if (address, port) in self._open:  # kube-dns names one port for each transport
            return
        name = self._pods[address]
        match application:
            case "domain":
                tcp, udp = await self.net.listener(name, port, address), await self.net.datagram(name)
                udp.bind((address, port))
                await self._stack(address, port).enter_async_context(serving_dns_sockets(respond, udp, tcp))
            case "echo":
                udp = await self.net.datagram(name)
                udp.bind((address, port))
                transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                    lambda: Datagrams(name), sock=udp
                )
                self._stack(address, port).callback(transport.close)
            case "redis":
                await self._streams(address, port, RedisServer(name).serve)
            case "amqp":
                await self._streams(address, port, greet_amqp)
            case "http":
                await self._streams(address, port, partial(serve_http, name))

    async def _serve_node(self, node: Node) -> None:
        address = str(node.address)
        for port, application, tls in (
            (KUBELET, kubelet, self._kubelet_tls),
            (PROXY_HEALTH, partial(self._proxy_health, node.name), None),
        ):
            listener = await self.net.listener(node.name, port, address)
            await self._stack(address, port).enter_async_context(serving_http(application, listener, tls))

    def _proxy_health(self, node: str) -> web.Application:
        async def health(_request: web.Request) -> web.Response:
            return web.json_response({"lastUpdated": "", "currentTime": ""}, status=503 if node in self.hung else 200)

        application = web.Application()
        application.add_routes([web.get("/livez", health), web.get("/healthz", health)])
        return application
