"""A server that uses `websockets.broadcast`."""

from __future__ import annotations

import asyncio
import sys
import time

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from benchmarks.peers.peer import Schedule


async def run(clients: int, schedule: Schedule) -> None:
    """Serve until the schedule is over."""
    connected: set[ServerConnection] = set()
    complete = asyncio.Event()

    async def stream(connection: ServerConnection) -> None:
        connected.add(connection)
        if len(connected) == clients:
            complete.set()
        await connection.wait_closed()
        connected.discard(connection)

    async def send(lines: list[bytes]) -> None:
        data = b",".join(lines)
        broadcast(connected, (b'{"op":"ticks","sent":%d,"data":[%b]}' % (time.time_ns() // 1000, data)).decode())

    async with serve(stream, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        sys.stdout.write(f"{next(iter(server.sockets)).getsockname()[1]}\n")
        sys.stdout.flush()
        await complete.wait()
        await schedule.each(send)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        count, rate, ticks, seconds = sys.argv[1:]
        runner.run(run(int(count), Schedule(float(rate), int(ticks), float(seconds))))
