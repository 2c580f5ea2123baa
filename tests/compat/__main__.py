"""The simulated FortiGate serves the vendor's own Ansible collection: create, repeat, change, delete.

Before that, its tables are compared with the schemas which that collection carries.

    make compat

Development only: it needs the `ansible` package in `.venv-compat`, and no part of k8snet.
"""

import asyncio
import secrets
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.fortigate import article
from lab.fortigate.device import Device
from lab.fortigate.profile import RELEASES
from lab.fortigate.server import Server, running
from tests.compat.ansible import MODULES, PROGRAM, Ansible, Run
from tests.compat.schemas import strangers

TABLES = ("firewall/address", "firewall/addrgrp", "router/static", "firewall/policy")
TASKS = 7


@dataclass(frozen=True)
class Act:
    """One run and what must be true of it."""

    name: str
    play: Callable[[Ansible], Awaitable[Run]]
    changed: int
    writes: bool

    @property
    def asks(self) -> bool:
        """Runs with `--check --diff`."""
        return self.name.endswith("only asked")


ACTS = (
    Act("create, only asked", lambda a: a.run(present=True, check=True), TASKS, writes=False),
    Act("create", lambda a: a.run(present=True), TASKS, writes=True),
    Act("create again", lambda a: a.run(present=True), 0, writes=False),
    Act("create again, only asked", lambda a: a.run(present=True, check=True), 0, writes=False),
    Act("change, only asked", lambda a: a.run(present=True, words="new", distance=20, check=True), TASKS, writes=False),
    Act("change", lambda a: a.run(present=True, words="new", distance=20), TASKS, writes=True),
    Act("change again", lambda a: a.run(present=True, words="new", distance=20), 0, writes=False),
    Act("delete, only asked", lambda a: a.run(present=False, check=True), TASKS, writes=False),
    Act("delete", lambda a: a.run(present=False), TASKS, writes=True),
    # The collection calls every DELETE "changed" whose answer does not say otherwise, and a 404 says nothing.
    Act("delete again", lambda a: a.run(present=False), TASKS, writes=False),
)


async def play(release: str, directory: Path) -> Sequence[str]:
    """Everything that was not as it must be."""
    token = secrets.token_hex(15)
    state = article.state(token)
    state["version"], state["build"] = RELEASES[release]
    problems: list[str] = []
    async with running(Device.from_json(state)) as server:
        untouched = _rows(server)
        ansible = Ansible(server.url, token, server.write_ca(directory / "ca.pem"), directory)
        for act in ACTS:
            before, written = _rows(server), _writes(server)
            result = await act.play(ansible)
            wrong = _judged(act, result, _rows(server) != before, _writes(server) - written)
            print(
                f"{release}  {act.name:24} changed={len(result.changed)}  {result.seconds:5.1f} s  {'; '.join(wrong)}",
                flush=True,
            )
            problems += [f"FortiOS {release}, {act.name}: {text}" for text in wrong]
        if _rows(server) != untouched:
            problems.append(f"FortiOS {release}: something is left behind")
    return problems


def _judged(act: Act, result: Run, moved: bool, writes: int) -> list[str]:
    wrong = list(result.failed)
    if result.tasks != TASKS:
        wrong.append(f"{result.tasks} tasks ran, not {TASKS}")
    if len(result.changed) != act.changed:
        wrong.append(f"says changed of {', '.join(result.changed) or 'nothing'}, expected {act.changed}")
    if act.asks and result.diffs != act.changed:
        wrong.append(f"{result.diffs} differences shown, expected {act.changed}")
    if moved != act.writes:
        wrong.append(f"the firewall {'changed' if moved else 'did not change'}")
    if writes and not act.writes:
        wrong.append(f"{writes} effective writes")
    return wrong


def _rows(server: Server) -> dict[str, list[dict[str, object]]]:
    return {table: list(server.device.rows(table)) for table in TABLES}


def _writes(server: Server) -> int:
    return sum(entry.effective for entry in server.api.audit)


async def main(releases: Sequence[str]) -> int:
    if not PROGRAM.exists():
        print(f"there is no {PROGRAM}: run `make compat`, which installs Ansible", file=sys.stderr)
        return 2
    [modules] = PROGRAM.parent.parent.glob(MODULES)
    problems = [problem for release in releases for problem in strangers(RELEASES[release][0], modules)]
    problems += [problem for of in await asyncio.gather(*map(alone, releases)) for problem in of]
    print(*problems, sep="\n", file=sys.stderr, end="\n" if problems else "")
    return 1 if problems else 0


async def alone(release: str) -> Sequence[str]:
    # Ansible keeps a socket in there, and a socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="compat-") as directory:
        return await play(release, Path(directory))


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main(sys.argv[1:] or list(RELEASES))))
