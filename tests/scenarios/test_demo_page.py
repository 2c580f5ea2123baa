"""The demo in a real browser: the guided tour, a change by clicking, something broken and mended, the Home tab."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.company import Company, company

playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed: no browser tests")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: no browser tests")
expect = playwright.expect
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 40_000


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Company]:
    async with company(tmp_path) as made, made.bot():
        yield made


@pytest.fixture
async def page(office: Company) -> AsyncIterator[Any]:
    async with opened(office) as made:
        yield made


@asynccontextmanager
async def opened(office: Company) -> AsyncIterator[Any]:
    """The page as a first visitor sees it; no script error is forgiven."""
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        made = await browser.new_page(viewport={"width": 1280, "height": 800})
        made.set_default_timeout(PATIENCE_MS)
        problems: list[str] = []
        made.on("pageerror", lambda error: problems.append(str(error)))
        await made.goto(f"{office.slack.page_url}?guide")
        await made.wait_for_selector("body[data-ready=yes]")
        yield made
        await browser.close()
        assert problems == []


async def picture(page: Any, name: str) -> None:
    """Kept for people to look at where K8SNET_PICTURES names a folder."""
    if folder := os.environ.get("K8SNET_PICTURES"):
        await page.screenshot(path=f"{folder}/{name}.png")


async def says(page: Any, text: str) -> None:
    await expect(page.locator("#messages")).to_contain_text(text, timeout=PATIENCE_MS)


@pytest.mark.timeout(200)
async def test_the_story_by_clicking(page: Any) -> None:
    guide = page.locator("#guide")
    await expect(guide).to_contain_text("1 of 5")
    await picture(page, "1-first-visit")
    await page.click("#guide-next")
    await expect(page.locator("#composer")).to_have_value("/k8snet expose default because sprint 12")
    await page.press("#composer", "Enter")
    await says(page, "Plan: waits for a yes")
    await page.click("#guide-next")
    await expect(page.locator("#persona")).to_have_value("omar")
    await picture(page, "2-plan")
    await page.get_by_role("button", name="Confirm", exact=True).last.click()
    await page.locator("#confirm").get_by_role("button", name="Confirm").click()
    await says(page, "Done: 10 steps applied and proven")
    await picture(page, "3-done")
    await page.click("#guide-next")
    await page.click("#switch-forwarder")
    await expect(page.locator("#switch-forwarder")).to_have_attribute("aria-checked", "true")
    await page.press("#composer", "Enter")
    await says(page, "K8SNET-DNS-01")
    await picture(page, "4-broken")
    await page.get_by_role("button", name="Expose default").last.click()
    await says(page, "expose default on qa")
    await page.click("#guide-next")
    await page.click("#guide-next")
    await expect(guide).to_have_count(0)
    await page.click("#channel-home")
    await expect(page.locator("#home")).to_contain_text("Your roles: operator", timeout=PATIENCE_MS)
    await expect(page.locator("#home")).to_contain_text("expose default on qa")
    await picture(page, "5-home")
    await page.locator("#home").get_by_role("button", name="Confirm").click()
    await page.locator("#confirm").get_by_role("button", name="Confirm").click()
    await expect(page.locator("#home")).to_contain_text("Done: 1 step applied and proven", timeout=PATIENCE_MS)
    await expect(page.locator("#switch-forwarder")).to_have_attribute("aria-checked", "false", timeout=PATIENCE_MS)


@pytest.mark.timeout(120)
async def test_the_form_and_a_telephone(page: Any) -> None:
    await page.click("#guide-skip")
    await page.fill("#composer", "/k8snet")
    await page.press("#composer", "Enter")
    form = page.locator("#modal")
    await expect(form).to_contain_text("Namespace", timeout=PATIENCE_MS)
    await picture(page, "6-form")
    await form.locator("select").first.select_option(label="default")
    await form.get_by_role("button", name="Show the plan").click()
    await says(page, "Plan: waits for a yes")
    await page.set_viewport_size({"width": 390, "height": 800})
    await picture(page, "7-telephone")
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390


@pytest.mark.timeout(120)
async def test_the_page_and_the_bot_speak_chinese_until_another_language_is_chosen(tmp_path: Path) -> None:
    async with company(tmp_path, locale="zh-CN") as made, made.bot(), opened(made) as page:
        await expect(page.locator("#guide")).to_contain_text("第 1 步，共 5 步")
        await page.click("#guide-next")
        await expect(page.locator("#composer")).to_have_value("/k8snet expose default because sprint 12")
        await page.press("#composer", "Enter")
        await says(page, "计划：等待确认")
        await expect(page.locator("#sidebar")).to_contain_text("频道")
        await expect(page.locator("#switch-gateway")).to_have_text("关停网关节点 k8s-qa-node-02")
        await picture(page, "8-chinese")
        await page.select_option("#language", "en")
        await expect(page.locator("#sidebar")).to_contain_text("Channels")
        await expect(page.locator("#switch-gateway")).to_have_text("Kill the gateway k8s-qa-node-02")
        await says(page, "计划：等待确认")  # what was said is not said anew
