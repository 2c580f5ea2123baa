"""Who makes the benchmark's exposure and takes it back: the bot, the vendor's playbook, curl, a script."""

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from bot.app import terminal
from bot.engine.engine import Engine
from bot.engine.targets import AppliesTogether
from bot.model.commands import DryPlan, Expose, Unexpose
from bot.model.journal import Intended
from bot.model.operation import Operation
from bot.model.people import Person
from bot.model.steps import Step
from bot.settings import load
from tests.compat.ansible import PROGRAM, Ansible

PLAYBOOK = "Ansible playbook"
EXPOSURE = Path(__file__).parent / "fortigate_exposure.yaml"
OMAR = Person(team="T0LAB0001", user="U0OMAR0001")
CLUSTER = ["k8s_SERVICE_CIDR", "k8s_POD_CIDR"]
Call = tuple[str, str, dict[str, Any]]
Act = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Company:
    """The lab's company, in a process of its own."""

    folder: Path
    config: Path
    environ: Mapping[str, str]
    url: str
    ca_file: Path

    @property
    def token(self) -> str:
        return self.environ["FORTIGATE_TOKEN"]

    def http(self) -> httpx.AsyncClient:
        """A client with the token, whose connections stay open."""
        context = ssl.create_default_context(cafile=self.ca_file)
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.AsyncClient(base_url=self.url, verify=context, headers=headers)


@dataclass(frozen=True)
class Contestant:
    """Somebody who can expose, expose again where it is exposed already, and take it back."""

    name: str
    expose: Act
    unexpose: Act
    repeat: Act | None = None
    at_firewall: Mapping[str, list[float]] = field(default_factory=dict)
    """Milliseconds that the last acts spent at the firewall alone, where that is known."""


def exposure() -> list[Call]:
    """The seven writes: table, key and body. The office's and the DNS server's addresses are there already."""

    def address(name: str, subnet: str) -> Call:
        return "firewall/address", name, {"name": name, "subnet": subnet}

    def route(number: int, destination: str) -> Call:
        body = {"seq-num": number, "dst": destination, "gateway": "172.16.1.106", "device": "Test"}
        return "router/static", str(number), body

    def policy(number: int, name: str, leg: str, source: str, destinations: list[str], services: list[str]) -> Call:
        body = {
            "policyid": number, "name": name, "srcintf": _names([leg]), "dstintf": _names(["Test"]),
            "srcaddr": _names([source]), "dstaddr": _names(destinations), "service": _names(services),
            "action": "accept", "schedule": "always",
        }  # fmt: skip
        return "firewall/policy", str(number), body

    return [
        address("k8s_SERVICE_CIDR", "10.68.0.0/16"),
        address("k8s_POD_CIDR", "172.20.0.0/16"),
        address("k8snet-qa-kube-dns", "10.68.0.2/32"),
        route(1000, "10.68.0.0/16"),
        route(1001, "172.20.0.0/16"),
        policy(1000, "k8snet-qa-dns-dc1", "dmz", "dns-server", ["k8snet-qa-kube-dns"], ["DNS"]),
        policy(1001, "k8snet-qa-hq", "internal", "office", CLUSTER, ["ALL_TCP", "ALL_UDP"]),
    ]


def _names(of: list[str]) -> list[dict[str, str]]:
    return [{"name": name} for name in of]


# --- the bot


@asynccontextmanager
async def bot(company: Company) -> AsyncIterator[Contestant]:
    """The bot at work: its engine with outbox and recovery, a journal on disk, every device, every proof.

    Only the chat is missing: the yes comes as soon as the plan is there.
    """
    settings = load(_config(company), {**os.environ, **company.environ})
    async with terminal(settings) as engine:
        await engine.start()
        news = engine.context.journal.news()

        at_firewall: dict[str, list[float]] = {"expose": [], "unexpose": []}

        async def change(command: Expose | Unexpose, wanted: str) -> None:
            identifier = await engine.request(command, OMAR, "C0BENCH001", engine.context.env.new_id())
            operation = await _operation(engine, identifier)
            if operation.plan is not None and operation.state == "awaiting":
                await engine.confirm(identifier, operation.plan.digest, OMAR)
                operation = await _ended(engine, identifier, news)
            if operation.state != wanted:
                raise SystemExit(f"k8snet: {operation.state}: {operation.entries[-1]}")
            if wanted == "done":
                at_firewall[command.verb].append(_at_firewall(operation))

        def act(command: Expose | Unexpose, wanted: str) -> Act:
            return lambda: change(command, wanted)

        expose, unexpose = Expose(namespace="default"), Unexpose(namespace="default")
        repeat = act(expose, "nothing-to-do")
        yield Contestant("k8snet", act(expose, "done"), act(unexpose, "done"), repeat, at_firewall)
        await engine.context.env.stop()  # type: ignore[attr-defined]  # the real Env has it
        await engine.stop()


