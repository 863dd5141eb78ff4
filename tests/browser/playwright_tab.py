"""A page of a real Chromium, driven by Playwright; no browser is ever downloaded."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Page, WebSocket, async_playwright

from services.errors import MissingRequirement
from tests.browser.chromium import NAMES

LOOK_MS: Final = 15_000.0
"""Longest wait, in ms, for what a page is to show: Playwright's waits and clicks end with an error then."""
DESKTOP: Final = (1280, 800)
"""CSS pixels of a window on a desk."""
PHONE: Final = (390, 844)
"""CSS pixels of a telephone held upright."""
_FLAGS: Final = (
    "--no-sandbox",  # tests run as root in a container
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
)


@asynccontextmanager
async def page(
    *, viewport: tuple[int, int] = DESKTOP, dark: bool = False, excused: tuple[str, ...] = ()
) -> AsyncIterator[Page]:
    """Yield a blank page in a browser of its own, with an empty profile.

    Args:
        viewport: width and height in CSS pixels.
        dark: the system asks for dark colours; else for light ones.
        excused: what an error of the page, or on its console, may hold without being a fault.

    Raises:
        MissingRequirement: there is no Chromium.
        AssertionError: the page threw, or wrote an error to its console, and the test did not fail otherwise.
    """
    async with browser(viewport=viewport, dark=dark) as context:
        opened = await context.new_page()
        complaints = Complaints(opened)
        yield opened
        found = complaints.unless(excused)
        assert not found, f"the page complains: {found}"


@asynccontextmanager
async def browser(*, viewport: tuple[int, int] = DESKTOP, dark: bool = False) -> AsyncIterator[BrowserContext]:
    """Yield a browser of its own, for several pages that share storage."""
    async with chromium() as started:
        yield await window(started, viewport=viewport, dark=dark)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Yield a browser without a window.

    Raises:
        MissingRequirement: there is no Chromium.
    """
    binary = next(filter(None, map(shutil.which, NAMES)), None)
    if binary is None:
        raise MissingRequirement("the tests of pages need Chromium; on Debian: apt-get install chromium")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=binary, args=list(_FLAGS))
        try:
            yield started
        finally:
            await started.close()


async def window(
    started: Browser, *, viewport: tuple[int, int] = DESKTOP, dark: bool = False, loose: bool = False
) -> BrowserContext:
    """Open a window with an empty profile; *loose*: it does not heed a page's policy."""
    width, height = viewport
    context = await started.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", bypass_csp=loose
    )
    context.set_default_timeout(LOOK_MS)
    return context


class Complaints:
    """What *page* threw, or wrote to its console as an error."""

    def __init__(self, page: Page) -> None:
        self.found: list[str] = []
        page.on("pageerror", self._threw)
        page.on("console", self._wrote)

    def unless(self, excused: tuple[str, ...]) -> list[str]:
        """Return those that hold none of the words *excused*."""
        return [text for text in self.found if not any(words in text for words in excused)]

    def _threw(self, error: Error) -> None:
        self.found.append(str(error))

    def _wrote(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.found.append(f"{message.text} ({message.location.get('url')})")


class Wire:
    """The frames of the native wire that *page* sends and gets, from the next connection on."""

    def __init__(self, page: Page) -> None:
        self.sent: list[dict[str, Any]] = []
        self.received: list[dict[str, Any]] = []
        self.connections = 0
        page.on("websocket", self._opened)

    def names(self, op: str, candles: str | None = None) -> list[str]:
        """Return the symbols of all commands *op* that were sent, for ticks or *candles* of `1m`."""
        commands = (one for one in self.sent if one["op"] == op and one.get("candles") == candles)
        return [name for command in commands for name in command["symbols"]]

    def ticks(self, symbol: str) -> list[dict[str, Any]]:
        """Return all ticks of *symbol* that came, in order."""
        frames = (frame for frame in self.received if frame["op"] in {"snapshot", "ticks"})
        return [tick for frame in frames for tick in frame["data"] if tick["symbol"] == symbol]

    def _opened(self, socket: WebSocket) -> None:
        self.connections += 1
        socket.on("framesent", lambda text: self.sent.append(json.loads(text)))
        socket.on("framereceived", lambda text: self.received.append(json.loads(text)))
