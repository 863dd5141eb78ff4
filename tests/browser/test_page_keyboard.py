"""The page without a mouse."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, expect

from tests.browser.visits import connected, row, rows, visit

RATE = 200

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]


async def test_search(browser: Browser, address: str) -> None:
    """A slash leads to the search, letters narrow the list, arrows and Enter choose, Escape shows all again."""
    async with visit(browser, address) as tab:
        await connected(tab)
        everything = await rows(tab).count()
        await tab.keyboard.press("/")
        await expect(tab.get_by_test_id("search")).to_be_focused()
        await tab.keyboard.type("inc")
        await expect(tab.get_by_test_id("found")).to_have_text(re.compile(r"^\d+ found$"))
        texts = await rows(tab).all_inner_texts()
        assert len(texts) > 2
        assert all("inc" in text.lower() for text in texts)
        names = [await rows(tab).nth(i).get_attribute("data-symbol") for i in range(len(texts))]
        first = await tab.get_by_test_id("grid").get_attribute("aria-activedescendant")
        await tab.keyboard.press("ArrowDown")
        await expect(tab.get_by_test_id("grid")).not_to_have_attribute("aria-activedescendant", str(first))
        await tab.keyboard.press("Enter")
        await expect(tab.get_by_test_id("chosen")).to_have_text(sorted(map(str, names))[1])
        await tab.keyboard.press("Escape")
        await expect(tab.get_by_test_id("search")).to_have_value("")
        await expect(tab.get_by_test_id("grid")).to_be_focused()
        assert await rows(tab).count() == everything


async def test_pin(browser: Browser, address: str) -> None:
    """P puts the active row on top, where it also is after a reload, until P is pressed again."""
    async with visit(browser, address) as tab:
        await connected(tab)
        await tab.keyboard.press("/")
        await tab.keyboard.type("nvda")
        await tab.keyboard.press("Enter")
        await tab.keyboard.press("Escape")
        await tab.keyboard.press("p")
        await tab.keyboard.press("Home")
        pinned = row(tab, "NVDA").get_by_test_id("pin")
        await expect(pinned).to_have_attribute("aria-pressed", "true")
        await tab.reload()
        await connected(tab)
        await expect(pinned).to_have_attribute("aria-pressed", "true")
        await expect(row(tab, "NVDA")).to_have_attribute("aria-rowindex", "2")
        await tab.get_by_test_id("grid").focus()
        await tab.keyboard.press("Home")
        await tab.keyboard.press("p")
        await expect(row(tab, "AAL")).to_have_attribute("aria-rowindex", "2")


async def test_escape(browser: Browser, address: str) -> None:
    """Escape closes the dialog, then the drawer, then the chart."""
    async with visit(browser, address) as tab:
        await connected(tab)
        await row(tab, "AAPL").click()
        await expect(tab.get_by_test_id("detail")).to_be_visible()
        await tab.keyboard.press("w")
        await expect(tab.get_by_test_id("wire")).to_be_visible()
        await tab.keyboard.press("?")
        for name in ("help", "wire", "detail"):
            await expect(tab.get_by_test_id(name)).to_be_visible()
            await tab.keyboard.press("Escape")
            await expect(tab.get_by_test_id(name)).to_be_hidden()


async def test_letters_off(browser: Browser, address: str) -> None:
    """Whoever switches single letters off is not surprised by one, and that is kept."""
    async with visit(browser, address) as tab:
        await connected(tab)
        await tab.keyboard.press("?")
        await tab.get_by_test_id("letters").uncheck()
        await tab.keyboard.press("Escape")
        await tab.reload()
        await connected(tab)
        await tab.keyboard.press("w")
        await tab.keyboard.press("?")
        await expect(tab.get_by_test_id("wire")).to_be_hidden()
        await expect(tab.get_by_test_id("help")).to_be_hidden()
