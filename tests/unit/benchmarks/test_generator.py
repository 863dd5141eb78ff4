"""The load generator, against a server that says exactly what it is told."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import WSMsgType, web

from benchmarks.generator import Generator, Load, measured

Talk = Callable[[web.WebSocketResponse], Coroutine[Any, Any, None]]


def tick(seq: int, *, age_ms: float = 0.0, symbol: str = "AAPL", more: str = "") -> str:
    """A tick that was due *age_ms* ago."""
    due = time.time_ns() // 1000 - int(age_ms * 1000)
    return f'{{"seq":{seq},"ts":{due},"symbol":"{symbol}","price":230.15,"size":100{more}}}'


def ticks(*data: str) -> str:
    """A frame of ticks."""
    return f'{{"op":"ticks","sent":1,"data":[{",".join(data)}]}}'


@asynccontextmanager
async def server(talk: Talk, context: ssl.SSLContext | None = None) -> AsyncIterator[tuple[int, list[str]]]:
    """Serve WebSockets on a free port; yield it with what clients said."""
    said: list[str] = []

    async def stream(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        talking = asyncio.create_task(talk(socket))
        said.extend([m.data if m.type is WSMsgType.TEXT else m.data.hex() async for m in socket])
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
        return socket

    app = web.Application()
    app.router.add_get("/v1/stream", stream)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield site.port, said
    finally:
        await runner.cleanup()


async def run(port: int, **options: Any) -> dict[str, Any]:
    """What the generator has measured."""
    load = Load(port, **{"clients": 2, "warmup": 0.3, "seconds": 0.8, **options})
    result, _ = await measured(load, dict)
    return result


async def silent(_: web.WebSocketResponse) -> None:
    """Say nothing."""


async def test_it_counts_ticks_holes_and_conflated_ones() -> None:
    """Every tick counts once; a seq that does not follow is a hole; `skipped` explains others."""

    async def talk(socket: web.WebSocketResponse) -> None:
        await socket.send_str(ticks(tick(1), tick(1, symbol="MSFT")))
        await asyncio.sleep(0.6)  # the warm-up's ticks count for the order only
        await socket.send_str(ticks(tick(2), tick(3), tick(2, symbol="MSFT")))
        await socket.send_str(ticks(tick(7), tick(6, symbol="MSFT", more=',"skipped":3')))
        await socket.send_str('{"op":"gap","symbol":"AAPL","missing":[1,2]}')

    async with server(talk) as (port, _):
        result = await run(port)
    assert (result["clients"], result["connected"], result["failed"]) == (2, 2, 0)
    assert result["deliveries"] == 2 * 5
    assert result["frames"] == 2 * 3  # the gap's, too
    assert (result["holes"], result["missing"]) == (2 * 1, 2 * 3)
    assert result["conflated"] == 2 * 3
    assert result["gaps"] == 2 * 1


async def test_latency_is_from_the_scheduled_time() -> None:
    """A tick that was due 100 ms ago is 100 ms late, however quickly it came here."""

    async def talk(socket: web.WebSocketResponse) -> None:
        await asyncio.sleep(0.6)
        for seq in range(1, 100):
            await socket.send_str(ticks(tick(seq, age_ms=100.0)))
        await socket.send_str(ticks(tick(100, age_ms=300.0)))

    async with server(talk) as (port, _):
        result = await run(port, clients=1)
    latency = result["latency_us"]
    assert latency["count"] == 100
    assert 98_000 <= latency["p50"] <= 150_000
    assert 295_000 <= latency["max"] <= 400_000


async def test_ticks_in_pieces_and_long_frames_are_found() -> None:
    """Frames of every length, and such that come in several reads, are read whole."""

    async def talk(socket: web.WebSocketResponse) -> None:
        await asyncio.sleep(0.6)
        seq = 1
        for count in (1, 2, 600, 2000):
            await socket.send_str(ticks(*(tick(n) for n in range(seq, seq + count))))
            seq += count

    async with server(talk) as (port, _):
        result = await run(port, clients=3)
    assert (result["deliveries"], result["holes"]) == (3 * 2603, 0)


async def test_clients_say_their_lines() -> None:
    """Each client says its own line after the handshake: text frames, and binary ones from hex."""
    async with server(silent) as (port, said):
        await run(port, hello=["one", "two\thex:00ff10"], seconds=0.2)
    assert sorted(said) == ["00ff10", "one", "two"]


async def test_slow_clients_read_no_faster_than_told() -> None:
    """A share of the clients reads so many bytes a second, and is counted apart."""

    async def talk(socket: web.WebSocketResponse) -> None:
        for seq in range(1, 20_000):
            await socket.send_str(ticks(tick(seq)))
            await asyncio.sleep(0.001)

    async with server(talk) as (port, _):
        result = await run(port, clients=4, slow_share=0.5, slow_rate=2_000.0, seconds=2.0)
    size = len(ticks(tick(1)))
    assert 0 < result["slow_deliveries"] <= 2 * (2.5 * 2_000) / size
    assert result["latency_us"]["count"] > 5 * result["slow_deliveries"]


async def test_it_speaks_tls() -> None:
    """With `tls` the same is read over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    async def talk(socket: web.WebSocketResponse) -> None:
        await asyncio.sleep(0.6)
        await socket.send_str(ticks(*(tick(n) for n in range(1, 501))))

    async with server(talk, context) as (port, _):
        result = await run(port, tls=True)
    assert (result["deliveries"], result["holes"]) == (2 * 500, 0)


async def test_connect_only_holds_the_connections() -> None:
    """With `connect_only` it says how long the handshakes took, and stays until it is stopped."""
    there = asyncio.Event()
    left = asyncio.Event()

    async def talk(_: web.WebSocketResponse) -> None:
        there.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    async with server(talk) as (port, _):
        generator = await Generator.start(Load(port, 1, connect_only=True, hold=60.0))
        try:
            result = await generator.result()
            assert (result["connected"], result["deliveries"]) == (1, 0)
            await asyncio.wait_for(there.wait(), 5)
            assert not left.is_set()
        finally:
            await generator.stop()
        await asyncio.wait_for(left.wait(), 5)


async def test_a_server_that_refuses_is_counted() -> None:
    """A handshake without 101 is a failure, not an error of the generator."""
    async with server(silent) as (port, _):
        result = await run(port, path="/elsewhere", seconds=0.2)
    assert (result["connected"], result["failed"]) == (0, 2)


async def test_what_fails_beside_it_fails_the_run() -> None:
    """A publisher that fails is no run without ticks."""

    async def publish() -> None:
        raise ZeroDivisionError

    async with server(silent) as (port, _):
        with pytest.raises(ZeroDivisionError):
            await measured(Load(port, 1, warmup=0.1, seconds=0.2), dict, publish)


def test_what_is_compiled_is_not_in_git() -> None:
    """The folder of compiled programs is ignored."""
    assert "benchmarks/build/" in Path(".gitignore").read_text()
