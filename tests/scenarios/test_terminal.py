"""The terminal commands against the whole simulated company: same engine, same words."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bench.offices import exposed_office
from lab.company import Company, company
from lab.corpus.office import office as exposed
from lab.slack.driver import driving

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Company]:
    async with company(tmp_path) as made:
        yield made


async def k8snet(*words: str, environ: dict[str, str] | None = None) -> tuple[int, str]:
    """Exit code and everything said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        *words,
        cwd=ROOT,
        env={**os.environ, **(environ or {})},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def in_office(office: Company, *words: str) -> tuple[int, str]:
    return await k8snet(*words, "--config", str(office.config), environ=office.environ)


async def test_plan_shows_every_step_and_changes_nothing(office: Company) -> None:
    before = office.firewall.device.to_json()
    code, said = await in_office(office, "plan", "default")
    assert code == 0
    assert "+ route 10.68.0.0/16 via 172.16.1.106 on Test (row 1000)" in said
    assert "+ forwarder default.svc.cluster.local → 10.68.0.2" in said
    assert office.firewall.device.to_json()["vdoms"] == before["vdoms"]


async def test_nobody_gives_orders_to_the_terminal(office: Company) -> None:
    async with office.bot(), driving(office.slack.page_url) as slack:
        await slack.say("/k8snet expose default because \x1b[31mred \x9b2J")
        await slack.until(contains="waits for a yes")
    code, said = await in_office(office, "history")
    assert code == 0
    assert "because [31mred 2J" in said
    assert not {"\x1b", "\x9b"} & set(said)


async def test_a_plan_moves_policies_of_ours_out_from_behind_a_deny(tmp_path: Path) -> None:
    async with exposed(tmp_path, await exposed_office()) as office:
        code, said = await k8snet("plan", "default", "--config", str(office.config), environ=office.environ)
        assert (code, said) == (0, "Nothing to do: it is so already.\n")
        everything = {side: [{"name": "any"}] for side in ("srcintf", "dstintf")}
        everything |= {side: [{"name": "all"}] for side in ("srcaddr", "dstaddr")}
        wall = {"policyid": 50, "name": "no-clusters", "service": [{"name": "ALL"}], "schedule": "always"}
        office.device.create("firewall/policy", wall | everything)
        office.device.move("firewall/policy", 50, 1, after=False)
        code, said = await k8snet("plan", "default", "--config", str(office.config), environ=office.environ)
        assert code == 0
        assert said.count("  ~ move policy 100") == 2
        assert said.count(") before policy 50 (no-clusters)\n") == 2
        assert said.count("is moved before policy 50 (no-clusters), which may have been put before it on purpose") == 2


async def test_drill_shows_what_would_move_and_moves_nothing(tmp_path: Path) -> None:
    async with exposed(tmp_path, await exposed_office()) as office:
        before = office.device.rows("router/static")
        code, said = await k8snet("drill", "--to", "node-03", "--config", str(office.config), environ=office.environ)
        assert code == 0, said
        assert "~ route 10.68.0.0/16 via 172.16.1.107" in said
        assert "A drill: the routes lead through k8s-qa-node-03 until data is proven to pass there" in said
        assert office.device.rows("router/static") == before
        code, said = await k8snet("drill", "--to", "node-02", "--config", str(office.config), environ=office.environ)
        assert code == 2
        assert "carries the routes already" in said


async def test_check_says_what_is_broken_and_exits_with_1(office: Company) -> None:
    code, said = await in_office(office, "check", "redis-abc-gns.default", "--json")
    assert code == 1
    report = json.loads(said)
    assert report["verdict"] == "failed"
    assert report["findings"][0]["code"] == "K8SNET-EXP-01"


async def test_facts_are_everything_the_bot_reads(office: Company) -> None:
    code, said = await in_office(office, "facts", "--cluster", "qa", "--json")
    assert code == 0
    facts = json.loads(said)
    assert facts["kube_dns"] == "10.68.0.2"
    assert facts["unreadable"] == []
    assert {node["internal_ip"] for node in facts["nodes"]} >= {"172.16.1.106", "172.16.1.107"}
    code, said = await in_office(office, "facts")
    assert "node k8s-qa-node-02 172.16.1.106 Ready" in said


async def test_status_tells_of_a_cluster_that_does_not_answer(office: Company) -> None:
    code, said = await in_office(office, "status")
    assert code == 0
    assert "gateway k8s-qa-node-02: Ready, answers, kube-proxy healthy; watched" in said
    await office.cluster.api.stop()
    code, said = await in_office(office, "status")
    assert code == 1
    assert "✗ cluster qa:" in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("plan", "defualt"), "Did you mean default?"),
        (("plan", "UPPER"), "cannot be a namespace"),
        (("check", "redis.default", "--cluster", "prod"), "There is no cluster prod"),
    ],
)
async def test_a_mistake_is_one_sentence_without_a_traceback(
    office: Company, words: tuple[str, ...], says: str
) -> None:
    code, said = await in_office(office, *words)
    assert code == 2
    assert says in said
    assert "Traceback" not in said


async def test_a_dead_firewall_is_named_and_nothing_leaks(office: Company) -> None:
    await office.firewall.stop_listening()
    code, said = await in_office(office, "plan", "default")
    assert code == 2
    assert said.startswith("k8snet: fw:")
    assert office.environ["FORTIGATE_TOKEN"] not in said


async def test_a_missing_configuration_says_where_it_looked() -> None:
    code, said = await k8snet("status", "--config", "/nowhere/app.yaml")
    assert code == 2
    assert "cannot read /nowhere/app.yaml" in said


async def test_help_names_every_command() -> None:
    code, said = await k8snet("--help")
    assert code == 0
    assert all(word in said for word in ("run", "check", "plan", "status", "facts", "demo", "tour"))
