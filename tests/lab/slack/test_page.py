"""Checks 38 to 45: the page in a real browser, as a person sees and uses it."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from lab.slack.clock import Clock
from lab.slack.driver import Driver
from lab.slack.people import NET_OPS, OMAR
from lab.slack.server import Running, running
from lab.slack.workspace import Workspace

from .apps import BUTTON, BoltApp, actions, field_block, modal, raw_socket, section, web_client

playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed: no browser tests")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: no browser tests")

expect = playwright.expect
expect.set_options(timeout=30_000)
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
Open = Callable[..., Awaitable[Any]]


@pytest.fixture
async def visit() -> AsyncIterator[Open]:
    """Open the page as someone; every request and every script error of the page is watched."""
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        wrong: list[str] = []

        async def open_page(lab: Running, by: str = "omar", channel: str = "net-ops", width: int = 1280) -> Any:
            page = await browser.new_page(viewport={"width": width, "height": 800})
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("request", lambda request: wrong.extend(outside(request.url)))
            await page.goto(f"{lab.page_url}?as={by}&channel={channel}")
            await page.wait_for_selector("body[data-ready]")
            return page

        yield open_page
        await browser.close()
        assert wrong == []


def outside(url: str) -> list[str]:
    return [] if urlsplit(url).hostname in ("127.0.0.1", None) else [f"request to {url}"]


def shown(page: Any) -> Any:
    return page.locator("#messages .message")


async def test_check_38_everyone_sees_what_is_theirs(lab: Running, client: AsyncWebClient, visit: Open) -> None:
    page = await visit(lab)
    people = await page.locator("#persona option").all_inner_texts()
    assert [text.split(" ")[0] for text in people] == ["dana", "omar", "olga", "ada", "gus", "sam", "wanda"]
    await client.chat_postEphemeral(channel=NET_OPS, user=OMAR, text="for omar")
    await client.views_publish(user_id=OMAR, view={"type": "home", "blocks": [section("omar's home")]})
    await expect(page.get_by_text("for omar")).to_be_visible()
    await page.click("#channel-home")
    await expect(page.locator("#home")).to_have_text("omar's home")
    await page.select_option("#persona", "dana")
    await expect(page.locator("#home")).to_contain_text("not published")
    await page.click(f"#channel-{NET_OPS}")
    await expect(page.get_by_text("for omar")).to_have_count(0)
    await page.select_option("#persona", "gus")
    await expect(page.locator("#channel-C0GENERAL1")).to_have_count(0)
    await page.select_option("#persona", "wanda")
    await expect(page.locator("#composer")).to_be_disabled()


async def test_check_08_an_ephemeral_is_gone_after_a_reload(lab: Running, client: AsyncWebClient, visit: Open) -> None:
    page = await visit(lab)
    await client.chat_postEphemeral(channel=NET_OPS, user=OMAR, text="for a moment")
    await client.chat_postMessage(channel=NET_OPS, text="for ever")
    await expect(page.get_by_text("for a moment")).to_be_visible()
    await page.reload()
    await expect(page.get_by_text("for ever")).to_be_visible()
    await expect(page.get_by_text("for a moment")).to_have_count(0)


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


RICH = {
    "type": "rich_text",
    "elements": [
        {"type": "rich_text_section", "elements": [{"type": "text", "text": "literal <!channel> *no bold* <b>"}]},
        {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "edit 40"}]},
    ],
}
TABLE = {"type": "table", "rows": [[{"type": "raw_text", "text": "name"}], [{"type": "raw_text", "text": "<i>x</i>"}]]}
MARKDOWN = {
    "type": "markdown",
    "text": "# Title\n\n- **strong** [docs](https://example.org)\n\n| a | b |\n|---|---|\n| 1 | 2 |",
}


async def test_check_40_text_is_formatted_where_it_should_be_and_nowhere_else(
    lab: Running, client: AsyncWebClient, visit: Open
) -> None:
    injected = "pod `x` <!channel> <@U0OMAR0001> *bold* _it_ ~no~ &lt;script&gt; <https://example.org|docs>\n> quoted"
    header = {"type": "header", "text": {"type": "plain_text", "text": "*plain* <!here> <b>"}}
    blocks = [header, section(injected), RICH, TABLE, MARKDOWN]
    await client.chat_postMessage(channel=NET_OPS, text="t", blocks=blocks)
    page = await visit(lab)
    message = shown(page)
    await expect(message.locator(".header")).to_have_text("*plain* <!here> <b>")
    await expect(message.locator(".section .loud")).to_have_text("@channel")
    await expect(message.locator(".loud")).to_have_count(1)
    await expect(message.locator(".section .mention").last).to_have_text("@omar")
    for tag, text in {"b": "bold", "i": "it", "s": "no", "code": "x", "blockquote": "quoted", "a": "docs"}.items():
        await expect(message.locator(f".section {tag}")).to_have_text(text)
    await expect(message.locator(".section")).to_contain_text("<script>")
    await expect(message.locator(".rich_text")).to_contain_text("literal <!channel> *no bold* <b>")
    await expect(message.locator(".rich_text pre")).to_have_text("edit 40")
    await expect(message.locator(".table td")).to_have_text("<i>x</i>")
    await expect(message.locator(".markdown .heading")).to_have_text("Title")
    await expect(message.locator(".markdown li b")).to_have_text("strong")
    await expect(message.locator(".markdown td")).to_have_text(["1", "2"])


SAID = sorted((Path(__file__).parents[2] / "golden").glob("[!f]*.json"))  # but forms: they are modals


async def test_check_40_whatever_the_bot_says_is_drawn_and_nothing_sticks_out(
    lab: Running, client: AsyncWebClient, visit: Open
) -> None:
    count = 0
    for file in SAID:
        blocks = [block for block in json.loads(file.read_text())["blocks"] if block["type"] != "image"]
        for block in blocks:
            block.pop("block_id", None)
        if blocks:
            await client.chat_postMessage(channel=NET_OPS, text=file.stem, blocks=blocks)
        count += len(blocks)
    assert count > 100
    page = await visit(lab)
    await expect(shown(page).locator(".block")).to_have_count(count)
    await expect(shown(page).locator(".block > em")).to_have_count(0)
    for width in (1280, 390):
        await page.set_viewport_size({"width": width, "height": 800})
        assert await page.evaluate("document.documentElement.scrollWidth") == width
        assert await page.evaluate("document.querySelector('#messages').scrollWidth <= innerWidth")


async def test_check_39_a_select_shows_its_groups(lab: Running, client: AsyncWebClient, visit: Open) -> None:
    def option(name: str) -> dict[str, Any]:
        return {"text": {"type": "plain_text", "text": name}, "value": name}

    groups = [{"label": {"type": "plain_text", "text": name}, "options": [option("default")]} for name in ("qa", "eu")]
    element = {"type": "static_select", "action_id": "it", "option_groups": groups}
    await client.chat_postMessage(channel=NET_OPS, text="t", blocks=[actions(element)])
    page = await visit(lab)
    assert await shown(page).locator("optgroup").evaluate_all("all => all.map((one) => one.label)") == ["qa", "eu"]


async def test_check_41_changes_appear_by_themselves(lab: Running, client: AsyncWebClient, visit: Open) -> None:
    posted = await client.chat_postMessage(channel=NET_OPS, text="one", blocks=[section("Applying")])
    ts = posted["ts"]
    page = await visit(lab)
    await expect(page.get_by_text("Applying")).to_be_visible()
    await client.chat_update(channel=NET_OPS, ts=ts, text="two", blocks=[section("Applied")])
    await expect(shown(page).locator(".section")).to_have_text("Applied")
    await expect(page.locator(".edited")).to_have_count(0)
    await client.chat_update(channel=NET_OPS, ts=ts, text="three")
    await expect(shown(page)).to_contain_text("three")
    await expect(page.locator(".edited")).to_have_text("(edited)")
    await client.reactions_add(channel=NET_OPS, timestamp=ts, name="eyes")
    await expect(page.locator(".reaction")).to_contain_text("1")
    await client.pins_add(channel=NET_OPS, timestamp=ts)
    await expect(shown(page)).to_contain_text("Pinned")
    await client.files_upload_v2(channel=NET_OPS, content="+ route 40", filename="plan.diff")
    await expect(page.locator(".preview")).to_have_text("+ route 40")
    await client.chat_delete(channel=NET_OPS, ts=ts)
    await expect(page.get_by_text("three")).to_have_count(0)


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


async def transcript_of(clock: Clock) -> list[dict[str, Any]]:
    async with running(Workspace(clock=clock)) as lab, web_client(lab) as client:
        await client.chat_postMessage(channel=NET_OPS, text="t", blocks=[actions()])
        await client.conversations_open(users=OMAR)
        return list(lab.slack.transcript.entries)


async def test_check_42_the_same_seed_and_clock_give_the_same_transcript() -> None:
    first = await transcript_of(Clock(1_790_000_000.0, frozen=True))
    assert first == await transcript_of(Clock(1_790_000_000.0, frozen=True))
    assert first[0]["response"]["ts"] == "1790000000.000000"


async def test_check_43_a_screen_reader_reads_only_the_text(lab: Running, client: AsyncWebClient, visit: Open) -> None:
    await client.chat_postMessage(channel=NET_OPS, text="Plan p-1: 3 changes", blocks=[section("much more")])
    page = await visit(lab)
    await expect(page.get_by_text("much more")).to_be_visible()
    await page.click("#spoken-toggle")
    await expect(page.locator(".spoken")).to_have_text("Plan p-1: 3 changes")
    await expect(page.get_by_text("much more")).to_have_count(0)


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


@pytest.mark.parametrize("width", [1280, 390])
async def test_the_page_fits_desks_and_phones(lab: Running, client: AsyncWebClient, visit: Open, width: int) -> None:
    wide = "k8s-very-long-name-without-any-space-" * 6
    await client.chat_postMessage(channel=NET_OPS, text="t", blocks=[section(wide), TABLE, actions()])
    page = await visit(lab, width=width)
    assert await page.evaluate("document.documentElement.scrollWidth") == width
    assert await page.evaluate("document.querySelector('#messages').scrollWidth <= innerWidth")
    await expect(page.locator("#composer")).to_be_in_viewport()
    if width < 760:
        await expect(page.locator("#sidebar")).to_be_hidden()
        await page.click("#menu")
        await page.click("#channel-C0GENERAL1")
        await expect(page.locator("#room-name")).to_have_text("#general")
        await expect(page.locator("#sidebar")).to_be_hidden()


class Cable:
    """A network of one cable that can be pulled."""

    def __init__(self) -> None:
        self.on = True

    def describe(self) -> dict[str, Any]:
        state = "ok" if self.on else "down"
        return {
            "title": "One cable",
            "nodes": [{"id": "a", "label": "office"}, {"id": "b", "label": "cluster", "state": state}],
            "links": [{"from": "a", "to": "b", "state": state}],
            "tables": [{"title": "Routes", "columns": ["dst"], "rows": [["172.20.0.0/16"]]}],
            "switches": [{"id": "cable", "label": "Cable", "on": self.on}],
        }

    async def switch(self, switch: str, on: bool) -> None:
        if switch != "cable":
            raise KeyError(switch)
        self.on = on


async def test_the_network_beside_the_chat_is_live(clock: Clock, visit: Open) -> None:
    cable = Cable()
    async with running(Workspace(clock=clock), network=cable) as lab:
        page = await visit(lab)
        await expect(page.locator("#network h2")).to_have_text("One cable")
        await expect(page.locator("#network td")).to_have_text("172.20.0.0/16")
        await page.click("#switch-cable")
        await expect(page.locator(".hop.down")).to_have_text("cluster")
        assert not cable.on
        await expect(page.locator("line.down")).to_have_count(1)
        cable.on = True
        lab.slack.workspace.changed("network")
        await expect(page.locator(".hop.down")).to_have_count(0)


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


async def test_the_end_stays_in_sight_until_somebody_scrolls_away(
    lab: Running, client: AsyncWebClient, visit: Open
) -> None:
    for number in range(40):
        await client.chat_postMessage(channel=NET_OPS, text=f"message {number}")
    page = await visit(lab)
    last = page.get_by_text("message 39", exact=True)
    await expect(last).to_be_in_viewport()
    # The layout gains height twice while the scroll events of the first change are still on their way.
    await page.set_viewport_size({"width": 390, "height": 500})
    await page.evaluate("document.querySelector('#messages').style.paddingBottom = '300px'")
    await page.evaluate("document.querySelector('#messages').style.paddingBottom = '0'")
    await expect(last).to_be_in_viewport()
    await page.hover("#messages")
    await page.mouse.wheel(0, -2000)
    await expect(last).not_to_be_in_viewport()
    await client.chat_postMessage(channel=NET_OPS, text="message 40")
    await expect(page.get_by_text("message 40", exact=True)).to_be_attached()
    await expect(page.get_by_text("message 40", exact=True)).not_to_be_in_viewport()
