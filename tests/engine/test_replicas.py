"""Several DNS servers in one office: one is written to, all are asked, and whoever lags is named."""

from ipaddress import IPv4Address
from typing import Any

import pytest

from bot.model.commands import Check, Expose, Unexpose
from bot.model.journal import Verified
from bot.model.operation import Operation
from bot.model.plan import Forwards, Resolves
from bot.model.probes import DnsAnswer
from bot.model.resources import Key
from bot.model.site import DnsServer
from tests.asking import ask, change
from tests.office import DC1, Company, Wire

FORWARDER = Key(kind="forwarder", name="default.svc.cluster.local")
DC2 = IPv4Address("172.16.2.4")
DELAY_S = 200


class TwoServers(Wire):
    """The second server shows what the first one holds, `delay_s` after it has changed."""

    def __init__(self, company: Company, delay_s: float) -> None:
        super().__init__(company.firewall, company.dns_server, company.cluster)
        self.company, self.delay_s = company, delay_s
        self.asked: list[str] = []
        self._shown = False
        self._changed: float | None = None

    async def dns(self, server: IPv4Address, name: str, *rest: Any) -> DnsAnswer:
        if server != DC2:
            return await super().dns(server, name, *rest)
        self.asked.append(name)
        if self._learned():
            return await super().dns(DC1, name, *rest)
        held, self.dns_server.resources = self.dns_server.resources, {}
        try:
            return await super().dns(DC1, name, *rest)
        finally:
            self.dns_server.resources = held

    def _learned(self) -> bool:
        now, held = self.company.env.monotonic(), FORWARDER in self.dns_server.resources
        if held == self._shown:
            self._changed = None
        elif self._changed is None:
            self._changed = now
        if self._changed is not None and now - self._changed >= self.delay_s:
            self._shown = held
        return self._shown


def two_servers(delay_s: float = DELAY_S, patience_s: int = 300) -> Company:
    company = Company()
    replica = DnsServer(
        name="dc2", address=DC2, interface="dmz", address_object="dns-dc2", replica_of="dc1", replication_s=patience_s
    )
    [office] = company.site.offices
    company.site = company.site.model_copy(
        update={
            "dns_servers": (*company.site.dns_servers, replica),
            "offices": (office.model_copy(update={"dns_servers": ("dc1", "dc2")}),),
        }
    )
    company.wire = TwoServers(company, delay_s)
    return company


def proof(operation: Operation) -> Verified:
    return next(entry for entry in operation.entries if isinstance(entry, Verified))


async def test_one_server_is_written_to_and_both_may_ask_the_cluster() -> None:
    company = two_servers()
    plan = (await ask(company.engine())).plan
    assert plan is not None
    assert [(step.target, step.key) for step in plan.steps if step.key.kind == "forwarder"] == [("dc1", FORWARDER)]
    policies = {step.key.name for step in plan.steps if step.key.kind == "policy"}
    assert {"k8snet-qa-dns-dc1", "k8snet-qa-dns-dc2"} <= policies
    assert any(warning.startswith("dc2 learns the forwarder from dc1, within 300 s") for warning in plan.warnings)


async def test_both_are_asked_the_replica_only_for_names_it_cannot_remember() -> None:
    company = two_servers()
    plan = (await ask(company.engine())).plan
    assert plan is not None
    assert {check.server for check in plan.checks if isinstance(check, Resolves)} == {"dc1"}
    assert [check.server for check in plan.checks if isinstance(check, Forwards)] == ["dc2"]


async def test_a_replica_that_learns_late_is_waited_for_and_never_asked_the_same_twice() -> None:
    company = two_servers()
    done = await change(company.engine())
    assert done.state == "done"
    assert isinstance(company.wire, TwoServers)
    assert len(company.wire.asked) > 2
    assert len(set(company.wire.asked)) == len(company.wire.asked)


async def test_after_unexpose_the_replica_is_waited_for_too() -> None:
    company = two_servers()
    engine = company.engine()
    await change(engine)
    gone = await change(engine, Unexpose(namespace="default"), "d2")
    assert gone.state == "done"
    assert {result.what for result in proof(gone).results} == {
        f"{server} no longer forwards default.svc.cluster.local" for server in ("dc1", "dc2")
    }


async def test_when_one_of_two_never_learns_it_the_result_says_which() -> None:
    company = two_servers(delay_s=1e9)
    failed = await change(company.engine())
    assert failed.state == "rolled-back"
    problem = proof(failed).problem
    assert problem is not None
    assert problem.what.startswith("dc2 ")
    assert all(result.passed for result in proof(failed).results if result.what.startswith("dc1 "))
    assert "dc2" in failed.entries[-1].reason  # type: ignore[union-attr]
    assert "dc1" not in failed.entries[-1].reason  # type: ignore[union-attr]


async def test_nobody_waits_for_a_replica_when_something_else_is_wrong() -> None:
    company = two_servers(delay_s=1e9, patience_s=3600)
    company.wire.cut = True
    started = company.env.monotonic()
    failed = await change(company.engine())
    assert failed.state == "rolled-back"
    assert company.env.monotonic() - started < 60


@pytest.mark.parametrize("domain", ["cluster.local", "k8s.corp.example"])
async def test_a_domain_that_collides_with_mdns_is_told_before_the_yes(domain: str) -> None:
    company = Company()
    company.cluster.now = company.cluster.now.model_copy(update={"domain": domain})
    plan = (await ask(company.engine(), Expose(namespace="default"))).plan
    assert plan is not None
    assert any("mDNS" in warning for warning in plan.warnings) == domain.endswith(".local")


async def test_two_servers_that_are_both_written_to_are_both_proven() -> None:
    company = Company()
    other = DnsServer(name="dc2", address=DC2, interface="dmz", address_object="dns-dc2")
    [office] = company.site.offices
    company.site = company.site.model_copy(
        update={
            "dns_servers": (*company.site.dns_servers, other),
            "offices": (office.model_copy(update={"dns_servers": ("dc1", "dc2")}),),
        }
    )
    engine = company.engine()
    engine.context.targets["dc2"] = type(company.dns_server)("dc2", keeps_marks=False)  # type: ignore[index]
    plan = (await ask(engine)).plan
    assert plan is not None
    forwarders = [step.target for step in plan.steps if step.key == Key(kind="forwarder", name=FORWARDER.name)]
    assert forwarders == ["dc1", "dc2"]
    assert {check.server for check in plan.checks if isinstance(check, Resolves)} == {"dc1", "dc2"}


async def test_a_check_in_doubt_asks_a_replica_not_for_forwarders_that_nobody_can_read_there() -> None:
    company = two_servers()
    engine = company.engine()
    await change(engine)
    company.wire.cut = True
    report = await engine.check(Check(name="redis-abc-gns.default"))
    assert report.verdict == "failed"
