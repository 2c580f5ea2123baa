"""Who may do what, as the workspace knows people at this moment: through the real Bolt and Web API."""

import pytest

from bot.env import RealEnv
from bot.model.people import Person
from handlers.directory import BARRED
from handlers.edge import slack_edge
from lab.slack import people
from lab.slack.model import TEAM
from tests.scenarios.chat import Chat, chat, settings_for, workspace

LOOKING = ("check redis-abc-gns.default", "plan default", "status", "list", "history", "audit", "whoami", "help")
REFUSED = "You may not use k8snet: guests may not"


async def members(room: Chat, group: str, *names: str) -> None:
    """Put exactly these people into a user group."""
    await room.slack.post("group", None, group=group, users=list(names))


@pytest.mark.parametrize("line", ["expose default", "unexpose default", *LOOKING])
async def test_a_guest_gets_nothing_at_all(transport: str, line: str) -> None:
    async with chat(transport) as room:
        await room.slack.say(f"/k8snet {line}", by="gus")
        refusal = await room.slack.until(contains=REFUSED, by="gus")
        assert refusal.ephemeral
        assert room.company.firewall.calls.total() == 0


@pytest.mark.parametrize("flag", BARRED)
async def test_whoever_slack_does_not_call_a_full_member_gets_nothing(flag: str) -> None:
    """Deactivated people, workflows, connectors and other bots too, whatever groups they are in."""
    async with workspace() as slack, slack_edge(settings_for(slack, "socket"), frozenset(), RealEnv()) as edge:
        somebody = slack.slack.workspace.user("omar")
        person = Person(team=TEAM, user=somebody.id)
        assert (await edge.directory.profile(person)).refused is None
        assert hasattr(somebody, flag)
        setattr(somebody, flag, True)
        edge.directory.forget(person)
        assert (await edge.directory.profile(person)).refused == BARRED[flag]


