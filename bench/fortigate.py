"""How fast the FortiGate target is, beside what people use instead, all against the same simulator in one run.

    python -m bench.fortigate [--rounds 30] [--delay 0 20] [--json FILE]

The work is shaped like a first exposure: 4 addresses, 2 routes, 3 policies. Ours compares before each write and reads
back after it; the others only send their nine writes. `delay` is what the simulator waits before each answer and once
more on each new connection, in milliseconds: a round-trip time.
"""

import argparse
import asyncio
import json
import os
import platform
import re
import secrets
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from backends.fortigate.settings import FortiGateSettings
from backends.fortigate.target import FortiGate
from bot.model.resources import Address, Policy, Resource, Route, marked
from bot.model.steps import Step


class WallClock:
    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def exposure() -> list[Resource]:
    """What a first exposure creates, in order."""
    gateway = IPv4Address("172.16.1.67")
    networks = {
        "k8snet-pods": "10.68.0.0/16",
        "k8snet-services": "10.69.0.0/16",
        "k8snet-office": "172.16.0.0/24",
        "k8snet-dns": "172.16.2.3/32",
    }
    addresses = [Address(name=name, network=IPv4Network(network)) for name, network in networks.items()]
    routes = [
        Route(destination=IPv4Network(networks[name]), gateway=gateway, device="Test", row=1000 + row)
        for row, name in enumerate(("k8snet-pods", "k8snet-services"))
    ]
    policies = [
        _policy(1000, "k8snet-office-pods", "internal", "k8snet-office", "k8snet-pods", "ALL_TCP"),
        _policy(1001, "k8snet-office-services", "internal", "k8snet-office", "k8snet-services", "ALL_TCP"),
        _policy(1002, "k8snet-dns", "dmz", "k8snet-dns", "k8snet-services", "DNS"),
    ]
    return [marked(resource, "qa", "benchmark1") for resource in (*addresses, *routes, *policies)]


def _policy(row: int, name: str, interface: str, source: str, destination: str, service: str) -> Policy:
    return Policy(
        name=name,
        source_interfaces=(interface,),
        destination_interfaces=("Test",),
        sources=(source,),
        destinations=(destination,),
        services=(service,),
        row=row,
    )


# --- the simulator, a process of its own


@dataclass(frozen=True)
class Simulator:
    url: str
    control: str
    token: str
    ca_file: Path

    async def delay(self, milliseconds: int) -> None:
        seconds = milliseconds / 1000
        async with httpx.AsyncClient() as http:
            answer = await http.put(
                f"{self.control}/latency", json={"low": seconds, "high": seconds, "connection": seconds}
            )
            answer.raise_for_status()


@asynccontextmanager
async def simulator(directory: Path) -> AsyncIterator[Simulator]:
    token, ca_file = secrets.token_hex(15), directory / "ca.pem"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lab.fortigate", "--listen", "127.0.0.1:0", "--control", "0", "--ca-out", str(ca_file),
        env={**os.environ, "LAB_FORTIGATE_TOKEN": token}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        ready = (await process.stdout.readline()).decode()
        match = re.search(r"ready at (https://\S+), control at (http://\S+)/lab/", ready)
        if match is None:
            raise SystemExit(f"the simulator did not start: {ready!r}")
        yield Simulator(match[1], match[2] + "/lab", token, ca_file)
    finally:
        process.terminate()
        await process.wait()


# --- the contestants: each makes the exposure and takes it back

Call = tuple[str, str, dict[str, Any] | None]
Act = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Contestant:
    name: str
    expose: Act
    unexpose: Act
    repeat: Act | None = None


def calls(resources: Sequence[Resource]) -> list[Call]:
    """The nine writes as a script would send them."""
    return [_call(resource) for resource in resources]


def _call(resource: Resource) -> Call:
    def names(of: Sequence[str]) -> list[dict[str, str]]:
        return [{"name": name} for name in of]

    match resource:
        case Address():
            return "firewall/address", resource.name, {"name": resource.name, "subnet": str(resource.network)}
        case Route():
            body = {
                "seq-num": resource.row, "dst": str(resource.destination), "gateway": str(resource.gateway),
                "device": resource.device,
            }  # fmt: skip
            return "router/static", str(resource.row), body
        case Policy():
            body = {
                "policyid": resource.row, "name": resource.name, "srcintf": names(resource.source_interfaces),
                "dstintf": names(resource.destination_interfaces), "srcaddr": names(resource.sources),
                "dstaddr": names(resource.destinations), "service": names(resource.services), "action": "accept",
                "schedule": "always",
            }  # fmt: skip
            return "firewall/policy", str(resource.row), body
    raise TypeError(resource.kind)


