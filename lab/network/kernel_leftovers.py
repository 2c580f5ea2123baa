"""Finds and removes what killed runs of the kernel network may have left on the machine.

In the ordinary case there is nothing: a run's namespaces and processes end with its supervisor, the supervisor ends
with its owner, and removes the run's directory on its way. What can remain is the directory of a run whose
supervisor was itself killed, and in theory a supervisor that has not noticed that its owner is gone.
"""

import json
import os
import shutil
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from lab.network.kernel_sandbox import DIRECTORY_PREFIX, OWNER_FILE

STARTING = 60.0
"""Seconds during which a directory may still be waiting for its owner's name."""


@dataclass(frozen=True, slots=True)
class Run:
    """One directory of a run, and whether its two processes live."""

    directory: Path
    owner: int | None
    """The program that uses it, if it still runs."""
    supervisor: int | None


def runs(folder: Path | None = None) -> list[Run]:
    """Every run of this user below *folder* (default: the system's folder for temporary files)."""
    found = []
    for directory in sorted((folder or Path(tempfile.gettempdir())).glob(f"{DIRECTORY_PREFIX}*")):
        if directory.stat().st_uid != os.geteuid():
            continue
        try:
            noted = json.loads((directory / OWNER_FILE).read_text())
        except (OSError, ValueError):
            if time.time() - directory.stat().st_mtime > STARTING:
                found.append(Run(directory, None, None))
            continue
        supervisor = noted["supervisor"] if _runs_for(noted["supervisor"], directory) else None
        found.append(Run(directory, noted["owner"] if _alive(noted["owner"]) else None, supervisor))
    return found


def clean(folder: Path | None = None) -> list[str]:
    """End and remove every run whose owner is gone; what was done and what was left alone, in words."""
    said = []
    for run in runs(folder):
        if run.owner is not None and run.supervisor is not None:
            said.append(f"{run.directory}: in use by process {run.owner}, left alone")
            continue
        if run.supervisor is not None:
            os.kill(run.supervisor, signal.SIGKILL)
            said.append(
                f"{run.directory}: ended its supervisor, process {run.supervisor}, and with it everything in it"
            )
        shutil.rmtree(run.directory, ignore_errors=True)
        said.append(f"{run.directory}: removed")
    return said


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _runs_for(pid: int, directory: Path) -> bool:
    """Whether that process is the run's supervisor and not a later process with the same number."""
    try:
        return str(directory).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
