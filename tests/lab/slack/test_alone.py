"""The workspace as a program of its own, and the driver that others' tests use."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from lab.slack.clock import Clock
from lab.slack.driver import ChatError, Driver, driving
from lab.slack.manifest import Manifest
from lab.slack.people import NET_OPS, OMAR
from lab.slack.server import Running, running
from lab.slack.workspace import Workspace

from .apps import BoltApp, actions, web_client


async def program(*options: str, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "lab.slack",
        *options,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )


@asynccontextmanager
async def started(*options: str, **environment: str) -> AsyncIterator[str]:
    """The page's address; the program must end cleanly on SIGTERM."""
    process = await program("--listen", "127.0.0.1:0", *options, **environment)
    assert process.stdout is not None
    ready = (await process.stdout.readline()).decode().split()
    try:
        assert ready[:2] == ["ready:", "page"]
        yield ready[2]
    finally:
        process.terminate()
        output, errors = await process.communicate()
        assert (process.returncode, output) == (0, b""), errors.decode()


async def test_it_writes_tokens_that_work_and_keeps_its_state_in_a_file(tmp_path: Path) -> None:
    tokens, dump = tmp_path / "tokens.json", tmp_path / "dump.json"
    async with started("--tokens-out", str(tokens), "--dump", str(dump)) as page, driving(page) as slack:
        assert stat.S_IMODE(tokens.stat().st_mode) == 0o600
        found = json.loads(tokens.read_text())
        client = AsyncWebClient(token=found["bot_token"], base_url=found["api_url"], retry_handlers=[])
        assert (await client.auth_test())["ok"]
        assert (await client.apps_connections_open(app_token=found["app_token"]))["ok"]
        await slack.say("remember me")
    async with started("--tokens-out", str(tokens), "--load", str(dump)) as page, driving(page) as slack:
        assert [message.text for message in await slack.messages()] == ["remember me"]
        later = await slack.say("and me")
        assert later["ts"] == (await slack.last()).ts


async def test_it_takes_tokens_from_the_environment(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text("oauth_config: {scopes: {bot: [commands]}}\nfeatures: {slash_commands: [{command: /net}]}\n")
    options = ["--bot-token-env", "BOT", "--app-token-env", "APP", "--manifest", str(manifest)]
    async with started(*options, BOT="xoxb-mine", APP="xapp-mine") as page:
        client = AsyncWebClient(token="xoxb-mine", base_url=f"{page}api/", retry_handlers=[])
        answer = await client.auth_test()
        assert answer.headers["x-oauth-scopes"] == "commands"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--listen", "0.0.0.0:0"], "not on this machine"),
        (["--bot-token-env", "NOT_THERE"], "NOT_THERE is not set"),
        (["--manifest", "/nowhere.yaml"], "/nowhere.yaml"),
        (["--load", "/nowhere.json"], "/nowhere.json"),
    ],
)
async def test_it_says_why_it_cannot_start(options: list[str], why: str) -> None:
    process = await program(*options)
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert why in errors.decode()
    assert "Traceback" not in errors.decode()


async def test_help_documents_the_control_api() -> None:
    process = await program("--help")
    output, _ = await process.communicate()
    for verb in ("/lab/say", "/lab/click", "/lab/wait", "/lab/faults", "/lab/transcript", "/lab/network"):
        assert verb in output.decode()


async def test_every_control_endpoint_is_documented(lab: Running, http: httpx.AsyncClient) -> None:
    from lab.slack import control

    for route in control.Control(lab.slack).routes():
        assert route.path.removeprefix("/lab/").split("/")[0] in (control.__doc__ or "")


async def test_a_chat_reads_like_a_chat(bolt: BoltApp, slack: Driver, client: AsyncWebClient) -> None:
    @bolt.app.command("/k8snet")
    async def plan(ack: Any, say: Any) -> None:
        await ack()
        await say(text="Plan", blocks=[actions()])

    @bolt.app.action("go")
    async def apply(ack: Any, respond: Any) -> None:
        await ack()
        await respond(text="Done", replace_original=True)

    await slack.say("/k8snet expose default")
    plan_seen = await slack.until(contains="[Apply]")
    assert plan_seen.buttons == ["Apply"]
    await slack.click("Apply", by="olga")
    done = await slack.until(regex="^Done$", after=plan_seen.seq)
    assert done.ts == plan_seen.ts
    assert (done.author, done.spoken, done.ephemeral) == ("k8snet", "Done", False)


