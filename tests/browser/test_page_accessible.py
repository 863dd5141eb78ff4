"""What axe-core finds in the page and in the documentation: its rules of WCAG 2.2 and good practice."""

from __future__ import annotations

from typing import Any, Final

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from tests.browser.playwright_tab import DESKTOP
from tests.browser.visits import NARROW, connected, row, visit

RATE: Final = 200
"""Ticks per second: axe-core shares the page's thread."""
GRAVE: Final = {"serious", "critical"}

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]


async def found(tab: Page, *rules: str) -> list[str]:
    """Return the grave problems, each with the elements that have it; *rules*: only these are looked at."""
    results = await Axe().run(tab, options={"runOnly": list(rules)} if rules else None)
    assert any(rule["id"] == "color-contrast" for rule in results.response["passes"]), "contrast was not looked at"
    return [_told(rule) for rule in results.response["violations"] if rule["impact"] in GRAVE]


def _told(rule: dict[str, Any]) -> str:
    nodes = [f"{node['html'][:200]} {node['failureSummary'][:300]}" for node in rule["nodes"][:3]]
    return f"{rule['id']} ({rule['impact']}): {nodes}"


@pytest.mark.parametrize("viewport", [DESKTOP, NARROW], ids=["desk", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_page(browser: Browser, address: str, *, dark: bool, viewport: tuple[int, int]) -> None:
    """The list, the chart, the wire's drawer and the dialog have no grave problem."""
    rules = ["color-contrast"] if dark else []  # the others see no colours
    async with visit(browser, address, dark=dark, viewport=viewport, loose=True) as tab:
        await connected(tab)
        assert await found(tab, *rules) == []
        await tab.get_by_test_id("wire-open").click()
        await expect(tab.get_by_test_id("frames")).to_contain_text("ticks")
        await tab.get_by_test_id("wire-pause").click()
        assert await found(tab, *rules) == []
        await tab.get_by_test_id("help-open").click()
        assert await found(tab, *rules) == []
        await tab.get_by_test_id("help-close").click()
        await tab.get_by_test_id("wire-close").click()
        await row(tab, "AAPL").click()
        await expect(tab.get_by_test_id("chart-words")).to_have_text("")
        assert await found(tab, *rules) == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_docs(browser: Browser, address: str, *, dark: bool) -> None:
    """The documentation has no grave problem."""
    async with visit(browser, f"{address}docs", dark=dark, loose=True) as tab:
        assert await found(tab, *(["color-contrast"] if dark else [])) == []


async def test_axe_finds(browser: Browser, address: str) -> None:
    """A text that is hard to see is found: the look is a real one."""
    async with visit(browser, address, loose=True) as tab:
        await connected(tab)
        await tab.add_style_tag(content="#connection { color: #ccc !important; background: #fff }")
        assert any("color-contrast" in fault for fault in await found(tab))
