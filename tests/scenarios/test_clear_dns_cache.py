"""Old answers in the caches of the office's DNS servers: found by a check, cleared by a change like any other."""

from ipaddress import IPv4Address

from bot.model.commands import ClearDnsCache
from handlers.lines.change import state_line
from tests.asking import ask, change
from tests.office import WEB, Company
from tests.scenarios.chat import chat
from tests.scenarios.windows_office import WindowsOffice, proof, windows_office

NAME = "web-abc.default.svc.cluster.local"
MOVED = IPv4Address("10.68.0.99")
CLEAR = ClearDnsCache(namespace="default")


async def test_a_check_finds_the_old_answer_and_its_button_leads_to_the_ordinary_flow() -> None:
    async with chat() as room:
        await room.slack.say("/k8snet expose default", by="dana")
        await room.slack.until(contains="waits for a yes")
        await room.slack.click("Confirm")
        await room.slack.until(contains="applied and proven")
        room.company.wire.remembered[NAME] = None
        await room.slack.say("/k8snet check web-abc.default", by="dana")
        answer = await room.slack.until(contains="web-abc.default is broken at the office DNS")
        assert answer.buttons == ["Clear DNS cache", "Check again"]
        assert "Clear DNS cache: for the role developer or operator or admin." in str(answer.blocks)
        await room.slack.click("Clear DNS cache", by="dana")
        card = await room.slack.until(contains="clear-dns-cache default on qa\nPlan: waits for a yes")
        assert "on dc1:\n  ~ cache of every name: emptied" in card.text
        assert "The whole cache of dc1 is emptied" in card.text
        await room.slack.click("Confirm", by="dana")
        await room.slack.until(contains="you need the role operator or admin", by="dana")
        assert NAME in room.company.wire.remembered
        await room.slack.click("Confirm", by="omar")
        done = await room.slack.until(contains="clear-dns-cache default on qa\nDone: 1 step applied and proven")
        assert f"✓ dc1 resolves {NAME} — {WEB} by udp" in done.text
        assert "✓ dc1 gets its answers from the cluster" in done.text
        await room.slack.until("k8snet-audit", contains="clear-dns-cache default")
        await room.slack.say("/k8snet check web-abc.default")
        await room.slack.until(contains="✓ web-abc.default works")


async def moved(office: WindowsOffice) -> None:
    """The service is made anew with another address; both servers remember the old one."""
    assert (await change(office.engine)).state == "done"
    for server in ("dc1", "dc2"):
        assert await office.look_up(NAME, server) == str(WEB)
    facts = office.company.cluster.now
    services = tuple(
        one.model_copy(update={"cluster_ip": MOVED}) if one.name == "web-abc" else one for one in facts.services
    )
    office.company.cluster.now = facts.model_copy(update={"services": services})
    for server in ("dc1", "dc2"):
        assert await office.look_up(NAME, server) == str(WEB)


async def test_every_server_of_the_office_forgets_and_answers_rightly_at_once() -> None:
    async with windows_office("dc1", "dc2") as office:
        await moved(office)
        done = await change(office.engine, CLEAR, "d2")
        assert done.state == "done"
        for server in ("dc1", "dc2"):
            assert await office.look_up(NAME, server) == str(MOVED)
        assert {f"{server} resolves {NAME}" for server in ("dc1", "dc2")} <= {one.what for one in proof(done).results}


async def test_a_server_that_does_not_obey_is_named_and_the_change_is_not_called_done() -> None:
    async with windows_office("dc1", "dc2") as office:
        await moved(office)
        office.servers["dc2"].server.faults.add("error", "Clear-DnsServerCache", code=5, count=10)
        failed = await change(office.engine, CLEAR, "d2")
        assert failed.state == "rolled-back"
        assert "dc2: the cache was not cleared" in failed.entries[-1].reason  # type: ignore[union-attr]
        assert state_line(failed) == "Not done; what a cache has forgotten comes back by itself"


async def test_nothing_is_cleared_for_a_namespace_that_is_not_exposed() -> None:
    engine = Company().engine()
    refused = await ask(engine, CLEAR)
    assert refused.state == "unplannable"
    assert "not exposed" in refused.entries[-1].reason  # type: ignore[union-attr]
