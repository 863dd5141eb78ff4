"""How smoothly the page draws: `python -m tests.browser.frames [SECONDS]` measures, and prints two lines.

For 100 symbols at 5,000 ticks/s, and for 1,000 symbols at 5,000 ticks/s while the list is scrolled, in Chromium
without a screen, which draws by its processor.  Everything shares this machine: the demo, the browser, and whoever
else.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, Page, expect

from tests.browser.playwright_tab import chromium
from tests.browser.test_page_many import universe
from tests.browser.visits import connected, serving, visit

RATE: Final = 5_000
"""Ticks per second of all symbols together."""
SECONDS: Final = 20.0
WARM_S: Final = 10.0
"""Before each measurement: the page finds the rate that it can draw."""
_COUNT: Final = """
(seconds) => new Promise((done) => {
  const intervals = [], tasks = [];
  let before = 0;
  const observer = new PerformanceObserver((list) => tasks.push(...list.getEntries().map((e) => e.duration)));
  observer.observe({ type: "longtask" });
  const began = performance.now();
  requestAnimationFrame(function on(now) {
    if (before) intervals.push(now - before);
    before = now;
    if (now - began < seconds * 1000) return requestAnimationFrame(on);
    observer.disconnect();
    intervals.sort((one, other) => one - other);
    const text = (id) => document.getElementById(id).innerText;
    done({
      frames_per_s: +(intervals.length * 1000 / (now - began)).toFixed(1),
      interval_p99_ms: +intervals[Math.floor(intervals.length * 0.99)].toFixed(1),
      long_tasks: tasks.length,
      longest_ms: Math.round(Math.max(0, ...tasks)),
      latency_p50: text("latency"), latency_p99: text("latency-p99"),
      ticks_per_s: text("rate"), asked: text("asked"), conflated: text("conflated"),
      violations: text("violations"),
    });
  });
})
"""
_SCROLL: Final = """
() => {
  const grid = document.getElementById("grid");
  let step = 12;
  (function on() {
    const before = grid.scrollTop;
    grid.scrollTop += step;
    if (grid.scrollTop === before) step = -step;
    requestAnimationFrame(on);
  })();
}
"""
"""Scroll by 12 pixels a frame, to the end and back."""


async def measured(tab: Page, seconds: float, *, scroll: bool) -> dict[str, Any]:
    """Return what the page does within *seconds*, while its list is scrolled or not."""
    await connected(tab)
    await expect(tab.get_by_test_id("chart-words")).to_have_text("")
    if scroll:
        await tab.evaluate(_SCROLL)
    await tab.wait_for_timeout(WARM_S * 1_000)
    found: dict[str, Any] = await tab.evaluate(_COUNT, seconds)
    return {"load": round(os.getloadavg()[0], 1), **found}


async def case(browser: Browser, seconds: float, symbols: Path | None) -> dict[str, Any]:
    """Return what is measured with a demo of its own; *symbols*: its file, with the list scrolled."""
    settings = {} if symbols is None else {"SYMBOLS": symbols}
    async with serving(RATE=RATE, **settings) as address, visit(browser, address) as tab:
        return await measured(tab, seconds, scroll=symbols is not None)


async def main(seconds: float) -> None:
    """Measure both cases, one after the other."""
    with tempfile.TemporaryDirectory(prefix="tickwire-frames-") as folder:
        for symbols in (None, universe(Path(folder) / "symbols.csv")):
            async with chromium() as browser:
                found = await case(browser, seconds, symbols)
            print(json.dumps({"symbols": 100 if symbols is None else 1_000, **found}), flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS))
