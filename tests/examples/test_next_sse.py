"""`examples/next-sse`, as a stranger runs it, beside a demo that really runs."""

from __future__ import annotations

import asyncio
import re
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
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
    async with (
        demo() as (_, addresses),
        served(addresses["page"]) as address,
        aiohttp.ClientSession() as http,
        http.get(address) as answer,
    ):
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


async def test_the_token_stays_on_the_server(tmp_path: Path) -> None:
    """With a key the server gets prices, which it does not show to the browser; without one the page says why."""
    made = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tickwire", "new-key", "page", stdout=PIPE, stderr=PIPE
    )
    line, key = await made.communicate()
    keys = tmp_path / "keys"
    keys.write_bytes(line)
    secret = re.findall("twk_\\S+", key.decode())[0]

    async with demo(AUTH="keys", KEYS_FILE=keys) as (_, addresses), aiohttp.ClientSession() as http:
        async with served(addresses["page"], TICKWIRE_TOKEN=secret) as address, http.get(address) as answer:
            trusted = await answer.text()
        async with served(addresses["page"], TICKWIRE_TOKEN="") as address, http.get(address) as answer:
            stranger = await answer.text()

    assert _ROW.findall(trusted)
    assert secret not in trusted
    assert not _ROW.findall(stranger)
    assert re.search('<p role="alert">[^<]*token', stranger)


async def test_no_gateway() -> None:
    """Without a gateway the page says that, and nothing of a token that cannot be sent either."""
    nobody, token = f"http://127.0.0.1:{free_port()}", "two\nlines"
    async with aiohttp.ClientSession() as http:
        async with served(nobody) as address, http.get(address) as answer:
            alone = await answer.text()
        async with served(nobody, TICKWIRE_TOKEN=token) as address, http.get(address) as answer:
            unsent = await answer.text()

    assert "cannot be reached" in alone
    assert "cannot be reached" in unsent
    assert "lines" not in unsent