@asynccontextmanager
async def firewall_alone(company: Company) -> AsyncIterator[Contestant]:
    """The bot's own writer of the firewall with the steps of its own plan: compare, write, read back, nothing else."""
    settings = load(_config(company), {**os.environ, **company.environ})
    async with terminal(settings) as engine:
        plan = await engine.dry_plan(DryPlan(namespace="default"))
        forward = [step for step in plan.steps if step.target == "fw"]
        back = [step.inverse() for step in reversed(forward)]
        target = engine.context.targets["fw"]
        assert isinstance(target, AppliesTogether)

        def act(steps: Sequence[Step], wanted: str) -> Act:
            async def apply() -> None:
                outcomes = await target.apply_all(steps)
                if bad := [outcome for outcome in outcomes if outcome.kind != wanted]:
                    raise SystemExit(f"k8snet: {bad[0]}")

            return apply

        yield Contestant(
            "k8snet, firewall alone", act(forward, "applied"), act(back, "applied"), act(forward, "already")
        )


def _config(company: Company) -> Path:
    """The lab's configuration, with the addresses that are there already, and a person who may."""
    tree = json.loads(company.config.read_text())
    tree["offices"]["hq"]["networks"] = {"office": "172.16.0.0/24"}
    tree["dns_servers"]["dc1"]["address_object"] = "dns-server"
    tree["roles"] = [{"role": "operator", "users": [str(OMAR)]}]
    tree["store"] = {"url": f"sqlite:///{company.folder / 'bench.db'}"}
    place = company.folder / "bench.json"
    place.write_text(json.dumps(tree))
    return place


def _at_firewall(operation: Operation) -> float:
    """Milliseconds from the record before the firewall's steps are intended to the one of what became of them, by the
    journal's own clock: all writes, the read-back, and both records on the disk."""
    assert operation.plan is not None
    places = [
        place
        for place, entry in enumerate(operation.entries)
        if isinstance(entry, Intended) and operation.plan.steps[entry.steps[0]].target == "fw"
    ]
    spent = operation.records[places[-1] + 1].at - operation.records[places[0] - 1].at
    return spent / timedelta(milliseconds=1)


async def _operation(engine: Engine, identifier: str) -> Operation:
    return (await engine.context.journal.world()).operations[identifier]


async def _ended(engine: Engine, identifier: str, news: asyncio.Event) -> Operation:
    """The operation once nothing more will happen to it. Looks when there is news: asking in a loop takes time away."""
    operation = await _operation(engine, identifier)
    while not operation.final and operation.state != "stuck":
        await news.wait()
        news.clear()
        operation = await _operation(engine, identifier)
    return operation


# --- what people use instead


@asynccontextmanager
async def playbook(company: Company, directory: Path) -> AsyncIterator[Contestant | None]:
    """The vendor's Ansible collection; None where it is not installed."""
    if not PROGRAM.exists():
        yield None
        return
    ansible = Ansible(company.url, company.token, company.ca_file, directory, EXPOSURE)

    def act(present: bool, changed: int) -> Act:
        async def play() -> None:
            run = await ansible.run(present=present)
            if run.failed or len(run.changed) != changed:
                raise SystemExit(f"ansible: changed {run.changed}, failed {run.failed}")

        return play

    yield Contestant(PLAYBOOK, act(True, 7), act(False, 7), act(True, 0))


@asynccontextmanager
async def curl(company: Company) -> AsyncIterator[Contestant]:
    """A process and a connection for each call; the token goes in over standard input."""

    async def run(method: str, path: str, body: dict[str, Any] | None) -> None:
        process = await asyncio.create_subprocess_exec(
            "curl", "--silent", "--show-error", "--fail", "--cacert", str(company.ca_file), "--config", "-",
            "--request", method, *([] if body is None else ["--json", json.dumps(body)]),
            f"{company.url}/api/v2/cmdb/{path}",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        await process.communicate(f'header = "Authorization: Bearer {company.token}"\n'.encode())
        if process.returncode:
            raise SystemExit(f"curl {method} {path} ended with {process.returncode}")

    async def expose() -> None:
        for table, _, body in exposure():
            await run("POST", table, body)

    async def unexpose() -> None:
        for table, key, _ in reversed(exposure()):
            await run("DELETE", f"{table}/{key}", None)

    yield Contestant("seven curl calls", expose, unexpose)


@asynccontextmanager
async def warm_script(company: Company) -> AsyncIterator[Contestant]:
    """A connection kept open and nothing but writes: no look before, no read-back, no journal."""
    async with company.http() as http:

        async def expose() -> None:
            for table, _, body in exposure():
                (await http.post(f"/api/v2/cmdb/{table}", json=body)).raise_for_status()

        async def unexpose() -> None:
            for table, key, _ in reversed(exposure()):
                (await http.delete(f"/api/v2/cmdb/{table}/{key}")).raise_for_status()

        yield Contestant("warm httpx script", expose, unexpose)
