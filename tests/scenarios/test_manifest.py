"""The app's manifest: the file is what the command prints, and it asks for nothing that nothing uses."""

import asyncio

import yaml
from typer.testing import CliRunner

from bot.__main__ import app
from handlers.manifest import EVENTS, SCOPES
from lab.slack import people
from tests.scenarios.chat import MANIFEST, chat, expose_asked, made_long


def test_the_manifest_in_the_repository_is_what_the_command_prints() -> None:
    printed = CliRunner().invoke(app, ["manifest"])
    assert printed.exit_code == 0
    assert printed.stdout == MANIFEST.read_text(encoding="utf-8")


def test_for_http_mode_every_address_is_the_public_one() -> None:
    printed = CliRunner().invoke(app, ["manifest", "--url", "https://bot.example.org"])
    content = yaml.safe_load(printed.stdout)
    url = "https://bot.example.org/slack/events"
    assert content["features"]["slash_commands"][0]["url"] == url
    assert content["settings"]["interactivity"]["request_url"] == url
    assert content["settings"]["event_subscriptions"]["request_url"] == url
    assert content["settings"]["socket_mode_enabled"] is False
    assert CliRunner().invoke(app, ["manifest", "--url", "http://bot.example.org"]).exit_code == 2


async def test_every_scope_and_event_is_used_and_none_is_missing() -> None:
    async with chat() as room:
        made_long(room)
        await expose_asked(room)
        await room.slack.until(contains="The whole plan is a file in the thread.")
        await room.slack.say("/k8snet check redis-abc-gns.default", channel="k8snet-audit")
        await room.slack.until("k8snet-audit", contains="the namespace is not exposed")
        await room.slack.post("group", None, group=people.OPERATORS, users=["omar", "dana"])
        await room.slack.open_home()
        await room.slack.logged(name="views.publish")
        await room.slack.post("user", None, user="gus", is_restricted=False)
        await room.slack.say("/k8snet whoami", by="dana")
        await room.slack.until(contains="Roles: developer, operator", by="dana")
        assert room.workspace.slack.demanded == set(SCOPES)
        await room.slack.post("uninstall", None)
        await asyncio.wait_for(room.ears.dismissed.wait(), 20)
        events: set[str] = set()
        read = 0
        while not events >= set(EVENTS) and (entries := await room.slack.transcript(read, 10)):
            assert not [entry for entry in entries if "missing_scope" in str(entry)]
            events |= {entry["payload"]["event"]["type"] for entry in entries if entry["name"] == "events_api"}
            read = entries[-1]["n"]
        assert events == set(EVENTS)
