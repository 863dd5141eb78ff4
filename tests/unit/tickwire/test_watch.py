"""The watcher, against a real WebSocket server that speaks a script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from services.market.symbol import Symbol
from services.runtime.clock import SystemClock
from tickwire.bearer import bearer
from tickwire.watch import Refused, Target, watch

Script = Callable[[web.WebSocketResponse, int], Awaitable[None]]
A = Symbol("AAPL")
_WELCOME = '{"op":"welcome","protocol":1,"session":"x","server_time":1,"heartbeat":15,"limits":{},"feed":"live"}'


def _tick(seq: int) -> str:
    return (
        f'{{"seq":{seq},"ts":1,"symbol":"AAPL","price":10.50,"size":5,"bid":9.90,"ask":10.10,'
        f'"bid_size":1,"ask_size":2,"volume":7}}'
    )


async def _command(socket: web.WebSocketResponse) -> dict[str, object]:
    """Return the next command that is no ping."""
    while True:
        command: dict[str, object] = json.loads(await socket.receive_str())
        if command["op"] != "ping":
            return command


async def _gone(socket: web.WebSocketResponse) -> None:
    """Return once the watcher has left; pings are not answered."""
    async for _ in socket:
        pass


async def _subscribed(socket: web.WebSocketResponse, position: str = "null") -> dict[str, object]:
    command = await _command(socket)
    await socket.send_str(
        f'{{"op":"subscribed","id":{command["id"]},"symbols":{{"AAPL":{position}}},"rejected":{{}},"pending":0}}'
    )
    return command


@asynccontextmanager
async def _gateway(script: Script) -> AsyncIterator[Target]:
    """Serve *script*, which gets the socket and the number of the connection from 1."""
    count = 0

    async def stream(request: web.Request) -> web.WebSocketResponse:
        nonlocal count
        count += 1
        socket = web.WebSocketResponse(protocols=("tickwire.v1",))
        await socket.prepare(request)
        assert socket.ws_protocol == "tickwire.v1"
        await socket.send_str(_WELCOME)
        await script(socket, count)
        return socket

    application = web.Application()
    application.router.add_get("/v1/stream", stream)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield Target(f"ws://127.0.0.1:{runner.addresses[0][1]}/v1/stream")
    finally:
        await runner.cleanup()


async def _watch(target: Target, stop: asyncio.Event) -> None:
    async with asyncio.timeout(20):
        await watch(target, [A], clock=SystemClock(), stop=stop)


async def test_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Off a terminal each tick is a line, until it is told to stop."""
    stop = asyncio.Event()

    async def script(socket: web.WebSocketResponse, _: int) -> None:
        await _subscribed(socket)
        await socket.send_str('{"op":"snapshot","epoch":7,"data":[' + _tick(1) + '],"none":{}}')
        await socket.send_str('{"op":"ticks","sent":1,"data":[' + _tick(2) + "," + _tick(3) + "]}")
        await socket.send_str('{"op":"status","feed":"stale","since":1,"shard":"main"}')
        await socket.send_str('{"op":"pong","id":1,"server_time":1}')
        await _gone(socket)

    async with _gateway(script) as target:
        watching = asyncio.create_task(_watch(target, stop))
        lines: list[str] = []
        async with asyncio.timeout(10):
            while not lines or not lines[-1].startswith("- feed"):
                await asyncio.sleep(0.01)
                lines += capsys.readouterr().out.splitlines()
        stop.set()
        await watching

    assert [line.split()[1] for line in lines[:3]] == ["7:1", "7:2", "7:3"]
    assert lines[3] == "- feed stale, shard main"


