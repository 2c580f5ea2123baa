"""`python -m lab.fortigate`: a FortiGate on loopback."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from lab.fortigate import article, control, faults
from lab.fortigate.access import new_token
from lab.fortigate.device import Device, State
from lab.fortigate.profile import RELEASES
from lab.fortigate.server import Latency, running

TOKEN_VARIABLE = "LAB_FORTIGATE_TOKEN"


def _parser() -> argparse.ArgumentParser:
    kinds = "\n".join(f"  {kind:18} {meaning}" for kind, meaning in faults.KINDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m lab.fortigate",
        description="A FortiGate simulator: FortiOS REST API over HTTPS, with packets judged by its own rules.",
        epilog=f"{control.__doc__}\nFaults, e.g. POST /lab/faults "
        '{"kind": "lose-answer", "method": "POST", "path": "/api/v2/cmdb/firewall/*", "count": 1, "after": 0,\n'
        f'"options": {{}}}}:\n{kinds}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--listen", default="127.0.0.1:8443", metavar="HOST:PORT", help="default: %(default)s")
    parser.add_argument("--control", metavar="PORT", type=int, help="serve /lab/... on its own plain HTTP port")
    parser.add_argument("--http", metavar="PORT", type=int, help="open the plain HTTP port, which refuses tokens")
    parser.add_argument(
        "--token",
        help=f"token of the built-in API user; better in the environment as {TOKEN_VARIABLE}, where other "
        "users of this host do not see it; made up and printed if neither is given",
    )
    parser.add_argument("--load", type=Path, metavar="FILE", help="state to start with; default: the article's network")
    parser.add_argument("--dump", type=Path, metavar="FILE", help="where to write the state on exit")
    parser.add_argument("--ca-out", type=Path, metavar="FILE", help="where to write the CA that clients must trust")
    parser.add_argument("--profile", choices=RELEASES, help="firmware family; default: as in the state (7.4)")
    parser.add_argument(
        "--latency", default="10-50", metavar="LOW-HIGH", help="milliseconds per request, default: %(default)s"
    )
    return parser


def _state(options: argparse.Namespace) -> tuple[State, str]:
    """The state to start with, and the token to be shown (empty if the caller knows it)."""
    given = options.token or os.environ.get(TOKEN_VARIABLE, "")
    if options.load:
        state = json.loads(options.load.read_text())
        shown = ""
        if given:
            for user in state.get("api_users", [])[:1]:
                user["token"] = given
    else:
        shown = "" if given else new_token()
        state = article.state(given or shown)
    if options.profile:
        state["version"], state["build"] = RELEASES[options.profile]
    return state, shown


async def _serve(options: argparse.Namespace) -> None:
    state, shown = _state(options)
    device = Device.from_json(state)
    host, _, port = options.listen.rpartition(":")
    low, _, high = options.latency.partition("-")
    latency = Latency(float(low) / 1000, float(high or low) / 1000)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(
        device, host or "127.0.0.1", int(port), control_port=options.control, http_port=options.http, latency=latency
    ) as server:
        if options.ca_out:
            server.write_ca(options.ca_out)
        extra = f", token {shown}" if shown else ""
        print(
            f"FortiGate {device.profile.release} ready at {server.url}, control at {server.control_url}/lab/{extra}",
            flush=True,
        )
        await stop.wait()
    if options.dump:
        _write_private(options.dump, json.dumps(device.to_json(), indent=2) + "\n")


def _write_private(path: Path, content: str) -> None:
    """The state contains tokens: for the owner only."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(content)


def main() -> int:
    options = _parser().parse_args()
    try:
        asyncio.run(_serve(options))
    except (OSError, ValueError) as error:
        print(f"cannot start: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
