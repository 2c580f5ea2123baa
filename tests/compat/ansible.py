"""The vendor's Ansible collection at work on a FortiGate, as a process of its own environment.

Ansible is never a dependency of k8snet: it lives in `.venv-compat`, which `make compat` makes.
"""

import asyncio
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parent.parent.parent
PROGRAM = ROOT / ".venv-compat/bin/ansible-playbook"
MODULES = "lib/python3*/site-packages/ansible_collections/fortinet/fortios/plugins/modules"
"""Of the collection, below `.venv-compat`."""
PLAYBOOK = Path(__file__).parent / "exposure.yaml"
LONGEST_RUN_S = 300.0


@dataclass(frozen=True)
class Run:
    """How one run of the playbook ended."""

    changed: tuple[str, ...]
    """Names of the tasks that say they changed something, or would."""
    failed: tuple[str, ...]
    """Name and message of the tasks that failed."""
    tasks: int
    diffs: int
    seconds: float


@dataclass(frozen=True)
class Ansible:
    """A playbook run's surroundings. `directory` is for its inventory and its temporary files."""

    url: str
    token: str
    ca_file: Path
    directory: Path
    playbook: Path = PLAYBOOK

    async def run(
        self, *, present: bool, words: str = "made by Ansible", distance: int = 10, check: bool = False
    ) -> Run:
        """Play the exposure once. Raises RuntimeError when Ansible itself does not work."""
        begun = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            str(PROGRAM), "-i", str(self._inventory()), str(self.playbook), *(("--check", "--diff") if check else ()),
            "--extra-vars", json.dumps({"present": present, "words": words, "distance": distance}),
            env=self._environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(LONGEST_RUN_S):
            out, err = await process.communicate()
        seconds = time.perf_counter() - begun
        try:
            report = json.loads(out[out.index(b"{") :])
        except ValueError:
            raise RuntimeError(f"Ansible ended with {process.returncode}: {(err or out).decode()[-2000:]}") from None
        return _read(report, seconds)

    def _inventory(self) -> Path:
        place = urlsplit(self.url)
        inventory = self.directory / "inventory.json"
        variables = {
            "ansible_host": place.hostname,
            "ansible_connection": "ansible.netcommon.httpapi",
            "ansible_network_os": "fortinet.fortios.fortios",
            "ansible_httpapi_use_ssl": True,
            "ansible_httpapi_port": place.port,
            "ansible_httpapi_validate_certs": True,
            "ansible_httpapi_ca_path": str(self.ca_file),
        }
        (self.directory / "ansible.cfg").touch()
        inventory.write_text(json.dumps({"firewall": {"hosts": {"office-firewall": variables}}}))
        return inventory

    def _environment(self) -> dict[str, str]:
        """Nothing of the user's own Ansible, and the token where no process list shows it."""
        return {
            "PATH": f"{PROGRAM.parent}:{os.environ.get('PATH', '')}",
            "HOME": str(self.directory),
            "LANG": "C.UTF-8",
            "FORTIGATE_TOKEN": self.token,
            "ANSIBLE_HOME": str(self.directory / "ansible"),
            "ANSIBLE_CONFIG": str(self.directory / "ansible.cfg"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_DEPRECATION_WARNINGS": "0",
            "ANSIBLE_PERSISTENT_CONTROL_PATH_DIR": str(self.directory / "pc"),
        }


def _read(report: dict[str, Any], seconds: float) -> Run:
    results = [
        (task["task"]["name"], result)
        for play in report["plays"]
        for task in play["tasks"]
        for result in task["hosts"].values()
        if not result.get("skipped")
    ]
    return Run(
        changed=tuple(name for name, result in results if result.get("changed")),
        failed=tuple(f"{name}: {result.get('msg')}" for name, result in results if result.get("failed")),
        tasks=len(results),
        diffs=sum(1 for _, result in results if _shows_difference(result)),
        seconds=seconds,
    )


def _shows_difference(result: dict[str, Any]) -> bool:
    difference = result.get("diff") or {}
    return bool(difference) and difference.get("before") != difference.get("after")