async def test_comes_back_and_resumes() -> None:
    """After a restart of the gateway the watcher comes back and resumes from its cursor."""
    stop = asyncio.Event()
    commands: list[dict[str, object]] = []

    async def script(socket: web.WebSocketResponse, number: int) -> None:
        if number == 1:
            commands.append(await _subscribed(socket))
            await socket.send_str('{"op":"snapshot","epoch":7,"data":[' + _tick(5) + '],"none":{}}')
            await socket.send_str('{"op":"reconnect","in_ms":1,"reason":"restart"}')
            await socket.close(code=1012)
        else:
            commands.append(await _subscribed(socket, '{"epoch":7,"seq":5}'))
            stop.set()
            await _gone(socket)

    async with _gateway(script) as target:
        await _watch(target, stop)

    assert "resume" not in commands[0]
    assert commands[1]["resume"] == {"AAPL": {"epoch": 7, "seq": 5}}


async def test_nobody_listens_at_first() -> None:
    """A gateway that is not there yet is tried again, without an end."""
    stop = asyncio.Event()

    async def script(socket: web.WebSocketResponse, _: int) -> None:
        await _subscribed(socket)
        stop.set()
        await _gone(socket)

    async with _gateway(script) as target:
        port = target.url.split(":")[2].split("/")[0]
    watching = asyncio.create_task(_watch(target, stop))
    await asyncio.sleep(0)
    async with _gateway_at(int(port), script):
        await watching

    assert stop.is_set()


@asynccontextmanager
async def _gateway_at(port: int, script: Script) -> AsyncIterator[None]:
    async def stream(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("tickwire.v1",))
        await socket.prepare(request)
        await socket.send_str(_WELCOME)
        await script(socket, 1)
        return socket

    application = web.Application()
    application.router.add_get("/v1/stream", stream)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()


async def test_unknown_symbol() -> None:
    """An unknown symbol ends the watch with a sentence that names it."""

    async def script(socket: web.WebSocketResponse, _: int) -> None:
        command = await _command(socket)
        await socket.send_str(
            f'{{"op":"subscribed","id":{command["id"]},"symbols":{{}},"rejected":{{"AAPL":"unknown_symbol"}},'
            '"pending":0}'
        )
        await _gone(socket)

    async with _gateway(script) as target:
        with pytest.raises(Refused, match="AAPL: unknown symbol"):
            await _watch(target, asyncio.Event())


async def test_fix_first_close_code() -> None:
    """A close code that says `fix this first` ends the watch."""

    async def script(socket: web.WebSocketResponse, _: int) -> None:
        await socket.close(code=4503, message=b"forbidden")

    async with _gateway(script) as target:
        with pytest.raises(Refused, match="closed with 4503: forbidden"):
            await _watch(target, asyncio.Event())


async def test_token(tmp_path: Path) -> None:
    """The token of a file is shown as a header, and stands in no repr."""
    file, stop = tmp_path / "token", asyncio.Event()
    file.write_text("s3cr3t\n")
    shown: list[str | None] = []

    async def script(socket: web.WebSocketResponse, _: int) -> None:
        assert isinstance(socket._req, web.Request)
        shown.append(socket._req.headers.get("Authorization"))
        await _subscribed(socket)
        stop.set()
        await _gone(socket)

    async with _gateway(script) as target:
        known = Target(target.url, bearer=await asyncio.to_thread(bearer, file, {}))
        await _watch(known, stop)

    assert shown == ["Bearer s3cr3t"]
    assert "bearer" not in repr(known)


async def test_not_a_gateway() -> None:
    """An address without a stream ends the watch with the HTTP status."""

    async def script(_: web.WebSocketResponse, __: int) -> None:
        raise NotImplementedError

    async with _gateway(script) as target:
        with pytest.raises(Refused, match="HTTP 404"):
            await _watch(Target(target.url + "/elsewhere"), asyncio.Event())


async def test_nonsense() -> None:
    """A server that speaks something else ends the watch with what was wrong."""

    async def script(socket: web.WebSocketResponse, _: int) -> None:
        await socket.send_str("hello")
        await _gone(socket)

    async with _gateway(script) as target:
        with pytest.raises(Refused, match=r"does not speak tickwire\.v1"):
            await _watch(target, asyncio.Event())
