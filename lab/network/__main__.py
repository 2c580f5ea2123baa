"""`python -m lab.network`: the kernel network by hand.

check    say whether this machine can build it, and what is missing
company  start the whole company and keep it until Ctrl-C; says how to reach everybody
clean    remove what killed runs left behind
"""

import argparse
import asyncio
import contextlib
import shlex
import signal
import sys

from lab.network.kernel_leftovers import clean
from lab.network.kernel_requirements import missing


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab.network", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("check", help="can this machine build it?")
    commands.add_parser("clean", help="remove what killed runs left behind")
    company = commands.add_parser("company", help="start everybody and keep them until Ctrl-C")
    company.add_argument("--slack-port", type=int, default=8091, help="loopback port of the Slack page (%(default)s)")
    return parser


async def _company(slack_port: int) -> None:
    from lab.network.kernel_company import company  # every simulator: not needed for the other commands

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with company(slack_port=slack_port) as lab:
        print(f"Slack page:    {lab.controls['slack']}/")
        for name, url in lab.controls.items():
            print(f"{name + ' control:':22} {url}/lab/")
        print(f"logs and CA files:     {lab.net.sandbox.directory}")
        print("a shell on a host, e.g. of somebody in the office (names: ask 172.16.2.3):")
        for host in ("pc", "bot", "firewall", lab.net.topology.gateway_node):
            print(f"  {host:15} {shlex.join(lab.net.sandbox.entering(host))} bash")
        print("ready; Ctrl-C ends everything", flush=True)
        await stop.wait()


def main() -> int:
    options = _parser().parse_args()
    if options.command == "clean":
        print("\n".join(clean()) or "nothing was left behind")
        return 0
    if (reason := missing()) is not None:
        print(f"no kernel network here: {reason}", file=sys.stderr)
        return 1
    if options.command == "check":
        print("this machine can build the kernel network")
        return 0
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_company(options.slack_port))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
