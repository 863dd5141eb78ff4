"""The page's token in a real browser, against a gateway that speaks a script and serves the real files."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from aiohttp import web

from gateway.wires.pages import add_pages, read_pages
from tests.browser.chromium import Tab, tab

TOKEN: Final = "eyJhbGciOi.J9-x_y.s3cr3t"  # noqa: S105 - nobody's
DEADLINE_S: Final = 40.0
"""Seconds that the script of a test may take: 2 were seen."""
ASKED: Final = "This gateway asks for a token."
TICK: Final = {
    "seq": 1,
    "ts": 1,
    "symbol": "AAPL",
    "price": 10.5,
    "size": 5,
    "bid": 9.9,
    "ask": 10.1,
    "bid_size": 1,
    "ask_size": 2,
    "volume": 7,
}


LISTED: Final = [{"symbol": name, "name": f"{name} Inc.", "decimals": 2} for name in ("AAPL", "MSFT")]
"""What the gateway's directory has."""


class Peer:
    """The gateway's end of one connection.  *number*: from 1; *offered*: subprotocols."""

    def __init__(self, socket: web.WebSocketResponse, number: int, offered: list[str]) -> None:
        self.socket, self.number, self.offered = socket, number, offered

    async def say(self, op: str, **fields: Any) -> None:
        """Send a frame."""
        await self.socket.send_str(json.dumps({"op": op, **fields}))

    async def welcome(self, auth: str) -> None:
        """Say the first frame."""
        fixed = {"protocol": 1, "session": "x", "server_time": 1, "heartbeat": 15, "limits": {}, "feed": "live"}
        await self.say("welcome", **fixed, auth=auth)

    async def command(self, op: str) -> dict[str, Any]:
        """Return the next command, which is *op*; answer the pings before it."""
        while (body := json.loads(await self.socket.receive_str()))["op"] == "ping":
            await self.say("pong", id=body["id"], server_time=1)
        assert body["op"] == op, body
        return dict(body)

    async def serve(self, *allowed: str) -> None:
        """Answer the next subscribe: *allowed*, the rest is not entitled; and show a tick of AAPL."""
        command = await self.command("subscribe")
        await self.say(
            "subscribed",
            id=command["id"],
            symbols={name: {"epoch": None, "seq": None} for name in allowed},
            rejected={name: "not_entitled" for name in command["symbols"] if name not in allowed},
            pending=0,
        )
        await self.say("snapshot", epoch=7, data=[TICK], none={})

    async def gone(self) -> None:
        """Return once the page has left."""
        async for _ in self.socket:
            pass


