"""The proxy of the tests: each way to be unkind, each way through it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.eventually import eventually
from tests.proxy import BOTH, Proxy, Way, proxied

LATE_MS = 150.0
RATE = 4_000.0
SOON_S = 0.3
"""What stalls has had this long to arrive by mistake."""


class Peers:
    """A connection through a proxy, seen from both of its ends: *sent* and *got* by way."""

    def __init__(self) -> None:
        self.got = {way: bytearray() for way in Way}
        self.ended = dict.fromkeys(Way, False)
        self.writers: dict[Way, asyncio.StreamWriter] = {}

    async def read(self, way: Way, reader: asyncio.StreamReader) -> None:
        """Read what comes by *way* until its end."""
        try:
            while chunk := await reader.read(65_536):
                self.got[way] += chunk
        except OSError:
            pass
        self.ended[way] = True

    def send(self, way: Way, data: bytes) -> None:
        """Send *data* by *way*."""
        self.writers[way].write(data)


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Proxy, Peers]]:
    """A proxy with one connection through it."""
    peers = Peers()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.writers[Way.DOWN] = writer
        await peers.read(Way.UP, reader)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with proxied("127.0.0.1", server.sockets[0].getsockname()[1]) as proxy:
        reader, peers.writers[Way.UP] = await asyncio.open_connection("127.0.0.1", proxy.port)
        reading = asyncio.create_task(peers.read(Way.DOWN, reader))
        await eventually(lambda: len(peers.writers) == 2)
        yield proxy, peers
        proxy.cut()
        await reading
        for writer in peers.writers.values():
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
    server.close()


async def test_bytes_pass_in_order() -> None:
    """A proxy that nothing was asked of passes a megabyte each way unchanged."""
    async with connected() as (proxy, peers):
        data = bytes(range(256)) * 4_096
        for way in BOTH:
            peers.send(way, data)
        for way in BOTH:
            await eventually(lambda way=way: peers.got[way] == data)  # type: ignore[misc]
        assert proxy.connections == 1


async def test_a_cut_ends_both_sides() -> None:
    """`cut` ends a connection for both of its ends, and new ones are accepted."""
    async with connected() as (proxy, peers):
        proxy.cut()
        await eventually(lambda: all(peers.ended.values()) and proxy.connections == 0)
        _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        await eventually(lambda: proxy.connections == 1)
        writer.close()
        await eventually(lambda: proxy.connections == 0)


@pytest.mark.parametrize("way", BOTH)
async def test_a_stalled_way_is_half_open(way: Way) -> None:
    """`freeze` of one way stops that way only, the connection stands, and `thaw` loses nothing."""
    async with connected() as (proxy, peers):
        other = Way.DOWN if way is Way.UP else Way.UP
        proxy.freeze(way)
        peers.send(way, b"waits")
        peers.send(other, b"passes")
        await eventually(lambda: peers.got[other] == b"passes")
        await asyncio.sleep(SOON_S)
        assert not peers.got[way]
        assert not any(peers.ended.values())
        proxy.thaw(way)
        await eventually(lambda: peers.got[way] == b"waits")


@pytest.mark.parametrize("way", BOTH)
async def test_a_delayed_way_is_late_by_so_much(way: Way) -> None:
    """`delay` makes each byte of one way 150 ms late, in order and without making the next one later still."""
    async with connected() as (proxy, peers):
        proxy.delay(LATE_MS, way)
        began = time.monotonic()
        for n in range(10):
            peers.send(way, bytes([n]) * 1_000)
            await asyncio.sleep(0.01)
        await eventually(lambda: len(peers.got[way]) == 10_000)
        spent = time.monotonic() - began
        assert LATE_MS / 1e3 <= spent < 10 * LATE_MS / 1e3
        assert bytes(peers.got[way]) == b"".join(bytes([n]) * 1_000 for n in range(10))


@pytest.mark.parametrize("way", BOTH)
async def test_a_trickling_way_passes_so_much_a_second(way: Way) -> None:
    """`trickle` passes 4,000 bytes a second, so 2,000 bytes take about half a second; without it they pass."""
    async with connected() as (proxy, peers):
        proxy.trickle(RATE, way)
        began = time.monotonic()
        peers.send(way, b"x" * 2_000)
        await eventually(lambda: peers.got[way])
        assert len(peers.got[way]) < 2_000
        await eventually(lambda: len(peers.got[way]) == 2_000)
        assert time.monotonic() - began > 0.4
        proxy.trickle(0)
        peers.send(way, b"y" * 50_000)
        await eventually(lambda: len(peers.got[way]) == 52_000)