async def test_a_guest_gets_no_form_to_fill_in_either(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.say("/k8snet", by="gus")
        await room.slack.logged(kind="api", name="views.update")
        modal = await room.slack.modal(by="gus")
        assert modal is not None
        assert REFUSED in modal["plain"]
        assert "submit" not in modal or modal["submit"] is None


async def test_a_stranger_who_clicks_in_a_channel_that_was_shared_since_is_refused(transport: str) -> None:
    async with chat(transport) as room:
        place = room.workspace.slack.workspace.state.channels[people.PARTNER]
        place.is_ext_shared = False
        await room.slack.say("/k8snet check redis-abc-gns.default", channel="partner-net")
        answer = await room.slack.until("partner-net", contains="is broken at the office DNS")
        assert "Check again" in answer.buttons
        place.is_ext_shared = True
        probed = room.company.firewall.calls.total()
        await room.slack.click("Check again", by="sam", channel="partner-net")
        await room.slack.until("partner-net", contains="you belong to another workspace", by="sam")
        assert room.company.firewall.calls.total() == probed


async def test_nothing_is_changed_from_a_channel_that_others_can_read(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.say("/k8snet expose default", channel="partner-net")
        await room.slack.until("partner-net", contains="shared with another organisation")


async def test_direct_messages_are_for_looking_only(transport: str) -> None:
    async with chat(transport) as room:
        direct = (await room.slack.open_home(tab="messages"))["channel"]
        await room.slack.say("/k8snet expose default", channel=direct)
        await room.slack.until(direct, contains="Changes are made in the open")
        await room.slack.say("/k8snet check redis-abc-gns.default", channel=direct)
        await room.slack.until(direct, contains="the namespace is not exposed")


async def test_a_member_without_a_role_gets_help_and_whoami_only_and_hears_who_may_do_the_rest(transport: str) -> None:
    async with chat(transport) as room:
        await members(room, people.OPERATORS, "olga")
        await room.slack.say("/k8snet help")
        text = (await room.slack.until(contains="expose – for the role developer or operator or admin")).text
        assert "/k8snet whoami\n    your roles here" in text
        assert "/k8snet expose" not in text
        await room.slack.say("/k8snet status")
        await room.slack.until(contains="To look you need the role")


async def test_a_role_that_was_taken_away_a_moment_ago_does_not_count_at_the_click(transport: str) -> None:
    """Also when Slack never tells us: the click itself asks again."""
    async with chat(transport) as room:
        await room.slack.say("/k8snet expose default", by="dana")
        await room.slack.until(contains="waits for a yes")
        await room.slack.say("/k8snet whoami")
        await room.slack.until(contains="Roles: operator")
        room.workspace.slack.workspace.group(people.OPERATORS).users.remove(people.OMAR)
        await room.slack.click("Confirm")
        await room.slack.until(contains="you need the role operator or admin")
        assert not room.company.firewall.writes


async def test_a_role_change_that_slack_tells_of_counts_at_once(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.say("/k8snet whoami", by="dana")
        await room.slack.until(contains="Roles: developer", by="dana")
        await members(room, people.OPERATORS, "omar", "olga", "dana")
        await room.slack.logged(name="events_api", outcome="ok")
        await room.slack.say("/k8snet whoami", by="dana")
        await room.slack.until(contains="Roles: developer, operator", by="dana")


async def test_somebody_who_has_just_left_is_refused_at_the_click(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.say("/k8snet expose default", by="dana")
        await room.slack.until(contains="waits for a yes")
        await room.slack.say("/k8snet whoami")
        await room.slack.until(contains="Roles: operator")
        room.workspace.slack.workspace.user("omar").is_restricted = True  # no event: as if it had got lost
        await room.slack.click("Confirm")
        await room.slack.until(contains=REFUSED)
        assert not room.company.firewall.writes


async def test_a_guest_who_has_just_become_a_member_counts_at_the_click(transport: str) -> None:
    async with chat(transport) as room:
        await members(room, people.OPERATORS, "omar", "gus")
        await room.slack.say("/k8snet expose default", by="dana")
        await room.slack.until(contains="waits for a yes")
        await room.slack.click("Confirm", by="gus")
        await room.slack.until(contains=REFUSED, by="gus")
        assert not room.company.firewall.writes
        gus = room.workspace.slack.workspace.user("gus")
        gus.is_restricted = gus.is_ultra_restricted = False  # no event: as if it had got lost
        await room.slack.click("Confirm", by="gus")
        done = await room.slack.until(contains="applied and proven")
        assert "confirmed by @gus" in done.text


async def test_a_button_that_asks_for_a_change_asks_anew_who_one_is(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.say("/k8snet check redis-abc-gns.default")
        await room.slack.until(contains="is broken at the office DNS")
        room.workspace.slack.workspace.group(people.OPERATORS).users.remove(people.OMAR)
        await room.slack.click("Expose default")
        await room.slack.until(contains="you need the role developer or operator or admin")
        assert not (await room.engine.context.journal.world()).operations


async def test_a_form_asks_anew_who_one_is_when_it_is_sent(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.say("/k8snet")
        await room.slack.logged(kind="api", name="views.update")
        room.workspace.slack.workspace.group(people.OPERATORS).users.remove(people.OMAR)
        await room.slack.submit({"namespace": "default"})
        await room.slack.until(contains="you need the role developer or operator or admin")
        assert not (await room.engine.context.journal.world()).operations


async def test_a_card_cannot_be_confirmed_once_its_channel_is_shared(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.say("/k8snet expose default", by="dana")
        await room.slack.until(contains="waits for a yes")
        channel = room.workspace.slack.workspace.state.channels[people.NET_OPS]
        channel.is_ext_shared = True
        channel.members.append(people.SAM)
        for by in ("sam", "omar"):
            await room.slack.click("Confirm", by=by)
            refusal = await room.slack.until(contains="This channel is shared with another organisation", by=by)
            assert refusal.ephemeral
        assert not room.company.firewall.writes


async def test_who_cannot_be_looked_up_may_nothing(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.say("/k8snet expose default", by="dana")
        await room.slack.until(contains="waits for a yes")
        await room.slack.fault(method="users.info", kind="status", status=503, times=0)
        await room.slack.click("Confirm")
        await room.slack.until(contains="Slack: users.info")
        assert not room.company.firewall.writes


async def test_a_cluster_is_operated_from_its_own_channels_only(transport: str) -> None:
    async with chat(transport, channels=frozenset({people.GENERAL})) as room:
        seen = 0
        for line in ("expose default", "check redis-abc-gns.default", "plan default on qa"):
            await room.slack.say(f"/k8snet {line}", by="dana")
            refusal = await room.slack.until(contains="qa is operated from", by="dana", after=seen)
            assert "#general" in refusal.text
            seen = refusal.seq
        assert room.company.firewall.calls.total() == 0
