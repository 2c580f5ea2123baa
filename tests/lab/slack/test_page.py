"""Checks 08, 38, 40, 41 and 43: what the page shows, in a real browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from lab.slack.clock import Clock
from lab.slack.people import NET_OPS, OMAR
from lab.slack.server import Running, running
from lab.slack.workspace import Workspace
from tests.browser import expect, needs_chromium

from .apps import actions, section
from .pages import Open, shown

pytestmark = needs_chromium


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


async def test_check_43_a_screen_reader_reads_only_the_text(lab: Running, client: AsyncWebClient, visit: Open) -> None:
    await client.chat_postMessage(channel=NET_OPS, text="Plan p-1: 3 changes", blocks=[section("much more")])
    page = await visit(lab)
    await expect(page.get_by_text("much more")).to_be_visible()
    await page.click("#spoken-toggle")
    await expect(page.locator(".spoken")).to_have_text("Plan p-1: 3 changes")
    await expect(page.get_by_text("much more")).to_have_count(0)


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
