"""`python -m lab.network.kernel_fortigate`: the FortiGate simulator whose configuration the kernel obeys.

Started in a firewall's network namespace (it needs the right to change routes and rules there). Every effective
change is in the kernel before the API answers; hit counters and sessions are the kernel's.
"""

import argparse
import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from lab.fortigate.device import Change, Device
from lab.fortigate.server import running
from lab.fortigate.sessions import Counter, Sessions
from lab.network.kernel_firewall import Program
from lab.network.kernel_firewall_apply import ROUTING, KernelRefused, PolicyCounters, Run, apply, counters, reroute
from lab.network.kernel_firewall_objects import Tables
from lab.network.kernel_firewall_schedules import in_force
from lab.network.kernel_flows import KernelSessions
from lab.network.kernel_requirements import search_path

T = TypeVar("T")

TABLES = (
    "system/interface",
    "system/zone",
    "system/settings",
    "system/link-monitor",
    "firewall/address",
    "firewall/addrgrp",
    "firewall/policy",
    "firewall.service/custom",
    "firewall.service/group",
    "firewall.schedule/recurring",
    "firewall.schedule/onetime",
    "firewall.schedule/group",
    "router/static",
    "router/policy",
)
NOTHING = PolicyCounters(0, 0, 0)
TICK = 1.0
"""Seconds between two looks at the schedules."""


def tables_of(device: Device, vdom: str = "root") -> Tables:
    """The tables that decide about packets, as a REST client reads them."""
    return {name: device.rows(name, vdom) for name in TABLES}


class KernelDevice(Device):
    """A device whose packets are forwarded, and counted, by the kernel of a network namespace.

    `run` runs a command there; by default it is this process's own.
    """

    def __init__(self, state: dict[str, Any] | None = None, *, vdom: str = "root", run: Run | None = None) -> None:
        super().__init__(state)
        self._vdom = vdom
        self._run = run or running_command()
        self._seen: dict[int, PolicyCounters] = {}
        self._in_force: list[int] = []
        self._applied: Program | None = None
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="kernel")
        self.subscribe(self._changed_to)

    def program(self) -> Program:
        """Make the kernel follow the configuration; returns when it does.

        Blocks for some hundredths of a second, so that no answer of the API can precede its effect.
        """
        links = self.links(self._vdom)
        self._applied = done = self._at_once(
            lambda: asyncio.run(
                apply(
                    self._run,
                    tables_of(self, self._vdom),
                    self.clock.local_time(),
                    failed_monitors=links.failed_monitors,
                    unplugged=links.down,
                    https_port=int(self.rows("system/global")[0]["admin-sport"]),
                )
            )
        )
        self._in_force = self._schedules()
        return done

    def tick(self) -> None:
        """Program again if time has made a schedule begin or end."""
        if self._in_force != self._schedules():
            self.program()

    def sessions(self, vdom: str = "root") -> Sessions:
        """The kernel's connections, with what it has counted since it was last asked; of another VDOM, none."""
        if vdom != self._vdom:
            return super().sessions(vdom)
        kept = self._sessions.setdefault(vdom, KernelSessions(self._printed))
        self._count(kept)
        return kept

    def close(self) -> None:
        """Stop the thread that talks to the kernel; the kernel keeps its rules."""
        self._worker.shutdown()

    def _changed_to(self, change: Change) -> None:
        if change.table != "router/static" or not self._reroute():
            self.program()

    def _reroute(self) -> bool:
        """Whether it was enough to change next hops."""
        before = self._applied
        if before is None:
            return False
        links = self.links(self._vdom)
        done = self._at_once(
            lambda: asyncio.run(
                reroute(
                    self._run,
                    before,
                    {name: self.rows(name, self._vdom) for name in ROUTING},
                    lambda: tables_of(self, self._vdom),
                    self.clock.local_time(),
                    failed_monitors=links.failed_monitors,
                    https_port=int(self.rows("system/global")[0]["admin-sport"]),
                )
            )
        )
        self._applied = done or before
        return done is not None

    def _schedules(self) -> list[int]:
        """The policies whose time it is."""
        tables, now = tables_of(self, self._vdom), self.clock.local_time()
        return [row["policyid"] for row in tables["firewall/policy"] if in_force(row, tables, now, [])]

    def _count(self, kept: Sessions) -> None:
        now = int(self.clock.now())
        for policy, total in self._at_once(lambda: asyncio.run(counters(self._run))).items():
            before = self._seen.get(policy, NOTHING)
            if total.hits < before.hits or total.packets < before.packets:
                before = NOTHING  # the policy was made anew
            if total != before:
                counter = kept.counters.setdefault(policy, Counter(first_used=now))
                counter.hit_count += total.hits - before.hits
                counter.packets += total.packets - before.packets
                counter.bytes += total.bytes - before.bytes
                counter.last_used = now
            self._seen[policy] = total

    def _printed(self, argv: Sequence[str]) -> str:
        """What a command prints; nothing when it fails, as conntrack does where there is no such connection."""
        done = self._at_once(lambda: asyncio.run(self._run(argv, "")))
        return done.stdout if done.returncode == 0 else ""

    def _at_once(self, work: Callable[[], T]) -> T:
        return self._worker.submit(work).result()


def running_command(entering: Sequence[str] = ()) -> Run:
    """Runs commands where this process is, or where the command *entering* leads, see `Sandbox.entering`."""

    async def run(argv: Sequence[str], stdin: str) -> "subprocess.CompletedProcess[str]":
        environ = {"PATH": search_path(), "LC_ALL": "C.UTF-8"}
        return await asyncio.to_thread(
            subprocess.run,
            [*entering, *argv],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
            env=environ,
        )

    return run


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab.network.kernel_fortigate", description=__doc__)
    parser.add_argument("--load", type=Path, required=True, metavar="FILE", help="the device's state, with its tokens")
    parser.add_argument("--listen", required=True, metavar="ADDRESS:PORT", help="where the REST API answers")
    parser.add_argument("--control", type=int, required=True, metavar="PORT", help="plain HTTP port of /lab/...")
    parser.add_argument("--ca-out", type=Path, required=True, metavar="FILE", help="where to write the CA")
    return parser


async def _serve(options: argparse.Namespace) -> None:
    device = KernelDevice(json.loads(options.load.read_text()))
    for problem in device.program().problems:
        print(f"note: {problem}", flush=True)
    host, _, port = options.listen.rpartition(":")
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(device, host, int(port), control_port=options.control) as server:
        server.write_ca(options.ca_out)
        print(f"FortiGate {device.profile.release} ready at {server.url}", flush=True)
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), TICK)
            device.tick()
    device.close()


def main() -> int:
    try:
        asyncio.run(_serve(_parser().parse_args()))
    except (OSError, ValueError, KernelRefused) as error:
        print(f"cannot start: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
