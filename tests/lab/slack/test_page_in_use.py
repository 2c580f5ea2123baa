"""Checks 24, 27, 39, 42 and 44: the page in a real browser, as somebody types and clicks."""

from __future__ import annotations

import asyncio
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from lab.slack.clock import Clock
from lab.slack.driver import Driver
from lab.slack.people import NET_OPS, OMAR
from lab.slack.server import Running
from tests.browser import expect, needs_chromium

from .apps import BUTTON, BoltApp, actions, field_block, modal, raw_socket
from .pages import Open, shown

pytestmark = needs_chromium


async def test_check_39_the_composer_completes_commands_and_remembers(lab: Running, bolt: BoltApp, visit: Open) -> None:
    bolt.keep(bolt.app.command, "/k8snet")
    page = await visit(lab)
    await page.locator("#composer").press_sequentially("/k")
    await expect(page.locator("#suggestions")).to_contain_text("/k8snet")
    await expect(page.locator("#suggestions code")).to_have_text("help")
    await page.keyboard.press("Tab")
    await expect(page.locator("#composer")).to_have_value("/k8snet ")
    await page.keyboard.type("status")
    await page.keyboard.press("Enter")
    assert (await bolt.seen.get())["text"] == "status"
    await page.keyboard.press("ArrowUp")
    await expect(page.locator("#composer")).to_have_value("/k8snet status")


async def test_check_39_who_may_not_speak_is_told_so(lab: Running, visit: Open) -> None:
    page = await visit(lab, by="dana", channel="partner-net")
    await page.fill("#composer", "hello")
    await page.keyboard.press("Enter")
    await expect(page.locator("#composer-problem")).to_have_text("You are not a member of this channel.")


async def test_check_39_channels_of_every_kind_and_threads(
    lab: Running, client: AsyncWebClient, slack: Driver, visit: Open
) -> None:
    await client.chat_postMessage(channel=OMAR, text="direct")
    parent = await client.chat_postMessage(channel=NET_OPS, text="parent")
    page = await visit(lab)
    names = await page.locator("#sidebar .channel").all_inner_texts()
    listed = " ".join(names)
    for name in ("net-ops", "k8snet-audit", "general", "partner-net", "k8snet"):
        assert name in listed
    await expect(page.get_by_alt_text("private")).to_have_count(1)
    await page.locator(f"#thread-{parent['ts'].replace('.', '_')}").click()
    await page.fill("#thread-composer", "a reply")
    await page.keyboard.press("Enter")
    await expect(page.locator("#thread-messages .message")).to_have_count(2)
    await expect(shown(page)).to_have_count(1)
    await expect(page.get_by_text("1 reply")).to_be_visible()
    assert (await slack.messages(thread=parent["ts"]))[-1].text == "a reply"


async def test_check_24_a_button_spins_until_the_answer_and_shows_a_failure(
    lab: Running, client: AsyncWebClient, clock: Clock, visit: Open
) -> None:
    await client.chat_postMessage(channel=NET_OPS, text="t", blocks=[actions()])
    async with raw_socket(lab) as app:
        page = await visit(lab)
        button = page.get_by_role("button", name="Apply")
        await button.click()
        first = await app.receive()
        await expect(button).to_have_attribute("aria-busy", "true")
        await button.click()
        second = await app.receive()
        assert first["payload"]["trigger_id"] != second["payload"]["trigger_id"]
        await app.ack(first)
        await expect(button).to_have_attribute("aria-busy", "true")
        await app.ack(second)
        await expect(button).not_to_have_attribute("aria-busy", "true")
        await button.click()
        await app.receive()
        await clock.until_sleeping(3)
        clock.advance(3)
        await expect(button).to_have_class("button failed")
        await expect(page.locator(".message.error")).to_contain_text("did not respond")


