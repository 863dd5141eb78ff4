"""The page before a real gateway that lets in who has a key."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.visits import changes, connected, row, rows, visit
from tests.programs import demo

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]

REFUSED = ("401", "WebSocket connection to")
"""What a browser writes to its console by itself where nobody is let in."""


def new_key(file: Path) -> str:
    """Write the line of a new key for AAPL to *file*; return the key."""
    command = [sys.executable, "-m", "tickwire", "new-key", "desk-7", "--symbols", "AAPL"]
    made = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    file.write_text(made.stdout)
    return made.stderr.strip().splitlines()[-1].split()[-1]


async def test_key(browser: Browser, tmp_path: Path) -> None:
    """Without a key and with a wrong one the page says so in a sentence; with the right one prices move."""
    file = tmp_path / "keys"
    key = await asyncio.to_thread(new_key, file)
    async with (
        demo(RATE=200, AUTH="keys", KEYS_FILE=file) as (_, addresses),
        visit(browser, addresses["page"], excused=REFUSED) as tab,
    ):
        await expect(tab.get_by_test_id("wanted")).to_have_text("This gateway asks for a token.")
        await expect(tab.get_by_test_id("connection")).to_have_text("a token is wanted")
        await tab.get_by_test_id("token").fill("wrong")
        await tab.get_by_test_id("token").press("Enter")
        await expect(tab.get_by_test_id("wanted")).to_have_text("The token is refused.")
        await tab.get_by_test_id("token").fill(key)
        await tab.get_by_test_id("token").press("Enter")
        await connected(tab)
        await expect(tab.get_by_test_id("door")).to_be_hidden()
        await changes(row(tab, "AAPL").get_by_test_id("price"))
        assert await rows(tab).count() == 1
