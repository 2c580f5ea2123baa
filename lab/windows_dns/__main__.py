"""`python -m lab.windows_dns`: one simulated Windows DNS server in the foreground."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import signal
import sys
from pathlib import Path

from . import Account, RealClock, Server, SocketUpstream, State, article_state, running

_EPILOG = """
examples:
  python -m lab.windows_dns --user 'CORP\\svc-k8snet' --password-env WINRM_PASSWORD --ca-out ca.pem
  python -m lab.windows_dns --http --listen 127.0.0.1:5985 --load state.json --dump after.json
  python -m lab.windows_dns --route 10.68.0.2=127.0.0.1:10053      (what is meant for kube-dns goes there)

Logins by Kerberos, CredSSP and certificate are switched on in the state: settings.keytab, auth_credssp,
auth_certificate with client_authorities and certificate_mappings.

The control door is /lab/ on the same port (state, writes, calls, cache, faults, clock, shells).
It answers this machine only.
"""


def main() -> int:
    args = _parser().parse_args()
    try:
        state = _state(args)
    except (OSError, ValueError) as error:
        print(f"windows_dns: {error}", file=sys.stderr)
        return 2
    return asyncio.run(_serve(args, state))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m lab.windows_dns",
        description="A simulated Windows DNS server: WS-Management (WinRS) and DNS over one zone table.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--listen",
        type=_endpoint,
        default=("127.0.0.1", 5986),
        metavar="HOST:PORT",
        help="WS-Management (127.0.0.1:5986)",
    )
    add(
        "--dns",
        type=_endpoint,
        default=("127.0.0.1", 1053),
        metavar="HOST:PORT",
        help="DNS, UDP and TCP (127.0.0.1:1053)",
    )
    add("--http", action="store_true", help="plain http instead of https; NTLM then seals the messages")
    add("--ca-out", type=Path, metavar="FILE", help="write the authority's certificate here")
    add("--user", default="CORP\\svc-k8snet", help=r"account to create (default CORP\svc-k8snet)")
    add(
        "--password-env",
        metavar="VAR",
        help="environment variable with its password; without it one is made up and shown",
    )
    add("--load", type=Path, metavar="FILE", help="state as JSON; default: the office of the article")
    add("--dump", type=Path, metavar="FILE", help="write the state here when the server ends")
    add("--source", metavar="ADDRESS", help="local address for queries to other DNS servers")
    add(
        "--route",
        type=_route,
        action="append",
        default=[],
        metavar="ADDRESS=HOST:PORT",
        help="send queries for a master elsewhere",
    )
    return parser


def _endpoint(text: str) -> tuple[str, int]:
    host, separator, port = text.rpartition(":")
    if not separator or not port.isdigit():
        raise argparse.ArgumentTypeError(f"'{text}' is not HOST:PORT")
    return host.strip("[]"), int(port)


def _route(text: str) -> tuple[str, tuple[str, int]]:
    address, separator, target = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"'{text}' is not ADDRESS=HOST:PORT")
    return address, _endpoint(target)


def _state(args: argparse.Namespace) -> State:
    state = State.from_json(args.load.read_text()) if args.load else article_state()
    if args.load and state.accounts and not args.password_env:
        return state
    password = os.environ.get(args.password_env, "") if args.password_env else secrets.token_urlsafe(12)
    if not password:
        raise ValueError(f"the environment variable {args.password_env} is empty; set it to the account's password")
    if not args.password_env:
        print(f"windows_dns: password of {args.user} is {password}", file=sys.stderr)
    others = [each for each in state.accounts if each.user.lower() != args.user.lower()]
    state.accounts = [*others, Account(user=args.user, password=password)]
    return state


async def _serve(args: argparse.Namespace, state: State) -> int:
    clock = RealClock()
    server = Server(state, clock=clock, upstream=SocketUpstream(clock, args.source, dict(args.route)))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    (host, port), (dns_host, dns_port) = args.listen, args.dns
    try:
        async with running(
            server, host=host, port=port, dns_host=dns_host, dns_port=dns_port, tls=not args.http, ca_file=args.ca_out
        ) as up:
            print(f"windows_dns ready: {up.wsman_url} dns {up.dns_host}:{up.dns_port} ca {up.ca_file}", flush=True)
            await stop.wait()
    except OSError as error:
        print(f"windows_dns: cannot listen: {error}", file=sys.stderr)
        return 1
    if args.dump:
        args.dump.write_text(json.dumps(server.to_json(), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
