"""Check 9: views, on a person's stack and as the Home tab."""

from __future__ import annotations

from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from lab.slack.clock import Clock
from lab.slack.driver import Driver
from lab.slack.manifest import Manifest
from lab.slack.people import OMAR, WANDA
from lab.slack.server import running
from lab.slack.workspace import Workspace

from .apps import BoltApp, field_block, modal, refusal, section, web_client

TEXT_INPUT = {"type": "plain_text_input", "action_id": "value"}


async def trigger(bolt: BoltApp, slack: Driver, by: str = "omar") -> str:
    await slack.say("/k8snet form", by=by)
    return str((await bolt.seen.get())["trigger_id"])


@pytest.fixture
def commands(bolt: BoltApp) -> BoltApp:
    bolt.keep(bolt.app.command, "/k8snet")
    return bolt


async def test_check_09_a_trigger_opens_one_modal_within_three_seconds(
    commands: BoltApp, client: AsyncWebClient, slack: Driver, clock: Clock
) -> None:
    first = await trigger(commands, slack)
    opened = await client.views_open(trigger_id=first, view=modal())
    assert (await slack.modal())["id"] == opened["view"]["id"]
    assert await slack.modal(by="dana") is None
    assert (await refusal(client.views_open(trigger_id=first, view=modal())))["error"] == "exchanged_trigger_id"
    late = await trigger(commands, slack)
    clock.advance(3.5)
    assert (await refusal(client.views_open(trigger_id=late, view=modal())))["error"] == "expired_trigger_id"
    assert (await refusal(client.views_open(trigger_id="1.2.3", view=modal())))["error"] == "invalid_trigger_id"


async def test_check_09_a_stack_holds_three(commands: BoltApp, client: AsyncWebClient, slack: Driver) -> None:
    opened = await client.views_open(trigger_id=await trigger(commands, slack), view=modal())
    for _ in range(2):
        pushed = await client.views_push(trigger_id=await trigger(commands, slack), view=modal())
    assert pushed["view"]["root_view_id"] == opened["view"]["id"]
    assert pushed["view"]["previous_view_id"] != opened["view"]["id"]
    fourth = client.views_push(trigger_id=await trigger(commands, slack), view=modal())
    assert (await refusal(fourth))["error"] == "push_limit_reached"
    assert len((await slack.get("view", "omar"))["views"]) == 3


async def test_check_09_stale_hashes_conflict(commands: BoltApp, client: AsyncWebClient, slack: Driver) -> None:
    opened = await client.views_open(trigger_id=await trigger(commands, slack), view=modal(external_id="form-1"))
    stale = opened["view"]["hash"]
    updated = await client.views_update(external_id="form-1", hash=stale, view=modal(blocks=[section("two")]))
    assert updated["view"]["hash"] != stale
    again = client.views_update(view_id=opened["view"]["id"], hash=stale, view=modal())
    assert (await refusal(again))["error"] == "hash_conflict"
    assert (await slack.modal())["plain"] == "two"
    assert (await refusal(client.views_update(view_id="V000", view=modal())))["error"] == "not_found"


async def test_check_09_external_ids_are_unique(commands: BoltApp, client: AsyncWebClient, slack: Driver) -> None:
    one = modal(external_id="form-1")
    await client.views_open(trigger_id=await trigger(commands, slack), view=one)
    again = client.views_open(trigger_id=await trigger(commands, slack, by="dana"), view=one)
    assert (await refusal(again))["error"] == "duplicate_external_id"


@pytest.mark.parametrize(
    ("view", "error", "problem"),
    [
        (modal(blocks=[section("x" * 2900)] * 90), "view_too_large", None),
        (modal(title={"type": "plain_text", "text": "t" * 25}), "invalid_arguments", "/view/title/text"),
        (modal(blocks=[section("x")] * 101), "invalid_arguments", "/view/blocks"),
        (modal(private_metadata="x" * 3001), "invalid_arguments", "/view/private_metadata"),
        (modal(callback_id="x" * 256), "invalid_arguments", "/view/callback_id"),
        (modal(blocks=[field_block(TEXT_INPUT, "b")]), "invalid_arguments", "missing required field: submit"),
        (modal(blocks=[{"type": "markdown", "text": "x"}]), "invalid_arguments", "unsupported type: markdown"),
        ({"type": "home", "blocks": []}, "invalid_arguments", "must be of type modal"),
    ],
)
async def test_check_09_views_are_validated(
    commands: BoltApp, client: AsyncWebClient, slack: Driver, view: dict[str, Any], error: str, problem: str | None
) -> None:
    data = await refusal(client.views_open(trigger_id=await trigger(commands, slack), view=view))
    assert data["error"] == error
    if problem:
        assert any(problem in one for one in data["response_metadata"]["messages"])


async def test_check_09_home_tabs_can_be_published_unless_switched_off(client: AsyncWebClient, clock: Clock) -> None:
    home = {"type": "home", "blocks": [section("welcome")]}
    published = await client.views_publish(user_id=OMAR, view=home)
    current = await client.views_publish(user_id=OMAR, hash=published["view"]["hash"], view=home)
    assert current["view"]["id"] == published["view"]["id"]
    stale = client.views_publish(user_id=OMAR, hash=published["view"]["hash"], view=home)
    assert (await refusal(stale))["error"] == "hash_conflict"
    assert (await refusal(client.views_publish(user_id=WANDA, view=home)))["error"] == "invalid_arguments"
    async with running(Workspace(clock=clock), manifest=Manifest(home_tab=False)) as lab, web_client(lab) as other:
        assert (await refusal(other.views_publish(user_id=OMAR, view=home)))["error"] == "not_enabled"
