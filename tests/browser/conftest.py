"""One browser, and one demo, for all tests of a module."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.playwright_tab import chromium
from tests.browser.visits import serving

RATE = 2_000
"""Ticks per second of the demo's 100 symbols: more per symbol than the page asks for."""


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="browser")
async def _browser() -> AsyncIterator[Browser]:
    """A browser for the module's tests, each of which opens windows of its own."""
    async with chromium() as browser:
        yield browser


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="address")
async def _address() -> AsyncIterator[str]:
    """Where a demo that really runs serves the page: ends with a slash."""
    async with serving(RATE=RATE) as address:
        yield address
