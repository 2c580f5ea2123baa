"""`python -m lab.network.kernel_coredns`: the cluster simulator's CoreDNS in a pod of its own.

Lists and watches the API as the real one does, so that a dead API or path leaves it with what it last knew, and a
fresh one without the API answers SERVFAIL for names of the cluster.
"""

import argparse
import asyncio
import os
import signal
import ssl
import sys
from pathlib import Path

import aiohttp

from lab.cluster.article import COREFILE, VERSION
from lab.cluster.coredns import CoreDNS
from lab.cluster.dns_server import serving_dns
from lab.cluster.model import Cluster
from lab.network.kernel_mirror import ENDPOINT_SLICES, NAMESPACES, SERVICES, Mirror

TOKEN_VARIABLE = "K8SNET_LAB_COREDNS_TOKEN"


class Copy:
    """What CoreDNS answers from: a cluster that consists of mirrored objects only."""

    def __init__(self) -> None:
        self.coredns = CoreDNS(_empty(serving=False))

    def follow(self, mirror: Mirror) -> None:
        """Answer from the mirror's objects from now on, once it has all kinds."""
        if mirror.synchronised:
            cluster = _empty(serving=True)
            for kind in mirror.objects.values():
                for document in kind.values():
                    cluster.store.put(document)
            self.coredns = CoreDNS(cluster)

    def respond(self, wire: bytes, udp: bool) -> bytes | None:
        return self.coredns.respond(wire, udp=udp)


def _empty(*, serving: bool) -> Cluster:
    cluster = Cluster(VERSION, [], COREFILE, [])
    cluster.api_serving = serving
    return cluster


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab.network.kernel_coredns", description=__doc__)
    parser.add_argument("--api", required=True, metavar="URL", help=f"the API; its token is in {TOKEN_VARIABLE}")
    parser.add_argument("--ca", required=True, type=Path, metavar="FILE", help="the API's certificate authority")
    parser.add_argument("--listen", required=True, metavar="ADDRESS:PORT", help="UDP and TCP")
    return parser


async def _serve(options: argparse.Namespace) -> None:
    host, _, port = options.listen.rpartition(":")
    copy, stop = Copy(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=options.ca))
    headers = {"Authorization": f"Bearer {os.environ[TOKEN_VARIABLE]}"}
    ready = asyncio.Event()

    def changed(mirror: Mirror) -> None:
        copy.follow(mirror)
        if mirror.synchronised:
            ready.set()

    async with (
        serving_dns(copy.respond, (host, int(port))),
        aiohttp.ClientSession(connector=connector, headers=headers) as session,
        asyncio.TaskGroup() as tasks,
    ):
        following = tasks.create_task(
            Mirror(session, options.api, (NAMESPACES, SERVICES, ENDPOINT_SLICES), changed).run()
        )
        await ready.wait()
        print(f"CoreDNS ready at {options.listen}", flush=True)
        await stop.wait()
        following.cancel()


def main() -> int:
    try:
        asyncio.run(_serve(_parser().parse_args()))
    except (OSError, KeyError) as error:
        print(f"cannot start: {error!r}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