Script = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def page(script: Script) -> AsyncIterator[tuple[Tab, str, list[str]]]:
    """Serve the page, and *script* on each connection; yield a browser, the page's address, and paths asked for.

    An assertion that fails in the script fails the test.
    """
    number, failures, paths = 0, list[AssertionError](), list[str]()

    async def stream(request: web.Request) -> web.WebSocketResponse:
        nonlocal number
        number += 1
        socket = web.WebSocketResponse(protocols=("tickwire.v1",))
        await socket.prepare(request)
        offered = [name.strip() for name in request.headers["Sec-WebSocket-Protocol"].split(",")]
        try:
            await script(Peer(socket, number, offered))
        except AssertionError as error:
            failures.append(error)
        return socket

    async def symbols(_: web.Request) -> web.Response:
        return web.json_response({"symbols": LISTED, "next": None})

    @web.middleware
    async def note(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Any:
        paths.append(request.path_qs)
        return await handler(request)

    application = web.Application(middlewares=[note])
    application.router.add_get("/v1/stream", stream)
    application.router.add_get("/v1/symbols", symbols)
    add_pages(application, await asyncio.to_thread(read_pages))
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with tab() as browser:
            url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
            async with asyncio.timeout(DEADLINE_S):
                await browser.visit(url)
                yield browser, url, paths
    finally:
        await runner.cleanup()
    if failures:
        raise failures[0]


async def test_asked_for_by_a_close() -> None:
    """After 4501 the page asks for a token, shows it as a subprotocol, and keeps it for this tab only."""

    async def script(peer: Peer) -> None:
        if len(peer.offered) == 1:
            await peer.welcome("required")
            await peer.socket.close(code=4501, message=b"token refused")
            return
        assert peer.offered == ["tickwire.v1", f"bearer.{TOKEN}"]
        await peer.welcome("ok")
        await peer.serve("AAPL")
        await peer.gone()

    async with page(script) as (browser, url, paths):
        await browser.shows("wanted", ASKED)
        await browser.shows("connection", "a token is wanted")
        await browser.submit("door", "token", TOKEN)
        await browser.shows("connection", "connected")
        await browser.shows("rows", "10.50")

        assert await browser.text("wanted") == ""
        assert await browser.value("Object.values(sessionStorage)") == [TOKEN]
        assert await browser.value("Object.keys(localStorage).length + document.cookie.length") == 0
        assert await browser.value("location.href") == url
        await browser.visit(url)  # a reload
        await browser.shows("rows", "10.50")
        assert TOKEN not in "".join(paths)


async def test_asked_for_by_the_welcome() -> None:
    """A gateway that waits for a token gets it with the next handshake; rows say what it does not allow."""

    async def script(peer: Peer) -> None:
        if peer.number == 1:
            await peer.welcome("required")
            await peer.gone()
            return
        assert peer.offered == ["tickwire.v1", f"bearer.{TOKEN}"]
        await peer.welcome("ok")
        await peer.serve("AAPL")
        await peer.gone()

    async with page(script) as (browser, _, _):
        await browser.shows("wanted", ASKED)
        await browser.submit("door", "token", f" {TOKEN} ")
        await browser.shows("rows", "10.50")
        await browser.shows("rows", "not entitled")
        assert await browser.text("wanted") == ""


async def test_renewed_in_band() -> None:
    """A minute before the end the page asks for another token and shows it on the connection that stands."""
    renewed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.welcome("ok")
        await peer.serve("AAPL")
        await peer.say("authorized", id=None, expires=1, limits={})
        command = await peer.command("auth")
        assert (peer.number, command["token"]) == (1, TOKEN)
        await peer.say("authorized", id=command["id"], expires=2, limits={})
        renewed.set()
        await peer.gone()

    async with page(script) as (browser, _, _):
        await browser.shows("wanted", "expires within a minute")
        await browser.submit("door", "token", TOKEN)
        await renewed.wait()
        await browser.shows("connection", "connected")
        await browser.shows("wanted", "")
        assert await browser.value("sessionStorage.getItem('tickwire.token')") == TOKEN


async def test_refused_in_band() -> None:
    """A token that is refused while another one is in force is not kept, and the page asks again."""

    async def script(peer: Peer) -> None:
        await peer.welcome("ok" if peer.number == 2 else "none")
        await peer.serve("AAPL")
        if peer.number == 2:
            assert peer.offered[1] == "bearer.first"
            await peer.say("authorized", id=None, expires=1, limits={})
            command = await peer.command("auth")
            await peer.say("error", id=command["id"], code="token_refused", message="the token is refused")
        await peer.gone()

    async with page(script) as (browser, url, _):
        await browser.shows("rows", "10.50")
        await browser.value("sessionStorage.setItem('tickwire.token', 'first')")
        await browser.visit(url)
        await browser.shows("wanted", "expires within a minute")
        await browser.submit("door", "token", TOKEN)
        await browser.shows("wanted", "is refused")
        await browser.shows("connection", "connected")
        assert await browser.value("sessionStorage.getItem('tickwire.token')") == "first"


@pytest.mark.parametrize(("code", "words"), [(4401, "has expired"), (4501, "is refused")])
async def test_no_longer_good(code: int, words: str) -> None:
    """A token that has expired or is refused is forgotten, and the page waits for another one."""
    connections = 0

    async def script(peer: Peer) -> None:
        nonlocal connections
        connections += 1
        if peer.offered[-1] == "bearer.old":
            await peer.socket.close(code=code)
            return
        await peer.welcome("none" if peer.number == 1 else "ok")
        await peer.serve("AAPL")
        await peer.gone()

    async with page(script) as (browser, url, _):
        await browser.shows("rows", "10.50")
        await browser.value("sessionStorage.setItem('tickwire.token', 'old')")
        await browser.visit(url)
        await browser.shows("wanted", words)
        assert await browser.value("sessionStorage.length") == 0
        assert connections == 2
        await browser.submit("door", "token", "two words")
        await browser.shows("wanted", "no blank")
        await browser.submit("door", "token", "new")
        await browser.shows("rows", "10.50")


async def test_forbidden() -> None:
    """A page that the gateway does not serve says whose it is, and stays away."""
    connections = 0

    async def script(peer: Peer) -> None:
        nonlocal connections
        connections += 1
        await peer.socket.close(code=4503, message=b"forbidden")

    async with page(script) as (browser, url, _):
        await browser.shows("connection", f"refused: this gateway serves no pages of {url[:-1]}")
        assert connections == 1


async def test_overloaded() -> None:
    """A gateway that is full is tried again, with words that say so."""
    room = asyncio.Event()

    async def script(peer: Peer) -> None:
        if not room.is_set():
            await peer.socket.close(code=1013, message=b"overloaded")
            return
        await peer.welcome("none")
        await peer.serve("AAPL")
        await peer.gone()

    async with page(script) as (browser, _, _):
        await browser.shows("connection", "takes no more clients now, trying again")
        room.set()
        await browser.shows("rows", "10.50")
