"""One browser, and one demo, for all tests of a module."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.playwright_tab import chromium
from tests.browser.visits import serving

RATE = 2_000
"""Ticks per second of the demo's 100 symbols, unless a module has its own `RATE`: more than asked for."""


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="browser")
async def _browser() -> AsyncIterator[Browser]:
    """A browser for the module's tests, each of which opens windows of its own."""
    async with chromium() as browser:
        yield browser


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="address")
async def _address(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """Where a demo that really runs serves the page: ends with a slash."""
    async with serving(RATE=getattr(request.module, "RATE", RATE)) as address:
        yield address
