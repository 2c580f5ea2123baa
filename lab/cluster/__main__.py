"""Run the simulated cluster alone: ``python -m lab.cluster --listen 127.0.0.1:6443 --dns 127.0.0.1:1054``."""

import argparse
import asyncio
import json
import os
import secrets
import signal
import sys
from pathlib import Path

from lab.cluster.article import cluster as article
from lab.cluster.kubeconfig import write_private
from lab.cluster.listener import Address
from lab.cluster.model import Cluster
from lab.cluster.serving import Running, running

TOKEN_VARIABLE = "K8SNET_LAB_CLUSTER_TOKEN"


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not host:port, such as 127.0.0.1:6443")
    return host, int(port)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m lab.cluster",
        description="A simulated Kubernetes cluster: the REST API over HTTPS and CoreDNS over UDP and TCP.",
        epilog=f"Without --load it is the article's QA cluster, read with --token or the variable {TOKEN_VARIABLE}; "
        "without either a random token is made, which --kubeconfig-out hands out.",
    )
    parser.add_argument(
        "--listen",
        type=_address,
        default=("127.0.0.1", 6443),
        metavar="HOST:PORT",
        help="the API (127.0.0.1:6443; port 0: any)",
    )
    parser.add_argument(
        "--dns",
        type=_address,
        default=("127.0.0.1", 1054),
        metavar="HOST:PORT",
        help="CoreDNS, UDP and TCP (127.0.0.1:1054)",
    )
    parser.add_argument(
        "--control",
        type=_address,
        default=("127.0.0.1", 0),
        metavar="HOST:PORT",
        help="the control endpoint, plain HTTP (127.0.0.1, any port)",
    )
    parser.add_argument("--token", help="bearer token of the reader account; the variable is the better way")
    parser.add_argument("--load", type=Path, metavar="FILE", help="state to start with, as --dump writes it")
    parser.add_argument("--dump", type=Path, metavar="FILE", help="where to write the state at the end")
    parser.add_argument("--kubeconfig-out", type=Path, metavar="FILE", help="where to write a kubeconfig")
    parser.add_argument("--ca-out", type=Path, metavar="FILE", help="where to write the CA's certificate (PEM)")
    return parser.parse_args()


def _cluster(arguments: argparse.Namespace) -> Cluster:
    if arguments.load:
        return Cluster.read(arguments.load)
    return article(arguments.token or os.environ.get(TOKEN_VARIABLE) or secrets.token_urlsafe(24))


def _write_files(arguments: argparse.Namespace, served: Running) -> None:
    if arguments.kubeconfig_out:
        served.write_kubeconfig(arguments.kubeconfig_out)
    if arguments.ca_out:
        arguments.ca_out.write_bytes(served.ca_pem)


async def _serve(arguments: argparse.Namespace) -> None:
    cluster = _cluster(arguments)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(cluster, listen=arguments.listen, dns=arguments.dns, control_listen=arguments.control) as served:
        _write_files(arguments, served)
        host, port = served.dns.address
        print(f"cluster ready: API {served.url}, DNS {host}:{port}, control {served.control_url}", flush=True)
        await stop.wait()
    if arguments.dump:
        write_private(arguments.dump, json.dumps(cluster.dump(), indent=2) + "\n")


def main() -> int:
    arguments = _arguments()
    try:
        asyncio.run(_serve(arguments))
    except (OSError, ValueError) as error:
        print(f"cluster: cannot start or finish: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
