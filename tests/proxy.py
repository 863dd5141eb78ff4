"""A TCP proxy on loopback that a test can cut, stall, delay, slow down, close and open again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum
from typing import Final

WAITING: Final = 4
"""Reads of at most 64 KiB that wait in the proxy, per connection and way; the rest waits in the kernels."""
STEP_S: Final = 0.05
"""Between two drops of a way that trickles."""


class Way(Enum):
    """The two ways through a proxy."""

    UP = "from whoever connects"
    DOWN = "to whoever connects"


BOTH: Final = (Way.UP, Way.DOWN)


class Lane:
    """What befalls the bytes of one way."""

    def __init__(self) -> None:
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.delay_s = 0.0
        self.rate = 0.0
        """Bytes a second; 0: as they come."""


class Proxy:
    """Passes bytes both ways between whoever connects to `port` and one address.

    What a test sets holds for the connections that stand and for those to come.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._lanes = {way: Lane() for way in Way}
        self.port = 0
        """Where it listens; the same after `refuse` and `accept`."""

    @property
    def connections(self) -> int:
        """Connections that stand."""
        return len(self._writers) // 2

    async def accept(self) -> None:
        """Listen; on the same port as before."""
        if self._server is None:
            self._server = await asyncio.start_server(self._pass, "127.0.0.1", self.port, backlog=1_024)
            self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Cut every connection and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()

    def cut(self) -> None:
        """Cut every connection, as a broken network does: no farewell of the protocol."""
        for writer in list(self._writers):
            writer.transport.abort()

    def freeze(self, *ways: Way) -> None:
        """Pass nothing on (on *ways*; none named: on both) until `thaw`; the connections stand half-open."""
        for way in ways or BOTH:
            self._lanes[way].flowing.clear()

    def thaw(self, *ways: Way) -> None:
        """Pass on again, first what waited."""
        for way in ways or BOTH:
            self._lanes[way].flowing.set()

    def delay(self, milliseconds: float, *ways: Way) -> None:
        """Pass everything on so much later, in order; 0 ends it."""
        for way in ways or BOTH:
            self._lanes[way].delay_s = milliseconds / 1e3

    def trickle(self, rate: float, *ways: Way) -> None:
        """Pass on *rate* bytes a second per connection and way; 0 ends it."""
        for way in ways or BOTH:
            self._lanes[way].rate = rate

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            self._writers.discard(writer)
            return
        self._writers.add(far_writer)
        up, down = self._lanes[Way.UP], self._lanes[Way.DOWN]
        try:
            await asyncio.gather(_pump(up, reader, far_writer), _pump(down, far_reader, writer))
        finally:
            for end in (writer, far_writer):
                end.transport.abort()
                self._writers.discard(end)


async def _pump(lane: Lane, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(WAITING)
    fetching = asyncio.create_task(_fetch(lane, reader, waiting))
    try:
        with suppress(OSError):
            await _forward(lane, waiting, writer)
    finally:
        fetching.cancel()
    # One side's end is the other's too: the broker's farewell was passed on before.
    if not writer.is_closing():
        writer.close()


async def _fetch(lane: Lane, reader: asyncio.StreamReader, waiting: asyncio.Queue[tuple[float, bytes]]) -> None:
    loop = asyncio.get_running_loop()
    chunk = b"-"
    while chunk:
        try:
            chunk = await reader.read(65_536)
        except OSError:
            chunk = b""
        await waiting.put((loop.time() + lane.delay_s, chunk))


async def _forward(lane: Lane, waiting: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due, chunk = await waiting.get()
        if due > (now := loop.time()):
            await asyncio.sleep(due - now)
        await lane.flowing.wait()
        if not chunk:
            return
        while lane.rate and chunk:
            drop = max(1, int(lane.rate * STEP_S))
            writer.write(chunk[:drop])
            chunk = chunk[drop:]
            await writer.drain()
            await asyncio.sleep(STEP_S)
            await lane.flowing.wait()
        writer.write(chunk)
        await writer.drain()


@asynccontextmanager
async def proxied(host: str, port: int) -> AsyncIterator[Proxy]:
    """A proxy in front of *host*:*port* that listens until the end of the block."""
    proxy = Proxy(host, port)
    await proxy.accept()
    try:
        yield proxy
    finally:
        proxy.thaw()
        await proxy.refuse()
