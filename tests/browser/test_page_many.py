"""The page with 1,000 symbols, and behind a token."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Browser, expect

from tests.browser.visits import changes, connected, number, row, rows, serving, visit

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]

MANY: Final = 1_000
RATE: Final = 1_000
_SCROLL_AT_ONCE: Final = """
addEventListener("DOMContentLoaded", () => {
  const grid = document.getElementById("grid");
  const seen = new MutationObserver(() => {
    if (grid.getAttribute("aria-rowcount") !== "1001") return;
    seen.disconnect();
    requestAnimationFrame(() => grid.scrollTo(0, grid.scrollHeight));
  });
  seen.observe(grid, {attributes: true});
});
"""
"""Scrolls to the end as soon as there is one: before the page has chosen a symbol by itself."""


def universe(path: Path, count: int = MANY) -> Path:
    """Write a file of symbols, S0000 and on, that tick equally often; return its path."""
    lines = [f"S{number:04},Company {number},{100 + number % 50}.00,0.3,1,1" for number in range(count)]
    path.write_text("\n".join(["symbol,name,price,volatility,beta,weight", *lines, ""]))
    return path


async def test_virtual_rows(browser: Browser, tmp_path: Path) -> None:
    """Of 1,000 symbols only those that are looked at are on the page; the last one is there, and moves."""
    async with (
        serving(RATE=RATE, SYMBOLS=universe(tmp_path / "symbols.csv")) as address,
        visit(browser, address) as tab,
    ):
        await connected(tab)
        grid = tab.get_by_test_id("grid")
        await expect(grid).to_have_attribute("aria-rowcount", str(MANY + 1))
        await grid.evaluate("e => e.scrollTo(0, e.scrollHeight)")
        last = row(tab, f"S{MANY - 1:04}")
        await expect(last).to_be_in_viewport()
        await changes(last.get_by_test_id("price"))
        assert 5 < await rows(tab).count() < 60
        assert await tab.locator('[data-testid="row"]').count() < 100
        await grid.evaluate("e => e.scrollTo(0, 0)")
        await expect(row(tab, "S0000")).to_be_in_viewport()
        assert await tab.locator('[data-testid="row"]').count() < 100
        assert await number(tab, "violations") == 0


async def test_the_list_stays_where_it_was_scrolled(browser: Browser, tmp_path: Path) -> None:
    """The symbol that the page chooses by itself does not bring a reader back to the top of the list."""
    async with (
        serving(RATE=RATE, SYMBOLS=universe(tmp_path / "symbols.csv")) as address,
        visit(browser, address) as tab,
    ):
        await tab.add_init_script(_SCROLL_AT_ONCE)
        await tab.reload()
        await expect(tab.get_by_test_id("chosen")).to_have_text("S0000")
        await changes(row(tab, f"S{MANY - 1:04}").get_by_test_id("price"))
        await expect(row(tab, f"S{MANY - 1:04}")).to_be_in_viewport()


async def test_a_click_far_down_chooses_what_was_clicked(browser: Browser, tmp_path: Path) -> None:
    """The first click after scrolling moves nothing under the mouse: the row clicked is the row chosen."""
    async with (
        serving(RATE=RATE, SYMBOLS=universe(tmp_path / "symbols.csv")) as address,
        visit(browser, address) as tab,
    ):
        await expect(tab.get_by_test_id("chosen")).to_have_text("S0000")
        await tab.get_by_test_id("grid").evaluate("e => e.scrollTo(0, e.scrollHeight / 2)")
        clicked = row(tab, f"S{MANY // 2 + 5:04}")
        await expect(clicked).to_be_in_viewport()
        await clicked.click()
        await expect(tab.get_by_test_id("chosen")).to_have_text(f"S{MANY // 2 + 5:04}")
        await expect(clicked).to_be_in_viewport()
