"""The simulated clients, against a real WebSocket server that speaks a script."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from services.runtime.clock import SystemClock
from tests.eventually import eventually
from tickwire.load import crowd, plan, sluggard
from tickwire.load.crowd import PromiseBroken, load
from tickwire.load.plan import Kind, Member
from tickwire.load.tally import Tally
from tickwire.watch import Refused, Target

Script = Callable[[web.WebSocketResponse, int], Awaitable[None]]
_WELCOME = '{"op":"welcome","protocol":1,"session":"x","server_time":1,"heartbeat":15,"limits":{},"feed":"live"}'


def _member(kind: Kind, *, max_rate: float | None = None) -> Member:
    return Member(0, kind, 0.0, max_rate, ("AAPL",), 1, 1)


def _tick(seq: int, more: str = "") -> str:
    return (
        f'{{"seq":{seq},"ts":1,"symbol":"AAPL","price":10.50,"size":5,"bid":9.90,"ask":10.10,'
        f'"bid_size":1,"ask_size":2,"volume":7{more}}}'
    )


class Gateway:
    """Answers each command to follow with the ticks 1 to 3, the last of which stands for two more."""

    def __init__(self) -> None:
        self.commands: dict[int, list[dict[str, Any]]] = defaultdict(list)
        self.connections = 0
        self.last = _tick(6, ',"skipped":3')

    async def __call__(self, socket: web.WebSocketResponse, number: int) -> None:
        """Speak to one connection until the client leaves."""
        self.connections = number
        async for message in socket:
            command = json.loads(message.data)
            if command["op"] != "subscribe":
                continue
            self.commands[number].append(command)
            start = json.dumps(command.get("resume", {}).get("AAPL"))
            await socket.send_str(
                f'{{"op":"subscribed","id":{command["id"]},"symbols":{{"AAPL":{start}}},"rejected":{{}},"pending":0}}'
            )
            if start == "null":
                await socket.send_str(f'{{"op":"snapshot","epoch":7,"data":[{_tick(1)}],"none":{{}}}}')
                await socket.send_str(f'{{"op":"ticks","sent":1,"data":[{_tick(2)},{self.last}]}}')


@asynccontextmanager
async def _served(script: Script) -> AsyncIterator[Target]:
    count = 0

    async def stream(request: web.Request) -> web.WebSocketResponse:
        nonlocal count
        count += 1
        socket = web.WebSocketResponse(protocols=("tickwire.v1",))
        await socket.prepare(request)
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


@pytest.fixture(name="tallies")
def _tallies(monkeypatch: pytest.MonkeyPatch) -> list[Tally]:
    """Return the tallies that were begun."""
    found: list[Tally] = []

    def begun(now: float) -> Tally:
        found.append(Tally(now))
        return found[-1]

    monkeypatch.setattr(crowd, "Tally", begun)
    return found


@asynccontextmanager
async def _loaded(target: Target, *members: Member) -> AsyncIterator[None]:
    stop = asyncio.Event()
    loading = asyncio.create_task(load(target, members, clock=SystemClock(), stop=stop))
    try:
        yield
    finally:
        stop.set()
        await loading


@pytest.mark.parametrize("kind", [Kind.STEADY, Kind.PACED, Kind.SLOW])
async def test_they_follow(kind: Kind, tallies: list[Tally]) -> None:
    """Each kind of client that stays subscribes once and counts what comes, and what was left out."""
    gateway = Gateway()
    rate = 2.0 if kind is Kind.PACED else None
    async with _served(gateway) as target, _loaded(target, _member(kind, max_rate=rate)):
        await eventually(lambda: bool(tallies) and tallies[0].ticks[kind] == 3)
        assert (tallies[0].skipped[kind], tallies[0].connected) == (3, 1)

    assert [command.get("max_rate") for command in gateway.commands[1]] == [rate]
    assert (tallies[0].connected, dict(tallies[0].ends)) == (0, {})


@pytest.mark.parametrize(("kind", "resumes"), [(Kind.VISITING, False), (Kind.RETURNING, True)])
async def test_they_come_back(kind: Kind, *, resumes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that comes and goes begins anew; one that returns goes on where it was."""
    gateway = Gateway()
    monkeypatch.setattr(plan, "STAY_S", {kind: (0.3, 0.3)})
    monkeypatch.setattr(plan, "AWAY_S", (0.0, 0.0))
    async with _served(gateway) as target, _loaded(target, _member(kind)):
        await eventually(lambda: bool(gateway.commands[2]))

    resume = gateway.commands[2][0].get("resume")
    assert resume == ({"AAPL": {"epoch": 7, "seq": 6}} if resumes else None)


async def test_the_promise_is_broken(tallies: list[Tally]) -> None:
    """A hole that nobody explains makes the whole run fail at its end."""
    gateway = Gateway()
    gateway.last = _tick(9)
    with pytest.raises(PromiseBroken, match="1 frames"):
        async with _served(gateway) as target, _loaded(target, _member(Kind.STEADY)):
            await eventually(lambda: bool(tallies) and tallies[0].violations == 1)


async def test_refused_at_first() -> None:
    """A gateway that refuses before anybody was let in ends the run, with its reason."""
    async with _served(Gateway()) as target:
        nowhere = Target(target.url.replace("/v1/stream", "/nothing"))
        with pytest.raises(Refused, match="HTTP 404"):
            await load(nowhere, [_member(Kind.STEADY)], clock=SystemClock(), stop=asyncio.Event())


async def test_unknown_symbol() -> None:
    """A symbol that the gateway does not know ends the run, with its name."""

    async def script(socket: web.WebSocketResponse, _: int) -> None:
        async for message in socket:
            command = json.loads(message.data)
            if command["op"] == "subscribe":
                answer = {"op": "subscribed", "id": command["id"], "symbols": {}, "pending": 0}
                await socket.send_json({**answer, "rejected": {"AAPL": "unknown_symbol"}})

    async with _served(script) as target:
        with pytest.raises(Refused, match="AAPL: unknown symbol"):
            await load(target, [_member(Kind.STEADY)], clock=SystemClock(), stop=asyncio.Event())


async def test_cut_off(tallies: list[Tally], monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow client that is cut off is counted with the way it ended, and comes back."""
    gateway = Gateway()
    monkeypatch.setattr(plan, "AWAY_S", (0.0, 0.0))

    async def script(socket: web.WebSocketResponse, number: int) -> None:
        if number > 1:
            await gateway(socket, number)
        else:
            await socket.close(code=1012)

    async with _served(script) as target, _loaded(target, _member(Kind.SLOW)):
        await eventually(lambda: bool(gateway.commands[2]))
        assert sum(tallies[0].ends.values()) == 1
        assert tallies[0].welcomes == 2


async def test_given_time() -> None:
    """A run that is given its seconds ends by itself."""
    async with _served(Gateway()) as target, asyncio.timeout(10):
        await load(target, [_member(Kind.STEADY)], clock=SystemClock(), stop=asyncio.Event(), seconds=0.1)


async def test_slow_client_takes_its_time(tallies: list[Tally], monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow client reads a frame only when it is done with the one before."""
    monkeypatch.setattr(sluggard, "BYTES_PER_S", 1)
    gateway = Gateway()
    async with _served(gateway) as target, _loaded(target, _member(Kind.SLOW)):
        await eventually(lambda: bool(gateway.commands[1]))
        assert tallies[0].ticks[Kind.SLOW] == 0
