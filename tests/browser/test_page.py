"""The real page of a demo that really runs, in a real browser."""

from __future__ import annotations

import re
from typing import Final

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.playwright_tab import LOOK_MS
from tests.browser.visits import NARROW, changes, connected, number, row, visit

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]

SLOWED: Final = 6
"""How many times slower than this machine a slow tab's processor is."""
_MILLISECONDS: Final = re.compile(r"^\u2212?[\d.]+ (ms|s)$")
_COLOURED: Final = """
([box, variables]) => {
  const chart = document.getElementById(box), probe = document.createElement("canvas").getContext("2d");
  const wanted = variables.map((name) => {
    probe.fillStyle = getComputedStyle(chart).getPropertyValue(name).trim();
    probe.fillRect(0, 0, 1, 1);
    return probe.getImageData(0, 0, 1, 1).data.slice(0, 3).join();
  });
  let found = 0;
  for (const canvas of chart.querySelectorAll("canvas")) {
    if (!canvas.width || !canvas.height) continue;
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < data.length; i += 4)
      if (data[i + 3] === 255 && wanted.includes(data.slice(i, i + 3).join())) found += 1;
  }
  return found;
}
"""
"""How many points of the chart have one of the colours that style variables name."""
_WIDER: Final = """
() => [...document.querySelectorAll("body, main, section, form, header, button, input, select, h1, h2, p, dl")]
  .filter((e) => e.checkVisibility() && !e.closest("#strip, .unseen") && !e.matches(".unseen, .skip, noscript *"))
  .filter((e) => e.getBoundingClientRect().right > innerWidth + 1 || e.getBoundingClientRect().left < -1)
  .map((e) => `${e.tagName} ${e.id} ${e.className} ${e.getBoundingClientRect().right}`)
"""
"""What stands out of the window to the left or right."""


async def test_prices_move(browser: Browser, address: str) -> None:
    """Prices change, ticks are counted, their age is told, and nothing is missing."""
    async with visit(browser, address) as tab:
        await connected(tab)
        await changes(row(tab, "AAPL").get_by_test_id("price"))
        await expect(tab.get_by_test_id("rate")).to_have_text(re.compile(r"^[1-9][\d,]*$"))
        await expect(tab.get_by_test_id("latency")).to_have_text(_MILLISECONDS)
        await expect(tab.get_by_test_id("latency-p99")).to_have_text(_MILLISECONDS)
        await expect(tab.get_by_test_id("feed")).to_have_text("live")
        assert [await number(tab, name) for name in ("violations", "gaps", "reconnects")] == [0, 0, 0]


async def candles(tab: Page, length: str, symbol: str) -> int:
    """Return how many candles of *length* the chart says that it has, once it has some of *symbol*."""
    words = re.compile(rf"^([1-9]\d*) candles of {length} of {symbol};")
    await expect(tab.get_by_test_id("chart")).to_have_attribute("aria-label", words)
    found = words.match(await tab.get_by_test_id("chart").get_attribute("aria-label") or "")
    return int(found[1]) if found else 0


async def test_chart_draws(browser: Browser, address: str) -> None:
    """The chosen symbol's candles are drawn in their colours and go on; minutes stand in the place of seconds."""
    async with visit(browser, address) as tab:
        await row(tab, "ABBV").click()
        await expect(tab.get_by_test_id("chosen")).to_have_text("ABBV")
        before = await candles(tab, "one second", "ABBV")
        more = re.compile(rf"^(?!{before} )[1-9]\d* candles of one second of ABBV;")
        await expect(tab.get_by_test_id("chart")).to_have_attribute("aria-label", more)
        assert await candles(tab, "one second", "ABBV") > before
        assert await tab.evaluate(_COLOURED, ["chart", ["--up", "--down"]]) > 10
        await expect(tab.get_by_test_id("chart-words")).to_have_text("")

        await tab.get_by_test_id("interval-1m").click()
        await expect(tab.get_by_test_id("interval-1m")).to_have_attribute("aria-pressed", "true")
        assert await candles(tab, "one minute", "ABBV") <= before
        await tab.wait_for_function(
            f"arguments => ({_COLOURED})(arguments) > 10", arg=["chart", ["--up", "--down"]]
        )


async def test_slow_tab(browser: Browser, address: str) -> None:
    """A tab that cannot draw all asks for less: the gateway leaves ticks out, and prices still move."""
    async with visit(browser, address) as tab:
        await connected(tab)
        devtools = await tab.context.new_cdp_session(tab)
        await devtools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWED})
        await expect(tab.get_by_test_id("asked")).to_have_text(re.compile(r"^[125]/s auto$"), timeout=2 * LOOK_MS)
        before = await number(tab, "conflated")
        await changes(row(tab, "AAPL").get_by_test_id("price"))
        assert await number(tab, "conflated") > before
        assert [await number(tab, name) for name in ("violations", "gaps", "reconnects")] == [0, 0, 0]


async def test_chosen_rate(browser: Browser, address: str) -> None:
    """Whoever chooses one update a second gets fewer ticks; who wants every tick gets all of them."""
    async with visit(browser, address) as tab:
        await connected(tab)
        await tab.get_by_test_id("pace").select_option("1")
        await expect(tab.get_by_test_id("asked")).to_have_text("1/s")
        await tab.wait_for_function("() => (n => n > 0 && n < 150)(+document.getElementById('rate').innerText)")
        await changes(row(tab, "AAPL").get_by_test_id("price"))
        await tab.get_by_test_id("pace").select_option("all")
        await expect(tab.get_by_test_id("asked")).to_have_text("every tick")
        await tab.wait_for_function("() => +document.getElementById('rate').innerText.replace(',', '') > 1000")
        assert await number(tab, "violations") == 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_policy(browser: Browser, address: str, *, dark: bool) -> None:
    """A whole visit, with everything opened, breaks no policy and asks no other host."""
    async with visit(browser, address, dark=dark) as tab:
        policy = (await tab.request.get(address)).headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "default-src 'self'" in policy
        await connected(tab)
        await row(tab, "AAPL").click()
        await candles(tab, "one second", "AAPL")
        for key in ("2", "w", "t", "?"):
            await tab.keyboard.press(key)
        await expect(tab.get_by_test_id("help")).to_be_visible()
        await expect(tab.get_by_test_id("frames")).to_contain_text("ticks")
        await tab.goto(f"{address}docs")
        await expect(tab.locator("h1")).to_be_visible()


async def test_narrow(browser: Browser, address: str) -> None:
    """On 360 pixels nothing stands out of the window: the list, the chart, the wire, and the documentation."""
    async with visit(browser, address, viewport=NARROW) as tab:
        await connected(tab)
        await fits(tab)
        await tab.get_by_test_id("wire-open").click()
        await expect(tab.get_by_test_id("wire")).to_be_visible()
        await fits(tab)
        await tab.get_by_test_id("wire-close").click()
        await row(tab, "AAPL").click()
        await candles(tab, "one second", "AAPL")
        await fits(tab)
        await tab.goto(f"{address}docs")
        assert await tab.evaluate("document.documentElement.scrollWidth") <= NARROW[0]


async def fits(tab: Page) -> None:
    """Check that nothing is wider than the window, and that the window cannot be moved sideways."""
    assert await tab.evaluate("document.documentElement.scrollWidth") <= NARROW[0]
    assert await tab.evaluate(_WIDER) == []
