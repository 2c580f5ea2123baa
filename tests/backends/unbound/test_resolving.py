"""Names through the real daemon, with the article's addresses, inside a network namespace of our own."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unbound_server import BINARY, MISSING

ROOT = Path(__file__).parents[3]
pytestmark = [pytest.mark.kernel, pytest.mark.skipif(BINARY is None, reason=MISSING)]


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare is not installed; apt-get install util-linux")
    try:
        subprocess.run([unshare, "-rn", "true"], check=True, capture_output=True, timeout=30)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespaces here: {error.stderr.decode().strip()}")
    command = [unshare, "-rn", sys.executable, "-m", "tests.backends.unbound.in_namespace"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


def test_a_name_asked_for_too_early_resolves_right_after_the_change(seen: dict[str, Any]) -> None:
    """Without clearing the cache the server would go on saying for 15 minutes that it does not exist."""
    assert seen["before"] == "NXDOMAIN"
    assert seen["remembered"] == "NXDOMAIN"  # the cache at work: added by hand, without clearing it
    assert seen["applied"] == "applied"
    assert seen["after"] == "10.68.5.5"
    assert seen["fresh"] == "10.68.5.5"


def test_another_zones_cache_is_left_alone(seen: dict[str, Any]) -> None:
    assert seen["questions for other.example"] == 1


def test_told_to_forget_everything_it_asks_for_everything_anew(seen: dict[str, Any]) -> None:
    assert seen["questions for other.example, all forgotten"] == 2


def test_kube_dns_is_asked_about_its_own_zone_only(seen: dict[str, Any]) -> None:
    assert seen["kube-dns was asked"]
    assert all(name.endswith(".default.svc.cluster.local.") for name in seen["kube-dns was asked"])


def test_after_the_removal_no_old_answer_lives_on(seen: dict[str, Any]) -> None:
    assert seen["removed"] == "applied"
    assert seen["after removal"] == "NXDOMAIN"


def test_a_validating_server_believes_the_unsigned_zone(seen: dict[str, Any]) -> None:
    assert seen["validating"] == "10.68.5.5"
    assert seen["validating, added without +i"] == "SERVFAIL"
