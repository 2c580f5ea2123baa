"""Every switch beside the chat breaks what it says and mends it again; the check names it meanwhile."""

from pathlib import Path

import pytest

from lab.company import Company, company
from lab.slack.driver import Driver, driving

CHECK = "/k8snet check redis-abc-gns.default"
NAMED = {
    "forwarding": "K8SNET-",
    "forwarder": "K8SNET-DNS-01",
    "cache": "K8SNET-DNS-02",
    "dns": "K8SNET-DNS-05",
    "deny": "K8SNET-POL-05",
    "edit": "K8SNET-RT-02",
    "fortigate": "K8SNET-",
}


async def exposed(office: Company, slack: Driver) -> None:
    await slack.say("/k8snet expose default")
    await slack.until(contains="waits for a yes", timeout=30)
    await slack.click("Confirm")
    await slack.until(contains="Done:", timeout=30)


async def turn(slack: Driver, switch: str, on: bool) -> bool:
    """Turn a switch as the page does; answers how it stands then."""
    picture = await slack.post("network/switch", None, id=switch, on=on)
    return bool(next(one["on"] for one in picture["switches"] if one["id"] == switch))


async def broken(slack: Driver) -> list[str]:
    """Every switch that is on."""
    return [one["id"] for one in (await slack.get("network", None))["switches"] if one["on"]]


async def checked(slack: Driver, after: int) -> tuple[str, int]:
    await slack.say(CHECK)
    message = await slack.until(contains=" → service ", after=after, timeout=40)
    return message.text, message.seq


@pytest.mark.timeout(240)
async def test_each_switch_is_named_by_the_check_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async with company(tmp_path) as office, office.bot(), driving(office.slack.page_url) as slack:
        text, seen = await checked(slack, 0)
        assert "K8SNET-EXP-01" in text
        assert await broken(slack) == []
        await exposed(office, slack)
        for switch, named in NAMED.items():
            assert await turn(slack, switch, True), switch
            text, seen = await checked(slack, seen)
            assert named in text, (switch, text)
            assert not await turn(slack, switch, False), switch
            text, seen = await checked(slack, seen)
            assert "redis-abc-gns.default works" in text, (switch, text)


async def test_the_button_of_the_check_moves_our_policies_out_from_behind_a_deny(tmp_path: Path) -> None:
    async with company(tmp_path) as office, office.bot(), driving(office.slack.page_url) as slack:
        await exposed(office, slack)
        assert await turn(slack, "deny", True)
        text, seen = await checked(slack, 0)
        assert "K8SNET-POL-05" in text
        await slack.click("Expose default")
        plan = await slack.until(contains="waits for a yes", after=seen, timeout=30)
        assert plan.text.count("~ move policy") == 1  # only the office is kept out
        assert "before policy 50 (quarantine)" in plan.text
        await slack.click("Confirm")
        done = await slack.until(contains="Done:", after=seen, timeout=30)
        text, _ = await checked(slack, done.seq)
        assert "redis-abc-gns.default works" in text
        assert await turn(slack, "deny", True), "it can be put on top again"
        assert not await turn(slack, "deny", False)


async def test_slack_away_and_a_dead_bot_are_switches_too_and_nothing_is_lost(tmp_path: Path) -> None:
    async with company(tmp_path) as office, office.bot(), driving(office.slack.page_url) as slack:
        assert await turn(slack, "slack", True)
        answer = await slack.say("/k8snet whoami")
        assert answer["error"] == "dispatch_failed"
        assert not await turn(slack, "slack", False)
        await office.slack.slack.sockets.until_connected()
        assert await turn(slack, "bot", True)
        assert (await slack.say("/k8snet whoami"))["error"] == "dispatch_failed"
        assert not await turn(slack, "bot", False)
        await slack.say("/k8snet whoami")
        await slack.until(contains="Roles: operator")
