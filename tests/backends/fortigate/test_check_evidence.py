"""Counters and sessions of the firewall as evidence: where a silent connection is lost."""

from ipaddress import IPv4Network
from typing import Any

import pytest

from bot.engine.checking.check import check
from bot.model.commands import Check, Expose
from bot.model.diagnosis import Report
from bot.model.site import CheckLimits
from lab.fortigate import article
from lab.fortigate.server import Server
from tests.backends.fortigate.at_work import Work
from tests.contract.fortigate_subject import TOKEN

PODS = IPv4Network("172.20.0.0/16")


async def exposed(work: Any, server: Server, version: str, **profile: Any) -> Work:
    """A firewall of this release and a cluster with one service, which is exposed."""
    state = article.state(TOKEN)
    profiles = [state["accprofiles"][0] | profile]
    server.device.load(state | {"version": version, "accprofiles": profiles})
    bot: Work = work()
    facts = bot.cluster.now
    bot.cluster.now = facts.model_copy(update={"services": facts.services[:1]})
    assert (await bot.change(Expose(namespace="default"))).state == "done"
    return bot


async def checked(bot: Work) -> Report:
    return await check(bot.engine.context, Check(name="redis-abc-gns.default"), CheckLimits())


def codes(report: Report) -> list[str]:
    return [finding.code for finding in report.findings]


@pytest.mark.parametrize("version", ["v6.4.14", "v7.4.4", "v7.6.6"])
async def test_what_the_firewall_let_out_and_nobody_answered_is_lost_beyond_it(
    work: Any, server: Server, version: str
) -> None:
    bot = await exposed(work, server, version)
    bot.wire.lost.append(PODS)
    report = await checked(bot)
    assert codes(report)[0] == "K8SNET-FW-05", report.findings
    assert dict(report.hops)["firewall"] == "passed"
    assert dict(report.hops)["gateway"] == "failed"
    counter, sessions, _ = report.findings[0].evidence
    assert "sessions to 172.20.4.222:6379/TCP: 3, answered 1" in sessions  # that one is the proof of the exposure
    assert "counter of policy k8snet-qa-hq: 3 before, 4 after" in counter


@pytest.mark.parametrize("version", ["v6.4.14", "v7.4.4", "v7.6.6"])
async def test_what_the_policy_does_not_count_never_came_to_it(work: Any, server: Server, version: str) -> None:
    bot = await exposed(work, server, version)
    bot.wire.astray.append(PODS)
    report = await checked(bot)
    assert codes(report)[0] == "K8SNET-FW-06", report.findings
    assert dict(report.hops)["firewall"] == "failed"
    assert "fw's counter of policy k8snet-qa-hq: 2 before, 2 after" in report.findings[0].evidence


def crowd(bot: Work) -> None:
    """So many policies that an older release cannot be asked for all their counters."""
    row = bot.device.rows("firewall/policy")[0]
    for number in range(2000, 2200):
        bot.device.create("firewall/policy", row | {"policyid": number, "name": f"other-{number}"})


async def test_what_the_firewall_cannot_tell_is_said_and_nothing_is_concluded(work: Any, server: Server) -> None:
    bot = await exposed(work, server, "v7.4.4", sysgrp="none")
    crowd(bot)
    bot.wire.astray.append(PODS)
    report = await checked(bot)
    assert not {"K8SNET-FW-05", "K8SNET-FW-06"} & set(codes(report))
    [doubt] = [finding for finding in report.findings if finding.code == "K8SNET-ASK-04"]
    *_, counter, sessions = doubt.evidence
    assert "cannot tell: FortiOS 7.4.4 tells the counters of all policies only at once" in counter
    assert "cannot tell" in sessions
    assert "needs the right sysgrp.cfg read" in sessions


async def test_a_path_that_works_costs_no_look_at_counters(work: Any, server: Server) -> None:
    bot = await exposed(work, server, "v7.6.6")
    bot.server.faults.arm("refuse", path="*/monitor/firewall/policy")
    bot.server.faults.arm("refuse", path="*/monitor/firewall/sessions*")
    assert (await checked(bot)).verdict == "passed"
