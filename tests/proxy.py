"""A TCP proxy on loopback that a test can cut, silence, close and open again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Proxy:
    """Passes bytes both ways between whoever connects to `port` and one address."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.port = 0
        """Where it listens; the same after `refuse` and `accept`."""

    async def accept(self) -> None:
        """Listen; on the same port as before."""
        if self._server is None:
            self._server = await asyncio.start_server(self._pass, "127.0.0.1", self.port)
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

    def freeze(self) -> None:
        """Pass nothing on, either way, until `thaw`; the connections stand."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Pass on again, first what waited."""
        self._flowing.set()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            self._writers.discard(writer)
            return
        self._writers.add(far_writer)
        try:
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        finally:
            for end in (writer, far_writer):
                end.transport.abort()
                self._writers.discard(end)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(65_536):
                await self._flowing.wait()
                writer.write(chunk)
                await writer.drain()
        # One side's end is the other's too: the broker's farewell was passed on before.
        if not writer.is_closing():
            writer.close()


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