@asynccontextmanager
async def ours(device: Simulator, *, together: bool) -> AsyncIterator[Contestant]:
    settings = FortiGateSettings.model_validate(
        {"type": "fortigate", "url": device.url, "token": SecretStr(device.token), "tls": {"ca_file": device.ca_file}}
    )
    target = FortiGate("bench", settings, WallClock())
    forward = [Step(target="bench", before=None, after=resource) for resource in exposure()]
    back = [step.inverse() for step in reversed(forward)]

    def doing(steps: Sequence[Step], wanted: str) -> Act:
        async def act() -> None:
            batches = [steps] if together else [[step] for step in steps]
            outcomes = [outcome for batch in batches for outcome in await target.apply_all(batch)]
            bad = [outcome for outcome in outcomes if outcome.kind != wanted]
            if bad:
                raise SystemExit(f"ours: {bad[0]}")

        return act

    name = "k8snet, steps together" if together else "k8snet, step by step"
    yield Contestant(name, doing(forward, "applied"), doing(back, "applied"), doing(forward, "already"))
    await target.close()


@asynccontextmanager
async def warm_script(device: Simulator) -> AsyncIterator[Contestant]:
    """A connection kept open and nothing but writes: no look before, no read-back."""
    context = ssl.create_default_context(cafile=device.ca_file)
    headers = {"Authorization": f"Bearer {device.token}"}
    async with httpx.AsyncClient(base_url=f"{device.url}/api/v2/cmdb/", verify=context, headers=headers) as http:

        async def expose() -> None:
            for table, _, body in calls(exposure()):
                (await http.post(table, json=body)).raise_for_status()

        async def unexpose() -> None:
            for table, key, _ in reversed(calls(exposure())):
                (await http.delete(f"{table}/{key}")).raise_for_status()

        yield Contestant("warm httpx script", expose, unexpose)


@asynccontextmanager
async def curl(device: Simulator) -> AsyncIterator[Contestant]:
    """A process and a connection for each call; the token goes in over standard input."""

    async def run(method: str, path: str, body: dict[str, Any] | None) -> None:
        process = await asyncio.create_subprocess_exec(
            "curl", "--silent", "--show-error", "--fail", "--cacert", str(device.ca_file), "--config", "-",
            "--request", method, *([] if body is None else ["--json", json.dumps(body)]),
            f"{device.url}/api/v2/cmdb/{path}",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        await process.communicate(f'header = "Authorization: Bearer {device.token}"\n'.encode())
        if process.returncode:
            raise SystemExit(f"curl {method} {path} ended with {process.returncode}")

    async def expose() -> None:
        for table, _, body in calls(exposure()):
            await run("POST", table, body)

    async def unexpose() -> None:
        for table, key, _ in reversed(calls(exposure())):
            await run("DELETE", f"{table}/{key}", None)

    yield Contestant("nine curl calls", expose, unexpose)


# --- measuring


async def measured(contestant: Contestant, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each round; the first round warms everything up and does not count."""
    times: dict[str, list[float]] = {"expose": [], "repeat": [], "unexpose": []}
    acts = {"expose": contestant.expose, "repeat": contestant.repeat, "unexpose": contestant.unexpose}
    for number in range(rounds + 1):
        for name, act in acts.items():
            if act is None:
                continue
            begun = time.perf_counter()
            await act()
            if number:
                times[name].append((time.perf_counter() - begun) * 1000)
    return {name: of for name, of in times.items() if of}


async def run(rounds: int, delays: Sequence[int]) -> list[dict[str, Any]]:
    results = []
    with tempfile.TemporaryDirectory() as directory:
        async with simulator(Path(directory)) as device:
            for delay in delays:
                await device.delay(delay)
                for started in (ours(device, together=True), ours(device, together=False), warm_script(device),
                                curl(device)):  # fmt: skip
                    async with started as contestant:
                        for act, of in (await measured(contestant, rounds)).items():
                            results.append(_result(contestant.name, delay, act, of))
    return results


def _result(name: str, delay: int, act: str, of: list[float]) -> dict[str, Any]:
    return {
        "contestant": name,
        "delay_ms": delay,
        "act": act,
        "rounds": len(of),
        "median_ms": round(statistics.median(of), 2),
        "p95_ms": round(sorted(of)[int(0.95 * (len(of) - 1))], 2),
        "min_ms": round(min(of), 2),
    }


def report(results: list[dict[str, Any]]) -> Table:
    table = Table("", "delay", "act", "median", "p95", "× script", title="4 addresses, 2 routes, 3 policies (ms)")
    script = {
        (result["delay_ms"], result["act"]): result["median_ms"]
        for result in results
        if result["contestant"] == "warm httpx script"
    }
    for result in results:
        base = script.get((result["delay_ms"], result["act"]))
        table.add_row(
            result["contestant"], f"{result['delay_ms']} ms", result["act"], f"{result['median_ms']:.1f}",
            f"{result['p95_ms']:.1f}", f"{result['median_ms'] / base:.2f}" if base else "",
        )  # fmt: skip
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--delay", type=int, nargs="+", default=[0, 20], metavar="MS")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there, too")
    options = parser.parse_args()
    results = asyncio.run(run(options.rounds, options.delay))
    if options.json:
        machine = {"python": platform.python_version(), "machine": platform.machine(), "cpus": os.cpu_count()}
        options.json.write_text(json.dumps({"machine": machine, "results": results}, indent=2) + "\n")
    Console().print(report(results))


if __name__ == "__main__":
    main()
