"""The README is true: its transcript is what `make tour` prints, its commands are those of the registry."""

import asyncio
import re
import sys
from pathlib import Path

import pytest

from bot.__main__ import app
from bot.model.commands import COMMANDS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_command_is_in_the_readme_as_the_registry_has_it() -> None:
    for spec in COMMANDS:
        assert f"| `/k8snet {spec.usage}` | {spec.summary} |" in README


def test_every_file_the_readme_names_exists() -> None:
    for name in re.findall(r"`((?:docs|deploy|lab|bot|bench|tests)/[\w./-]*|app\.yaml)`", README):
        assert (ROOT / name).exists(), name


DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    typed = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert set(re.findall(r"`k8snet ([a-z-]+)", text)) <= typed
    assert set(re.findall(r"`/k8snet ([a-z-]+)", text)) <= {spec.verb for spec in COMMANDS}
    made = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z0-9]+)", text)) <= made


def steady(line: str) -> str:
    """The line without what differs from run to run: times, ids, counts, and the port of the lab's proxy."""
    line = re.sub(r"\w{3} \d\d?, \d{4} \d\d:\d\d", "THEN", line)
    line = re.sub(r"\d\d:\d\d:\d\d UTC", "THEN", line)
    line = re.sub(r"(change|incident) [a-z0-9]{10}\b", r"\1 ID", line)
    line = re.sub(r"\d+ records", "N records", line)
    line = re.sub(r"\d+(\.\d+)? (ms|s)\b", r"N \2", line)
    line = re.sub(r"\d{4}-\d\d-\d\d at \d\d:\d\d:\d\d", "THEN", line)
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", line).rstrip()


@pytest.mark.timeout(150)
async def test_the_tour_really_happens_and_prints_what_the_readme_shows() -> None:
    tour = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "tour", cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await tour.communicate()
    printed = said.decode()
    assert tour.returncode == 0, printed
    lines = {steady(line) for line in printed.splitlines()}
    shown = re.search(r"```\n(— 1\. A developer.*?)```", README, re.DOTALL)
    assert shown is not None
    missing = [line for line in shown[1].splitlines() if "…" not in line and steady(line) not in lines]
    assert missing == []