async def test_check_24_the_dialog_comes_first(
    lab: Running, bolt: BoltApp, client: AsyncWebClient, visit: Open
) -> None:
    bolt.keep(bolt.app.action, "go")
    texts = {"title": "Apply plan?", "text": "3 changes", "confirm": "Do it", "deny": "Not yet"}
    confirm = {name: {"type": "plain_text", "text": text} for name, text in texts.items()}
    await client.chat_postMessage(channel=NET_OPS, text="t", blocks=[actions(BUTTON | {"confirm": confirm})])
    page = await visit(lab)
    await page.get_by_role("button", name="Apply").click()
    await expect(page.locator("#confirm")).to_contain_text("3 changes")
    await page.get_by_role("button", name="Not yet").click()
    await expect(page.locator("#confirm")).to_be_hidden()
    assert bolt.seen.empty()
    await page.get_by_role("button", name="Apply").click()
    await page.get_by_role("button", name="Do it").click()
    assert (await bolt.seen.get())["actions"][0]["action_id"] == "go"


async def test_check_27_a_form_is_filled_in_and_refused_and_sent(
    lab: Running, bolt: BoltApp, client: AsyncWebClient, visit: Open
) -> None:
    bolt.keep(bolt.app.command, "/k8snet")
    reasons = asyncio.Queue[str]()

    @bolt.app.view("form")
    async def submitted(ack: Any, view: dict[str, Any]) -> None:
        reason = view["state"]["values"]["reason"]["it"]["value"]
        await reasons.put(reason)
        problem = {"response_action": "errors", "errors": {"reason": "no such change"}}
        await ack(**(problem if reason == "CHG-0" else {}))

    page = await visit(lab)
    await page.fill("#composer", "/k8snet form")
    await page.keyboard.press("Enter")
    blocks = [field_block({"type": "plain_text_input", "action_id": "it"}, "reason")]
    view = modal(callback_id="form", submit={"type": "plain_text", "text": "Send"}, blocks=blocks)
    await client.views_open(trigger_id=(await bolt.seen.get())["trigger_id"], view=view)
    await page.click("#modal-submit")
    await expect(page.locator("#modal .problem").first).to_have_text("Please complete this required field.")
    await page.get_by_label("Reason").fill("CHG-0")
    await page.click("#modal-submit")
    await expect(page.locator("#modal .problem").first).to_have_text("no such change")
    await page.get_by_label("Reason").fill("CHG-12")
    await page.click("#modal-submit")
    await expect(page.locator("#modal")).to_be_hidden()
    assert [await reasons.get(), await reasons.get()] == ["CHG-0", "CHG-12"]


async def test_check_42_the_inspector_shows_traffic_and_keeps_secrets(
    lab: Running, bolt: BoltApp, client: AsyncWebClient, slack: Driver, visit: Open
) -> None:
    bolt.keep(bolt.app.command, "/k8snet")
    page = await visit(lab)
    await page.click("#inspector-toggle")
    await slack.say("/k8snet status")
    await client.chat_postMessage(channel=NET_OPS, text="t")
    body = await bolt.seen.get()
    await expect(page.locator("#inspector-list")).to_contain_text("slash_commands")
    await expect(page.locator("#inspector-list details", has_text="chat.postMessage")).to_contain_text("ms")
    async with page.expect_download() as download:
        await page.click("#inspector-export")
    text = (await (await download.value).path()).read_text()
    assert "chat.postMessage" in text
    hook_secret = body["response_url"].rpartition("/")[2]
    for secret in (lab.bot_token, lab.app_token, lab.signing_secret, hook_secret, body["trigger_id"]):
        assert secret not in text


async def test_check_44_the_keyboard_is_enough(
    lab: Running, bolt: BoltApp, client: AsyncWebClient, visit: Open
) -> None:
    bolt.keep(bolt.app.action, "go")
    posted = await client.chat_postMessage(channel=NET_OPS, text="t", blocks=[actions()])
    page = await visit(lab)
    element = f"#act-{posted['ts'].replace('.', '_')}-plan-go"
    await expect(page.locator(f"#msg-{posted['ts'].replace('.', '_')} {element}")).to_have_text("Apply")
    for _ in range(20):
        await page.keyboard.press("Shift+Tab")
        if await page.evaluate("document.activeElement.dataset.actionId ?? ''") == "go":
            break
    await page.keyboard.press("Enter")
    assert (await bolt.seen.get())["actions"][0]["value"] == "p-1"
    await page.locator("#messages").focus()
    await page.keyboard.press("/")
    await expect(page.locator("#composer")).to_be_focused()
    await expect(page.locator("#composer")).to_have_value("/")
