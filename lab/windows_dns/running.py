"""A server on real sockets: WS-Management over https or http, DNS over UDP and TCP, and the control door."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from aiohttp import web

from lab.cutting import cut, transports

from .control import Control
from .listener import DnsListener
from .server import Server
from .wsman.endpoint import Endpoint

_MAX_BODY = 2 << 20


@dataclass(frozen=True)
class Running:
    """`ca_file` is the PEM of the authority that signed the certificate; None over plain http."""

    server: Server
    wsman_url: str
    control_url: str
    dns_host: str
    dns_port: int
    ca_file: Path | None
    listener: DnsListener

    async def stop_dns(self) -> None:
        """Nobody listens on the DNS port from now on; WS-Management goes on."""
        await self.listener.stop()


@dataclass(frozen=True)
class Opened:
    """Sockets that are bound already, for instance in a network namespace; they are closed with the server."""

    wsman: socket.socket
    udp: socket.socket
    tcp: socket.socket


@asynccontextmanager
async def running(
    server: Server,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    dns_host: str | None = None,
    dns_port: int = 0,
    tls: bool = True,
    ca_file: Path | None = None,
    opened: Opened | None = None,
) -> AsyncIterator[Running]:
    """Serve until the block ends. Port 0 takes a free one. The authority goes to `ca_file` or a temporary file.

    `opened` takes the place of the ports; `host` must then be the address that its sockets are bound to.
    """
    async with AsyncExitStack() as stack:
        context, bindings = None, None
        if tls:
            if ca_file is None:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="lab-ca-"))
                ca_file = Path(folder) / "ca.pem"
            context, bindings = _certificate(server, host, ca_file)
        address = dns_host or host
        listener = DnsListener(server.respond, server.settings.edns_payload)
        if opened is None:
            await listener.start(address, dns_port)
        else:
            await listener.start_on(opened.udp, opened.tcp)
        stack.push_async_callback(listener.stop)
        runner = await _http(stack, Endpoint(server, bindings), server)
        if opened is None:
            await web.TCPSite(runner, host, port, ssl_context=context).start()
        else:
            await web.SockSite(runner, opened.wsman, ssl_context=context).start()
        bound = int(runner.addresses[0][1])
        literal = f"[{host}]" if ":" in host else host
        base = f"{'https' if tls else 'http'}://{literal}:{bound}"
        yield Running(
            server, f"{base}/wsman", f"{base}/lab", address, listener.port, ca_file if tls else None, listener
        )


async def _http(stack: AsyncExitStack, endpoint: Endpoint, server: Server) -> web.AppRunner:
    control = Control(server, endpoint)
    app = web.Application(client_max_size=_MAX_BODY)
    app.router.add_route("*", "/lab/{name:.*}", control.handle)
    app.router.add_route("*", "/{path:.*}", endpoint.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1, handler_cancellation=True)
    await runner.setup()
    stack.push_async_callback(_stop, runner)
    # Shells go first, so that no handler is left waiting for output when the sockets close.
    stack.push_async_callback(endpoint.close)
    return runner


async def _stop(runner: web.AppRunner) -> None:
    """Close the listener and every connection; a TLS peer that has gone away is not waited for."""
    connections = transports(runner)
    await runner.cleanup()
    cut(connections)
    # Sockets close one turn of the loop after that.
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def _certificate(server: Server, host: str, ca_file: Path) -> tuple[ssl.SSLContext, bytes]:
    """The listener's TLS, and the name of its channel (RFC 5929, tls-server-end-point). It asks for a client
    certificate when there are authorities that could have signed one, and lets nobody in whose certificate they did
    not sign, or whose time is over."""
    authority = trustme.CA()
    names = {host, "localhost", "127.0.0.1", server.settings.hostname, server.fqdn}
    certificate = authority.issue_cert(*sorted(name for name in names if _usable(name)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    authority.cert_pem.write_to_path(str(ca_file))
    if server.settings.client_authorities:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata="".join(server.settings.client_authorities))
    shown = ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())
    return context, b"tls-server-end-point:" + hashlib.sha256(shown).digest()  # trustme signs with SHA-256


def _usable(name: str) -> bool:
    try:
        return not ipaddress.ip_address(name).is_unspecified
    except ValueError:
        return bool(name)
