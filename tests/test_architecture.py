"""Imports point one way: the contracts of pyproject.toml, as a test."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_import_contracts_are_kept() -> None:
    linted = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout
    assert "0 broken" in linted.stdout


def test_a_command_of_the_terminal_loads_no_library_before_it_is_needed() -> None:
    """Each of these takes a good part of the time in which a whole check should be over."""
    heavy = {"aiohttp", "babel", "dns", "httpx", "kubernetes", "redis", "slack_bolt", "slack_sdk", "winrm"}
    program = """if True:
        import sys
        import bot.__main__, bot.app, bot.settings, handlers.lines.overview
        import backends.fortigate.target, backends.kubernetes.reader, backends.oncall.rotation
        import backends.probes.prober, backends.store, backends.unbound.target, backends.windows_dns.target
        print(*{name.partition(".")[0] for name in sys.modules})
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert heavy & set(done.stdout.split()) == set()
