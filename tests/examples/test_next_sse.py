"""`examples/next-sse`, as a stranger runs it, beside a demo that really runs."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
import pytest
from playwright.async_api import expect

from tests import nodejs
from tests.browser.playwright_tab import page
from tests.programs import demo, free_port, running

pytestmark = pytest.mark.timeout(600)

UPDATES: Final = 10
_ROW: Final = re.compile(r"<th>(\w+)</th><td>(?:<!-- -->)?([\d.]+)")


@asynccontextmanager
async def served(gateway: str, **variables: str) -> AsyncIterator[str]:
    """Run the example's server for *gateway*; yield its address."""
    folder = await nodejs.installed("next-sse", build=True)
    environment = await nodejs.environment(TICKWIRE_URL=gateway, PORT=str(free_port()), **variables)
    async with running("npm", "start", folder=folder, environment=environment) as server:
        yield await server.printed("http://127.0.0.1")


async def test_html_streams() -> None:
    """The page's frame comes at once, then a table for each write of the gateway, in pieces over seconds."""
    async with demo() as (_, addresses), served(addresses["page"]) as address, aiohttp.ClientSession() as http:
        async with http.get(address) as answer:
            pieces = [piece.decode() async for piece in answer.content.iter_any()]

    html = "".join(pieces)
    assert "waiting for prices" in pieces[0]
    assert "</html>" in html
    assert sum("update-" in piece for piece in pieces) > UPDATES / 2, "all came in one go"
    assert html.count('data-testid="update-') == UPDATES
    assert {symbol for symbol, _ in _ROW.findall(html)} == {"AAPL", "MSFT", "NVDA"}


async def test_shown() -> None:
    """A browser shows one table after another, without a script of ours."""
    async with demo() as (_, addresses), served(addresses["page"]) as address, page() as tab:
        await tab.goto(address, wait_until="commit")
        for number in (1, UPDATES):
            await expect(tab.get_by_test_id(f"update-{number}")).to_contain_text(re.compile(r"AAPL\d+\.\d\d"))
        await expect(tab.get_by_text("That was all.")).to_be_visible()
        await expect(tab.get_by_text("waiting")).to_have_count(0)


async def test_refused() -> None:
    """What a gateway says against a request stands on the page."""
    async with (
        demo(AUTH="keys", KEYS_FILE=keys) as (_, addresses),
        served(addresses["page"]) as address,
        page() as tab,
    ):
        await tab.goto(address)
        await expect(tab.get_by_role("alert")).to_contain_text("token")
