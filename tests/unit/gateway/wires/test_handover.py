"""The internals of aiohttp that the handover touches."""

from __future__ import annotations

import asyncio
from typing import Self

import pytest
from aiohttp import web, web_protocol

from gateway.wires.handover import Upgrade, take_over


class Taker(asyncio.Protocol):
    """Takes a connection over, and echoes."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.transport: asyncio.Transport | None = None
        self.lost = asyncio.Event()
        self.arrived = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        """Echo."""
        assert self.transport is not None
        self.received += data
        self.arrived.set()
        self.transport.write(data.upper())

    def connection_lost(self, _: Exception | None) -> None:
        """Note."""
        self.lost.set()


REQUEST = (
    b"GET /up HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


class Place:
    """A server that hands each connection over, and a raw client of it."""

    def __init__(self) -> None:
        self.taker = Taker()
        self.runner: web.AppRunner | None = None
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def _up(self, request: web.Request) -> web.StreamResponse:
        upgrade = Upgrade(compress=False)
        await upgrade.prepare(request)
        transport, tail = take_over(request)
        transport.set_protocol(self.taker)
        self.taker.transport = transport
        if tail:
            self.taker.data_received(tail)
        return upgrade

    async def __aenter__(self) -> Self:
        """Serve and connect."""
        app = web.Application()
        app.router.add_get("/up", self._up)
        self.runner = web.AppRunner(app, access_log=None)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", site.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close everything."""
        assert self.writer is not None
        assert self.runner is not None
        self.writer.close()
        await asyncio.wait_for(self.taker.lost.wait(), 5)
        await self.runner.cleanup()

    async def say(self, data: bytes, expected: int) -> bytes:
        """Write and read."""
        assert self.writer is not None
        assert self.reader is not None
        self.writer.write(data)
        return await asyncio.wait_for(self.reader.readexactly(expected), 5)

    async def upgraded(self, behind: bytes = b"") -> None:
        """Do the handshake, with bytes *behind* it in the same write."""
        assert self.writer is not None
        assert self.reader is not None
        self.writer.write(REQUEST + behind)
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)
        assert head.startswith(b"HTTP/1.1 101 ")


def test_what_is_touched_exists() -> None:
    """The attributes that the handover sets are slots of aiohttp's handler: a typo would not fail otherwise."""
    slots = {name for kind in web_protocol.RequestHandler.__mro__ for name in getattr(kind, "__slots__", ())}
    assert {"_message_tail", "_upgraded", "transport"} <= slots
    assert hasattr(web.WebSocketResponse, "_post_start")


async def test_bytes_go_to_the_new_protocol() -> None:
    """After the handshake aiohttp sees no byte any more, and does not close the connection."""
    async with Place() as place:
        await place.upgraded()
        assert await place.say(b"hello", 5) == b"HELLO"
        assert await place.say(b"GET / HTTP/1.1\r\n\r\n", 18) == b"GET / HTTP/1.1\r\n\r\n"


async def test_bytes_behind_the_handshake_are_carried_over() -> None:
    """What came in the same segment as the request is the new protocol's first data."""
    async with Place() as place:
        await place.upgraded(b"early bird")
        assert place.reader is not None
        assert await asyncio.wait_for(place.reader.readexactly(10), 5) == b"EARLY BIRD"
        assert await place.say(b"later", 5) == b"LATER"


async def test_much_behind_the_handshake_is_carried_over() -> None:
    """More than aiohttp buffers at once (it stops reading then) arrives whole."""
    async with Place() as place:
        await place.upgraded(b"x" * 300_000)
        assert place.reader is not None
        assert await asyncio.wait_for(place.reader.readexactly(300_000), 5) == b"X" * 300_000


async def test_aiohttp_forgets_the_connection() -> None:
    """The runner does not know the connection any more: its clean-up neither waits for it nor closes it."""
    async with Place() as place:
        await place.upgraded()
        assert place.runner is not None
        assert place.runner.server is not None
        await place.say(b"x", 1)
        assert place.runner.server.connections == []
        await place.runner.shutdown()
        assert await place.say(b"still", 5) == b"STILL"


async def test_the_clients_end_is_told() -> None:
    """A client that leaves ends the new protocol."""
    async with Place() as place:
        await place.upgraded()
        assert place.writer is not None
        place.writer.transport.abort()
        await asyncio.wait_for(place.taker.lost.wait(), 5)


async def test_a_client_that_left_cannot_be_taken_over() -> None:
    """A request whose transport is gone is a ConnectionResetError, as aiohttp's own."""

    class Gone:
        transport = None
        protocol = None

    with pytest.raises(ConnectionResetError):
        take_over(Gone())  # type: ignore[arg-type]
