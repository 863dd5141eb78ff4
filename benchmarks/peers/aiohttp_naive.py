"""A server as one writes it first: aiohttp, and `await ws.send_json` for each client in turn."""

from __future__ import annotations

import asyncio
import json
import sys
import time

import uvloop
from aiohttp import web

from benchmarks.peers.peer import Schedule


async def serve(clients: int, schedule: Schedule) -> None:
    """Serve until the schedule is over."""
    connected: list[web.WebSocketResponse] = []
    complete = asyncio.Event()

    async def stream(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        connected.append(socket)
        if len(connected) == clients:
            complete.set()
        async for _ in socket:
            pass
        return socket

    async def send(lines: list[bytes]) -> None:
        ticks = [json.loads(line) for line in lines]
        for socket in connected:
            message = {"op": "ticks", "sent": time.time_ns() // 1000, "data": ticks}
            await socket.send_json(message, dumps=compact)

    app = web.Application()
    app.router.add_get("/", stream)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
    await site.start()
    sys.stdout.write(f"{site.port}\n")
    sys.stdout.flush()
    await complete.wait()
    await schedule.each(send)


def compact(message: object) -> str:
    """As small as Tickwire's own."""
    return json.dumps(message, separators=(",", ":"))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        count, rate, ticks, seconds = sys.argv[1:]
        runner.run(serve(int(count), Schedule(float(rate), int(ticks), float(seconds))))
