"""The end of a connection, after our close frame."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.wires import framing
from gateway.wires.farewell import FAREWELL_EVENTS, Farewell
from gateway.wires.inbound import Inbound

CLOSE = framing.close(1002, "protocol error")
GONE_S = 1.0
"""Well below the 2 s that a client is given otherwise."""


@asynccontextmanager
async def leaving(
    *, failed: bool
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, asyncio.Event]]:
    """A client of a server that has said its close frame; the event says that the server's socket is gone."""
    gone = asyncio.Event()

    class Host(asyncio.Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            transport.write(CLOSE)
            Farewell(transport, Inbound(100), finish=transport.close, ended=gone.set, failed=failed)

    server = await asyncio.get_running_loop().create_server(Host, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            yield reader, writer, gone
        finally:
            writer.close()


async def test_who_broke_the_protocol_is_not_waited_for() -> None:
    """Our side of TCP ends with the close frame, no reset overtakes it, and the client's end is the end."""
    async with leaving(failed=True) as (reader, writer, gone):
        writer.write(b"x" * 10_000)
        assert await asyncio.wait_for(reader.read(), GONE_S) == CLOSE
        assert not gone.is_set()
        writer.close()
        await asyncio.wait_for(gone.wait(), GONE_S)


async def test_an_answer_is_not_looked_for_for_ever() -> None:
    """The close frame of a client that goes on sending is found among so many pings, and no later one is."""
    ping, close = b"\x89\x80\0\0\0\0", b"\x88\x80\0\0\0\0"
    async with leaving(failed=False) as (reader, writer, gone):
        writer.write(ping * (FAREWELL_EVENTS - 1) + close)
        await asyncio.wait_for(gone.wait(), GONE_S)
        assert await reader.read() == CLOSE
    async with leaving(failed=False) as (reader, writer, gone):
        writer.write(ping * FAREWELL_EVENTS + close)
        assert await reader.readexactly(len(CLOSE)) == CLOSE
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.1)
        assert not gone.is_set()
        writer.close()
        await asyncio.wait_for(gone.wait(), GONE_S)


async def test_anybody_else_may_answer() -> None:
    """After a close for another reason the connection stays until the client's close frame has come."""
    async with leaving(failed=False) as (reader, writer, gone):
        assert await reader.readexactly(len(CLOSE)) == CLOSE
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.1)
        assert not gone.is_set()
        writer.write(b"\x88\x80\0\0\0\0")
        await asyncio.wait_for(gone.wait(), GONE_S)
        assert await reader.read() == b""
