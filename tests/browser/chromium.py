"""A real Chromium without a screen, told what to do over its DevTools protocol."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import aiohttp
from websockets.asyncio.client import ClientConnection, connect

from services.errors import MissingRequirement
from tests.eventually import eventually

NAMES: Final = ("chromium", "google-chrome", "chromium-browser")
START_S: Final = 30.0
"""Longest wait for a browser: 1 s was seen on two idle cores."""
LOOK_S: Final = 15.0
"""Longest wait for what a page is to show."""
_FLAGS: Final = (
    "--headless",
    "--no-sandbox",  # tests run as root in a container
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)


class Tab:
    """One tab."""

    def __init__(self, devtools: ClientConnection) -> None:
        self._devtools = devtools
        self._ids = count(1)

    async def visit(self, url: str) -> None:
        """Load *url*."""
        await self._call("Page.navigate", url=url)

    async def value(self, expression: str) -> Any:
        """Return what *expression* of JavaScript is in the page; None where it throws."""
        answer = await self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        return answer["result"].get("value")

    async def text(self, identity: str) -> str:
        """Return the text that the element shows; empty where it is hidden or not there."""
        name = json.dumps(identity)
        shown = f"(e => e?.checkVisibility() ? e.innerText : '')(document.getElementById({name}))"
        return str(await self.value(shown))

    async def shows(self, identity: str, words: str) -> None:
        """Return once the element *identity* shows *words*."""
        found = ""
        try:
            async with asyncio.timeout(LOOK_S):
                while words not in (found := await self.text(identity)):  # noqa: ASYNC110 - a page says nothing
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{identity} shows {found!r}, not {words!r}") from None

    async def submit(self, form: str, field: str, text: str) -> None:
        """Type *text* into *field* and send *form*, as somebody would."""
        await self.value(
            f"document.getElementById({json.dumps(field)}).value = {json.dumps(text)};"
            f"document.getElementById({json.dumps(form)}).requestSubmit()"
        )

    async def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        identity = next(self._ids)
        await self._devtools.send(json.dumps({"id": identity, "method": method, "params": parameters}))
        while True:
            message = json.loads(await self._devtools.recv())
            if message.get("id") == identity:
                assert "error" not in message, message
                return dict(message["result"])


@asynccontextmanager
async def tab() -> AsyncIterator[Tab]:
    """Yield the tab of a browser of its own, with an empty profile.

    Raises:
        MissingRequirement: there is no Chromium.
    """
    binary = next(filter(None, map(shutil.which, NAMES)), None)
    if binary is None:
        raise MissingRequirement("the tests of the page need Chromium; on Debian: apt-get install chromium")
    with tempfile.TemporaryDirectory(prefix="tickwire-chromium-", ignore_cleanup_errors=True) as folder:
        process = await asyncio.create_subprocess_exec(
            binary, *_FLAGS, f"--user-data-dir={folder}", "about:blank", stdout=DEVNULL, stderr=DEVNULL
        )
        try:
            address = await _devtools(Path(folder))
            async with connect(address, max_size=None, ping_interval=None, proxy=None) as devtools:
                yield Tab(devtools)
        finally:
            process.terminate()
            await process.wait()


async def _devtools(folder: Path) -> str:
    """Return the address at which the first tab is told what to do."""
    found = folder / "DevToolsActivePort"
    await eventually(lambda: found.exists() and found.read_text().count("\n"), deadline=START_S)
    port = found.read_text().splitlines()[0]
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/json/list") as answer:
        targets = await answer.json()
    return str(next(target["webSocketDebuggerUrl"] for target in targets if target["type"] == "page"))
