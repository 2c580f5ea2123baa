"""A cluster on real sockets: HTTPS for the API, UDP and TCP for DNS, plain HTTP for control."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import trustme

from lab.cluster.access import Account
from lab.cluster.api import api
from lab.cluster.control import control
from lab.cluster.coredns import CoreDNS
from lab.cluster.dns_server import serving_dns
from lab.cluster.kubeconfig import kubeconfig, write_kubeconfig
from lab.cluster.listener import ANY, Address, Listener, Place, Serving, address_of, serving_http
from lab.cluster.model import Cluster
from lab.cluster.resources import Json


class Running:
    """The listeners of one cluster: `api`, `dns` and `control` can be stopped and started one by one."""

    def __init__(
        self, cluster: Cluster, api_listen: Place, dns_listen: Address, control_listen: Address, names: list[str]
    ) -> None:
        self.cluster = cluster
        self.coredns = CoreDNS(cluster)
        authority = trustme.CA(organization_name="k8snet lab")
        self.ca_pem = authority.cert_pem.bytes()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names).configure_cert(self._tls)
        self.api = Listener(self._serve_api, api_listen)
        self.dns = Listener(self._serve_dns, dns_listen)
        self.control = Listener(lambda place: serving_http(lambda: control(self), place), control_listen)

    @property
    def url(self) -> str:
        """Where the API answers: ``https://127.0.0.1:<port>``."""
        return f"https://{_text(self.api.address)}"

    @property
    def control_url(self) -> str:
        return f"http://{_text(self.control.address)}/lab"

    def client_tls(self) -> ssl.SSLContext:
        """A client's TLS context that trusts this simulator and nobody else."""
        return ssl.create_default_context(cadata=self.ca_pem.decode())

    def kubeconfig(self, account: Account | None = None, server: str = "") -> Json:
        """A kubeconfig for an account (default: the first) and a server other than `url` if given.

        `ValueError` when the cluster has no account at all.
        """
        if account is None and not self.cluster.accounts:
            raise ValueError("the state has no tokens, so there is nobody to write a kubeconfig for")
        return kubeconfig(server or self.url, self.ca_pem, (account or self.cluster.accounts[0]).token)

    def write_kubeconfig(self, path: Path, account: Account | None = None) -> Path:
        """Write the kubeconfig, readable for its owner only."""
        write_kubeconfig(path, self.kubeconfig(account))
        return path

    @asynccontextmanager
    async def _serve_api(self, place: Place) -> AsyncIterator[Address]:
        async with serving_http(lambda: api(self.cluster), place, self._tls) as bound:
            self.cluster.api_serving = True
            try:
                yield bound
            finally:
                self.cluster.api_serving = False

    def _serve_dns(self, place: Place) -> Serving:
        return serving_dns(lambda wire, udp: self.coredns.respond(wire, udp=udp), address_of(place))


def _text(address: Address) -> str:
    return f"{address[0]}:{address[1]}"


@asynccontextmanager
async def running(
    cluster: Cluster,
    *,
    listen: Place = ANY,
    dns: Address = ANY,
    control_listen: Address = ANY,
    names: tuple[str, ...] = (),
) -> AsyncIterator[Running]:
    """Serve a cluster while the context lasts, and let its nodes' hearts beat.

    `names` are further DNS names and addresses for the API's certificate. Raises `OSError` when an address is taken.
    """
    known = list(dict.fromkeys([address_of(listen)[0], "127.0.0.1", "localhost", *names]))
    served = Running(cluster, listen, dns, control_listen, known)
    listeners = (served.api, served.dns, served.control)
    beating = asyncio.create_task(cluster.keep_beating())
    try:
        for listener in listeners:
            await listener.start()
        yield served
    finally:
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating
        for listener in listeners:
            await listener.stop()
