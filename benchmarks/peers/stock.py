"""The service as one writes it first: aio-pika's consumer, and `await ws.send_str` for each client in turn."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence

import aio_pika
import uvloop
from aio_pika.abc import AbstractIncomingMessage
from aiohttp import web

from benchmarks.metronome import Metronome
from benchmarks.peers.peer import HELLO, SYMBOL, Schedule, Target, Unavailable
from benchmarks.peers.program import START_S
from services.broker import topology
from services.broker.ports import Route


class Stock:
    """A process that consumes with aio-pika and sends with aiohttp, behind the same RabbitMQ as ours."""

    name = "aio-pika + aiohttp"
    how = (
        "`queue.consume` without acks, `await ws.send_str` for each client in turn, uvloop; a batch is one message"
    )

    def __init__(self, url: str) -> None:
        self._url = url
        self._metronome = Metronome(url)
        self._process: Process | None = None

    async def start(self, schedule: Schedule, clients: int) -> Target:
        """See `Peer`."""
        del schedule, clients
        await self._metronome.start()
        command = (sys.executable, "-m", __name__, self._url)
        self._process = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), START_S)
        if not line:
            raise Unavailable(f"{self.name}, which did not start")
        return Target(int(line), "/", hello=[HELLO])

    @property
    def pids(self) -> Sequence[int]:
        """See `Peer`."""
        return [] if self._process is None else [self._process.pid]

    async def publish(self, schedule: Schedule) -> None:
        """See `Peer`."""
        await self._metronome.publish(schedule)

    async def stop(self) -> None:
        """See `Peer`."""
        if self._process is not None:
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()
        await self._metronome.stop()


async def serve(url: str) -> None:
    """Serve until killed."""
    sockets: set[web.WebSocketResponse] = set()

    async def stream(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        sockets.add(socket)
        async for _ in socket:
            pass
        sockets.discard(socket)
        return socket

    async def on_message(message: AbstractIncomingMessage) -> None:
        text = message.body.decode()
        for socket in list(sockets):
            await socket.send_str(text)

    app = web.Application()
    app.router.add_get("/", stream)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
    await site.start()
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(topology.TICKS.name, topology.TICKS.kind, durable=True)
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(exchange, topology.routing_key(Route.TICK, SYMBOL))
        await queue.consume(on_message, no_ack=True)
        sys.stdout.write(f"{site.port}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(sys.argv[1]))
