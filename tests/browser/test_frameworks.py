"""The React and Vue entries of the JavaScript client in a real browser, with prices of a demo that really runs.

The pages are those of `examples/react` and `examples/vue`, built and served by Vite.  Each of their rows counts
how often it was rendered.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Page, expect

from tests import nodejs
from tests.browser.playwright_tab import Wire, page
from tests.eventually import eventually
from tests.programs import demo, free_port, running

pytestmark = [pytest.mark.timeout(600), pytest.mark.parametrize("framework", ["react", "vue"])]

FAST: Final = 3_000
"""Ticks per second of three symbols: more than ten a frame and symbol."""
SLOW: Final = 20
"""Ticks per second of three symbols: hardly ever two in a frame."""
_COUNT_FRAMES: Final = "window.frames_seen = 0; (function on() { frames_seen++; requestAnimationFrame(on); })();"


UNIVERSE: Final = """symbol,name,price,volatility,beta,weight
AAPL,Apple Inc.,268.50,0.26,1.20,1
MSFT,Microsoft Corporation,498.70,0.24,1.10,1
NVDA,NVIDIA Corporation,182.60,0.45,1.85,1
"""
"""Three symbols that tick equally often."""


@pytest.fixture(name="symbols")
def _symbols(tmp_path: Path) -> Path:
    """The file of the demo's symbols."""
    file = tmp_path / "symbols.csv"
    file.write_text(UNIVERSE)
    return file


@asynccontextmanager
async def shown(
    framework: str, symbols: Path, rate: float, command: str = "preview"
) -> AsyncIterator[tuple[Page, Wire]]:
    """Build the example's page, serve it beside a demo with *rate* ticks a second, and show it.

    *command*: `preview` what was built, or `dev`, Vite's server for people who work on the page.
    """
    folder = await nodejs.installed(framework, build=True)
    async with (
        demo(RATE=rate, SYMBOLS=symbols) as (_, addresses),
        served(folder, command, addresses["page"]) as address,
        page() as tab,
    ):
        wire = Wire(tab)
        await tab.add_init_script(_COUNT_FRAMES)
        await tab.goto(address)
        yield tab, wire


@asynccontextmanager
async def served(folder: Path, command: str, gateway: str) -> AsyncIterator[str]:
    """Serve the page in *folder* by Vite's *command*; yield the address."""
    port = free_port()
    variables = await nodejs.environment(TICKWIRE_URL=gateway.rstrip("/"))
    vite = ("npm", "run", command, "--", "--host", "127.0.0.1", "--port", str(port), "--strictPort")
    async with running(*vite, folder=folder, environment=variables) as server:
        await server.printed("Local:")
        yield f"http://127.0.0.1:{port}/"


async def rendered(tab: Page, symbol: str) -> int:
    """Return how often the row of *symbol* was rendered."""
    return int(await tab.get_by_test_id(symbol).get_by_test_id("renders").inner_text())


async def grows(tab: Page, symbol: str, least: int) -> None:
    """Return once the row of *symbol* was rendered *least* times."""
    count = f"document.querySelector('[data-testid={symbol}] [data-testid=renders]')?.innerText"
    await tab.wait_for_function(f"{count} >= {least}")


async def test_prices_move(framework: str, symbols: Path) -> None:
    """The page says that it is live, and shows prices, their sum and today's candle, which go on changing."""
    async with shown(framework, symbols, SLOW) as (tab, _):
        await expect(tab.get_by_test_id("state")).to_have_text("live")
        price = tab.get_by_test_id("AAPL").get_by_test_id("price")
        await expect(price).not_to_have_text("…")
        first = await price.inner_text()
        await expect(price).not_to_have_text(first)
        await expect(tab.get_by_test_id("total")).not_to_have_text("0.00")
        await expect(tab.get_by_test_id("minute")).to_have_text(re.compile(r"^\d+\.\d+ to \d+\.\d+$"))


async def test_once_a_frame(framework: str, symbols: Path) -> None:
    """A row whose symbol ticks many times a frame is rendered once a frame at most, and does keep up."""
    async with shown(framework, symbols, FAST) as (tab, wire):
        await grows(tab, "AAPL", 60)
        count = (
            "[frames_seen, ...document.querySelectorAll('[data-testid=renders]')].map(e => +(e.innerText ?? e))"
        )
        frames, aapl, msft = await tab.evaluate(count)
        ticks = len(wire.ticks("AAPL"))
        assert aapl <= frames + 1
        assert msft <= frames + 1
        assert ticks > 2 * aapl, f"{ticks} ticks and {aapl} renders: too few to tell"


async def test_own_ticks_only(framework: str, symbols: Path) -> None:
    """A row is rendered for its own symbol's ticks, not for those of the row beside it."""
    async with shown(framework, symbols, SLOW) as (tab, wire):
        await grows(tab, "AAPL", 20)
        await grows(tab, "MSFT", 20)
        for symbol in ("AAPL", "MSFT"):
            renders = await rendered(tab, symbol)
            ticks = [len(wire.ticks(name)) for name in (symbol, "AAPL", "MSFT")]
            assert renders <= ticks[0] + 1 < sum(ticks[1:])


async def test_follows_what_is_shown(framework: str, symbols: Path) -> None:
    """A row that goes ends its subscription, one that comes begins one; the others go on over one connection."""
    async with shown(framework, symbols, SLOW) as (tab, wire):
        await grows(tab, "AAPL", 3)
        assert sorted(wire.names("subscribe")) == ["AAPL", "MSFT"]
        await tab.get_by_label("MSFT").uncheck()
        await eventually(lambda: wire.names("unsubscribe") == ["MSFT"])
        await tab.get_by_label("NVDA").check()
        await grows(tab, "NVDA", 3)
        await grows(tab, "AAPL", await rendered(tab, "AAPL") + 3)
        assert sorted(wire.names("subscribe")) == ["AAPL", "MSFT", "NVDA"]
        assert wire.names("unsubscribe") == ["MSFT"]
        assert wire.names("subscribe", candles="1m") == ["AAPL"]
        assert wire.connections == 1


async def test_mounted_twice(framework: str, symbols: Path) -> None:
    """Under Vite's development server, where React mounts everything twice, each symbol is asked for once."""
    async with shown(framework, symbols, SLOW, command="dev") as (tab, wire):
        await grows(tab, "AAPL", 10)
        assert sorted(wire.names("subscribe")) == ["AAPL", "MSFT"]
        assert wire.names("subscribe", candles="1m") == ["AAPL"]
        assert wire.names("unsubscribe") == []
