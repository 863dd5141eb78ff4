"""Visits to the real page, which may not complain, nor ask another host for anything."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from aiohttp import ClientSession
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.playwright_tab import DESKTOP, LOOK_MS, Complaints, window
from tests.programs import demo

NARROW: Final = (360, 740)
"""CSS pixels of the narrowest telephone that the page is made for."""
SOON_S: Final = 30.0
"""Longest wait for a demo that knows its symbols: 2 s were seen on two idle cores."""
_TELL_POLICY: Final = """
addEventListener("securitypolicyviolation", (e) =>
  console.error(`policy: ${e.effectiveDirective} forbids ${e.blockedURI}`));
"""

expect.set_options(timeout=LOOK_MS)


@asynccontextmanager
async def visit(
    browser: Browser,
    address: str,
    *,
    viewport: tuple[int, int] = DESKTOP,
    dark: bool = False,
    excused: tuple[str, ...] = (),
    loose: bool = False,
) -> AsyncIterator[Page]:
    """Show *address* in a window of its own, with an empty profile.

    Args:
        browser: where the window is opened.
        address: of the page; it stays the only host that is asked.
        viewport: width and height in CSS pixels.
        dark: the system asks for dark colours; else for light ones.
        excused: what a complaint may hold without being a fault.
        loose: the policy is not heeded, so that a test may run scripts of its own.

    Raises:
        AssertionError: the page threw, wrote an error to its console, broke its policy, or asked another host.
    """
    context = await window(browser, viewport=viewport, dark=dark, loose=loose)
    try:
        tab = await context.new_page()
        await tab.add_init_script(_TELL_POLICY)
        complaints = Complaints(tab)
        strangers = set[str]()
        tab.on("request", lambda request: strangers.add(host(request.url)))
        await tab.goto(address)
        yield tab
        found = complaints.unless(excused)
        assert not found, f"the page complains: {found}"
        assert strangers <= {host(address), ""}, f"the page asks {strangers}"
    finally:
        await context.close()


@asynccontextmanager
async def serving(**settings: object) -> AsyncIterator[str]:
    """Run a demo with *settings*; yield the page's address, once it knows its symbols.  Ends with a slash."""
    async with demo(**settings) as (_, addresses), ClientSession() as http:
        page = str(addresses["page"])
        async with asyncio.timeout(SOON_S):
            while (await http.get(f"{page}v1/symbols?limit=1")).status == HTTPStatus.SERVICE_UNAVAILABLE:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        yield page


def host(url: str) -> str:
    """Return host and port; nothing for what is in the page itself."""
    parts = urlsplit(url)
    return parts.netloc if parts.scheme in {"http", "https", "ws", "wss"} else ""


def row(tab: Page, symbol: str) -> Locator:
    """Return the row of *symbol*, where it is looked at."""
    return rows(tab).and_(tab.locator(f'[data-symbol="{symbol}"]'))


def rows(tab: Page) -> Locator:
    """Return the rows that are looked at."""
    return tab.locator('[data-testid="row"]:not([hidden])')


async def connected(tab: Page) -> None:
    """Return once the page is connected and has a price."""
    await expect(tab.get_by_test_id("connection")).to_have_text("connected")
    await expect(rows(tab).first.get_by_test_id("price")).to_have_text(re.compile(r"\d"))


async def number(tab: Page, name: str) -> float:
    """Return the number that an element shows; compact ones, too: 1.2k is 1,200."""
    text = (await tab.get_by_test_id(name).inner_text()).replace(",", "").strip()
    scale = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9}.get(text[-1:], 1.0)
    return float(text.rstrip("kKMB")) * scale


async def changes(shown: Locator) -> None:
    """Return once the text has changed twice."""
    for _ in range(2):
        await expect(shown).not_to_have_text(await shown.inner_text())