async def test_the_driver_says_what_there_is_when_something_is_missing(slack: Driver, client: AsyncWebClient) -> None:
    await client.chat_postMessage(channel=NET_OPS, text="Plan", blocks=[actions()])
    with pytest.raises(ChatError, match="Apply"):
        await slack.click("Confirm")
    with pytest.raises(ChatError, match="omar sees no message with buttons in general"):
        await slack.click("Confirm", channel="general")
    with pytest.raises(ChatError, match="the request lacks 'text'"):
        await slack.post("say", "omar", channel="net-ops")
    assert "must be JSON" in (await slack.http.post("/lab/say", content=b"hello")).text
    with pytest.raises(ChatError, match=r"no message with 'Done' came within 0.01 s.*\[Apply\]"):
        await slack.until(contains="Done", timeout=0.01)
    with pytest.raises(ChatError, match="channel_not_found"):
        await slack.say("hello", channel="nowhere")
    with pytest.raises(ChatError, match="user_not_found"):
        await slack.say("hello", by="nobody")


async def test_a_waiting_person_sees_a_change_of_an_old_message(slack: Driver, client: AsyncWebClient) -> None:
    posted = await client.chat_postMessage(channel=NET_OPS, text="Applying")
    waiting = asyncio.ensure_future(slack.until(contains="Applied"))
    await client.chat_update(channel=NET_OPS, ts=posted["ts"], text="Applied")
    assert (await waiting).ts == posted["ts"]


async def test_a_dump_can_be_loaded_and_nonsense_cannot(lab: Running, slack: Driver) -> None:
    await slack.say("one")
    dump = await slack.get("dump", None)
    await slack.say("two")
    await slack.post("load", None, **dump)
    assert [message.text for message in await slack.messages()] == ["one"]
    with pytest.raises(ChatError, match="invalid_json"):
        await slack.post("load", None, people=[])
    assert [message.text for message in await slack.messages()] == ["one"]
    assert Workspace.from_json(dump).to_json() == dump


async def test_without_a_network_there_is_none(slack: Driver) -> None:
    with pytest.raises(ChatError, match="no network"):
        await slack.get("network", None)


def test_a_manifest_without_scopes_is_refused() -> None:
    with pytest.raises(ValueError, match="oauth_config"):
        Manifest.from_json({"features": {}})
    long = {"oauth_config": {"scopes": {"bot": []}}, "features": {"slash_commands": [{"command": "/" + "x" * 32}]}}
    with pytest.raises(ValueError, match="longer than 32"):
        Manifest.from_json(long)


async def test_secrets_do_not_show_in_a_repr() -> None:
    async with running() as lab:
        text = repr(lab) + repr(lab.slack.tokens) + repr(lab.slack.delivery)
        for secret in (lab.bot_token, lab.app_token, lab.signing_secret):
            assert secret not in text


async def transcript_of(clock: Clock) -> list[dict[str, Any]]:
    async with running(Workspace(clock=clock)) as lab, web_client(lab) as client:
        await client.chat_postMessage(channel=NET_OPS, text="t", blocks=[actions()])
        await client.conversations_open(users=OMAR)
        return list(lab.slack.transcript.entries)


async def test_check_42_the_same_seed_and_clock_give_the_same_transcript() -> None:
    first = await transcript_of(Clock(1_790_000_000.0, frozen=True))
    assert first == await transcript_of(Clock(1_790_000_000.0, frozen=True))
    assert first[0]["response"]["ts"] == "1790000000.000000"


async def test_check_45_nobody_else_can_reach_the_workspace(lab: Running, slack: Driver) -> None:
    port = urlsplit(lab.page_url).port
    with socket.socket() as other, pytest.raises(ConnectionRefusedError):
        other.connect(("127.0.0.2", port))
    foreign = await slack.http.post(
        "/lab/say", json={"as": "ada", "channel": "net-ops", "text": "x"}, headers={"Origin": "https://evil.example"}
    )
    assert foreign.status_code == 403
    borrowed = await slack.http.get("/lab/state?as=ada", headers={"Host": f"rebound.example:{port}"})
    assert borrowed.status_code == 403
    page = await slack.http.get("/")
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
